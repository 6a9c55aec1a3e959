# SPDX-License-Identifier: ISC
"""Power cuts after every octet of an answer (P1, P6), on ext4 and on XFS

What was answered 250 is there, whole, for each recipient; what was deleted by a QUIT
that was answered +OK stays deleted; popstore check is content.  The controls are in
test_power_controls.py.
"""

import json

import pytest

from disk import FILE_SYSTEMS
from lib.counts import count
from lib.mail import Lmtp, fetch_all, message
from power import BODY, deliver, fresh_directories, start_message, start_quit, subjects

# "250 2.0.0 <id> stored" and CRLF; "+OK goodbye" and CRLF
ANSWER, GOODBYE = 32, 13

NAMES = [f"user{i}@example.org" for i in range(50)]


class Promises:
    """What each maildrop must hold, and what it may."""

    def __init__(self):
        self.must, self.may = {}, {}

    def sent(self, names, subject, got):
        """`got` has been read of the answers to the message.  One octet of a 250 is as
        good as all of it: the rest was on its way."""
        answers = len(got.splitlines())
        for i, name in enumerate(names):
            where = self.must if i < answers else self.may
            where.setdefault(name, []).append(subject)

    def assert_kept(self, site):
        for name in {*self.must, *self.may}:
            there = subjects(site, name)
            must, may = self.must.get(name, []), self.may.get(name, [])
            assert [s for s in must if there.count(s) != 1] == []
            assert [s for s in may if there.count(s) > 1] == []
            assert [s for s in there if s not in must + may] == []


def sweep(site, names, steps, bdat=False, before=lambda: None):
    """A message for each of `steps`; that many octets of the answers are read, and then
    the power is cut."""
    promises = Promises()
    for octets in steps:
        before()
        subject = f"cut-{octets:04d}"
        wire = start_message(site, names, subject, bdat)
        promises.sent(names, subject, wire.exactly(octets))
        site.cut()
        wire.close()
    promises.assert_kept(site)
    site.assert_sound()


def counted(promise, *disks):
    count(f"power cuts, {promise}, {' + '.join(d.kind for d in disks)}",
          disks[0].cuts)


def assert_only_leaks(site):
    """The removal is durable, its slot perhaps not yet let go, and the message older than
    its writer's checkpoint: a file too many is the safe error (P4).  `popstore check`
    names it, and its repair takes it away."""
    found = site.run("--json", "check")
    findings = [f["what"] for f in json.loads(found.stdout)["findings"]]
    assert [f for f in findings
            if "who removed it" not in f and "held for nobody" not in f] == []
    site.ctl("check", "--repair")
    site.assert_sound()
    return len(findings)


def cut_after(site, wire, octets):
    """Cuts when `octets` octets of the answer to QUIT have been read."""
    got = wire.exactly(octets)
    assert got == b"+OK goodbye\r\n"[:octets]
    site.cut()
    wire.close()


# ---- LMTP ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["data", "bdat"])
def test_after_every_octet_of_the_answer(make_power_site, disk, how):
    site = make_power_site(NAMES[:1])
    sweep(site, NAMES[:1], range(ANSWER + 1), bdat=how == "bdat")
    counted(f"answer to {how.upper()}", disk)


def test_within_the_answers_to_many(make_power_site, disk):
    """At the first, a middle and the last octet of some of the answers."""
    site = make_power_site(NAMES)
    steps = {i * ANSWER + octet for i in (0, 1, 24, 48, 49) for octet in (0, 1, 16, ANSWER)}
    sweep(site, NAMES, sorted(steps))
    counted("answers to 50 recipients", disk)


PIPELINED = [NAMES[:2], NAMES[:1], NAMES[1:2]]


def pipeline(site, texts):
    """Three transactions in one write; their answers are next to be read."""
    lmtp = Lmtp(site.lmtp)
    sent = b""
    for names, subject in zip(PIPELINED, texts):
        content = message(subject, BODY)
        sent += b"MAIL FROM:<sender@example.com>\r\n" + \
            b"".join(b"RCPT TO:<%s>\r\n" % name.encode() for name in names) + \
            b"BDAT %d LAST\r\n" % len(content) + content
    lmtp.wire.send(sent)
    return lmtp.wire


def note_pipeline(promises, texts, got):
    """Of each transaction: an answer to MAIL, one to each RCPT, then those that count."""
    lines = got.splitlines()
    for names, subject in zip(PIPELINED, texts):
        del lines[:1 + len(names)]
        promises.sent(names, subject, b"\r\n".join(lines[:len(names)]))
        del lines[:len(names)]


def test_within_pipelined_answers(make_power_site, disk):
    site, promises = make_power_site(NAMES[:2]), Promises()
    texts = ["whole-0", "whole-1", "whole-2"]
    with pipeline(site, texts) as wire:
        everything = b"".join(wire.line() for _ in range(3 + 2 * sum(map(len, PIPELINED))))
    note_pipeline(promises, texts, everything)
    for octets in range(0, len(everything), 9):
        texts = [f"{octets}-{n}" for n in range(3)]
        wire = pipeline(site, texts)
        note_pipeline(promises, texts, wire.exactly(octets))
        site.cut()
        wire.close()
    promises.assert_kept(site)
    site.assert_sound()
    counted("pipelined answers", disk)


def test_the_first_message_of_a_minute(make_power_site, disk):
    """Its directory is as new as the message."""
    site = make_power_site(NAMES[:2])
    for octets in (0, 1, ANSWER, ANSWER + 1):
        def empty_it():
            for name in NAMES[:2]:
                fetch_all(site, name, delete=True)
            fresh_directories(site)

        sweep(site, NAMES[:2], [octets], before=empty_it)
    counted("a new minute", disk)


