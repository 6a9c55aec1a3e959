# SPDX-License-Identifier: ISC
"""What a machine runs out of: descriptors, processes, memory; and disks that fail to read

Whoever is in the middle of something is told to come back, nobody spins, and when the shortage
is over all goes on by itself.
"""

import os
import poplib
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from inject import Inject
from lib import place
from lib.asking import Policy
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.wire import Wire, wait_until

NAME = "alice@example.org"
MB = 1 << 20


def worker(site, program):
    pid, = site.daemon.workers(program)
    return pid


def cpu_s(pid):
    """Processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_idle(pid, seconds=1):
    """Somebody waits for it, and it does not burn the processor meanwhile."""
    before = cpu_s(pid)
    time.sleep(seconds)  # what is measured is this time
    used = cpu_s(pid) - before
    assert used < seconds / 5, f"{used} s of processor time in {seconds} s"


def limit(pid, what, value=None):
    """prlimit on a running process; the old values."""
    old = subprocess.run([place.tool("prlimit"), "--pid", str(pid), f"--{what}", "--raw",
                          "--noheadings", "-o", "SOFT,HARD"], check=True,
                         capture_output=True, text=True).stdout.split()
    if value is not None:
        subprocess.run([place.tool("prlimit"), "--pid", str(pid), f"--{what}={value}"],
                       check=True)
    return old


@pytest.fixture
def site(make_site):
    place.need_root("limits of running processes are changed")
    site = make_site(lmtp={"workers": 1, "max_message": "200M"}, pop3={"workers": 1, "login_workers": 1},
                     policy={})
    site.add(NAME)
    yield site.start()
    site.stop()


# ---- descriptors ---------------------------------------------------------------------

# As ps shows it: where it listens, what it says first, its name in the log.
SERVICES = {"popstore-lmtpd": ("lmtp", b"220 ", "popstore-lmtpd"),
            # To ask authd takes a descriptor, too.
            "popstore-login": ("pop3", (b"+OK ", b"-ERR [SYS/TEMP] "), "popstore-pop3d"),
            "popstore-policyd": ("policy", b"", "popstore-policyd")}


@pytest.mark.parametrize("program", SERVICES)
def test_connections_wait_for_a_descriptor(site, program):
    attribute, greeting, logged = SERVICES[program]
    address, pid = getattr(site, attribute), worker(site, program)
    deliver(site, NAME)
    room = len(os.listdir(f"/proc/{pid}/fd")) + 10
    soft, hard = limit(pid, "nofile")
    limit(pid, "nofile", f"{room}:{hard}")
    wires = []
    try:
        wires = [Wire(address) for _ in range(30)]
        site.daemon.wait_for(rf"event=server\.accept\.failed level=error program={logged}")
        assert_idle(pid)
        # Those who got in are served, as far as that takes no descriptor.
        if greeting:
            assert wires[0].line().startswith(greeting)
    finally:
        for wire in wires:
            wire.close()
        limit(pid, "nofile", f"{soft}:{hard}")
    deliver(site, NAME)
    with Policy(site.policy) as policy:
        assert policy.ask(NAME) == "DUNNO"
    assert len(fetch_all(site, NAME)) == 2
    count("connections that waited for a descriptor", 20)
    site.assert_sound()


def without_descriptors(site, program):
    """From now on the process can open nothing."""
    pid = worker(site, program)
    old = limit(pid, "nofile")
    limit(pid, "nofile", f"3:{old[1]}")
    return lambda: limit(pid, "nofile", ":".join(old))


def test_a_delivery_without_descriptors(site):
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<a@example.com>")
        assert lmtp.ask(f"RCPT TO:<{NAME}>").startswith("250 ")
        give_back = without_descriptors(site, "popstore-lmtpd")
        assert lmtp.ask(f"RCPT TO:<{NAME}>").startswith("451 4.3.0 ")
        assert lmtp.data(message(), 1)[0].startswith("451 4.3.0 ")
        give_back()
        assert lmtp.send([NAME], message())[0].startswith("250 ")
    assert len(fetch_all(site, NAME)) == 1
    site.assert_sound()


def test_a_session_without_descriptors(site):
    for i in range(3):
        deliver(site, NAME, message(f"number {i}"))
    pop3 = Pop3(site, NAME)
    give_back = without_descriptors(site, "popstore-pop3d")
    with pytest.raises(Exception, match=r"-ERR \[SYS/TEMP\]"):
        pop3.retr(1)
    pop3.dele(2)
    give_back()
    assert b"number 0" in pop3.bytes_of(1)
    limited = without_descriptors(site, "popstore-pop3d")
    with pytest.raises(Exception, match="-ERR"):
        pop3.quit()
    limited()
    assert len(fetch_all(site, NAME)) == 3
    site.assert_sound()


@pytest.mark.parametrize("errno", ["ENFILE", "ENOMEM"])
def test_the_machine_has_no_descriptors(site, errno):
    pid = worker(site, "popstore-lmtpd")
    with Inject([pid], site.dir, f"accept4:error={errno}"):
        wire = Wire(site.lmtp_socket)
        site.daemon.wait_for(r"event=server\.accept\.failed")
        assert_idle(pid)
    assert wire.line().startswith(b"220 ")
    wire.close()


# ---- processes --------------------------------------------------------------------------


def test_no_process_can_be_started(site):
    """popstored tries again, less and less often; and the thread of a connection that
    cannot be started is an answer."""
    popstored, victim = site.daemon.process.pid, worker(site, "popstore-pop3d")
    with Inject([popstored], site.dir, "clone:error=EAGAIN", "clone3:error=EAGAIN"):
        os.kill(victim, signal.SIGKILL)
        site.daemon.wait_for(r"event=dispatch\.fork\.failed")
        assert_idle(popstored)
        deliver(site, NAME)
    wait_until("a new POP3 server", lambda: site.daemon.workers("popstore-pop3d"))
    wait_until("login", lambda: can_log_in(site))
    assert len(fetch_all(site, NAME)) == 1
    pauses = [int(m[1]) for line in site.daemon.lines if (m := re.search(
        r"event=dispatch\.ended .*service=pop3 pid=0 .*after_ms=(\d+)$", line))]
    assert pauses and pauses == [200 << i for i in range(len(pauses))]
    count("forks refused", len(pauses))


def can_log_in(site):
    try:
        Pop3(site, NAME).quit()
        return True
    except (OSError, poplib.error_proto):
        return False


def test_no_thread_can_be_started(site):
    pid = worker(site, "popstore-lmtpd")
    with Inject([pid], site.dir, "clone:error=EAGAIN", "clone3:error=EAGAIN"):
        wire = Wire(site.lmtp_socket)
        assert wire.line().startswith(b"421 4.3.2 ")
        wire.close()
        assert_idle(pid)
    deliver(site, NAME)


def test_sendmail_cannot_be_started(site):
    site.ctl("forward", "sales@example.org", "someone@example.com")
    with Lmtp(site.lmtp_socket) as lmtp:
        with Inject([worker(site, "popstore-submitd")], site.dir, "clone:error=EAGAIN",
                    "clone3:error=EAGAIN", "vfork:error=EAGAIN") as inject:
            answers = lmtp.send(["sales@example.org"], message())
            assert inject.injected() >= 1
        assert answers[0].startswith("451 4.3.0 "), answers
    deliver(site, NAME)


# ---- memory -------------------------------------------------------------------------------


def peak(pid):
    """Octets of memory that a process had at most."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) << 10


