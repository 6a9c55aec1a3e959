# SPDX-License-Identifier: ISC
"""Crash states from a log of system calls (T5)

The real programs do every operation of the store once, under strace (workload.py, calls.py).
At every call the rig asks what a power cut there may leave (states.py), makes each distinct
state on a file system in memory, recovers it, and compares it with what had been
promised by then (judge.py).  `popstore check` must be content with it, at the latest after
a repair that changes nothing that anybody was promised.

The sample of states too many to take all of is random: POPSTORE_SEED=n repeats a run.
The log of a run stays for a look with POPSTORE_KEEP=1.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

import calls
import states
from judge import Examiner, Promises
from lib import place
from lib.counts import count

LONG = bool(os.environ.get("POPSTORE_LONG"))
SEED = int(os.environ.get("POPSTORE_SEED", random.randrange(1 << 32)))
NAMES = ("store", "vol1", "vol2")
CONF = {"hostname": "mx.example.org", "store": {"trust_file_system": True}, "auth": {"yescrypt_cost": 1}}
SAMPLE = 200 if LONG else 3  # random states at each call, where there are many
SHOWN = 3  # bad states that a failure shows


class Recording:
    """One run of the workload: its calls, its steps, and when each was answered."""

    def __init__(self, folders, steps, log):
        self.folders, self.steps, self.calls = folders, steps, log

    def altered(self, log):
        """The same with other calls, or in another order, for a control."""
        return Recording(self.folders, self.steps,
                         [(*c[:2], i) if c[0] in ("sync", "syncfs") else c
                          for i, c in enumerate(log)])

    def answers(self):
        """{index of a call: changes that are promised from there on}"""
        out, step = {}, None
        for i, (verb, *args) in enumerate(self.calls):
            if verb == "mark":
                word, _, number = args[0].partition(" ")
                step = self.steps[int(number)] if word == "begin" else None
                replies, last = [], None
                if word == "end":
                    self.end_of(self.steps[int(number)], i, out)
            elif step is None:
                continue
            elif step["answer"] == "lmtp" and verb == "send":
                replies += [i for line in args[1].split(b"\r\n")
                            if line.startswith(b"250 2.0.0 ") and line.endswith(b" stored")]
                for at, change in zip(replies, step["changes"]):
                    if change not in out.get(at, []):
                        out.setdefault(at, []).append(change)
            elif (step["answer"] == "exit" and (verb, *args) == ("exit", 0)) or \
                    (step["answer"] == "quit" and verb == "send" and args[1][:3] == b"+OK"):
                out.pop(last, None)
                out[i], last = step["changes"], i
        return out

    @staticmethod
    def end_of(step, at, out):
        promised = [c for changes in out.values() for c in changes]
        if step["answer"] is None:
            out[at] = step["changes"]
        else:
            missing = [c for c in step["changes"] if c not in promised]
            assert not missing, f"no answer of {step['name']} in the log: {missing}"

    def within(self, name):
        """The indices of the calls of a step."""
        number = next(i for i, s in enumerate(self.steps) if s["name"] == name)
        return range(self.calls.index(("mark", f"begin {number}")),
                     self.calls.index(("mark", f"end {number}")))


class Rig:
    """Goes through a log and judges every state that a cut may leave."""

    def __init__(self, recording, model=states.LINKED, how="recover repair"):
        self.recording, self.log = recording, recording.calls
        self.model, self.how = model, how
        self.calls_cut, self.seen, self.judged = 0, {}, set()
        self.per_step, self.bad, self.n_bad, self.reasons = Counter(), [], 0, set()
        self.promises, self.step = Promises(), None

    def run(self, examiner, only=None, picked=None, begin=None):
        """`only`: names of steps to look at.  `picked` is called with each new state.
        `begin` is the state before the first call; without it, nothing."""
        tree = states.Tree(self.recording.folders, self.model)
        crash = states.Crash(tree, SEED, SAMPLE)
        answers, looking = self.recording.answers(), begin is not None
        tree.load(begin or {})
        for at, call in enumerate(self.log):
            if call[0] == "mark":
                looking = self.mark(tree, call[1], looking)
            tree.apply(at, call)
            self.promises.answered(answers.get(at, []))
            if looking and self.step and (only is None or self.step["name"] in only):
                self.look(examiner, crash, at, call, picked)
        return self

    def mark(self, tree, text, looking):
        word, _, number = text.partition(" ")
        if word == "begin":
            self.step = self.recording.steps[int(number)]
            self.promises.begin(self.step["changes"])
        elif word == "record":
            tree.all_durable()
        return {"record": True, "pause": False, "go": True}.get(word, looking)

    def look(self, examiner, crash, at, call, picked):
        self.calls_cut += 1
        for digest, state, choices, vector in crash.states():
            new = digest not in self.seen
            if new:
                examiner.build(state)
                self.seen[digest] = examiner.look(self.how)
                self.per_step[self.step["name"]] += 1
            if (digest, self.promises.version) in self.judged:
                continue
            self.judged.add((digest, self.promises.version))
            faults = self.promises.faults(self.seen[digest])
            if faults:
                self.n_bad += 1
                self.reasons.update(faults)
                if len(self.bad) < SHOWN:
                    self.bad.append(self.describe(at, call, choices, vector, faults))
            if new and picked is not None:
                picked(self, state, self.seen[digest])

    def describe(self, at, call, choices, vector, faults):
        lost = []
        for (what, part, n), version in zip(choices, vector):
            if isinstance(what, states.Change) and not version:
                lost.append(f"  lost: {what.call}: {str(self.log[what.call])[:140]}")
            elif version < n - 1:
                lost.append(f"  lost: of a file with the writes up to {what.sizes[-1][0]}, "
                            f"{'block ' if part != 'size' else ''}{part}: {version} of {n - 1}")
        return "\n".join([f"in '{self.step['name']}', power cut after call {at}: "
                          f"{str(call)[:200]}", *lost, *(f"  {f}" for f in faults)])

    def report(self):
        return "\n".join([f"{self.n_bad} bad states of {len(self.judged)}, seed {SEED}",
                          *self.bad])


@contextmanager
def recorded(under=None):
    """The workload, on a site below the folder `under`."""
    if "asan" in str(place.BIN):
        pytest.skip("the sanitizer's own calls are not modelled")
    folder = place.scratch("calls", under=under)
    try:
        done = calls.record([sys.executable, Path(__file__).parent / "workload.py", folder],
                            folder / "log", env={"TMPDIR": str(folder)})
        assert done.returncode == 0, done.stderr[-3000:]
        made = json.loads((folder / "site.json").read_text(encoding="utf-8"))
        folders = [Path(made["dir"], n) for n in NAMES]
        yield Recording(folders, made["steps"], calls.read(folder / "log", folders))
    finally:
        place.discard(folder)


@pytest.fixture(scope="session")
def recording():
    """Of a run on a disk; the states are made in memory, which is another mount, as it
    is after a power cut."""
    with recorded() as r:
        yield r


@pytest.fixture(scope="session")
def examiner(recording):
    """In memory, on another mount than the recording."""
    folder = Path(tempfile.mkdtemp(prefix="popstore-states-", dir="/dev/shm"))
    try:
        if folder.stat().st_dev == recording.folders[0].parent.stat().st_dev:
            pytest.skip("/dev/shm is no other file system than the scratch folder")
        (folder / "states").mkdir()
        with Examiner(folder / "states", CONF, NAMES) as e:
            yield e
    finally:
        place.discard(folder)


class Picked:
    """Of all states: one in every so many, and of each step the one with most to do for
    recovery."""

    def __init__(self):
        self.sample, self.most = [], {}

    def __call__(self, rig, state, lines):
        if len(rig.seen) % (97 if LONG else 499) == 0:
            self.sample.append((state, rig.promises.copy()))
        added = next((int(line.split()[3]) for line in lines
                      if line.startswith("recovered ")), 0)
        name = rig.step["name"]
        if added >= self.most.get(name, (1,))[0]:
            self.most[name] = added, state, rig.promises.copy(), rig.step


@pytest.fixture(scope="session")
def enumerated(recording, examiner):
    """All of it, once for several tests."""
    picked = Picked()
    return Rig(recording).run(examiner, picked=picked), picked


def assert_good(rig):
    assert rig.judged and rig.n_bad == 0, rig.report()


def test_every_state_keeps_what_was_promised(enumerated):
    rig, _ = enumerated
    for step, n in rig.per_step.items():
        print(f"{n:7d}  {step}")
    count("crash states, system calls, calls cut", rig.calls_cut)
    count("crash states, system calls, distinct stores", len(rig.seen))
    count("crash states, system calls, judged", len(rig.judged))
    assert_good(rig)


# ---- recovery, and the real commands --------------------------------------------------


def recorded_recovery(examiner, start, folder):
    """`popstore recover` on a state, and the rig that goes through its calls."""
    _, state, promises, step = start
    examiner.build(state)
    examiner.look("")
    done = calls.record([place.program("popstore"), "-c", examiner.conf_file, "recover"],
                        folder / "log")
    assert done.returncode == 0, done.stderr
    folders = [examiner.folder / n for n in NAMES]
    rig = Rig(Recording(folders, [], calls.read(folder / "log", folders)))
    rig.promises, rig.step = promises, step
    return rig


@pytest.mark.parametrize("step", ["deliver to many", "compaction", "deliver once more"])
def test_recovery_may_be_cut_too(enumerated, examiner, step, tmp_path):
    """Every state that a second cut leaves, while the first is being recovered from."""
    start = enumerated[1].most[step]
    rig = recorded_recovery(examiner, start, tmp_path).run(examiner, begin=start[1])
    count("crash states, system calls, cut again in recovery", len(rig.judged))
    assert_good(rig)


def test_the_real_commands_agree(enumerated, examiner):
    """popstore recover, check and messages on a sample, after what examine said."""

    def popstore(*args):
        return subprocess.run([place.program("popstore"), "-c", examiner.conf_file,
                               "--json", *args], capture_output=True, text=True,
                              timeout=60, check=False)

    _, picked = enumerated
    for state, promises in picked.sample:
        examiner.build(state)
        examiner.look("")
        # A message that was not synced is set aside, and that is said.
        assert popstore("recover").returncode in (os.EX_OK, os.EX_DATAERR)
        assert popstore("check", "--repair").returncode == 0
        assert json.loads(popstore("check").stdout)["findings"] == []
        accounts = {f[1] for f, v in promises.facts.items() if f[0] == "account" and v != {None}}
        for name in accounts:
            promised = {f[2] for f, v in promises.facts.items()
                        if f[:2] == ("message", name) and None not in v}
            there = {m["id"] for m in json.loads(popstore("messages", name).stdout or "[]")}
            assert promised <= there, (name, promised, there)
    count("crash states, system calls, through the commands", len(picked.sample))


# ---- controls -------------------------------------------------------------------------


def is_directory(recording):
    made = {c[1] for c in recording.calls if c[0] == "mkdir"}
    return lambda path: path in made or Path(str(path)) in recording.folders


def assert_caught(rig, pattern):
    assert rig.n_bad > 0, f"{len(rig.judged)} states, and none is bad"
    assert any(re.match(pattern, reason) for reason in rig.reasons), rig.report()
    count("crash states, system calls, bad ones that a control made", rig.n_bad)


def move(log, these, before):
    """`these` indices of calls, in order, in front of the index `before`."""
    moved = [log[i] for i in these]
    rest = [(i, c) for i, c in enumerate(log) if i not in set(these)]
    return [c for i, c in rest if i < before] + moved + [c for i, c in rest if i >= before]


def indices(recording, step, test):
    return [i for i in recording.within(step) if test(recording.calls[i])]


def test_control_without_any_sync(recording, examiner):
    log = [c for c in recording.calls if c[0] not in ("sync", "syncfs")]
    rig = Rig(recording.altered(log)).run(examiner, only={"deliver to one"})
    assert_caught(rig, r"message alice@\S+ \w+: is gone")


def test_control_without_the_syncs_of_directories(recording, examiner):
    """The minute's directory is new: without its own name the message is nowhere."""
    directory = is_directory(recording)
    log = [c for c in recording.calls if c[0] != "sync" or not directory(c[1])]
    rig = Rig(recording.altered(log)).run(examiner, only={"deliver to one"})
    assert_caught(rig, r"message alice@\S+ \w+: is gone")
    rig = Rig(recording.altered(log)).run(examiner, only={"password change"})
    assert_caught(rig, r"secret carol@\S+: .*, promised")


