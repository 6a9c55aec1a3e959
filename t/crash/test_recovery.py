# SPDX-License-Identifier: ISC
"""Recovery looks at what is newer than the checkpoint, however much the store holds (P12)

Stores of several sizes are made by t/crash/many.c.  To each, a hundred messages are
delivered that no checkpoint has seen, and everything is killed, or loses its power.
What `popstore recover` then asks of the kernel is counted: it must be the same for a
small store and for a large one.

POPSTORE_LONG=1: up to a million messages, with times and memory for doc/DURABILITY.md.
"""

import json
import os
import re
import subprocess
import time
from collections import Counter

import pytest

from disk import Disk
from lib import place
from lib.counts import count
from lib.mail import Lmtp, message
from lib.site import Site

LONG = bool(os.environ.get("POPSTORE_LONG"))
UNFINISHED = 100
DAYS = 28
# What each account holds; their number grows with the store.
EACH = 100

SMALL, *LARGE = (1000, 100_000, 1_000_000) if LONG else (1000, 20_000)


class LargeSite(Site):
    """Its root is at `root`; no checkpoint comes by itself."""

    def __init__(self, root, messages, accounts):
        """Each account has as many messages as the others."""
        super().__init__("recovery", store={"root": root, "checkpoint": "1h"},
                         lmtp={"workers": 1}, pop3=None, policy=None, socketmap=None,
                         milter=None)
        self.root = root
        self.init()
        self.accounts = accounts
        subprocess.run([place.BIN.parent / "t/crash/many", self.conf_file, str(messages),
                        str(accounts), str(DAYS), self.domains[0]], check=True)

    def deliver_unfinished(self, accounts):
        """To as many accounts as there are, in turn."""
        domain = self.domains[0]
        with Lmtp(self.lmtp) as lmtp:
            for i in range(UNFINISHED):
                answer, = lmtp.send([f"user{i % accounts}@{domain}"], message(f"new {i}"))
                assert answer.startswith("250"), answer

    def recover(self, *prefix):
        """popstore recover: what it reported, its most memory in KB, the seconds."""
        begin, most = time.monotonic(), 0
        process = subprocess.Popen([*prefix, place.program("popstore"), "-c",
                                    self.conf_file, "--json", "recover"],
                                   stdout=subprocess.PIPE, text=True)
        # Its struct rusage would have the memory of this program in it.
        while process.poll() is None:
            most = max(most, memory_of(process.pid))
        seconds = time.monotonic() - begin
        out, _ = process.communicate()
        assert process.returncode == 0, out
        return out, most, seconds


