# SPDX-License-Identifier: ISC
"""Other sources of passwords: the system's users as saslauthd asks them, and sources that are
there and say nothing"""

import contextlib
import socket
import subprocess
import threading
import time

import pytest

from lib import place, sources
from lib.authd import AuthSite
from lib.daemon import halt
from lib.wire import DEADLINE

CAROL, SECRET = "carol@example.org", "her secret 1"
WAIT = 20  # SOURCE_WAIT_S of authd/source.h


@contextlib.contextmanager
def authd(**auth):
    s = AuthSite(auth=auth)
    try:
        s.init()
        s.ctl("add", CAROL)
        yield s.start()
    finally:
        s.end()


# ---- the system's users ---------------------------------------------------------------------

PAM = "auth required pam_unix.so\naccount required pam_unix.so\n"


def of_the_system(*users):
    """/etc with these, (name, password hash), and no others."""
    return {"passwd": "".join(f"{name}:x:{4711 + i}:65534::/nonexistent:/bin/false\n"
                              for i, (name, _) in enumerate(users)),
            "shadow": "".join(f"{name}:{hashed}:19000:0:99999:7:::\n" for name, hashed in users),
            "pam.d/smtp": PAM}


def hash_of(password):
    return subprocess.run([place.tool("openssl"), "passwd", "-6", "-stdin"], input=password,
                          text=True, capture_output=True, check=True,
                          timeout=DEADLINE).stdout.strip()


def pam_users(_):
    hashed = hash_of(SECRET)
    return of_the_system(("root", "*"), ("carol", hashed), ("dave", "!" + hashed))


def sasldb_users(folder):
    return {"sasldb2": sources.sasldb(folder, {CAROL: SECRET})}


@pytest.mark.parametrize("mechanism, users, others", [
    # Who is locked, who is no account of ours, and who has no password.
    ("pam", pam_users, ("dave@example.org", "root@example.org")),
    ("shadow", pam_users, ("dave@example.org", "root@example.org")),
    ("sasldb", sasldb_users, ())])
def test_saslauthd_asks_the_system(tmp_path, mechanism, users, others):
    place.need_root("saslauthd")
    with sources.Saslauthd(mechanism, etc=users(tmp_path)) as sasl, \
            authd(saslauthd=sasl.socket, rules=["sources secret,saslauthd"]) as s:
        s.ctl("add", "dave@example.org")
        assert s.password(CAROL, SECRET).word == "ok"
        for name, password in [(CAROL, SECRET + "x"), (CAROL, ""), ("nobody@example.org", SECRET),
                               *((name, SECRET) for name in others)]:
            assert s.password(name, password).word == "refused"
        sasl.kill()
        assert s.password(CAROL, "another").word == "later"


# ---- sources that are stuck -----------------------------------------------------------------


@contextlib.contextmanager
def full_queue(path):
    """A server that accepts nobody, and as many clients as can wait for it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        yield


@contextlib.contextmanager
def stopped(daemon):
    for pid in daemon.processes():
        halt(pid)
    yield


def test_sources_that_are_stuck_are_given_up(tmp_path):
    """All at once, for each takes its time: a saslauthd whose queue is full, an LDAP server
    and a POP3 server that are stopped."""
    place.need_root("slapd")
    path = str(tmp_path / "mux")
    with contextlib.ExitStack() as stack:
        slapd = stack.enter_context(sources.Slapd({"carol": SECRET}))
        pop3 = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.enter_context(full_queue(path))
        s = stack.enter_context(authd(
            saslauthd=path, sasl_options=slapd.ldapdb,
            rules=["service smtp listen a:1 sources saslauthd",
                   "service smtp listen a:2 sources ldapdb", "service smtp listen a:3 sources "
                   f"pop3://127.0.0.1:{pop3.getsockname()[1]}"]))
        assert s.password(CAROL, SECRET, service="smtp", server="a:2").word == "ok"
        stack.enter_context(stopped(slapd.daemon))
        took, words = {}, {}

        def ask(server):
            begin = time.monotonic()
            with s.talk(service="smtp", server=server, deadline=3 * WAIT) as c:
                words[server] = c.password(CAROL, SECRET + "x").word
            took[server] = time.monotonic() - begin

        threads = [threading.Thread(target=ask, args=(f"a:{i}",)) for i in (1, 2, 3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert words == {"a:1": "later", "a:2": "later", "a:3": "later"}
        assert max(took.values()) < WAIT + DEADLINE / 2, took