@pytest.mark.parametrize("kinds", [FILE_SYSTEMS, FILE_SYSTEMS[::-1]], ids="-".join)
def test_root_and_volume_on_two_file_systems(make_disk, make_power_site_on, kinds):
    """One sync makes the message safe on its volume; the line is on another disk."""
    disks = [make_disk(kind) for kind in kinds]
    site = make_power_site_on(NAMES[:2], *disks)
    sweep(site, NAMES[:2], (0, 1, 16, ANSWER, ANSWER + 1, 2 * ANSWER))
    for octets in (1, 2, GOODBYE):
        deliver(site, NAMES[:2], f"two-{octets}")
        before = [subjects(site, name) for name in NAMES[:2]]
        cut_after(site, start_quit(site, NAMES[0], ["DELE 1"]), octets)
        assert len(subjects(site, NAMES[0])) == len(before[0]) - 1
        assert subjects(site, NAMES[1]) == before[1]
    assert_only_leaks(site)
    counted("root and volume apart", *disks)


@pytest.mark.parametrize("others", [1, 0])
def test_what_was_refused_stays_refused(make_disk, make_power_site_on, others):
    """The maildrop filled up between RCPT and the end of the message, so its slot was let
    go again, on a volume that no checkpoint syncs."""
    site = make_power_site_on(NAMES[:2], make_disk("ext4"), make_disk("xfs"))
    site.ctl("modify", NAMES[0], "--quota", "100")
    with Lmtp(site.lmtp) as lmtp:
        answers = lmtp.send(NAMES[:1 + others], message("too large", BODY))
    assert [a[:3] for a in answers] == ["452", "250"][:1 + others] or \
        [a[:3] for a in answers] == ["552", "250"][:1 + others], answers
    site.restart()  # a clean end is a checkpoint
    site.cut()
    site.assert_sound()
    site.ctl("check", "--repair")
    assert subjects(site, NAMES[0]) == []
    assert len(subjects(site, NAMES[1])) == others


# ---- QUIT ------------------------------------------------------------------------------


def assert_removed(before, after, removed, octets):
    """All of it if one octet of the answer came; what nobody marked stays anyway."""
    kept = [s for s in before if s not in removed]
    assert set(kept) <= set(after) <= set(before)
    assert len(after) == len(set(after))
    if octets > 0:
        assert after == kept


def test_after_every_octet_of_the_answer_to_quit(make_power_site, disk):
    site, name = make_power_site(NAMES[:1]), NAMES[0]
    for octets in range(GOODBYE + 1):
        deliver(site, [name], *(f"{octets}-{n}" for n in range(3)))
        before = subjects(site, name)
        cut_after(site, start_quit(site, name, ["DELE 1", "DELE 2"]), octets)
        assert_removed(before, subjects(site, name), before[:2], octets)
        fetch_all(site, name, delete=True)
        site.assert_sound()
    counted("answer to QUIT", disk)


@pytest.mark.parametrize("age", ["new", "old"])
def test_one_of_several_recipients_deletes(make_power_site, disk, age):
    """One after the other, down to the last: the file is there as long as one holds it,
    and no longer."""
    site, names, leaked = make_power_site(NAMES[:3]), NAMES[:3], 0
    for octets in (1, 2, GOODBYE):
        deliver(site, names, f"shared-{octets}")
        if age == "old":
            site.restart()  # a clean end is a checkpoint
        for i, name in enumerate(names):
            cut_after(site, start_quit(site, name, ["DELE 1"]), octets)
            assert [len(subjects(site, n)) for n in names] == [int(n > i) for n in range(3)]
            leaked += assert_only_leaks(site)
        assert site.message_files() == set()
    assert age == "new" or leaked > 0, "no file too many: is the case still there?"
    counted(f"QUIT of one of several, {age} message", disk)


@pytest.mark.parametrize("age", ["new", "old"])
def test_quit_with_compaction(make_power_site, disk, age):
    """The file is replaced after the removals are durable, and before the answer; what is
    older than the checkpoint is forgotten, the rest keeps its tombstone."""
    site, name = make_power_site(NAMES[:1]), NAMES[0]
    maildrop, = (site.root / "accounts").glob(f"*/*/{name}")
    for octets in (0, 1, GOODBYE):
        texts = [f"{octets}-{n:03d}" for n in range(150)]
        deliver(site, [name], *texts)
        if age == "old":
            site.restart()
        size = (maildrop / "maildrop").stat().st_size
        wire = start_quit(site, name, [f"DELE {n + 1}" for n in range(145)])
        if octets > 0:
            wire.buffer = wire.line()
            assert (maildrop / "maildrop").stat().st_size < size, "it was not compacted"
        cut_after(site, wire, octets)
        assert_removed(texts, subjects(site, name), texts[:145], octets)
        fetch_all(site, name, delete=True)
        assert_only_leaks(site)
    counted(f"QUIT with compaction, {age} messages", disk)


def test_quit_with_read_marks(make_power_site, disk):
    """Marks alone are not promised; with removals they are written and synced together."""
    site, name = make_power_site(NAMES[:1]), NAMES[0]
    for octets in (0, 1, GOODBYE):
        deliver(site, [name], "one", "two", "three")
        cut_after(site, start_quit(site, name, ["RETR 1", "RETR 2"]), octets)
        assert len(site.ctl_json("messages", name)) == 3
        cut_after(site, start_quit(site, name, ["RETR 1", "RETR 2", "DELE 1"]), octets)
        if octets > 0:
            assert [m["read"] for m in site.ctl_json("messages", name)] == [True, False]
        assert set(subjects(site, name)) >= {"two", "three"}
        fetch_all(site, name, delete=True)
        assert_only_leaks(site)
    counted("QUIT with read marks", disk)
