# SPDX-License-Identifier: ISC
"""A file system that breaks what the store is built on is refused at the start

Real ones, as mkfs and mount make them; and, for each promise that can be tried, one that
breaks that promise and no other (t/crash/unfit.c).
"""

import os
import subprocess
from contextlib import contextmanager

import pytest

from disk import Disk
from lib import place
from lib.counts import count
from lib.mail import deliver, fetch_all, message
from lib.site import Site
from lib.wire import wait_until

CONFIG = 78  # EX_CONFIG: starting again will not help


def mount(*words):
    subprocess.run([place.tool("mount"), *map(str, words)], check=True, capture_output=True)


def unmount(path):
    subprocess.run([place.tool("umount"), path], check=True, capture_output=True)


@contextmanager
def mounted(*words, at):
    mount(*words, at)
    try:
        yield at
    finally:
        unmount(at)


@contextmanager
def disk(*args, **kwargs):
    d = Disk(*args, **kwargs)
    try:
        yield d.path
    finally:
        d.end()


@contextmanager
def folder():
    path = place.scratch("mount")
    try:
        yield path
    finally:
        place.discard(path)


@contextmanager
def memory():
    with folder() as path, mounted("-t", "tmpfs", "-o", "size=8m", "popstore-box", at=path):
        yield path


@contextmanager
def overlay(*options):
    with disk("ext4") as below:
        for name in ("lower", "upper", "work", "all"):
            (below / name).mkdir()
        layers = ",".join((f"lowerdir={below}/lower", f"upperdir={below}/upper",
                           f"workdir={below}/work", *options))
        with mounted("-t", "overlay", "-o", layers, "overlay", at=below / "all") as path:
            yield path


def site_on(path, trust):
    site = Site("mount", store={"root": path / "store", "trust_file_system": trust})
    site.root = path / "store"
    return site


def init(path, trust):
    """`popstore init` there: what it ended with, and what it said."""
    site = site_on(path, trust)
    try:
        site.write_conf()
        done = site.run("init")
        hidden = [n for n in os.listdir(path / "store") if n.startswith(".")]
        assert hidden == [], "the trial is still there"
        return done.returncode, done.stderr
    finally:
        site.end()


# ---- what there is ------------------------------------------------------------------

FIT = {
    "ext4": lambda: disk("ext4"),
    "ext4, data=journal": lambda: disk("ext4", options="data=journal"),
    "ext3": lambda: disk("ext3"),
    "xfs": lambda: disk("xfs"),
    "btrfs": lambda: disk("btrfs"),
}

DOUBTED = {
    "ext4, fast_commit": (lambda: disk("ext4", mkfs=["-O", "fast_commit"]), "fast_commit"),
    "ext4, nobarrier": (lambda: disk("ext4", options="nobarrier"), "nobarrier"),
    # Written on the disk, and in no list of mount options.
    "ext4, nobarrier by default": (
        lambda: disk("ext4", tune=["-o", "nobarrier"]), "nobarrier"),
    "ext4, data=writeback": (lambda: disk("ext4", options="data=writeback"),
                             "data=writeback"),
    "ext4 without a journal": (lambda: disk("ext4", mkfs=["-O", "^has_journal"]),
                               "without a journal"),
    "ext2": (lambda: disk("ext2"), "without a journal"),
    "btrfs, nobarrier": (lambda: disk("btrfs", options="nobarrier"), "nobarrier"),
    "tmpfs": (memory, "memory"),
    "overlay": (overlay, "lower layer"),
    "overlay, volatile": (lambda: overlay("volatile"), "lower layer"),
}


@pytest.mark.parametrize("what", FIT)
def test_fit(what):
    with FIT[what]() as path:
        assert init(path, trust=False) == (0, "")
    count("file systems taken at the start", 1)


@pytest.mark.parametrize("what", DOUBTED)
def test_doubted_is_refused_unless_trusted(what):
    file_system, why = DOUBTED[what]
    with file_system() as path:
        status, said = init(path, trust=False)
        assert status == CONFIG
        assert f"{path}/store is on {what.split()[0].strip(',')}, " in said, said
        assert why in said and "store.trust_file_system" in said, said
        assert init(path, trust=True)[0] == 0
    count("file systems refused at the start", 1)


