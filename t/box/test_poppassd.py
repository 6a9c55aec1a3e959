# SPDX-License-Identifier: ISC
"""popstore-poppassd: a user changes a password.

The protocol core has its rows in t/unit/passwd/poppass.c; here it is the way from a client
to the secret and back, and that the old password is worth nothing from then on.
"""

import concurrent.futures
import contextlib
import os
import poplib
import subprocess
import time
from urllib.parse import urlencode

import pytest

from lib import certificate, place
from lib.mail import Pop3
from lib.site import PASSWORD, Site
from lib.talk import Talker
from lib.wire import Wire, free_port, wait_until

NEW = "ein ganz neues Wort 8"
HELLO = "< 200 mx.example.org*"


class Poppassd:
    """A site whose users change their passwords."""

    def __init__(self, make_site, **sections):
        self.address = sections.pop("address", f"127.0.0.1:{free_port()}")
        poppassd = {"listen": [self.address], **sections.pop("poppassd", {})}
        self.site = make_site(poppassd=poppassd, **sections).start()

    def talk(self, dialogue, way="written"):
        return Talker(self.address, way).talk(dialogue)

    @contextlib.contextmanager
    def known(self, name, password=PASSWORD):
        """A connection that has given the right password."""
        with Wire(self.address) as wire:
            assert wire.line()[:4] == b"200 "
            for line in (f"USER {name}", f"PASS {password}"):
                assert wire.ask(line)[:4] == b"200 "
            yield wire

    def change(self, name, old, new):
        """The three answers' first words."""
        with Wire(self.address) as wire:
            wire.line()
            return [wire.ask(line)[:3].decode()
                    for line in (f"USER {name}", f"PASS {old}", f"NEWPASS {new}")]


@pytest.fixture(scope="module")
def passwd():
    sites = []

    def make(**sections):
        sites.append(Site("passwd", **sections))
        return sites[-1].init()

    try:
        yield Poppassd(make)
        sites[0].assert_sound()
        sites[0].daemon.assert_no_errors()
    finally:
        for site in sites:
            site.end()


def logs_in(site, name, password):
    try:
        Pop3(site, name, password).quit()
    except poplib.error_proto as e:
        assert b"[AUTH]" in e.args[0]
        return False
    return True


def test_a_change(passwd, way):
    name = passwd.site.new_account()
    mark = passwd.site.daemon.mark()
    passwd.talk(f"""
        {HELLO}
        > USER {name}
        < 200 *
        > PASS {PASSWORD}
        < 200 *
        > NEWPASS {NEW}
        < 200 *
        > QUIT
        < 200 *
        <eof
    """, way)
    assert logs_in(passwd.site, name, NEW)
    assert not logs_in(passwd.site, name, PASSWORD)
    line = passwd.site.daemon.wait_for("event=poppassd.changed", mark)
    assert f"account={name}" in line


def test_out_of_turn(passwd, way):
    name = passwd.site.new_account()
    passwd.talk(f"""
        {HELLO}
        > NEWPASS {NEW}
        < 500 *
        > PASS {PASSWORD}
        < 500 *
        > USER {name}
        < 200 *
        > USER {name}
        < 500 *
        > NEWPASS {NEW}
        < 500 *
        > PASS wrong
        < 500 name or password is wrong
        > NEWPASS {NEW}
        < 500 *
        > PASS {PASSWORD}
        < 500 *
        > QUIT
        < 200 *
        <eof
    """, way)
    assert logs_in(passwd.site, name, PASSWORD)


def test_every_refusal_reads_the_same(passwd):
    site = passwd.site
    disabled = site.new_account(flags="disuser")
    known = site.new_account()
    answers = set()
    for name, word in ((known, "wrong"), (site.new_name(), PASSWORD), (disabled, PASSWORD),
                       ("../../etc/passwd", "x"), ("a/b@example.org", "x"), ("@", "x"),
                       ("default@example.org", "x")):
        with Wire(passwd.address) as wire:
            wire.line()
            assert wire.ask(f"USER {name}")[:4] == b"200 "
            answers.add(wire.ask(f"PASS {word}"))
    assert answers == {b"500 name or password is wrong\r\n"}


def test_a_password_that_is_locked(passwd, way):
    name = passwd.site.new_account(flags="lockpwd")
    passwd.talk(f"""
        {HELLO}
        > USER {name}
        < 200 *
        > PASS {PASSWORD}
        < 200 *
        > NEWPASS {NEW}
        < 500 *cannot be changed*
    """, way)
    # Only its owner is told.
    passwd.talk(f"""
        {HELLO}
        > USER {name}
        < 200 *
        > PASS wrong
        < 500 name or password is wrong
        > NEWPASS {NEW}
        < 500 NEWPASS comes after PASS*
    """, way)
    assert logs_in(passwd.site, name, PASSWORD)


