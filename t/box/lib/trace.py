# SPDX-License-Identifier: ISC
"""trace - the system calls of a running process, counted by strace"""

import os
import re
import subprocess

from . import place
from .wire import DEADLINE, wait_until

SYNCS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")


class Trace:
    """with Trace([pid], folder, calls) as t: ...; then t.calls: (name, whole line)"""

    def __init__(self, pids, folder, names=None):
        self.pids, self.out = pids, folder / "strace"
        self.names = names
        self.calls = []

    def __enter__(self):
        argv = [place.tool("strace"), "-f", "-y", "-s", "64", "-o", self.out]
        if self.names:
            argv += ["-e", "trace=" + ",".join(self.names)]
        for pid in self.pids:
            argv += ["-p", str(pid)]
        self.strace = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        wait_until("strace to attach", lambda: all(map(traced, self.pids)))
        return self

    def __exit__(self, *exc):
        self.strace.terminate()
        self.strace.communicate(timeout=DEADLINE)
        for line in self.out.read_text(encoding="utf-8", errors="replace").splitlines():
            # Without the process id; a call that was cut in two counts where it began.
            line = re.sub(r"^\d+ +", "", line)
            if call := re.match(r"([a-z_0-9]+)\(", line):
                self.calls.append((call[1], line))

    def named(self, *names):
        return [line for name, line in self.calls if name in names]


def traced(pid):
    """Whether strace has all threads of the process."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as f:
            if "TracerPid:\t0\n" in f.read():
                return False
    return True