def test_case_that_is_folded():
    with disk("ext4", mkfs=["-O", "casefold"]) as path:
        (path / "store").mkdir()
        subprocess.run([place.tool("chattr"), "+F", path / "store"], check=True)
        status, said = init(path, trust=True)
        assert status == CONFIG and "are folded" in said, said


def test_another_file_system_in_the_middle():
    with memory() as path, memory() as other:
        site = site_on(path, trust=True).init()
        try:
            with mounted("-t", "tmpfs", "popstore-box", at=site.root / "accounts"), \
                    pytest.raises(AssertionError):
                site.start()
            said = (site.dir / "log").read_text()
            assert f"{site.root}/accounts is another file system" in said, said
            assert "status=78" in said
            # A bind mount of the same one is none: systemd makes such.
            with mounted("--bind", site.root / "accounts", at=site.root / "accounts"):
                site.start()
                site.stop()
            # Nor is the place of a volume.
            (site.root / "disk1").mkdir()
            with mounted("--bind", other, at=site.root / "disk1"):
                site.start()
                site.stop()
        finally:
            site.end()


# ---- a start ---------------------------------------------------------------------------

def test_a_start_is_refused_and_says_why():
    with memory() as path:
        site = site_on(path, trust=True).init()
        try:
            site.conf["store"]["trust_file_system"] = False
            site.write_conf()
            for service in ("lmtp", "pop3"):
                for other in {"lmtp", "pop3"} - {service}:
                    kept = site.conf.pop(other)
                site.write_conf()
                with pytest.raises(AssertionError):
                    site.start()
                said = (site.dir / "log").read_text()
                assert f"event={service}.start.failed" in said, said
                assert f"{site.root} is on tmpfs, which keeps all in memory" in said
                site.conf[other] = kept
        finally:
            site.end()


def test_what_is_trusted_is_used_and_said():
    with memory() as path:
        site = site_on(path, trust=True).init()
        try:
            site.start()
            name = site.new_account()
            deliver(site, name, message("in memory"))
            assert len(fetch_all(site, name)) == 1
            said = (site.dir / "log").read_text()
            assert "event=lmtp.disk.doubted level=warn" in said
            assert "event=pop3.disk.doubted level=warn" in said
        finally:
            site.end()


# ---- promises that are broken, one by one --------------------------------------------------

@contextmanager
def unfit(what):
    with memory() as below, folder() as path:
        program = place.BIN.parent / "t/crash/unfit"
        if not program.exists():
            pytest.skip("make rigs builds t/crash/unfit")
        fuse = subprocess.Popen([program, what, below, path], stdout=subprocess.PIPE,
                                text=True)
        try:
            assert fuse.stdout.readline() == f"unfit: {what}\n"
            wait_until("the mount", lambda: os.path.ismount(path))
            yield path
        finally:
            unmount(path)
            assert fuse.wait(20) == 0
            fuse.stdout.close()


BREAKS = {
    "flock": "a lock does not keep others out",
    "flock-process": "a lock does not keep other processes out",
    "fold": "file names are not octets",
    "noreplace": "does not spare a name that is taken",
    "keep": "looks as if it had its name yet",
    "octet": "what was written is not what is read",
    "cut": "what was written is not what is read",
    "link": "does not get its name whole",
    "time": "does not keep the time",
    "dirsync": "a directory cannot be made and synced",
    "rmdir": "a directory does not keep what is in it",
    "long": "255 are too many",
}


@pytest.mark.parametrize("what", BREAKS)
def test_control_a_broken_promise_is_refused_even_where_trusted(what):
    with unfit(what) as path:
        status, said = init(path, trust=True)
        assert status == CONFIG, said
        assert "is on fuse.unfit, where " in said and BREAKS[what] in said, said
    count("broken promises of a file system refused at the start", 1)


def test_control_the_same_with_nothing_broken_is_taken():
    """What is refused above is the one thing that is broken there."""
    with unfit("nothing") as path:
        assert init(path, trust=True) == (0, "")
        status, said = init(path, trust=False)
        assert status == CONFIG and "nobody here knows what a power cut leaves" in said
