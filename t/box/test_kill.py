# SPDX-License-Identifier: ISC
"""kill -9 at awkward moments: what was answered 250 is there once, and nothing is torn.

The page cache survives this; t/crash is about power cuts.
"""

import os
import signal
import threading

import pytest

from lib.mail import Lmtp, dot_stuffed, fetch_all, message
from lib.wire import wait_until


def subjects(site, name):
    return sorted(m.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode()
                  for m in fetch_all(site, name))


def test_kill_right_after_250(own_site):
    names = [own_site.new_account() for _ in range(3)]
    for i in range(3):
        with Lmtp(own_site.lmtp_socket) as lmtp:
            for answer in lmtp.send(names, message(f"number {i}")):
                assert answer.startswith("250")
            own_site.kill()
        own_site.start()
        for name in names:
            assert subjects(own_site, name) == [f"number {n}" for n in range(i + 1)]
    own_site.assert_sound()


def test_kill_during_data(own_site):
    name = own_site.new_account()
    own_site.ctl("verdict", name)
    files = own_site.message_files()
    with Lmtp(own_site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<sender@example.com>")
        lmtp.ask(f"RCPT TO:<{name}>")
        assert lmtp.ask("DATA").startswith("354")
        lmtp.wire.send(message("half", b"x" * 70 + b"\r\n") * 5000)
        own_site.kill()
    own_site.start()
    assert fetch_all(own_site, name) == []
    assert own_site.message_files() == files
    own_site.assert_sound()


def test_hangup_during_data_leaves_nothing(own_site):
    name = own_site.new_account()
    for how in ("close", "reset"):
        with Lmtp(own_site.lmtp) as lmtp:
            lmtp.ask("MAIL FROM:<sender@example.com>")
            lmtp.ask(f"RCPT TO:<{name}>")
            assert lmtp.ask("DATA").startswith("354")
            lmtp.wire.send(dot_stuffed(message("half"))[:-3] + b"\r\n.\r")
            getattr(lmtp.wire, how)()
    own_site.stop()  # waits for the sessions
    assert own_site.message_files() == set()
    own_site.start()
    assert fetch_all(own_site, name) == []


def test_hangup_after_the_dot_undoes_nothing(own_site):
    name = own_site.new_account()
    for i, last in enumerate([b"", b"QUIT\r\n", b"RSET\r\nQUIT\r\n"]):
        with Lmtp(own_site.lmtp) as lmtp:
            lmtp.ask("MAIL FROM:<sender@example.com>")
            lmtp.ask(f"RCPT TO:<{name}>")
            assert lmtp.ask("DATA").startswith("354")
            lmtp.wire.send(dot_stuffed(message(f"number {i}")) + last)
    wait_until("three messages", lambda: len(subjects(own_site, name)) == 3)
    assert subjects(own_site, name) == ["number 0", "number 1", "number 2"]


@pytest.mark.parametrize("program", ["popstore-lmtpd", "popstore-pop3d"])
def test_a_worker_that_dies_is_replaced(own_site, program):
    name = own_site.new_account()
    old = own_site.daemon.workers(program)
    assert old
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    with Lmtp(own_site.lmtp_socket) as lmtp:
        assert lmtp.send([name], message("after"))[0].startswith("250")
    assert subjects(own_site, name) == ["after"]

    def replaced():
        now = own_site.daemon.workers(program)  # who was killed may take a while to be gone
        return len(now) == len(old) and not set(now) & set(old)
    wait_until("new workers", replaced)


def test_a_damaged_maildrop_holds_up_nobody_and_loses_nothing(make_site):
    """What recovery could not bring home comes home when the operator has mended it."""
    # A checkpoint just before the kill would leave recovery nothing to look at.
    own_site = make_site(store={"checkpoint": "1h"}).start()
    alice, bob = own_site.new_account(), own_site.new_account()
    with Lmtp(own_site.lmtp_socket) as lmtp:
        assert all(a.startswith("250") for a in lmtp.send([alice, bob], message("precious")))
        own_site.kill()
    path, = [os.path.join(d, "maildrop") for d, _, files in os.walk(own_site.root / "accounts")
             if os.path.basename(d) == alice and "maildrop" in files]
    with open(path, "r+b") as f:
        f.seek(-5, os.SEEK_END)
        f.write(b"xxxx")
    own_site.start()
    assert subjects(own_site, bob) == ["precious"]
    done = own_site.run("recover")
    assert done.returncode == os.EX_DATAERR and alice in done.stderr
    own_site.ctl("check", "--repair")
    assert own_site.ctl_json("recover")["failed"] == 0
    assert subjects(own_site, alice) == ["precious"]
    assert subjects(own_site, bob) == ["precious"]
    own_site.assert_sound()


class Sender(threading.Thread):
    """Delivers numbered messages until the peer is gone."""

    def __init__(self, site, names, prefix):
        super().__init__(daemon=True)
        self.site, self.names, self.prefix = site, names, prefix
        self.sent, self.answered = 0, []

    def run(self):
        try:
            with Lmtp(self.site.lmtp_socket) as lmtp:
                while True:
                    subject = f"{self.prefix}-{self.sent}"
                    self.sent += 1
                    answers = lmtp.send(self.names, message(subject))
                    if all(a.startswith("250") for a in answers):
                        self.answered.append(subject)
        except (OSError, AssertionError, IndexError):
            pass


def test_kill_under_load(own_site):
    """Each round stops everything after some dozens of deliveries, wherever they are."""
    names = [own_site.new_account() for _ in range(4)]
    answered, sent = [], set()
    for round_number in range(5):
        senders = [Sender(own_site, names[:2 + i], f"r{round_number}-s{i}") for i in range(3)]
        for s in senders:
            s.start()
        wait_until("some deliveries",
                   lambda: sum(len(s.answered) for s in senders) > 10 + 17 * round_number)
        own_site.kill()
        for s in senders:
            s.join(20)
            assert not s.is_alive()
            answered += s.answered
            sent |= {f"{s.prefix}-{i}" for i in range(s.sent)}
        own_site.start()
    for name in names[:2]:
        got = subjects(own_site, name)
        assert len(got) == len(set(got)), "a message came twice"
        assert set(answered) <= set(got), "a message that was answered 250 is gone"
        assert set(got) <= sent
    own_site.assert_sound()
