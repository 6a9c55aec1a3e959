# SPDX-License-Identifier: ISC
"""Controls of the model checker: something is wrong on purpose, and it has to say so

A small store with a few messages is played with until model and store agree; then a fault
is planted, on the disk (plant.py) or in what the clients are answered, and the next audit
has to fail for that reason and no other.
"""

import os
import re
import shutil
import signal

import pytest

from lib import place
from lib.mail import Lmtp
from lib.site import Site
from lib.wire import Wire
from model import Violation, content_of
from plant import Maildrop, MessageFile, change_uidl
from power import PowerSite, eatmydata
from players import Sender, Session
from world import HAPPENINGS, Auditor, World

ALICE, BOB = "u0@example.org", "u1@example.org"
SETTINGS = {"store": {"checkpoint": "1s"}, "lmtp": {"delivered_to": True}, "policy": None,
            "socketmap": None, "milter": None}


class Small(World):
    """Nothing at random."""

    def __init__(self, site, env=None):
        super().__init__(site, "control")
        self.populate(fixed=2, volatile=0)
        site.start(env=env)
        self.numbers = 0

    def send(self, *names):
        """Its token."""
        sender = Sender(self, "s")
        self.numbers += 1
        token = f"{self.numbers}-1795292023"
        sender.connect()
        sender.ask("MAIL FROM:<sender@example.com>")
        sender.message(token, sender.rcpt(names), drop=False)
        sender.hang_up()
        return token

    def remove(self, name, *tokens):
        session = Session(Auditor(self, "r"), name)
        assert session.login()
        for token in tokens:
            session.dele(session.tokens.index(token) + 1)
        session.quit()
        session.wire.close()

    def uidl(self, name, token):
        return self.model.accounts[name].copies[token].uidl


@pytest.fixture
def world():
    root = place.scratch("model", under="/dev/shm")
    site = Site("model", **{**SETTINGS, "store": {"root": root / "store", "checkpoint": "1h"}})
    try:
        w = Small(site.init())
        w.tokens = [w.send(ALICE, BOB), w.send(ALICE), w.send(ALICE), w.send(ALICE, BOB)]
        w.audit()
        yield w
    finally:
        site.end()
        place.discard(root)


def must_fail(world, *reasons):
    with pytest.raises(Violation, match="|".join(reasons)):
        world.audit()


# ---- on the disk --------------------------------------------------------------------


def lose_file(w):
    os.unlink(MessageFile(w.site, w.uidl(ALICE, w.tokens[1])).path)


def lose_line(w):
    m = Maildrop(w.site, ALICE)
    m.lines.pop()
    m.write()


def change_order(w):
    m = Maildrop(w.site, ALICE)
    m.lines[1:3] = m.lines[2:0:-1]
    m.write()


def new_uidl(w):
    uidl = w.uidl(ALICE, w.tokens[1])
    change_uidl(w.site, ALICE, uidl, uidl[:-1] + "v")


def old_uidl(w):
    """One that was read and removed names another message."""
    w.site.start()
    used = w.uidl(ALICE, w.tokens[1])
    w.remove(ALICE, w.tokens[1])
    token = w.send(BOB)
    w.site.stop()
    change_uidl(w.site, BOB, w.uidl(BOB, token), used)
    w.model.accounts[BOB].copies[token].state = "may"  # else it would be missed first


def change_octets(w):
    f = MessageFile(w.site, w.uidl(ALICE, w.tokens[1]))
    f.body = f.body.replace(b"sender@example.com", b"Sender@example.com")
    f.write()


def change_trace(w):
    m = Maildrop(w.site, ALICE)
    for line in m.lines:
        line[-1] = line[-1].replace(b"Delivered-To", b"Delivered-to")
    m.write()


def remove_one(w):
    w.site.start()
    with Wire(w.site.pop3) as wire:
        wire.line()
        for line in (f"USER {ALICE}", "PASS first-secret", "DELE 2", "QUIT"):
            assert wire.ask(line).startswith(b"+OK")
    w.site.stop()


def add_another(w):
    """The same octets, without what a retry is known by."""
    w.site.start()
    with Lmtp(w.site.lmtp) as lmtp:
        lmtp.ask("LHLO somebody.else.example.com")
        assert lmtp.send([ALICE], content_of(w.tokens[1]))[0].startswith("250")
    w.site.stop()


def add_unsent(w):
    w.site.start()
    with Lmtp(w.site.lmtp) as lmtp:
        assert lmtp.send([ALICE], b"Subject: who\r\n\r\n")[0].startswith("250")
    w.site.stop()


def bring_back(w):
    """What was removed, by a backup of the day before."""
    shutil.copytree(w.site.root, w.site.dir / "backup")
    w.site.start()
    w.remove(ALICE, w.tokens[0])
    w.site.stop()
    shutil.rmtree(w.site.root)
    shutil.move(w.site.dir / "backup", w.site.root)


