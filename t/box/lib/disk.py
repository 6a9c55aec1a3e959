# SPDX-License-Identifier: ISC
"""disk - a file system of a test's own, that can be filled and made read-only"""

import os
import subprocess

from . import place


class Disk:
    """A small file system in memory, for a store that is to meet its end."""

    def __init__(self, folder, options):
        place.need_root("mounts a file system")
        self.path, self.filled = folder, 0
        subprocess.run([place.tool("mount"), "-t", "tmpfs", "-o", options, "popstore-test",
                        folder], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        subprocess.run([place.tool("umount"), "-l", self.path], check=True)

    def remount(self, how):
        subprocess.run([place.tool("mount"), "-o", "remount," + how, self.path], check=True)

    def use_all_octets(self):
        with open(self.path / "filler", "ab", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(65536))
            except OSError:
                pass

    def use_all_inodes(self):
        try:
            while True:
                os.close(os.open(self.path / f"filler{self.filled}", os.O_CREAT))
                self.filled += 1
        except OSError:
            pass
