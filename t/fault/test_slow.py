# SPDX-License-Identifier: ISC
"""A disk that is slow to sync: throughput falls, no answer is wrong, nobody else waits"""

import re
import socket
import threading
import time

import pytest

from inject import Inject
from lib import place
from lib.asking import Policy
from lib.counts import count
from lib.given import Given
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.wire import Wire, wait_until

NAME, OTHER = "alice@example.org", "bob@example.org"
CLIENTS = 8


@pytest.fixture
def site(make_site):
    place.need_root("strace attaches to running services")
    site = make_site(lmtp={"workers": 1}, pop3={"workers": 1}, policy={},
                     store={"checkpoint": "1s"})
    site.add(NAME)
    site.add(OTHER)
    yield site.start()
    site.stop()


def begun(inject, call):
    return f"{call}(" in inject.out.read_text(errors="replace")


def most_at_once(inject, call):
    """How many of these calls were in the kernel at once, at most."""
    now = most = 0
    for line in inject.out.read_text(errors="replace").splitlines():
        if f"<... {call} resumed>" in line:
            now -= 1
        elif f" {call}(" in line:
            most = max(most, now + 1)
            now += "<unfinished ...>" in line
    return most


def send(site, subject, answers):
    with Lmtp(site.lmtp_socket) as lmtp:
        answers += lmtp.send([NAME], message(subject))


def test_messages_at_once(site):
    """Each waits for its own sync, none for that of another; and nobody else waits."""
    deliver(site, [NAME, OTHER], message("first"))
    answers = []
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                "fsync:delay_enter=4000000") as inject:
        threads = [threading.Thread(target=send, args=(site, f"{n}", answers))
                   for n in range(CLIENTS)]
        for t in threads:
            t.start()
        wait_until("a sync", lambda: begun(inject, "fsync"))
        # Meanwhile others read, and are judged.
        assert len(fetch_all(site, OTHER)) == 1
        with Policy(site.policy) as policy:
            policy.ask(NAME)
        assert answers == []
        for t in threads:
            t.join()
    assert most_at_once(inject, "fsync") > CLIENTS / 2
    assert len(answers) == CLIENTS
    assert all(a.startswith("250 ") for a in answers), answers
    assert len(fetch_all(site, NAME)) == 1 + CLIENTS
    count("messages with syncs of 4 s", CLIENTS)
    site.assert_sound()


def test_a_checkpoint_that_takes_long(site):
    """Deliveries do not wait for it."""
    deliver(site, NAME, message("first"))
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                "syncfs:delay_enter=3000000") as inject:
        answers = []
        wait_until("a checkpoint", lambda: send(site, "x", answers) or begun(inject, "syncfs"))
        before = len(answers)
        while inject.injected() == 0:
            send(site, f"{len(answers)}", answers)
    assert len(answers) > before + 2
    assert all(a.startswith("250 ") for a in answers), answers
    site.assert_sound()


def test_a_quit_that_takes_long(site):
    deliver(site, [NAME, OTHER])
    pop3, other = Pop3(site, NAME), Pop3(site, OTHER)
    pop3.dele(1)
    with Inject(site.daemon.workers("popstore-pop3d"), site.dir,
                "fdatasync:delay_enter=3000000") as inject:
        waiting = threading.Thread(target=pop3.quit)
        waiting.start()
        wait_until("the sync", lambda: begun(inject, "fdatasync"))
        other.retr(1)
        assert inject.injected() == 0
        waiting.join()
        assert inject.injected() == 1
    assert fetch_all(site, NAME) == []
    other.quit()


def test_the_end_of_a_channel_is_heard_twice(make_site):
    """popstored stops, and the process that sessions are handed to hears it; by a second
    thread, while the first one still looks."""
    place.need_root("strace attaches to a running service")
    given = Given(make_site(), "popstore-pop3d", "session")
    try:
        with Wire(given.give(b"nonsense")) as wire:
            assert wire.line().startswith(b"-ERR [SYS/TEMP] ")
        with Inject([given.process.pid], given.log_file.parent,
                    "recvmsg:delay_exit=1000000", "epoll_ctl:delay_exit=1") as inject:
            given.giving.shutdown(socket.SHUT_WR)
            wait_until("the first to look no more", lambda: re.search(
                r"EPOLL_CTL_DEL.*= 0\b", inject.out.read_text()))
            assert given.stop() == 0, given.log()
    finally:
        given.end()


def test_control_the_syncs_are_slow(site):
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                "fsync:delay_enter=300000"):
        began = time.monotonic()
        send(site, "slow", [])
        assert time.monotonic() - began >= 0.3
