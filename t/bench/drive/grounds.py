# SPDX-License-Identifier: ISC
"""grounds - where the stores under comparison lie

disk     a folder on the file system of TMPDIR, with real syncs
memory   tmpfs: what is left is the processor's work
slow     the disk, and every fsync, fdatasync and syncfs takes 5 ms longer

The delay is a library that is preloaded into every process of every server alike
(t/bench/shim/slow_sync.c).  It makes the true call, then waits, each caller for itself: a
disk that is far away but has a deep queue.  strace would slow down every other call too, and
dm-delay needs a kernel with device mapper."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib import place

SYNC_MS = 5
PROGRAMS = place.BIN.parent / "t" / "bench"


class Ground:
    def __init__(self, name, under, slow=False):
        self.name, self.slow = name, slow
        # Servers that run as other users have to get in, and their sockets need short paths.
        self.dir = Path(tempfile.mkdtemp(prefix="popstore-bench-", dir=under))
        self.dir.chmod(0o755)
        self.env = {}
        if slow:
            shim = self.dir / "slow_sync.so"
            shutil.copy(PROGRAMS / "shim" / "slow_sync.so", shim)
            shim.chmod(0o755)
            self.env = {"LD_PRELOAD": str(shim), "POPSTORE_SYNC_MS": str(SYNC_MS)}

    def file_system(self):
        done = subprocess.run(["stat", "-f", "-c", "%T", self.dir], text=True, check=True,
                              capture_output=True)
        return done.stdout.strip()

    def end(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def make(name):
    if name == "memory":
        return Ground(name, os.environ.get("POPSTORE_MEMORY", "/dev/shm"))
    if name in ("disk", "slow"):
        return Ground(name, None, slow=name == "slow")
    raise SystemExit(f"no such ground: {name}; there are disk, memory and slow")
