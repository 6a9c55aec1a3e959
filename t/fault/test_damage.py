# SPDX-License-Identifier: ISC
"""Files that rot: the services start, serve the rest, name the victim, and never send an
octet that was not his; `popstore check --repair` brings back what can be proved.

The sweep over every octet of every file is build/t/fault/damage; this is the same with
the real services and a few harms of each kind, before the start and under them.
"""

import poplib

import pytest

from lib.counts import count
from lib.mail import Lmtp, Pop3, message
from lib.site import PASSWORD
from lib.wire import wait_until

DATAERR = 65
NAMES = ("alice@example.org", "bob@example.org", "carol@example.org")
VICTIM = NAMES[0]
BODY = b"line of the body\r\n" * 40
NEW = message("while it is damaged")


def flip(path):
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 4
    path.write_bytes(octets)


def zero(path):
    octets = path.read_bytes()
    n = min(len(octets), 160)
    path.write_bytes(bytes(n) + octets[n:])


def halve(path):
    octets = path.read_bytes()
    path.write_bytes(octets[:len(octets) // 2])


def remove(path):
    path.unlink()


WAYS = {"flip": flip, "zero": zero, "truncate": halve, "remove": remove}


def head(path, change):
    """The same to the head of a message file."""
    part(path, change, slice(0, path.read_bytes().index(b"head-sum")))


def slots(path, change):
    octets = path.read_bytes()
    part(path, change, slice(octets.index(b"rcpt "), octets.index(b"\n\n")))


def body(path, change):
    octets = path.read_bytes()
    part(path, change, slice(octets.index(b"\n\n") + 2, len(octets)))


def part(path, change, which):
    """Only that part: what follows stays where it is."""
    octets = path.read_bytes()
    piece = path.with_name("piece")
    piece.write_bytes(octets[which])
    change(piece)
    changed = piece.read_bytes() if piece.exists() else b""
    piece.unlink(missing_ok=True)
    path.write_bytes(octets[:which.start] + changed + octets[which.stop:])


def place_of(site, kind):
    """One file of that kind; of those that are somebody's, the victim's."""
    if kind.startswith("message"):
        return min(p for p in site.root.glob("messages/*/*/*"))  # the first: to all
    where = {"mark": "popstore", "writer": "writers/0",
             "domain": "domains/*/*/example.net",
             "forwarding": "forwardings/*/*/sales@example.org",
             "secret": f"secrets/*/*/{VICTIM}",
             "profile": f"accounts/*/*/{VICTIM}/profile",
             "maildrop": f"accounts/*/*/{VICTIM}/maildrop"}[kind]
    found, = site.root.glob(where)
    return found


KINDS = ("message head", "message slots", "message body", "message", "maildrop", "profile",
         "secret", "domain", "forwarding", "mark", "writer")
PARTS = {"message head": head, "message slots": slots, "message body": body}


def harm(site, kind, way):
    """Does it; the file's name, as `check` may say it."""
    path = place_of(site, kind)
    if kind in PARTS:
        PARTS[kind](path, WAYS[way])
    else:
        WAYS[way](path)
    return path.name


@pytest.fixture
def store(make_site):
    """Not running: three users, a letter to all of them and two each of their own."""
    site = make_site(lmtp={"workers": 1}, pop3={"workers": 1})
    site.ctl("domain", "add", "example.net", "--alias", "example.org")
    for name in NAMES:
        site.add(name)
    site.ctl("forward", "sales@example.org", "bob@example.org")
    site.start()
    with Lmtp(site.lmtp_socket) as lmtp:
        send(lmtp, NAMES, message("to all", BODY))
        for name in NAMES:
            for i in range(2):
                send(lmtp, [name], message(f"number {i} of {name}", BODY))
    site.before = {name: fetch(site, name) for name in NAMES}
    assert all(len(x) == 3 for x in site.before.values())
    site.stop()
    return site


def send(lmtp, names, content):
    for answer in lmtp.send(names, content):
        assert answer.startswith("250"), answer


def fetch(site, name):
    """{uidl: octets, or None where RETR was refused}; None: nobody can log in."""
    try:
        pop3 = Pop3(site, name)
    except poplib.error_proto as e:
        assert b"-ERR" in e.args[0]
        return None
    try:
        lines = [line.split() for line in pop3.uidl()[1]]
        return {uidl: retr(pop3, int(number)) for number, uidl in lines}
    finally:
        pop3.quit()


def retr(pop3, number):
    try:
        return pop3.bytes_of(number)
    except poplib.error_proto as e:
        assert e.args[0].startswith(b"-ERR [SYS/"), e
        return None


def is_new(octets):
    return octets is not None and octets.endswith(NEW)


def without_new(now):
    return {u: o for u, o in now.items() if not is_new(o)}


def assert_nothing_wrong(site, concerned):
    """Who is not concerned has it all; who is has nothing that is not his."""
    for name in NAMES:
        now = fetch(site, name)
        if name not in concerned:
            assert without_new(now) == site.before[name]
        elif now is not None:
            for uidl, octets in without_new(now).items():
                assert octets in (None, site.before[name][uidl])


def deliver_new(site, concerned):
    """To the others it must be possible; who got a 250."""
    got = set()
    with Lmtp(site.lmtp_socket) as lmtp:
        for name in NAMES:
            answer, = lmtp.send([name], NEW)
            assert answer.startswith(("250", "451") if name in concerned else "250"), answer
            if answer.startswith("250"):
                got.add(name)
    return got


# What a file that is gone as a whole leaves no trace of.
NO_TRACE = {("secret", "remove"), ("domain", "remove"), ("forwarding", "remove"),
            ("message slots", "remove")}
RECOVERED = {"writer"}  # by the start


def concerned_by(kind):
    if kind.startswith("message"):
        return NAMES
    return (VICTIM,) if kind in ("maildrop", "profile", "secret") else ()


def comes_back(kind, way):
    """All of it, once repaired."""
    if kind in ("message head", "message slots"):
        return way == "flip"
    return kind in ("maildrop", "mark", "writer") or (kind != "message" and
                                                      kind != "message body" and
                                                      way == "flip")


def assert_all_back(site, got, but=None):
    """Under the same UIDLs, with the same octets, and what came meanwhile."""
    but = (but or "").encode()
    for name in NAMES:
        now = fetch(site, name)
        assert {u: o for u, o in without_new(now).items() if u != but} == \
            {u: o for u, o in site.before[name].items() if u != but}
        assert sum(is_new(o) for o in now.values()) == (name in got)


def assert_named(site, name, kind):
    done = site.run("check")
    assert done.returncode == DATAERR, (kind, done.stdout)
    assert name in done.stdout or (kind not in ("mark", "domain", "forwarding") and
                                   VICTIM in done.stdout), done.stdout


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_one_file(store, kind, way, when):
    site, concerned = store, concerned_by(kind)
    if when == "while it runs":
        site.start()
    name = harm(site, kind, way)
    if when == "before the start":
        site.start()
    assert_nothing_wrong(site, concerned)
    got = deliver_new(site, concerned)
    if (kind, way) not in NO_TRACE and kind not in RECOVERED:
        assert_named(site, name, kind)
    site.ctl("check", "--repair", status=None)
    site.restart()
    assert_nothing_wrong(site, concerned)
    if comes_back(kind, way):
        assert_all_back(site, got)
        site.assert_sound()
    elif kind == "profile":
        # Made again without its settings: he has to be let in again.
        site.ctl("modify", VICTIM, "--flags", "nodisuser")
        assert_all_back(site, got)
        site.assert_sound()
    elif kind.startswith("message"):
        assert_all_back(site, got, but=name)
    count("damaged files, with the real services", 1)


def test_two_message_files_that_were_exchanged(store):
    site = store
    a, b = sorted(site.root.glob("messages/*/*/*"))[:2]
    octets = a.read_bytes(), b.read_bytes()
    a.write_bytes(octets[1])
    b.write_bytes(octets[0])
    site.start()
    assert_nothing_wrong(site, NAMES)
    out = site.ctl("check", status=DATAERR)
    assert a.name in out and b.name in out
    site.ctl("check", "--repair", status=None)
    site.ctl("check", "--repair", status=None)
    for name in NAMES:
        assert fetch(site, name) == site.before[name]
    site.assert_sound()


def test_the_log_names_the_victim(store):
    """Once for each session or message that met it, by who answered."""
    site = store
    harm(site, "maildrop", "zero")
    harm(site, "message body", "flip")
    victim = place_of(site, "message").name
    site.start()
    with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
        Pop3(site, VICTIM)
    site.daemon.wait_for(rf"event=pop3\.\S+ .*{VICTIM}.*damaged")
    bob = Pop3(site, NAMES[1])
    with pytest.raises(poplib.error_proto, match=r"SYS/PERM"):
        bob.retr(1)
    bob.quit()
    site.daemon.wait_for(rf"event=pop3\.message\.unreadable .*{victim}.*checksum")


def test_a_wrong_password_stays_wrong(store):
    """No damage opens an account."""
    site = store
    site.conf["auth"]["user_delay"] = 0
    site.write_conf()
    site.start()
    for way in WAYS:
        for kind in ("secret", "profile"):
            path = place_of(site, kind)
            octets = path.read_bytes()
            WAYS[way](path)
            site.ctl("check", "--repair", status=None)
            for password in ("", "x", PASSWORD[:-1]):
                with pytest.raises(poplib.error_proto):
                    Pop3(site, VICTIM, password)
            path.write_bytes(octets)
    wait_until("the right one", lambda: fetch(site, VICTIM) == site.before[VICTIM])


def test_control_the_harms_are_seen_without_the_store(store):
    """Each changes the file that it is about."""
    for kind in KINDS:
        for way in WAYS:
            path = place_of(store, kind)
            octets = path.read_bytes()
            harm(store, kind, way)
            assert not path.exists() or path.read_bytes() != octets, (kind, way)
            path.write_bytes(octets)
