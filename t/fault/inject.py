# SPDX-License-Identifier: ISC
"""inject - system calls of running processes that fail, or take long, by strace

    with Inject(pids, folder, "fsync:error=EIO:when=1"): ...

strace counts `when` for each thread; a connection is a thread of its own.
"""

import subprocess

import pytest

from lib import place
from lib.trace import attach
from lib.wire import DEADLINE


class Inject:
    def __init__(self, pids, folder, *what, path=None):
        self.pids, self.what, self.path = list(pids), what, path
        self.out = folder / "inject"
        assert self.pids, "nothing to trace"

    def __enter__(self):
        options = ["-f", "-y", "--quiet=exit"]
        names = ",".join(w.split(":")[0] for w in self.what)
        options += ["-e", f"trace={names}"]
        for what in self.what:
            options += ["-e", f"inject={what}"]
        if self.path:
            options += ["-P", str(self.path)]
        self.strace = attach(self.pids, self.out, *options)
        return self

    def __exit__(self, *exc):
        self.strace.terminate()
        self.strace.wait(DEADLINE)

    def injected(self):
        """How many calls were tampered with so far."""
        return self.out.read_text(errors="replace").count("(INJECTED)") + \
            self.out.read_text(errors="replace").count("(DELAYED)")


def preload(name, folder):
    """The environment in which t/fault/preload/<name>.c stands before the C library."""
    if place.SANITIZED:
        pytest.skip("a preloaded library and the address sanitizer exclude each other")
    library = folder / f"{name}.so"
    subprocess.run([place.tool("cc"), "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
                    place.TREE / f"t/fault/preload/{name}.c"], check=True)
    return {"LD_PRELOAD": str(library)}