def change_password(w):
    w.site.ctl("passwd", ALICE, "--password-stdin", stdin="another\n")


def keep_password(w):
    """A change that was confirmed and did not happen."""
    w.model.accounts[ALICE].past.append("first-secret")


def change_quota(w):
    w.site.ctl("modify", ALICE, "--quota", "1M")


def delete_account(w):
    w.site.ctl("delete", BOB, "--yes")


def leave_file(w):
    """For nobody."""
    f = MessageFile(w.site, w.uidl(ALICE, w.tokens[1]))
    m = Maildrop(w.site, ALICE)
    m.lines = [line for line in m.lines if line[0].decode() != f.path.name]
    m.write()
    copy = w.model.accounts[ALICE].copies[w.tokens[1]]
    copy.state = "asleep"


PLANTED = {
    lose_file: "which the file|has lost|451|in a calm round",
    lose_line: "has lost",
    change_order: "changed its order",
    new_uidl: "has lost|was .* and is now",
    old_uidl: "which was not sent there",
    change_octets: "has other octets",
    change_trace: "has other octets",
    remove_one: "has lost",
    add_another: "has one twice",
    add_unsent: "which was never sent",
    bring_back: "which must not be there",
    change_password: "the password is not",
    keep_password: "has an old password",
    change_quota: "the quota of",
    delete_account: "there is no account",
    leave_file: "whose maildrop does not have it",
}


@pytest.mark.parametrize("fault", PLANTED, ids=lambda f: f.__name__)
def test_control_planted_on_the_disk(world, fault):
    world.site.stop()
    fault(world)
    world.site.start()
    must_fail(world, PLANTED[fault])


# ---- in the answers -----------------------------------------------------------------


def more(pattern, by=1):
    """The number in `pattern`'s group, one larger."""
    def change(answer):
        return re.sub(pattern, lambda m: m[1] + str(int(m[2]) + by).encode() + m[3], answer,
                      count=1)
    return change


ANSWERS = {
    "STAT": (more(rb"(\+OK \d+ )(\d+)(\r)"), r"\+OK"),
    "LIST": (more(rb"(^\d+ )(\d+)(\r)"), "LIST"),
    "UIDL": (lambda answer: re.sub(rb"(\d+ )\w(\w{12})", rb"\g<1>0\2", answer),
             "is now|UIDL is not"),
    "RETR": (lambda answer: answer[:-3] + b"\r\n" if len(answer) > 200 else answer, "octets"),
    "TOP": (lambda answer: answer + b"more\r\n" if len(answer) > 200 else answer, "TOP"),
    "DATA": (lambda answer: answer.replace(b" stored", b"")[:-3] + b" stored\r\n",
             "4xx|calm round|is now"),
}


@pytest.mark.parametrize("command", ANSWERS)
def test_control_planted_in_the_answers(world, command):
    change, reason = ANSWERS[command]
    world.tamper = lambda line, answer: \
        change(answer) if line.split(" ")[0] == command else answer
    with pytest.raises(Violation, match=reason):
        world.send(ALICE)
        world.audit()


def test_control_a_listing_that_changes_within_a_session(world):
    session = Session(Auditor(world, "r"), ALICE)
    assert session.login()
    world.tamper = lambda line, answer: \
        answer.replace(b"2 ", b"3 ", 1) if line == "UIDL" else answer
    with pytest.raises(Violation, match="UIDL is not"):
        session.uidl_all()
    session.wire.close()


# ---- under the store ----------------------------------------------------------------


@pytest.fixture
def power_site(disk):
    site = PowerSite(disk)
    site.conf["lmtp"]["delivered_to"] = True
    try:
        yield site.init()
    finally:
        site.end()


def cut(world):
    world.site.power_fails()
    world.model.power_failed()


def test_control_a_sync_that_lies(power_site):
    world = Small(power_site, env=eatmydata())
    world.send(ALICE, BOB)
    cut(world)
    power_site.start()
    must_fail(world, "has lost")


def test_control_a_removal_that_was_not_synced(power_site):
    world = Small(power_site)
    token = world.send(ALICE, BOB)
    power_site.stop()
    power_site.start(env=eatmydata())
    world.remove(ALICE, token)
    cut(world)
    power_site.start()
    must_fail(world, "which must not be there")


def test_control_recovery_that_is_skipped(power_site):
    """Without the writers' records there is nothing that it would look at."""
    world = Small(power_site)
    world.send(ALICE, BOB)
    cut(world)
    shutil.rmtree(power_site.root / "writers")
    power_site.start()
    must_fail(world, "has lost")


def test_control_a_kill_that_nobody_knows_of(world, monkeypatch):
    """A broken connection is a finding where nothing was to be killed."""
    def kill(w):
        for program in ("popstore-pop3d", "popstore-lmtpd"):
            for pid in w.site.daemon.workers(program):
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setitem(HAPPENINGS, "nobody knows", kill)
    with pytest.raises(AssertionError, match="in a calm round"):
        world.play("nobody knows", 400)
