# SPDX-License-Identifier: ISC
"""What a program inherits from who starts it, and must not mind"""

import subprocess
import sys

from lib import place
from lib.mail import deliver

# As some supervisors, and a shell's `trap "" CHLD`, leave it for all below them.
IGNORED = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""
PREFIX = [sys.executable, "-c", IGNORED]


def test_ignored_children(make_site):
    site = make_site()
    site.add("alice@example.org")
    site.start(prefix=PREFIX)
    deliver(site, "alice@example.org")
    assert len(site.ctl_json("messages", "alice@example.org")) == 1


def test_ignored_children_of_the_utility(make_site):
    site = make_site()
    fresh = site.dir / "fresh.conf"
    fresh.write_text(f'store {{ root = "{site.dir}/fresh" trust_file_system = true }}\n')
    done = subprocess.run([*PREFIX, place.program("popstore"), "-c", fresh, "init"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
