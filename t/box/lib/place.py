# SPDX-License-Identifier: ISC
"""place - where things are: the tree, the programs under test, scratch folders"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("POPSTORE_BIN", TREE / "build" / "bin")).resolve()
SANITIZED = "asan" in str(BIN)

memory_is_ours = pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed")
not_twice = pytest.mark.skipif(SANITIZED, reason="a look at what does not depend on "
                               "the build, which the other run takes")
EXAMPLES = TREE / "conf-examples"


def program(name):
    """One of our programs; a missing one fails the test, it never skips it."""
    path = BIN / name
    assert path.exists(), f"{path} is not built: run make, or set POPSTORE_BIN"
    return str(path)


def tool(name):
    """A program from Debian that a test drives."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert path, f"{name} is not installed: ./check installs what the tests need"
    return path


def need_root(why):
    if os.geteuid() != 0:
        pytest.skip(f"needs root: {why}")


def scratch(name, under=None):
    """A new folder that other users may enter, with a path short enough for a
    Unix socket.  POPSTORE_KEEP=1 keeps it for a look afterwards."""
    path = Path(tempfile.mkdtemp(prefix=f"popstore-box-{name}-", dir=under))
    path.chmod(0o755)
    return path


_removals = []


def discard(path):
    """Removing thousands of files may take longer than the test that made them, so
    nobody waits for it before the end of the run."""
    if os.environ.get("POPSTORE_KEEP"):
        print(f"kept: {path}")
    else:
        _removals.append(subprocess.Popen(["rm", "-rf", "--", path]))


def finish_discarding():
    for removal in _removals:
        assert removal.wait(600) == 0, "a scratch folder could not be removed"
    _removals.clear()
