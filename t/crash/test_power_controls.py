# SPDX-License-Identifier: ISC
"""Controls of the power cuts: one promise is broken, and the rig has to lose mail

What is broken: every sync (eatmydata), the recovery, or the order of two steps
(t/crash/shim/lie.c).  The gate of the shim holds a process between the two steps, so
that the cut comes exactly there; with the steps in their right order a cut at the same
place loses nothing, which is tried too.  The controls of popstore(8) are in
test_power_verbs.py.
"""

import subprocess

import pytest

from lib import place
from lib.wire import wait_until
from power import deliver, eatmydata, lie, start_message, start_quit, subjects

ALICE, BOB = "alice@example.org", "bob@example.org"


class Gate:
    """Of t/crash/shim/lie.c: two octets, is it closed, and is somebody there."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(b"--")

    def __str__(self):
        return str(self.path)

    def close(self):
        with open(self.path, "r+b") as f:
            f.write(b"x")

    def wait_reached(self):
        wait_until("somebody at the gate", lambda: self.path.read_bytes() == b"xx")


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


def answered_then_cut(site, wire):
    assert wire.exactly(1) in b"2+"
    site.cut()
    wire.close()


def test_without_recovery_the_lines_are_gone(make_power_site, disk):
    """They are not synced: a cut takes them, and only recovery brings them back."""
    site = make_power_site([ALICE])
    wire = start_message(site, [ALICE], "control")
    wire.exactly(1)
    site.power_fails()
    wire.close()
    assert site.ctl_json("messages", ALICE) == []
    site.ctl("recover")
    assert len(site.ctl_json("messages", ALICE)) == 1


# ---- LMTP ------------------------------------------------------------------------------


def test_a_sync_that_lies_loses_mail(make_power_site, disk):
    site = make_power_site([ALICE], env=eatmydata())
    answered_then_cut(site, start_message(site, [ALICE], "control"))
    assert subjects(site, ALICE) == []


def test_an_answer_before_the_sync_loses_mail(make_power_site, disk, gate):
    site = make_power_site([ALICE], env=lie("answer-first", gate))
    deliver(site, [ALICE], "before")  # the gate is open yet
    gate.close()
    answered_then_cut(site, start_message(site, [ALICE], "control"))
    assert "control" not in subjects(site, ALICE)


# ---- QUIT ------------------------------------------------------------------------------


def delivered(make_power_site, env):
    """Two accounts that hold a message each, durably with its line; hers was read, so that
    ext4 has no reason any more to write her maildrop in order with others' syncs."""
    site = make_power_site([ALICE, BOB])
    deliver(site, [ALICE], "hers")
    deliver(site, [BOB], "his")
    site.stop()
    site.start(env=env)
    assert subjects(site, ALICE) == ["hers"]
    subprocess.run([place.tool("sync"), "-f", site.root], check=True)
    return site


def test_a_sync_that_lies_brings_the_removed_back(make_power_site, disk):
    site = delivered(make_power_site, eatmydata())
    answered_then_cut(site, start_quit(site, ALICE, ["DELE 1"]))
    assert subjects(site, ALICE) == ["hers"]


def test_an_answer_before_the_sync_brings_the_removed_back(make_power_site, disk, gate):
    site = delivered(make_power_site, lie("answer-first", gate))
    gate.close()
    answered_then_cut(site, start_quit(site, ALICE, ["DELE 1"]))
    assert subjects(site, ALICE) == ["hers"]


@pytest.mark.parametrize("order", ["release-first", "none"])
def test_a_release_before_the_sync_loses_a_message(make_power_site, disk, gate, order):
    """Alice's QUIT stops after her file was removed; somebody else's delivery takes the
    removal of the file to the disk; the power fails before she got an answer.  In the
    wrong order her maildrop still has the message, and its file is gone."""
    site = delivered(make_power_site, lie(order, gate))
    hers, his = sorted(site.message_files())
    gate.close()
    wire = start_quit(site, ALICE, ["DELE 1"])
    gate.wait_reached()
    assert site.message_files() == {his}
    deliver(site, [BOB], "another")
    site.cut()
    wire.close()
    assert hers not in site.message_files()
    assert subjects(site, BOB) == ["another", "his"]
    assert len(site.ctl_json("messages", ALICE)) == (1 if order == "release-first" else 0)
    assert (site.run("check").returncode == 0) == (order == "none")


# ---- a record --------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["name-first", "none"])
@pytest.mark.parametrize("kind, options", [("xfs", ""), ("ext4", "noauto_da_alloc")])
def test_a_name_before_its_octets_loses_a_record(make_disk, make_power_site_on, gate, kind,
                                                 options, order):
    """A profile is replaced.  In the wrong order, with the new octets still unsynced when
    the new name is durable, neither the old nor the new one is left.  ext4 by itself
    starts to write what is renamed over another file, more than POSIX asks for, and then
    it is chance what the cut finds; so that is off."""
    site = make_power_site_on([ALICE], make_disk(kind, options))
    site.stop()
    gate.close()
    profile, = (site.root / "accounts").glob(f"*/*/{ALICE}/profile")
    with subprocess.Popen(site.command("modify", ALICE, "--owner", "New"),
                          env=lie(order, gate), stdout=subprocess.DEVNULL) as verb:
        if order == "none":
            verb.wait()
        else:
            gate.wait_reached()
        assert b"owner New" in profile.read_bytes()
        site.power_fails([verb])
    assert (site.run("show", ALICE).returncode != 0) == (order == "name-first")
