# SPDX-License-Identifier: ISC
"""A full disk is a normal state: it can be read from, logged in to and deleted from, and
takes mail again by itself when there is room."""

import os
import subprocess

import pytest

from lib import place
from lib.mail import Lmtp, Pop3, fetch_all, message
from lib.site import Site

KB = 1024


@pytest.fixture
def small():
    """A running popstore on a file system of its own, of 400 KB."""
    place.need_root("a small file system is mounted")
    s = Site("full", lmtp={"workers": 1}, pop3={"workers": 1})
    s.root.mkdir()
    subprocess.run([place.tool("mount"), "-t", "tmpfs", "-o", "size=400k", "popstore-box",
                    s.root], check=True)
    try:
        yield s.init().start()
        s.stop()
    finally:
        if s.daemon is not None:
            s.daemon.kill()
            s.daemon = None
        subprocess.run([place.tool("umount"), "--lazy", s.root], check=True)
        s.end()


def send_until_refused(site, names, octets):
    """How many messages got in, and the answers to the one that did not."""
    for i in range(200):
        with Lmtp(site.lmtp_socket) as lmtp:
            answers = lmtp.send(names, message(f"number {i}",
                                               (b"x" * 70 + b"\r\n") * (octets // 72 + 1)))
        if not all(a.startswith("250") for a in answers):
            return i, answers
    raise AssertionError("the disk does not get full")


def fill(site):
    """To the last octet."""
    with open(site.root / "fill", "wb", buffering=0) as f, pytest.raises(OSError):
        while True:
            f.write(b"x" * 512)


def test_a_full_disk(small):
    names = [small.new_account(), small.new_account()]
    large, answers = send_until_refused(small, names, 20 * KB)
    assert large > 0
    assert all(a.startswith("452 4.3.1 ") for a in answers), answers
    tiny, answers = send_until_refused(small, names, 100)
    assert all(a.startswith("452 4.3.1 ") for a in answers), answers
    fill(small)
    assert os.statvfs(small.root).f_bavail == 0

    for name in names:
        assert len(fetch_all(small, name, delete=True)) == large + tiny
        pop3 = Pop3(small, name)
        assert pop3.stat() == (0, 0)
        pop3.quit()
    assert small.message_files() == set()

    with Lmtp(small.lmtp_socket) as lmtp:
        assert all(a.startswith("250") for a in lmtp.send(names, message("there is room")))
    assert len(fetch_all(small, names[0])) == 1
    small.assert_sound()