def test_control_the_file_is_removed_before_the_line_is(recording, examiner):
    """P4 the wrong way round: the release before the removal is durable."""
    step = "delete, the last recipient"
    line, = indices(recording, step, lambda c: c[0] == "write" and "/maildrop" in c[1])
    release = indices(recording, step, lambda c: "/messages/" in str(c[1]) and
                      c[0] in ("write", "unlink", "rmdir"))
    assert line < release[0]
    log = move(recording.calls, release, line)
    rig = Rig(recording.altered(log)).run(examiner, only={step})
    assert_caught(rig, "trouble .* has it, and there is no file|finding I6 .*does not hold a slot")


def test_control_the_sync_comes_after_the_answer(recording, examiner):
    step = "deliver to many"
    sync, = indices(recording, step, lambda c: c[0] == "sync" and c[1][0] == "unnamed")
    answer, = indices(recording, step, lambda c: c[0] == "send" and b" stored\r\n" in c[2])
    log = move(recording.calls, range(sync + 1, answer + 1), sync)
    rig = Rig(recording.altered(log)).run(examiner, only={step})
    assert_caught(rig, r"message \S+ \w+: is gone")


def test_control_the_name_comes_before_the_octets(recording, examiner):
    """A profile that is renamed into its place before it is synced."""
    step = "profile change"
    rename, = indices(recording, step, lambda c: c[0] == "rename")
    sync, = indices(recording, step, lambda c: c[0] == "sync" and ".new." in str(c[1]))
    log = recording.calls[:sync] + recording.calls[sync + 1:]
    assert rename > sync
    rig = Rig(recording.altered(log)).run(examiner, only={step})
    assert_caught(rig, "trouble .* is damaged")


