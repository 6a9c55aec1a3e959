# SPDX-License-Identifier: ISC
"""A session process believes authd and nobody else: a login process that was taken over can
hand over what it likes (lib/ticket.h)"""

import hashlib
import hmac
import time

import pytest

from lib.given import Given
from lib.wire import Wire

NAME, OTHER = "alice@example.org", "bob@example.org"
LIFE_MS = 60000
DIGITS = "0123456789abcdefghijklmnopqrstuv"


def uid_of(site, name):
    """As the account's profile has it."""
    profile, = (p for p in (site.root / "accounts").rglob("profile") if p.parent.name == name)
    line, = (x for x in profile.read_text(encoding="utf-8").splitlines() if x.startswith("uid "))
    uid = 0
    for digit in line.split()[1]:
        uid = uid << 5 | DIGITS.index(digit)
    return uid


def ticket(account, uid, sid="s1", life_ms=LIFE_MS, key=Given.KEY, profile=0):
    until = f"{int(time.time() * 1000) + life_ms:016x}"
    says = f"popstore-ticket 2 {len(account)} {account} {uid:x} {len(sid)} {sid} {profile:x} {until}"
    return f"{until}-{profile:016x}-{hmac.new(key, says.encode(), hashlib.sha256).hexdigest()}"


def note(account, uid, ticket_, sid="s1"):
    lines = [f"account {account}", "peer 192.0.2.7:4711", f"sid {sid}", f"uid {uid}"]
    if ticket_:
        lines.append(f"ticket {ticket_}")
    return ("popstore-handover 1\n" + "\n".join(lines) + "\n\n").encode()


@pytest.fixture
def sessions(make_site):
    site = make_site()
    site.add(NAME), site.add(OTHER)
    given = Given(site, "popstore-pop3d", "session")
    given.uid, given.other = uid_of(site, NAME), uid_of(site, OTHER)
    yield given
    given.end()


def answer(sessions, note_):
    with Wire(sessions.give(note_)) as wire:
        return wire.line()


def test_whom_authd_has_signed_is_served(sessions):
    with Wire(sessions.give(note(NAME, sessions.uid, ticket(NAME, sessions.uid)))) as wire:
        assert wire.line().startswith(b"+OK 0 ")
        wire.quit()


FORGED = {
    "none": lambda s: note(NAME, s.uid, None),
    "nonsense": lambda s: note(NAME, s.uid, "x" * 81),
    "another key": lambda s: note(NAME, s.uid, ticket(NAME, s.uid, key=bytes(32))),
    "another account": lambda s: note(OTHER, s.other, ticket(NAME, s.uid)),
    "another uid": lambda s: note(NAME, s.uid, ticket(NAME, s.uid + 1)),
    "another session": lambda s: note(NAME, s.uid, ticket(NAME, s.uid, sid="s2")),
    "void": lambda s: note(NAME, s.uid, ticket(NAME, s.uid, life_ms=-1)),
    "good for too long": lambda s: note(NAME, s.uid, ticket(NAME, s.uid, life_ms=10 * LIFE_MS)),
    "a letter more": lambda s: note(NAME, s.uid, ticket(NAME, s.uid) + "0"),
    "another sum": lambda s: note(NAME, s.uid, ticket(NAME, s.uid)[:-1] + "g"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_ticket_opens_nothing(sessions, forge):
    assert answer(sessions, forge(sessions)) == \
        b"-ERR [SYS/TEMP] no session now, try again later\r\n"
    assert "event=pop3.handover.failed level=error" in sessions.log()


def test_a_ticket_of_an_account_that_was_there_before_opens_nothing(sessions):
    """Signed, but not for the incarnation that is there now."""
    gone = sessions.uid + 1
    assert answer(sessions, note(NAME, gone, ticket(NAME, gone))).startswith(b"-ERR [SYS/PERM]")


def test_what_the_profile_is_known_by_is_only_a_hint(sessions):
    """It is read, where it is not what authd knew."""
    for uid, reply in ((sessions.uid, b"+OK 0 "), (sessions.uid + 1, b"-ERR [SYS/PERM]")):
        signed = ticket(NAME, uid, profile=4711)
        assert answer(sessions, note(NAME, uid, signed)).startswith(reply)


def test_a_hint_that_was_not_signed_opens_nothing(sessions):
    until, _, signature = ticket(NAME, sessions.uid).split("-")
    forged = f"{until}-{4711:016x}-{signature}"
    assert answer(sessions, note(NAME, sessions.uid, forged)) == \
        b"-ERR [SYS/TEMP] no session now, try again later\r\n"
