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

import pytest

from lib import place

FILE_SYSTEMS = ("ext4", "xfs")

_SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32), ext4 and XFS alike
_NO_LOG_FLUSH = 2
_SIZE = {"ext4": 96 << 20, "xfs": 320 << 20}  # what mkfs takes without a complaint
_MKFS = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}


def _run(*argv):
    subprocess.run([place.tool(argv[0]), *map(str, argv[1:])], check=True,
                   capture_output=True)


class Disk:
    def __init__(self, kind):
        place.need_root("loop mounts")
        self.kind = kind
        self.dir = place.scratch(f"disk-{kind}")
        self.image, self.mounted = self.dir / "image", False
        self.path = self.dir / "mnt"
        self.path.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(_SIZE[kind])
        _run(*_MKFS[kind], self.image)
        self.cuts = 0
        try:
            self.mount()
        except subprocess.CalledProcessError as e:
            place.discard(self.dir)
            pytest.skip(f"no loop mounts here: {e.stderr.decode().strip()}")

    def mount(self):
        _run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True

    def unmount(self):
        _run("umount", self.path)
        self.mounted = False

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
