# SPDX-License-Identifier: ISC
"""What a process was writing when it was killed is swept; what one is writing is not"""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from lib import place
from lib.counts import count
from lib.site import PASSWORD, Site
from lib.wire import wait_until

NAME = "alice@example.org"
HOUR = 3600

# A command that replaces a record, in each kind of directory.
REPLACES = {
    "profile": ("modify", NAME, "--quota", "7M"),
    "secret": ("passwd", NAME, "--password-stdin"),
    "forwarding": ("forward", "sales@example.org", NAME),
    "domain": ("domain", "modify", "example.org", "--delimiters", "-"),
}


@pytest.fixture
def site():
    s = Site("leftovers").init()
    s.add(NAME)
    yield s
    s.end()


def at_its_rename(site, what, signal_name):
    """The command, which gets this signal when it is about to replace the record."""
    # The writer's record is replaced by a rename, too; none of these makes ids.
    p = subprocess.Popen([place.tool("strace"), "-f", "-o", "/dev/null", "-e",
                          f"inject=renameat:signal={signal_name}:error=EIO",
                          place.program("popstore"), "-c", site.conf_file, *REPLACES[what]],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    # Those that ask for no password may be dead by now.
    with contextlib.suppress(BrokenPipeError):
        p.stdin.write(f"{PASSWORD}\n".encode())
        p.stdin.close()
    return p


def hidden(site):
    return [p for p in site.root.rglob(".new.*")]


def age(paths):
    for p in paths:
        os.utime(p, (time.time() - 2 * HOUR,) * 2)


@pytest.mark.parametrize("what", REPLACES)
def test_of_the_dead_it_is_swept(site, what):
    at_its_rename(site, what, "KILL").wait()
    left = hidden(site)
    assert len(left) == 1, left
    site.assert_sound()
    site.ctl("check", "--repair")
    assert hidden(site) == left, "it is too young to tell"
    age(left)
    site.ctl("check", "--repair")
    assert hidden(site) == []
    site.ctl(*REPLACES[what], stdin=f"{PASSWORD}\n")
    site.assert_sound()
    count("files of killed processes swept", 1)


def test_of_the_living_it_is_not(site):
    maker = at_its_rename(site, "profile", "STOP")
    try:
        wait_until("the file", lambda: hidden(site))
        left = hidden(site)
        wait_until("its maker to stop", lambda: locked(left[0]))
        age(left)
        site.ctl("check", "--repair")
        assert hidden(site) == left
    finally:
        os.killpg(maker.pid, signal.SIGKILL)
        maker.wait()
    age(left)
    site.ctl("check", "--repair")
    assert hidden(site) == []


def locked(path):
    """Somebody has it locked: flock(1) cannot."""
    return subprocess.run([place.tool("flock"), "--nonblock", path, "true"],
                          check=False).returncode != 0