def test_a_new_password_that_is_no_good(passwd, way):
    name = passwd.site.new_account()
    passwd.talk(f"""
        {HELLO}
        > USER {name}
        < 200 *
        > PASS {PASSWORD}
        < 200 *
        > NEWPASS {"x" * 300}
        < 500 *
        > NEWPASS seven77
        < 500 *less than 8*
        > NEWPASS {NEW}
        < 200 *
    """, way)
    assert logs_in(passwd.site, name, NEW)


def test_three_failures_a_connection(passwd, way):
    name = passwd.site.new_account()
    passwd.talk(f"""
        {HELLO}
        > USER {name}
        < 200 *
        > PASS wrong
        < 500 *
        > USER {name}
        < 200 *
        > PASS wrong
        < 500 *
        > USER {name}
        < 200 *
        > PASS wrong
        < 500 *
        <eof
    """, way)


def test_an_address_and_a_network_have_a_limit(make_site):
    d = Poppassd(make_site, poppassd={"proxy_networks": ["127.0.0.1"], "max_per_address": 2,
                                      "max_per_network": 3},
                 auth={"plaintext_without_tls": "always"})
    with contextlib.ExitStack() as open_ones:
        def connect(source):
            wire = open_ones.enter_context(Wire(d.address))
            wire.send(f"PROXY TCP4 {source} 192.0.2.1 4711 106\r\n")
            return wire, wire.line()[:24]

        too_many = b"500 too many connections"
        first, answer = connect("198.51.100.1")
        assert answer[:4] == b"200 " and connect("198.51.100.1")[1][:4] == b"200 "
        assert connect("198.51.100.1")[1] == too_many
        assert connect("198.51.100.2")[1][:4] == b"200 "
        assert connect("198.51.100.3")[1] == too_many
        assert connect("198.51.101.1")[1][:4] == b"200 "
        first.close()
        wait_until("it is forgotten", lambda: connect("198.51.100.3")[1][:4] == b"200 ")


def test_tries_of_a_network_are_paced(make_site):
    """By the limiter that all services share, whatever names are tried."""
    d = Poppassd(make_site, poppassd={"proxy_networks": ["127.0.0.1"]},
                 auth={"plaintext_without_tls": "always"})
    start = time.monotonic()
    for source in ("198.51.100.1", "198.51.100.2", "198.51.100.3"):
        with Wire(d.address) as wire:
            wire.send(f"PROXY TCP4 {source} 192.0.2.1 4711 106\r\n")
            wire.line()
            for _ in range(3):
                wire.ask(f"USER {d.site.new_name()}")
                assert wire.ask("PASS wrong")[:4] == b"500 "
    # From the sixth on.
    assert time.monotonic() - start >= 0.1 + 0.2 + 0.4 + 0.8


def test_this_machine_is_not_counted(make_site):
    d = Poppassd(make_site, poppassd={"max_per_address": 1})
    with Wire(d.address) as a, Wire(d.address) as b:
        assert a.line()[:4] == b"200 " and b.line()[:4] == b"200 "


def test_lines_may_end_in_lf(passwd):
    name = passwd.site.new_account()
    with Wire(passwd.address) as wire:
        wire.send(f"user {name}\npass {PASSWORD}\nnewpass {NEW}\nquit\n")
        assert [line[:3] for line in wire.rest().split(b"\r\n")] == [b"200"] * 5 + [b""]
    assert logs_in(passwd.site, name, NEW)


def test_a_name_without_end(passwd):
    """CVE-1999-1113 and what became of it."""
    for line in ("USER " + "A" * 4096, "PASS " + "A" * 65536, "A" * 1024):
        with Wire(passwd.address) as wire:
            wire.line()
            assert wire.ask(line)[:4] == b"500 "
            assert wire.ask("QUIT")[:4] == b"200 "
    with Wire(passwd.address) as wire:
        wire.line()
        wire.send(b"USER a\0b\r\n")
        assert wire.line()[:4] == b"500 " and wire.rest() == b""


def test_two_at_once_leave_one_of_both(passwd):
    """Both prove the old password; one change stands, whole, and the log names it."""
    site = passwd.site
    for _ in range(10):
        name = site.new_account()
        words = [f"das erste Wort {i}" for i in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda w, n=name: passwd.change(n, PASSWORD, w), words))
        changed = [w for w, answers in zip(words, done) if answers[2] == "200"]
        good = [w for w in words + [PASSWORD] if logs_in(site, name, w)]
        assert len(good) == 1 and good[0] in changed


