# SPDX-License-Identifier: ISC
"""small - a file system of its own that is soon full: of octets, or of inodes"""

import os
import subprocess

import pytest

from lib import place

KINDS = {
    # name: (options of the tmpfs, or None; options of mkfs.ext4, megabytes)
    "tmpfs, octets": ("size=600k", None, 0),
    "tmpfs, inodes": ("size=16m,nr_inodes=120", None, 0),
    "ext4, octets": (None, ("-m", "0", "-N", "512", "-J", "size=1"), 4),
    "ext4, inodes": (None, ("-m", "0", "-N", "128"), 16),
}


class SmallDisk:
    def __init__(self, kind):
        place.need_root("a small file system is mounted")
        self.kind = kind
        tmpfs, mkfs, megabytes = KINDS[kind]
        self.dir = place.scratch("small")
        self.path = self.dir / "mnt"
        self.path.mkdir()
        if tmpfs:
            self._run("mount", "-t", "tmpfs", "-o", tmpfs, "popstore-small", self.path)
            return
        self.image = self.dir / "image"
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        self._run("mkfs.ext4", "-q", "-F", "-b", "1024", *mkfs, self.image)
        try:
            self.mount()
        except subprocess.CalledProcessError as e:
            place.discard(self.dir)
            pytest.skip(f"no loop mounts here: {e.stderr.strip()}")

    def mount(self):
        self._run("mount", "-o", "loop", self.image, self.path)

    def unmount(self):
        self._run("umount", self.path)

    @staticmethod
    def _run(*argv):
        subprocess.run([place.tool(argv[0]), *map(str, argv[1:])], check=True,
                       capture_output=True, text=True)

    def fill(self):
        """To the last octet, or the last inode."""
        (self.path / "fill").mkdir(exist_ok=True)
        if "inodes" in self.kind:
            with pytest.raises(OSError):
                for i in range(100000):
                    (self.path / "fill" / str(i)).touch()
            assert os.statvfs(self.path).f_favail == 0
            return
        for size in (512, 1):
            with open(self.path / "fill" / "x", "ab", buffering=0) as f, \
                    pytest.raises(OSError):
                while True:
                    f.write(b"x" * size)
        assert os.statvfs(self.path).f_bavail == 0

    def make_room(self):
        subprocess.run(["rm", "-rf", self.path / "fill"], check=True)

    def end(self):
        self._run("umount", "--lazy", self.path)
        place.discard(self.dir)
