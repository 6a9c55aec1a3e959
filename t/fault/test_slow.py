# SPDX-License-Identifier: ISC
"""A disk that is slow to sync: throughput falls, no answer is wrong, nobody else waits"""

import threading
import time

import pytest

from inject import Inject
from lib import place
from lib.asking import Policy
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.wire import wait_until

NAME, OTHER = "alice@example.org", "bob@example.org"
CLIENTS = 8


@pytest.fixture
def site(make_site):
    place.need_root("strace attaches to running services")
    site = make_site(lmtp={"workers": 2}, pop3={"workers": 1}, policy={},
                     store={"checkpoint": "1s"})
    site.add(NAME)
    site.add(OTHER)
    yield site.start()
    site.stop()


def timed(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def send(site, subject, answers):
    with Lmtp(site.lmtp_socket) as lmtp:
        answers += lmtp.send([NAME], message(subject))


@pytest.mark.parametrize("ms, rounds", [(300, 4), (5000, 1)])
def test_messages_at_once(site, ms, rounds):
    """Each waits for its own sync, none for that of another."""
    deliver(site, [NAME, OTHER], message("first"))
    answers = []
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                f"fsync:delay_enter={ms * 1000}"):
        for i in range(rounds):
            threads = [threading.Thread(target=send, args=(site, f"{i}-{n}", answers))
                       for n in range(CLIENTS)]
            for t in threads:
                t.start()
            # Meanwhile others read, and are judged.
            assert timed(lambda: fetch_all(site, OTHER)) < ms / 1000
            with Policy(site.policy) as policy:
                assert timed(lambda: policy.ask(NAME)) < ms / 1000
            took = timed(lambda: [t.join() for t in threads])
            assert took < CLIENTS * ms / 1000
    assert len(answers) == rounds * CLIENTS
    assert all(a.startswith("250 ") for a in answers), answers
    assert len(fetch_all(site, NAME)) == 1 + rounds * CLIENTS
    count(f"messages with syncs of {ms} ms", rounds * CLIENTS)
    site.assert_sound()


def test_a_checkpoint_that_takes_long(site):
    """Deliveries do not wait for it."""
    deliver(site, NAME, message("first"))
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                "syncfs:delay_enter=3000000") as inject:
        answers = []
        wait_until("a checkpoint", lambda: send(site, "x", answers)
                   or "syncfs" in inject.out.read_text())
        slowest = max(timed(lambda: send(site, f"{i}", answers)) for i in range(20))
    assert slowest < 1.5, slowest
    assert all(a.startswith("250 ") for a in answers), answers
    site.assert_sound()


def test_a_quit_that_takes_long(site):
    deliver(site, [NAME, OTHER])
    pop3, other = Pop3(site, NAME), Pop3(site, OTHER)
    pop3.dele(1)
    with Inject(site.daemon.workers("popstore-pop3d"), site.dir,
                "fdatasync:delay_enter=1000000"):
        waiting = threading.Thread(target=pop3.quit)
        waiting.start()
        assert timed(lambda: other.retr(1)) < 1
        waiting.join()
    assert fetch_all(site, NAME) == []
    other.quit()


def test_control_the_syncs_are_slow(site):
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                "fsync:delay_enter=300000"):
        assert timed(lambda: send(site, "slow", [])) >= 0.3