def test_control_recovery_is_left_out(recording, examiner):
    rig = Rig(recording, how="").run(examiner, only={"deliver to many"})
    assert_caught(rig, r"message \S+ \w+: is gone")


def test_control_recovery_takes_the_cut_for_a_crash(examiner):
    """On the mount of the recording, recovery believes that nothing written was lost:
    it would release what nobody's maildrop mentions."""
    with recorded(under="/dev/shm") as r:
        if "mount \n" in Path(r.folders[0], "writers/0").read_text():
            pytest.skip("this kernel cannot tell mounts apart: recovery is careful always")
        rig = Rig(r).run(examiner, only={"deliver to one"})
    assert_caught(rig, r"message alice@\S+ \w+: is gone")


def test_posix_to_the_letter(recording, examiner):
    """What depends on the assumption that fsync of a file makes its link durable: every
    delivery, and nothing else does."""
    rig = Rig(recording, model=states.STRICT).run(examiner, only={"deliver to one"})
    assert_caught(rig, r"message alice@\S+ \w+: is gone")
    others = {s["name"] for s in recording.steps if s["answer"] == "exit"}
    rig = Rig(recording, model=states.STRICT).run(examiner, only=others)
    kinds = {reason.split()[0] for reason in rig.reasons}
    assert not kinds & {"domain", "account", "secret", "forwarding"}, rig.report()
