# SPDX-License-Identifier: ISC
"""trace - the system calls of a running process, counted by strace"""

import re
import subprocess

from . import place
from .wire import DEADLINE, wait_until

# Threads that wait, begin and end, and the memory and locks of a sanitizer: how many of them
# there are depends on how busy the machine is.
NOT_IO = {"epoll_wait", "futex", "mmap", "munmap", "madvise", "mprotect", "sigaltstack",
          "restart_syscall", "getpid", "gettid", "clone", "clone3", "set_robust_list", "rseq",
          "rt_sigprocmask", "exit", "brk", "sched_getaffinity"}
SYNCS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")


class Trace:
    """with Trace([pid], folder, calls) as t: ...; then t.calls: (name, whole line)"""

    def __init__(self, pids, folder, names=None):
        self.pids, self.out = pids, folder / "strace"
        self.names = names
        self.calls = []

    def __enter__(self):
        options = ["-f", "-y", "-s", "64"]
        if self.names:
            options += ["-e", "trace=" + ",".join(self.names)]
        self.strace = attach(self.pids, self.out, *options)
        return self

    def __exit__(self, *exc):
        self.strace.terminate()
        self.strace.wait(DEADLINE)
        for line in self.out.read_text(encoding="utf-8", errors="replace").splitlines():
            # Without the process id; a call that was cut in two counts where it began.
            line = re.sub(r"^\d+ +", "", line)
            if call := re.match(r"([a-z_0-9]+)\(", line):
                self.calls.append((call[1], line))

    def named(self, *names):
        return [line for name, line in self.calls if name in names]


def attach(pids, out, *options):
    """strace(1) of running processes, when it has all their threads, and no call escapes it
    any more: that is what it says itself; a TracerPid is there before."""
    argv = [place.tool("strace"), "-o", str(out), *options]
    for pid in pids:
        argv += ["-p", str(pid)]
    said = out.with_name(out.name + ".said")
    with open(said, "wb") as f:
        strace = subprocess.Popen(argv, stderr=f)

    def has_all():
        text = said.read_text(encoding="utf-8", errors="replace")
        assert strace.poll() is None, f"strace has ended: {text}"
        return all(f"Process {pid} attached" in text for pid in pids)

    wait_until("strace to attach", has_all)
    return strace
