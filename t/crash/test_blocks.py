# SPDX-License-Identifier: ISC
"""Block-level replay (T2), on ext4, XFS and Btrfs

The programs do every operation of the store (workload.py) on a file system on a disk that
remembers every write and every flush (blocks.py); a mark goes to its log when a client has
seen an answer.  Then the rig makes the disks that a power cut can leave between two
flushes, with none or some of the writes that no flush had reached, mounts them,
recovers the store, and compares it with what had been promised by then (judge.py).

POPSTORE_SEED=n repeats the choice of a run for a log, but not the log itself.
"""

import os
import random
from contextlib import contextmanager

import pytest

from blocks import FILE_SYSTEMS, BlockDisk, NotMounted, Replay, image_of
from judge import Examiner, Promises
from lib.counts import count
from lib.site import Site
from power import eatmydata, lie
from workload import ALICE, BOB, CAROL, Workload

LONG = bool(os.environ.get("POPSTORE_LONG"))
SEED = int(os.environ.get("POPSTORE_SEED", random.randrange(1 << 32)))
# States in the short form: how many flushes of the log, and random states at each.
SHORT = {"ext4": 60, "xfs": 20, "btrfs": 20}
SOME = 8 if LONG else 1
CONF = {"hostname": "mx.example.org", "store": {"trust_file_system": True},
        "auth": {"yescrypt_cost": 1}}
SHOWN = 3


class Recording:
    """What a run wrote, and what it promised."""

    def __init__(self, kind, log, steps):
        self.kind, self.log, self.steps = kind, log, steps

    def altered(self, log):
        return Recording(self.kind, log, self.steps)


def push(folder):
    """The kernel begins to write what it has, without any flush: as it does when it likes."""
    for d, _, files in os.walk(folder):
        for name in files:
            try:
                fd = os.open(os.path.join(d, name), os.O_RDONLY)
            except FileNotFoundError:
                continue
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


@contextmanager
def environment(env):
    """For what this process starts."""
    old = dict(os.environ)
    os.environ.update(env or {})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(old)


def record(kind, what, env=None):
    """`what` is called with a Workload whose store is on the disk."""
    disk = BlockDisk(kind)
    try:
        site = Site("blocks", milter=None, policy=None, socketmap=None,
                    lmtp={"workers": 1, "delivered_to": True}, pop3={"workers": 1},
                    store={"root": disk.path / "store", "checkpoint": "10m"})
        site.root = disk.path / "store"

        def mark(text):
            disk.mark(text)
            if text.startswith("end") and random.Random(text).random() < 0.5:
                push(site.root)

        work = Workload(site, mark)
        try:
            work.prepare()
            disk.sync()
            disk.mark("record")
            with environment(env):
                what(work)
        finally:
            site.end()
        return Recording(kind, disk.log(), [s.as_json() for s in work.steps])
    finally:
        disk.end()


