# SPDX-License-Identifier: ISC
"""Figures that no machine's speed can change: files, syncs and system calls."""

import os
import re
import stat

import pytest

from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.trace import NOT_IO, SYNCS, Trace


@pytest.fixture
def quiet(make_site):
    """One worker of each service, and no checkpoint while the test looks."""
    return make_site(store={"checkpoint": 3600}, lmtp={"workers": 1},
                     pop3={"workers": 1}).start()


def worker(site, program):
    (pid,) = site.daemon.workers(program)
    return pid


def new_directory(line):
    """fsync(7</store/messages/20261121/2013>): once a minute, not for each message."""
    path = line[line.index("<") + 1:line.index(">")]
    return os.path.isdir(path) and stat.S_ISDIR(os.stat(path).st_mode)


def test_a_hundred_recipients_are_one_file(site):
    names = site.add_many(site.new_name("figure") for _ in range(100))
    before = site.message_files()
    deliver(site, names, message("one for all"))
    assert len(site.message_files() - before) == 1


def test_one_sync_a_message(quiet, tmp_path):
    """For one recipient as for a hundred; beside it only the directory of a new minute
    and the writer's record of ids, which are for all messages of a while."""
    names = quiet.add_many(quiet.new_name() for _ in range(100))
    with Lmtp(quiet.lmtp_socket) as lmtp:
        lmtp.send(names[:1], message("warm"))  # takes a writer's number
        with Trace([worker(quiet, "popstore-lmtpd")], tmp_path, SYNCS) as trace:
            for i in range(10):
                answers = lmtp.send(names if i % 2 else names[:1], message(f"number {i}"))
                assert all(a.startswith("250") for a in answers)
        lmtp.ask("QUIT")
    syncs = [line for line in trace.named(*SYNCS) if "/writers/" not in line]
    messages = [line for line in syncs if not new_directory(line)]
    assert len(messages) == 10, "\n".join(syncs)
    assert len(syncs) - len(messages) <= 2 * 3, "\n".join(syncs)
    assert len(fetch_all(quiet, names[99])) == 5


def test_nothing_is_synced_for_reading(quiet, tmp_path):
    name = quiet.new_account()
    for i in range(3):
        deliver(quiet, name, message(f"number {i}"))
    with Trace([worker(quiet, "popstore-pop3d")], tmp_path, SYNCS) as trace:
        assert len(fetch_all(quiet, name)) == 3
    assert trace.calls == []


def retr_calls(site, tmp_path, body):
    name = site.new_account()
    content = message(body=body)
    for _ in range(12):
        deliver(site, name, content)
    pop3 = Pop3(site, name)
    pop3.retr(1)
    with Trace([worker(site, "popstore-pop3d")], tmp_path) as trace:
        for i in range(2, 12):
            assert pop3.bytes_of(i).endswith(content)
    pop3.quit()
    return trace


def figures_of(trace, octets):
    """Reads, and other calls, of one RETR of ten."""
    calls = [name for name, _ in trace.calls if name not in NOT_IO]
    reads = calls.count("pread64") / 10
    others = len(calls) / 10 - reads
    print(f"{octets} octets: {reads} reads and {others} other system calls a RETR")
    return reads, others, calls.count("sendfile")


# Beside the ten: the two that strace finds waiting and interrupts.
INTERRUPTED = 0.2


@pytest.mark.parametrize("octets", [100, 8000, 60000])
def test_system_calls_of_a_retr(quiet, tmp_path, octets):
    """Read the command, open, close, answer; and one read, of what is sent if its checksum is
    right."""
    trace = retr_calls(quiet, tmp_path, b"0123456789abcde\r\n" * (octets // 17 + 1))
    reads, others, files = figures_of(trace, octets)
    assert (reads, files) == (1, 0)
    assert others <= 4 + INTERRUPTED


def test_system_calls_of_a_large_retr(quiet, tmp_path):
    """Read the command, open, look, answer, sendfile, close.  Beside that only reading
    for the checksum: a damaged message is noticed before its first octet is sent."""
    octets = 200000
    trace = retr_calls(quiet, tmp_path, b"0123456789abcde\r\n" * (octets // 17 + 1))
    reads, others, files = figures_of(trace, octets)
    assert reads <= 3 + octets / 65536
    assert others <= 6 + INTERRUPTED
    assert files == 10


def test_a_remembered_login_reads_no_record(quiet, tmp_path):
    """authd looks whether domain, profile and secret are what they were, by a stat each."""
    name = quiet.new_account()
    quiet.wait_for_stamps()
    for _ in range(2):
        fetch_all(quiet, name)
    with Trace([worker(quiet, "popstore-authd")], tmp_path) as trace:
        for _ in range(10):
            fetch_all(quiet, name)
    # Every few seconds it writes what it has counted, into authd/.
    calls = [call for call, line in trace.calls
             if call not in NOT_IO and not re.search(r'["/]authd["/]', line)]
    print(f"{len(calls) / 10} system calls a login: {sorted(set(calls))}")
    assert calls.count("openat") == 0
    assert calls.count("newfstatat") == 3 * 10
    assert len(calls) <= 6 * 10


def test_a_session_that_changes_nothing(quiet, tmp_path):
    """The lease, one look at the maildrop, and nothing to write at its end."""
    name = quiet.new_account()
    deliver(quiet, name, message("one"))
    quiet.wait_for_stamps()
    for _ in range(2):
        fetch_all(quiet, name)
    with Trace([worker(quiet, "popstore-pop3d")], tmp_path) as trace:
        for _ in range(10):
            pop3 = Pop3(quiet, name)
            pop3.quit()
    calls = [call for call, _ in trace.calls if call not in NOT_IO]
    print(f"{len(calls) / 10} system calls a session: {sorted(calls)}")
    # Both are opened and locked; the maildrop alone is read.
    assert calls.count("openat") == 2 * 10
    assert calls.count("pread64") == 10
    assert calls.count("flock") == 2 * 10
    assert calls.count("recvmsg") == 10
    assert "getpeername" not in calls
    assert len(calls) <= 21 * 10
