# SPDX-License-Identifier: ISC
"""The real services under popstored: crashes and reloads that clients do not notice

What popstored itself does is in test_dispatch.py.
"""

import os
import poplib
import signal
import smtplib
import threading

import pytest

from lib.site import PASSWORD
from lib.wire import DEADLINE, Wire, wait_listening, wait_until

ADDRESS = {"popstore-lmtpd": "lmtp", "popstore-pop3d": "pop3",
           "popstore-policyd": "policy"}


@pytest.fixture
def busy(make_site):
    """A site with one account, whose mail the tests count.  The milter has a gap at
    a reload (popstored(8), CAVEATS) and is left out."""
    site = make_site(milter=None)
    site.user = site.new_account()
    return site.start()


def deliver(site, n):
    """One message over LMTP; its acceptance is believed."""
    host, port = site.lmtp.split(":")
    with smtplib.LMTP(host, int(port), timeout=DEADLINE) as lmtp:
        lmtp.sendmail("a@example.com", [site.user], f"Subject: {n}\r\n\r\n{n}\r\n")


def pop3(site):
    host, port = site.pop3.split(":")
    session = poplib.POP3(host, int(port), timeout=DEADLINE)
    session.user(site.user)
    session.pass_(PASSWORD)
    return session


def subjects(site):
    session = pop3(site)
    try:
        count = session.stat()[0]
        return [next(line for line in session.retr(i)[1] if line.startswith(b"Subject: "))
                for i in range(1, count + 1)]
    finally:
        session.quit()


@pytest.mark.parametrize("program", ADDRESS)
def test_a_killed_worker_is_replaced(busy, program):
    deliver(busy, 1)
    victims = busy.daemon.workers(program)
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    # Nobody is refused, not even while no worker is there.
    with Wire(getattr(busy, ADDRESS[program])) as w:
        if program == "popstore-policyd":
            w.send(f"request=smtpd_access_policy\nprotocol_state=RCPT\n"
                   f"recipient={busy.user}\n\n")
        assert w.line()
    wait_until("all to be back", lambda: len(busy.daemon.workers(program)) == len(victims)
               and not set(victims) & set(busy.daemon.workers(program)))
    deliver(busy, 2)
    assert subjects(busy) == [b"Subject: 1", b"Subject: 2"]
    busy.assert_sound()


def test_the_milter_ends_before_the_next_one_starts(make_site):
    """It binds its own socket; two at once could not."""
    site = make_site().start()
    wait_listening(site.milter)
    victim, = site.daemon.workers("popstore-milter")
    os.kill(victim, signal.SIGKILL)
    site.daemon.wait_for(f"dispatch.ended .*service=milter pid={victim} .*then=restart")
    wait_listening(site.milter)
    old, = site.daemon.workers("popstore-milter")
    mark = site.daemon.mark()
    site.daemon.process.send_signal(signal.SIGHUP)
    site.daemon.wait_for("event=dispatch.ready", mark)
    wait_listening(site.milter)
    new, = site.daemon.workers("popstore-milter")
    assert new != old


def test_nothing_is_lost_or_refused_while_reloading(busy):
    done, failures, delivered = threading.Event(), [], []

    def repeat(action):
        try:
            while not done.is_set():
                action()
        except (AssertionError, OSError, smtplib.SMTPException) as e:
            failures.append(e)

    def send():
        deliver(busy, len(delivered))
        delivered.append(len(delivered))

    def look():
        session = Wire(busy.pop3)
        with session:
            assert session.line().startswith(b"+OK"), "no greeting"

    threads = [threading.Thread(target=repeat, args=(a,)) for a in (send, look)]
    for t in threads:
        t.start()
    try:
        for _ in range(4):
            before, mark = len(delivered), busy.daemon.mark()
            busy.daemon.process.send_signal(signal.SIGHUP)
            busy.daemon.wait_for("event=dispatch.ready", mark)
            wait_until("a delivery", lambda n=before: failures or len(delivered) > n)
    finally:
        done.set()
        for t in threads:
            t.join()
    assert not failures
    assert subjects(busy) == [b"Subject: %d" % n for n in delivered]
    busy.assert_sound()


def test_a_session_lives_through_a_reload(busy):
    deliver(busy, 1)
    session = pop3(busy)
    session.dele(1)
    old, mark = set(busy.daemon.workers("popstore-pop3d")), busy.daemon.mark()
    busy.daemon.process.send_signal(signal.SIGHUP)
    busy.daemon.wait_for("event=dispatch.ready", mark)
    # The one without a session ends; the other one waits for it.
    wait_until("one to end", lambda: len(old & set(
        busy.daemon.workers("popstore-pop3d"))) == 1)
    session.quit()
    wait_until("the other to end", lambda: not old & set(
        busy.daemon.workers("popstore-pop3d")))
    assert subjects(busy) == []


def has_other_end(pid, sock):
    """Whether the process has the other end of this TCP connection."""
    ends = [f"{port:04X}" for port in (sock.getpeername()[1], sock.getsockname()[1])]
    with open("/proc/net/tcp", encoding="ascii") as f:
        inode, = [row[9] for row in map(str.split, f)
                  if [end.rpartition(":")[2] for end in row[1:3]] == ends]
    fds = f"/proc/{pid}/fd"
    return f"socket:[{inode}]" in [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]


def test_a_session_lives_through_a_crash_of_another_worker(busy):
    """A process that fails takes only its own connections with it."""
    deliver(busy, 1)
    session = pop3(busy)
    other, = [pid for pid in busy.daemon.workers("popstore-pop3d")
              if not has_other_end(pid, session.sock)]
    os.kill(other, signal.SIGKILL)
    busy.daemon.wait_for(f"dispatch.ended .*service=pop3 pid={other} .*signal=9")
    assert session.stat()[0] == 1
    session.quit()


def test_a_stop_says_goodbye_and_keeps_deletes_out(busy):
    """RFC 1939 s6: what was marked goes only at QUIT."""
    deliver(busy, 1)
    session = pop3(busy)
    session.dele(1)
    busy.stop()
    with pytest.raises((OSError, poplib.error_proto)):
        session.stat()
    session.close()
    busy.start()
    assert subjects(busy) == [b"Subject: 1"]
