# SPDX-License-Identifier: ISC
"""disk - a file system of its own on a loop device, whose power can be cut

The cut is the file system's own shutdown ioctl without a flush of its log: from that
instant nothing reaches the device, and every call answers EIO.  Unmounting drops what
was only in memory; mounting again replays the journal, as after a power cut.
"""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

from lib import place
from lib.wire import wait_until

FILE_SYSTEMS = ("ext4", "xfs")

_SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32), ext4 and XFS alike
_NO_LOG_FLUSH = 2
_EXT = 96 << 20
# What mkfs takes without a complaint.
_SIZE = {"ext2": _EXT, "ext3": _EXT, "ext4": _EXT, "xfs": 320 << 20, "btrfs": 128 << 20}
_MKFS = {"xfs": ("mkfs.xfs", "-q", "-f"), "btrfs": ("mkfs.btrfs", "-q", "-f")} | \
        {kind: (f"mkfs.{kind}", "-q", "-F") for kind in ("ext2", "ext3", "ext4")}


def _run(*argv):
    subprocess.run([place.tool(argv[0]), *map(str, argv[1:])], check=True,
                   capture_output=True)


class Disk:
    """kind of file system, options for mount, words for mkfs and for tune2fs, octets"""

    def __init__(self, kind, options="", mkfs=(), tune=(), size=0):
        place.need_root("loop mounts")
        self.kind, self.options = kind, "loop," + options
        self.dir = place.scratch(f"disk-{kind}")
        self.image, self.mounted = self.dir / "image", False
        self.path = self.dir / "mnt"
        self.path.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(size or _SIZE[kind])
        _run(*_MKFS[kind], *mkfs, self.image)
        if tune:
            _run("tune2fs", *tune, self.image)
        self.cuts = 0
        try:
            self.mount()
        except subprocess.CalledProcessError as e:
            place.discard(self.dir)
            pytest.skip(f"no such mount here: {kind} {mkfs} {options}: "
                        f"{e.stderr.decode().splitlines()[0]}")

    def mount(self):
        _run("mount", "-o", self.options, self.image, self.path)
        self.mounted = True

    def unmount(self):
        """It is gone only when nobody has it in a mount namespace of his own any more:
        else the next mount would be the same, with its power off."""
        _run("umount", self.path)
        self.mounted = False
        wait_until(f"{self.image} to be let go", lambda: not self._attached(), 60)

    def _attached(self):
        for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
            try:
                if backing.read_text().strip() == str(self.image):
                    return True
            except OSError:
                pass  # it has just been let go
        return False

    def cut(self):
        """The power fails now.  Whoever still runs gets EIO."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)
        self.cuts += 1

    def power_up(self):
        """After cut(), when no process has a file open there any more."""
        self.unmount()
        self.mount()

    def end(self):
        if self.mounted:
            self.unmount()
        place.discard(self.dir)
