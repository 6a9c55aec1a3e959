# SPDX-License-Identifier: ISC
"""What a first power cut left behind the end of a maildrop must not come back at a second

A QUIT appends its lines and syncs them; the power fails when the octets are on the disk
and the new length of the file is not.  The message is still there, and clients see it.
Later lines are written over those octets, and ext4 may make their length durable before
their octets: at a second cut the old lines would be part of the file again, with the right
numbers and checksums, and remove a message that nobody removed.
"""

import ctypes

from lib.counts import count
from plant import removed_line
from power import deliver, lie, subjects

ALICE, BOB = "alice@example.org", "bob@example.org"

_WRITE_AND_WAIT = 7  # SYNC_FILE_RANGE_WAIT_BEFORE | WRITE | WAIT_AFTER


def octets_without_length(path, octets):
    """Appended, on the disk, and behind its end after a cut."""
    with open(path, "ab", buffering=0) as f:
        f.write(octets)
        assert ctypes.CDLL(None, use_errno=True).sync_file_range(
            f.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), _WRITE_AND_WAIT) == 0


def after_two_cuts(make_power_site, env=None):
    """What is left of three messages of which nobody removed one."""
    site = make_power_site([ALICE, BOB])
    deliver(site, [ALICE], "one", "two", "three")
    site.stop()
    maildrop, = site.root.glob(f"accounts/*/*/{ALICE}/maildrop")
    octets_without_length(maildrop, removed_line(site, ALICE, 0))
    site.power_fails()
    site.start(env=env)
    assert subjects(site, ALICE) == ["one", "three", "two"]  # and marks them read, unsynced
    deliver(site, [BOB], "a sync of the journal")
    site.cut()
    return subjects(site, ALICE)


def test_a_removal_that_was_cut_off_stays_cut_off(make_power_site, disk):
    assert after_two_cuts(make_power_site) == ["one", "three", "two"]
    count(f"power cuts, one after the other, {disk.kind}", disk.cuts)


def test_control_without_the_cut_of_nothing_it_comes_back(make_power_site, disk):
    """XFS makes no length durable before its octets, and loses nothing."""
    left = after_two_cuts(make_power_site, lie("cuts"))
    assert ("one" in left) == (disk.kind == "xfs")