def test_wrong_passwords_in_parallel(passwd):
    """RELIABILITY 152: each is answered, and the owner still gets through afterwards."""
    name = passwd.site.new_account()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: passwd.change(name, f"wrong {i}", NEW), range(60)))
    assert {a[1] for a in answers} == {"500"} and {a[2] for a in answers} == {"500"}
    wait_until("the owner to be let in",
               lambda: passwd.change(name, PASSWORD, NEW) == ["200"] * 3, 60)
    assert logs_in(passwd.site, name, NEW)


# ---- who is served --------------------------------------------------------------------


def outside_address():
    """An address of this machine that is not loopback; None where it has none."""
    with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
        out = subprocess.run(["hostname", "-I"], check=True, text=True, capture_output=True)
        return next((a for a in out.stdout.split() if "." in a), None)
    return None


@pytest.mark.parametrize("setting, served", [("never", False), ("loopback", True),
                                             ("always", True)])
def test_clear_text_is_for_whom_the_setting_says(make_site, setting, served):
    p = Poppassd(make_site, auth={"plaintext_without_tls": setting})
    if served:
        assert p.change(p.site.new_account(), PASSWORD, NEW) == ["200"] * 3
        return
    with Wire(p.address) as wire:
        assert wire.line() == b"500 a password in clear text needs TLS here\r\n"
        assert wire.rest() == b""


def test_others_than_loopback_need_tls(make_site):
    """Whatever `listen` says."""
    place.need_root("makes a network of its own")
    p = Poppassd(make_site, address=f"0.0.0.0:{free_port()}")
    outside = outside_address()
    if outside is None:
        pytest.skip("this machine has no address but loopback")
    port = p.address.rsplit(":", 1)[1]
    with Wire(f"{outside}:{port}") as wire:
        assert wire.line() == b"500 a password in clear text needs TLS here\r\n"
        assert wire.rest() == b""
    with Wire(f"127.0.0.1:{port}") as wire:
        assert wire.line()[:4] == b"200 "


def test_a_proxy_says_who_the_client_is(make_site):
    p = Poppassd(make_site, poppassd={"proxy_networks": ["127.0.0.0/8"]})
    for client, answer in (("127.0.0.9", b"200 "), ("192.0.2.7", b"500 ")):
        with Wire(p.address) as wire:
            wire.send(f"PROXY TCP4 {client} 127.0.0.1 4711 106\r\n")
            assert wire.line()[:4] == answer
    with Wire(p.address) as wire:
        wire.send("USER without@a.header\r\n")
        # What is no header is left unread, so the end may be a reset.
        said = b""
        with contextlib.suppress(ConnectionResetError):
            said = wire.rest()
        assert said + wire.buffer == b""