class Rig:
    def __init__(self, recording, how="recover repair"):
        self.recording, self.how = recording, how
        self.replay = Replay(recording.log, SEED)
        self.states, self.n_bad, self.bad, self.reasons = 0, 0, [], set()

    def run(self, flushes=None, some=SOME, only=None):
        """`flushes`: at no more than so many, evenly; `only`: in the steps so named."""
        with image_of(self.recording.kind) as image, \
                Examiner(image.mountpoint, CONF, ["store"], build=False) as examiner:
            self.promises, self.step = Promises(), None
            for text in self.before():
                self.mark(self.promises, text)
            chosen = self.chosen(flushes)
            for i, (base, interval) in enumerate(self.replay.intervals("record")):
                if i in chosen and self.wanted(interval, only):
                    self.try_one(image, examiner, self.replay.none(base, interval))
                    for _ in range(some):
                        self.try_one(image, examiner, self.replay.some(base, interval))
                for entry in interval:
                    if entry[0] == "M":
                        self.mark(self.promises, entry[1])
        return self

    def before(self):
        marks = [e[1] for e in self.recording.log if e[0] == "M"]
        return marks[:marks.index("record")]

    def chosen(self, flushes):
        n = self.replay.count("record")
        return range(0, n, max(1, n // flushes) if flushes else 1)

    def wanted(self, interval, only):
        names = {self.step} | {self.name_of(e[1]) for e in interval if e[0] == "M"}
        return only is None or bool(names & only)

    def name_of(self, mark):
        word, _, number = mark.partition(" ")
        return self.recording.steps[int(number)]["name"] if word in ("begin", "end") else None

    def mark(self, promises, text):
        word, _, number = text.partition(" ")
        if word == "begin":
            promises.begin(self.recording.steps[int(number)]["changes"])
        elif word == "end":
            promises.answered(self.recording.steps[int(number)]["changes"])
        self.step = self.name_of(text)

    def try_one(self, image, examiner, made):
        pieces, marks = made
        promises, step = self.promises.copy(), self.step
        for text in marks:
            self.mark(promises, text)
        image.write(pieces)
        try:
            with image.mounted():
                seen = examiner.look(self.how)
        except NotMounted as e:
            seen = [f"trouble {e}"]
        self.states += 1
        faults = promises.faults(seen)
        if faults:
            self.n_bad += 1
            self.reasons.update(faults)
            if len(self.bad) < SHOWN:
                self.bad.append("\n  ".join([f"in '{self.step}', marks {marks}", *faults,
                                            *seen]))
        self.step = step

    def report(self):
        return "\n".join([f"{self.n_bad} bad states of {self.states}, seed {SEED}", *self.bad])


@pytest.fixture(scope="module", params=FILE_SYSTEMS)
def recording(request):
    return record(request.param, Workload.everything)


def test_every_disk_keeps_what_was_promised(recording):
    rig = Rig(recording).run(None if LONG else SHORT[recording.kind])
    writes = sum(e[0] == "W" for e in recording.log)
    flushes = sum(e[0] == "F" for e in recording.log)
    print(f"{recording.kind}: {writes} writes, {flushes} flushes, seed {SEED}")
    count(f"crash states, blocks, {recording.kind}", rig.states)
    assert rig.n_bad == 0, rig.report()


# ---- controls ------------------------------------------------------------------------


def a_few(work):
    work.start()
    work.deliver("deliver to one", [ALICE])
    work.deliver("deliver to many", [ALICE, BOB, CAROL])
    work.passwd("password change", CAROL, "another 1")
    work.stop()


def a_password(work):
    work.ctl("password change", "passwd", CAROL, "--password-stdin",
             stdin="another 1\n").changes.append(work.secret_fact(CAROL))


def assert_caught(rig, *facts):
    for fact in facts:
        assert any(r.startswith(fact) for r in rig.reasons), f"no '{fact}':\n{rig.report()}"
    count("crash states, blocks, bad ones that a control made", rig.n_bad)


@pytest.fixture(params=FILE_SYSTEMS)
def kind(request):
    return request.param


def test_control_recovery_is_left_out(recording):
    rig = Rig(recording, how="").run(only={"deliver to many"})
    assert_caught(rig, f"message {ALICE}")


def test_control_the_flushes_are_dropped(recording):
    """As on a disk that says that it has what it has not."""
    last = recording.log.index(("M", "end 3"))
    log = [e for i, e in enumerate(recording.log) if e[0] != "F" and i <= last]
    rig = Rig(recording.altered(log)).run(some=10)
    assert_caught(rig, f"message {ALICE}", f"message {BOB}")


def test_control_two_writes_in_the_wrong_order(recording):
    """The last write before the flush that a password change waited for, behind the
    answer."""
    number = next(i for i, s in enumerate(recording.steps) if s["name"] == "password change")
    log = list(recording.log)
    end = log.index(("M", f"end {number}"))
    flush = max(i for i in range(end) if log[i] == ("F",))
    write = max(i for i in range(flush) if log[i][0] == "W")
    assert write > log.index(("M", f"begin {number}"))
    log.insert(end, log.pop(write))
    rig = Rig(recording.altered(log)).run(only={"password change"})
    assert_caught(rig, f"secret {CAROL}")


def test_control_a_sync_that_lies(kind):
    rig = Rig(record(kind, a_few, eatmydata())).run()
    assert_caught(rig, f"message {ALICE}", f"message {BOB}", f"secret {CAROL}")


def test_control_the_sync_of_directories_left_out(kind):
    """The new record is there, and its name is not."""
    rig = Rig(record(kind, a_password, lie("directories"))).run()
    assert_caught(rig, f"secret {CAROL}")