def large(octets):
    line = b"x" * 998 + b"\r\n"
    return message("large", line * (octets // len(line)))


def test_a_large_message_takes_no_memory(site):
    """100 MB go in and out through processes that may have 32."""
    pids = [worker(site, p) for p in ("popstore-lmtpd", "popstore-pop3d")]
    for pid in pids:
        limit(pid, "data", 32 * MB)
    deliver(site, NAME, large(100 * MB))
    stored, = fetch_all(site, NAME)
    assert len(stored) > 100 * 10**6
    assert all(peak(pid) < 32 * MB for pid in pids)
    count("octets of the largest process, of a message of 100 MB", max(map(peak, pids)))
    site.assert_sound()


def test_a_process_that_gets_no_memory_is_started_again(site):
    """It ends at once, with a line in the log and nothing half done."""
    deliver(site, NAME, message("before"))
    maildrop, = site.root.glob(f"accounts/*/*/{NAME}/maildrop")
    os.truncate(maildrop, 100 * MB)  # a session reads all of it, the zeros too
    pid = worker(site, "popstore-pop3d")
    limit(pid, "data", 32 * MB)
    with pytest.raises(Exception, match="EOF|reset"):
        Pop3(site, NAME)
    site.daemon.wait_for(r"event=dispatch\.ended level=error service=pop3 .*signal=6")
    assert re.search(r"event=broken\.promise .*lib/base\.c", site.daemon.log)
    site.daemon.lines[:] = [line for line in site.daemon.lines
                            if "broken.promise" not in line and "signal=6" not in line]
    wait_until("a new one", lambda: can_log_in(site))
    deliver(site, NAME, message("after"))
    assert len(fetch_all(site, NAME)) == 2
    site.assert_sound()


# ---- reading --------------------------------------------------------------------------------


@pytest.fixture
def cgroup():
    """A group of processes with its own bound on memory; none is in it yet."""
    top = Path("/sys/fs/cgroup/memory")
    if not (top / "memory.limit_in_bytes").exists():
        pytest.skip("no memory cgroup (version 1) here")
    group = top / f"popstore-fault-{os.getpid()}"
    group.mkdir()
    yield group
    wait_until("its processes to end", lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_the_kernel_kills_for_memory(site, cgroup):
    """As in a container that is too small: the process dies at any moment, without a
    word.  What it had answered is there, and another takes its place."""
    pid = worker(site, "popstore-lmtpd")
    (cgroup / "cgroup.procs").write_text(str(pid))
    (cgroup / "memory.limit_in_bytes").write_text("1M")
    answers, wires = [], []
    try:
        for i in range(200):
            wires.append(Lmtp(site.lmtp_socket))
            answers += wires[-1].send([NAME], message(f"number {i}"))
            if not answers[-1]:
                break  # it was killed, and another would answer
    except (AssertionError, OSError):
        pass  # it was killed in the middle of this one
    assert "oom_kill 1" in (cgroup / "memory.oom_control").read_text()
    for lmtp in wires:
        lmtp.wire.close()
    wait_until("another process", lambda: worker_or_none(site, "popstore-lmtpd") not in
               (None, pid))
    deliver(site, NAME, message("afterwards"))
    site.daemon.wait_for(r"event=dispatch\.ended level=error service=lmtp .*signal=9")
    subjects = [re.search(rb"^Subject: (.*)\r$", m, re.M)[1] for m in fetch_all(site, NAME)]
    assert subjects[-1] == b"afterwards"
    assert all(a.startswith(("250 ", "4")) or not a for a in answers), answers
    good = [f"number {i}".encode() for i, a in enumerate(answers) if a.startswith("250 ")]
    # Of the last, nobody heard; of those that were put off, nothing is there.
    assert good in (subjects[:-1], subjects[:-2])
    count("messages until the kernel killed for memory", len(good))
    site.ctl("check", "--repair", status=None)
    site.assert_sound()


def worker_or_none(site, program):
    pids = site.daemon.workers(program)
    return pids[0] if pids else None


def test_a_message_that_cannot_be_read(site):
    for i in range(3):
        deliver(site, NAME, message(f"number {i}"))
    victim = sorted(site.message_files())[1]
    pop3 = Pop3(site, NAME)
    with Inject([worker(site, "popstore-pop3d")], site.dir, "pread64:error=EIO",
                path=victim) as inject:
        assert b"number 0" in pop3.bytes_of(1)
        with pytest.raises(Exception, match="-ERR"):
            pop3.retr(2)
        with pytest.raises(Exception, match="-ERR"):
            pop3.top(2, 0)
        assert b"number 2" in pop3.bytes_of(3)
        count("reads that failed", inject.injected())
    site.daemon.wait_for(r"event=pop3\.message\.unreadable .*Input/output error")
    assert b"number 1" in pop3.bytes_of(2)
    pop3.quit()
    site.assert_sound()


def test_control_a_loop_that_spins_is_seen():
    """assert_idle() would not be content with one that asks again at once."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as spinning:
        try:
            with pytest.raises(AssertionError, match="processor time"):
                assert_idle(spinning.pid)
        finally:
            spinning.kill()
