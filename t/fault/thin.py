# SPDX-License-Identifier: ISC
"""thin - a disk that has less room than it says, as thin provisioning makes them

An ext4 of 64 MB in a sparse image, on a tmpfs that holds 24 MB of it.  Writes go to the
cache and succeed; when they come to the image there is no room, and the sync fails: once.
The next sync says that all is well, and the octets are gone.
"""

import fcntl
import os
import struct
import subprocess

import pytest

from lib import place

PAGE = 4096
MB = 1 << 20
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587d, 2  # _IOR('X', 125, __u32)


def _run(*argv, check=True):
    return subprocess.run([place.tool(argv[0]), *map(str, argv[1:])], check=check,
                          capture_output=True, text=True)


class ThinDisk:
    def __init__(self, size=64 * MB, really=24 * MB):
        place.need_root("loop mounts")
        self.dir = place.scratch("thin")
        self.pool, self.path = self.dir / "pool", self.dir / "mnt"
        self.pool.mkdir()
        self.path.mkdir()
        self.image = self.pool / "image"
        self.mounted = self.pooled = False
        _run("mount", "-t", "tmpfs", "-o", f"size={really}", "popstore-thin", self.pool)
        self.pooled = True
        with open(self.image, "wb") as f:
            f.truncate(size)
        # What the file system needs for itself it has: it is the data that gets lost, as
        # otherwise the first write of its journal would end it all.
        _run("mkfs.ext4", "-q", "-F", "-b", str(PAGE), "-m", "0", "-N", "8192",
             "-J", "size=4", "-E", "packed_meta_blocks=1", self.image)
        with open(self.image, "r+b") as f:
            os.posix_fallocate(f.fileno(), 0, 8 * MB)
        try:
            self.mount()
        except subprocess.CalledProcessError as e:
            self.end()
            pytest.skip(f"no loop mounts here: {e.stderr.strip()}")

    def mount(self):
        _run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True
        # A request of more than a page may be written in part, and the loop device of
        # Linux says that all of it was: no store could know.
        loop = os.stat(self.path).st_dev
        queue = f"/sys/dev/block/{os.major(loop)}:{os.minor(loop)}/queue/max_sectors_kb"
        with open(queue, "w") as f:
            f.write(str(PAGE // 1024))

    def unmount(self):
        _run("umount", self.path)
        self.mounted = False

    def exhaust(self):
        """What was written until now has its place; from here on there is none for more."""
        _run("sync", "-f", self.path)
        with open(self.pool / "ballast", "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * PAGE)

    def grow(self):
        """The operator's repair: the pool gets what it promised."""
        (self.pool / "ballast").unlink(missing_ok=True)
        _run("mount", "-o", "remount,size=256M", self.pool)

    def repair(self):
        """Grown, unmounted, checked and mounted again."""
        self.grow()
        self.unmount()
        done = _run("e2fsck", "-p", "-f", self.image, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        self.mount()

    def cut(self):
        """The power fails: what only the cache has is gone."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def power_up(self):
        self.unmount()
        self.mount()

    def end(self):
        if self.mounted:
            _run("umount", "--lazy", self.path)
        if self.pooled:
            _run("umount", "--lazy", self.pool)
        place.discard(self.dir)