def test_over_tls(make_site, tmp_path):
    pair = certificate.make(tmp_path, "mail")
    tls = f"127.0.0.1:{free_port()}"
    p = Poppassd(make_site, poppassd={"tls_listen": [tls]}, tls=certificate.settings(pair),
                 auth={"plaintext_without_tls": "never"})
    name = p.site.new_account()
    with Wire(tls) as wire:
        wire.start_tls(certificate.client(trusted=pair[0]), "mail.example.org")
        assert wire.line()[:4] == b"200 "
        for line in (f"USER {name}", f"PASS {PASSWORD}", f"NEWPASS {NEW}", "QUIT"):
            assert wire.ask(line)[:4] == b"200 "
    # Clear text where a handshake has to be gets nothing.
    with Wire(tls) as wire:
        wire.send(f"USER {name}\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"200" not in wire.rest()


# ---- limits and troubles ----------------------------------------------------------------


def test_with_one_connection_too_many_the_first_gives_way(make_site):
    p = Poppassd(make_site, poppassd={"max_connections": 2})
    name = p.site.new_account()
    with p.known(name) as known, Wire(p.address) as a:
        assert a.line()[:4] == b"200 "
        with Wire(p.address) as b, Wire(p.address) as c:
            assert b.line()[:4] == b"200 " and c.line()[:4] == b"200 "
            assert a.rest() == b""
            assert b.ask("QUIT")[:4] == c.ask("QUIT")[:4] == b"200 "
        # Who has proved who he is stays.
        assert known.ask("NEWPASS another sesame 8")[:4] == b"200 "


def test_a_drip_of_octets_does_not_hold_a_connection(make_site):
    p = Poppassd(make_site, poppassd={"timeout": "1s"})
    with Wire(p.address) as wire:
        wire.line()
        wire.sock.settimeout(0.05)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(400):
                try:
                    assert wire.sock.recv(100) == b""
                    return
                except TimeoutError:
                    wire.send("N")
            pytest.fail("a connection without end")


def test_authd_that_is_killed_is_no_reason_to_refuse(make_site):
    """It is started again, and the channel keeps what was asked meanwhile."""
    p = Poppassd(make_site)
    name = p.site.new_account()
    authd, = p.site.daemon.workers("popstore-authd")
    with p.known(name) as wire:
        os.kill(authd, 9)
        assert wire.ask(f"NEWPASS {NEW}")[:4] == b"200 "
    assert p.change(name, NEW, PASSWORD) == ["200"] * 3


def test_a_stop_ends_connections(make_site):
    p = Poppassd(make_site)
    with Wire(p.address) as wire:
        wire.line()
        p.site.stop()
        assert wire.rest() == b""


def test_a_secret_that_cannot_be_written_stays_as_it_was(make_site):
    """Of a disk without room, the user is told to try again, and the old one is good."""
    place.need_root("makes a file that nobody may write")
    p = Poppassd(make_site)
    name = p.site.new_account()
    where = next(d for d, _, files in os.walk(p.site.root / "secrets") if name in files)
    subprocess.run(["chattr", "+i", where], check=False)
    if subprocess.run(["lsattr", "-d", where], check=False, text=True,
                      capture_output=True).stdout.find("i") < 0:
        pytest.skip("this file system has no immutable folders")
    try:
        assert p.change(name, PASSWORD, NEW) == ["200", "200", "500"]
    finally:
        subprocess.run(["chattr", "-i", where], check=True)
    assert p.change(name, PASSWORD, NEW) == ["200"] * 3


# ---- secrets -----------------------------------------------------------------------------


def memory_of(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            if not mode.startswith("rw") or end - start > 1 << 30:
                continue
            with contextlib.suppress(OSError):
                mem.seek(start)
                yield mem.read(end - start)


def test_no_password_stays_in_memory_or_log(make_site):
    place.need_root("reads another process's memory")
    p = Poppassd(make_site, log={"level": "debug"})
    name, old, new = p.site.new_name(), "an-old-" + "secret-of-mine", "a-new-" + "secret-of-mine"
    p.site.add(name, old)
    pids = [p.site.daemon.workers(n)[0] for n in ("popstore-poppassd", "popstore-authd")]
    with p.known(name, old) as wire:
        assert wire.ask(f"NEWPASS {new}")[:4] == b"200 "
        for pid in pids:
            for word in (old, new):
                wait_until(f"{word} to be gone from process {pid}", lambda p=pid, w=word.encode():
                           not any(w in m for m in memory_of(p)))
        # That is, the search finds what is there.
        assert sum(m.count(b"popstore") for m in memory_of(pids[0])) > 0
    p.site.daemon.wait_for("event=poppassd.changed")
    log = (p.site.dir / "log").read_text(encoding="utf-8")
    assert old not in log and new not in log


def test_a_dictionary_may_be_anywhere(make_site, tmp_path):
    """authd sees a few files only: this has to be one of them."""
    words = tmp_path / "words"
    words.write_text("correct horse\nsommerregen\n", encoding="utf-8")
    p = Poppassd(make_site, auth={"password_dictionary": words})
    name = p.site.new_account()
    assert p.change(name, PASSWORD, "Sommerregen99") == ["200", "200", "500"]
    p.site.daemon.wait_for("event=poppassd.rejected .*others try first")
    assert p.change(name, PASSWORD, NEW) == ["200", "200", "200"]


# ---- a client that nobody here wrote ------------------------------------------------------


def poppass_cgi():
    path = "/usr/lib/cgi-bin/poppass"
    assert os.path.exists(path), "poppass-cgi is not installed: ./check installs it"
    return path


def test_poppass_cgi(make_site):
    """Debian's poppass-cgi, a script of 1996: it knows port 106 only, ends lines in LF, and
    takes 200 for yes and 500 for no."""
    place.need_root("port 106")
    p = Poppassd(make_site, address="127.0.106.1:106")
    name = p.site.new_account()

    def post(old, new):
        form = urlencode({"host": "127.0.106.1", "username": name, "password": old,
                          "newpassword1": new, "newpassword2": new, "action": "Change"})
        env = {"PATH": os.environ["PATH"], "GATEWAY_INTERFACE": "CGI/1.1",
               "REQUEST_METHOD": "GET", "QUERY_STRING": form, "SERVER_PROTOCOL": "HTTP/1.0"}
        return subprocess.run(["perl", poppass_cgi()], check=False, env=env, text=True,
                              capture_output=True, timeout=60).stdout

    assert "Password Changed Successfully" in post(PASSWORD, "ohneLeerzeichen9")
    assert "name or password is wrong" in post(PASSWORD, "ohneLeerzeichen9")
    assert logs_in(p.site, name, "ohneLeerzeichen9")