def memory_of(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            m = re.search(r"^VmHWM:\s*(\d+)", f.read(), re.M)
            return int(m[1]) if m else 0
    except OSError:
        return 0  # it has just ended


def calls_of(trace):
    """How often each system call, how many different files were opened, and how many
    octets were read."""
    calls, opened, octets = Counter(), set(), 0
    for line in trace.read_text(errors="replace").splitlines():
        if m := re.match(r"(?:\d+ +)?([a-z_0-9]+)\(", line):
            calls[m[1]] += 1
        if m := re.search(r'openat\((?:AT_FDCWD|\d+<[^>]*>), "([^"]*)"', line):
            opened.add(m[1])
        if m := re.search(r"\bp?read(?:64)?\(.* = (\d+)$", line):
            octets += int(m[1])
    calls["files opened"] = len(opened)
    return calls, octets


def counted(site):
    """What a recovery does, as system calls."""
    trace = site.dir / "trace"
    out, *_ = site.recover(place.tool("strace"), "-y", "-s", "200", "-o", trace)
    return out, calls_of(trace)


def assert_unfinished_are_home(site, out, lines_lost):
    """How many lines were made again: all, but for those that the disk had written by
    itself when the power failed, which is for it to choose."""
    told = json.loads(out)
    assert told["messages"] == UNFINISHED
    if lines_lost:
        assert UNFINISHED // 2 < told["added"] <= UNFINISHED
    else:
        assert told["added"] == 0
    assert told["removed"] == told["damaged"] == told["failed"] == 0
    return told["added"]


def after_a_kill(site, accounts):
    site.start()
    site.deliver_unfinished(accounts)
    site.kill()


def measure(site, messages, accounts, crash, lines_lost):
    """One crash counted, one timed: recovery finishes what it finds."""
    site.wait_for_stamps()
    crash(site, accounts)
    out, (calls, octets) = counted(site)
    calls["lines added"] = assert_unfinished_are_home(site, out, lines_lost)
    crash(site, accounts)
    out, most, seconds = site.recover()
    assert_unfinished_are_home(site, out, lines_lost)
    crash(site, accounts)
    begin = time.monotonic()
    site.start()
    start = time.monotonic() - begin
    site.stop()
    # For doc/DURABILITY.md.
    print(f"{messages} stored, {accounts} accounts: recover {seconds * 1000:.0f} ms, "
          f"{most} KB; start {start * 1000:.0f} ms; "
          f"{sum(n for name, n in calls.items() if ' ' not in name)} system calls, "
          f"{calls['files opened']} files opened, {octets} octets read")
    return calls


def assert_same(small, large):
    """But for a minute that ended between two deliveries, and for lines that were there."""
    slack = 8 + abs(small["lines added"] - large["lines added"])
    differ = {name: (small[name], large[name]) for name in small | large
              if abs(small[name] - large[name]) > slack}
    assert not differ, f"it grows with the store: {differ}"


def accounts_of(messages):
    return max(messages // EACH, 10)


@pytest.fixture
def make_large():
    made, folders = [], []

    def make(messages, disk=None, accounts=None):
        if disk is None:
            folders.append(place.scratch("recovery-root"))
        root = (disk.path if disk else folders[-1]) / "store"
        made.append(LargeSite(root, messages, accounts or accounts_of(messages)))
        return made[-1]

    yield make
    for site in made:
        site.end()
    for folder in folders:
        place.discard(folder)


def test_after_a_kill(make_large):
    calls = [measure(make_large(n), n, 10, after_a_kill, lines_lost=False)
             for n in (SMALL, *LARGE)]
    for large in calls[1:]:
        assert_same(calls[0], large)
    count("recoveries after a kill, compared with a small store", len(LARGE))


def test_one_large_maildrop_is_read_once(make_large):
    """Not once for each of the hundred messages that came last."""
    site = make_large(LARGE[0], accounts=1)
    after_a_kill(site, 1)
    maildrop, = site.root.glob("accounts/*/*/user0@*/maildrop")
    begin = time.monotonic()
    out, (_, octets) = counted(site)
    print(f"{LARGE[0]} in one maildrop of {maildrop.stat().st_size} octets: "
          f"{octets} octets read, {time.monotonic() - begin:.1f} s")
    assert_unfinished_are_home(site, out, lines_lost=False)
    assert octets < 2 * maildrop.stat().st_size


def test_control_without_its_record_a_writer_is_looked_at_whole(make_large):
    """Nobody knows then where its checkpoint was.  That costs more for more messages,
    and the comparison above has to see it."""
    calls = []
    for n in (SMALL, 3 * SMALL):
        site = make_large(n)
        after_a_kill(site, 10)
        (site.root / "writers/0").write_text("damaged")
        calls.append(counted(site)[1][0])
    with pytest.raises(AssertionError, match="grows with the store"):
        assert_same(*calls)


@pytest.fixture
def make_large_disk():
    made = []

    def make(messages):
        place.need_root("loop mounts")
        inodes = messages * 2 + 16384
        made.append(Disk("ext4", size=max(96 << 20, messages * 7000),
                         mkfs=("-N", str(inodes), "-m", "0")))
        return made[-1]

    yield make
    for disk in made:
        disk.end()


def test_after_a_power_cut(make_large_disk, make_large):
    calls = []
    for n in (SMALL, *LARGE):
        disk = make_large_disk(n)
        site = make_large(n, disk)
        subprocess.run([place.tool("sync"), "-f", disk.path], check=True)

        def power_fails(site, accounts, disk=disk):
            site.start()
            site.deliver_unfinished(accounts)
            disk.cut()
            site.kill()
            disk.power_up()

        calls.append(measure(site, n, 10, power_fails, lines_lost=True))
        site.end()
        disk.end()
    for large in calls[1:]:
        assert_same(calls[0], large)
    count("recoveries after a power cut, compared with a small store", len(LARGE))
