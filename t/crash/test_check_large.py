# SPDX-License-Identifier: ISC
"""Check and scrub of large stores: time, memory, and an end at any time

Stores of several sizes are made by t/crash/many.c.  The memory of a check must not grow
with the store beyond its bound, one large maildrop must cost no more than many small ones,
and a check that is interrupted or killed, wherever that is, comes to the same result.

POPSTORE_LONG=1: up to a million messages, with times and memory for doc/DURABILITY.md.
"""

import json
import os
import pty
import random
import re
import resource
import signal
import subprocess
import time

import pytest

from lib import place
from lib.counts import count
from lib.wire import wait_until
from test_recovery import LargeSite, accounts_of, memory_of

LONG = bool(os.environ.get("POPSTORE_LONG"))
DATAERR, TEMPFAIL = 65, 75

SMALL, *LARGE = (1000, 100_000, 1_000_000) if LONG else (1000, 20_000)
# 32 MB of pairs and as many of maildrops, half of that while the pairs grow, and a large
# maildrop.
BOUND_KB = 100 << 10


@pytest.fixture(scope="module")
def make_large():
    made, folders = [], []

    def make(messages, accounts=None):
        folders.append(place.scratch("check-root"))
        made.append(LargeSite(folders[-1] / "store", messages,
                              accounts or accounts_of(messages)))
        return made[-1]

    yield make
    for site in made:
        site.end()
    for folder in folders:
        place.discard(folder)


@pytest.fixture(scope="module")
def large(make_large):
    return make_large(LARGE[0])


def start(site, *args, terminal=None):
    # Whoever runs the tests in the background ignores it, and that is inherited.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(site.command("--json", *args), text=True,
                               stdout=subprocess.PIPE, stderr=terminal or subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    return process


def processor_s():
    """What all children that were waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(site, *args):
    """What it told, its most memory in KB, the seconds, on the clock and of the processor."""
    begin, used, most = time.monotonic(), processor_s(), 0
    with start(site, *args) as process:
        while process.poll() is None:
            most = max(most, memory_of(process.pid))
            time.sleep(0.002)
        seconds = time.monotonic() - begin
        told = json.loads(process.stdout.read())
        assert process.returncode == 0, told
    return told, most, seconds, processor_s() - used


def measure(site, messages, *args):
    told, most, seconds, used = measured(site, *args)
    assert told["messages"] == messages and told["sound"]
    # For doc/DURABILITY.md.
    print(f"{messages} messages, {told['accounts']} accounts: {' '.join(args)} "
          f"{seconds:.1f} s, {used:.1f} s of the processor, {most} KB")
    return most, used


def test_memory_and_time(make_large, large):
    """A scrub remembers nothing, a check no more than it may."""
    scrubs = []
    for messages in (SMALL, *LARGE):
        site = large if messages == LARGE[0] else make_large(messages)
        for args in (("check", "--quick"), ("check",), ("scrub", "--rate", "none")):
            most, _ = measure(site, messages, *args)
            assert most < BOUND_KB
        scrubs.append(most)
    count("checks and scrubs of large stores", 3 * len(scrubs))
    assert max(scrubs) < scrubs[0] + 1024


def resumed_among_messages(site):
    """A check that has seen nothing of the maildrops: it goes on after the accounts.  One
    that ended before it was seen there is begun once more."""
    def caught():
        process = start(site, "check", "--quick")
        while not (seen := is_among_messages(site)) and process.poll() is None:
            pass
        process.kill()
        process.communicate()
        return seen and site.ctl_json("status")["checks"]

    wait_until("a check that is among the messages", caught)


def is_among_messages(site):
    try:
        return b"\nphase messages\n" in (site.root / "checking").read_bytes()
    except FileNotFoundError:
        return False


def test_one_large_maildrop_is_not_read_for_each_message(make_large):
    """Where a check has forgotten, or has not seen, what is in it."""
    site = make_large(LARGE[0], accounts=1)
    _, whole = measure(site, LARGE[0], "check", "--quick")
    resumed_among_messages(site)
    most, rest = measure(site, LARGE[0], "check", "--quick", "--resume")
    assert rest < 2 * whole + 1
    assert most < BOUND_KB


def result(told):
    return {key: told[key] for key in ("accounts", "messages", "octets", "found", "sound")}


@pytest.fixture(scope="module")
def damaged(make_large):
    """A store with findings in both halves, and what a check says of it."""
    site = make_large(SMALL * 5)
    files = sorted(site.root.glob("messages/*/*/*"))
    maildrops = sorted(site.root.glob("accounts/*/*/*/maildrop"))
    for path in (files[len(files) // 4], files[len(files) * 3 // 4]):
        path.unlink()
    for path in (maildrops[len(maildrops) // 3], maildrops[len(maildrops) * 2 // 3]):
        path.unlink()
    told = json.loads(site.ctl("--json", "check", status=DATAERR))
    assert told["found"] > 100
    return site, told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_at_any_time(damaged, number):
    site, whole = damaged
    chance = random.Random(number)
    findings, told, ends = [], {}, 0
    process = start(site, "check")
    while not told or told["stopped"]:
        try:
            # A kill before the next place is written gains nothing: more time each time.
            process.wait(chance.uniform(0.01, 0.03) * (ends + 1))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        out, err = process.communicate()
        if process.returncode == -number:
            told = {}  # it had no time to tell, or not all of it
        else:
            told = json.loads(out)
            findings += told["findings"]
            assert process.returncode == (TEMPFAIL if told["stopped"] else DATAERR), err
        if not told or told["stopped"]:
            ends += 1
            process = start(site, "check", "--resume")
    assert ends > 0
    assert result(told) == result(whole)
    if number == signal.SIGINT:
        assert findings == whole["findings"]
    assert site.ctl_json("status")["checks"] == []
    count(f"checks ended by {number.name}, and resumed", ends)


def test_a_bar_for_each_phase(large):
    master, other = pty.openpty()
    process = start(large, "check", terminal=other)
    os.close(other)
    drawn = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not data:
            break
        drawn += data
    assert process.communicate()[0] and process.returncode == 0
    os.close(master)
    bars = re.findall(rb"checking (\w+)  \[[#.]{24}\] +(\d+)%  (\d+)", drawn)
    assert {name for name, _, _ in bars} >= {b"messages"}
    shares = [int(share) for name, share, _ in bars if name == b"messages"]
    assert shares == sorted(shares) and shares[-1] > 90
