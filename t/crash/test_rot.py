# SPDX-License-Identifier: ISC
"""A disk that rots under a file system which knows it: Btrfs answers EIO

An octet of a message is changed in the image, below the file system.  Its own checksum
then fails, and read(2) says so; nothing is injected.
"""

import poplib

import pytest

from disk import Disk
from lib.counts import count
from lib.mail import Pop3, deliver, fetch_all, message
from lib.site import Site

DATAERR = 65
# Larger than what Btrfs keeps in its trees, and like nothing else on the disk.
ROTTEN = b"what is going to rot\r\n" * 1000
GOOD = b"what stays as it is\r\n" * 1000


@pytest.fixture
def disk():
    d = Disk("btrfs")
    yield d
    d.end()


@pytest.fixture
def site(disk):
    s = Site("rot", store={"root": disk.path / "store"}, lmtp={"workers": 1},
             pop3={"workers": 1}, policy=None, socketmap=None, milter=None).init()
    yield s
    s.end()


def rot(disk):
    """One octet of the message's text, on the disk only."""
    disk.unmount()
    octets = disk.image.read_bytes()
    at = octets.index(ROTTEN[:4000]) + 1000
    with open(disk.image, "r+b") as image:
        image.seek(at)
        image.write(bytes([octets[at] ^ 1]))
    disk.mount()


def test_a_message_that_the_disk_cannot_read_any_more(disk, site):
    alice, bob = site.new_account(), site.new_account()
    site.start()
    deliver(site, [alice, bob], message("rotten", ROTTEN))
    deliver(site, [alice], message("good", GOOD))
    site.stop()
    rot(disk)
    site.start()
    pop3 = Pop3(site, alice)
    for ask in (pop3.retr, lambda n: pop3.top(n, 2000)):
        with pytest.raises(poplib.error_proto, match="-ERR"):
            ask(1)
    assert pop3.bytes_of(2).endswith(GOOD)
    pop3.quit()
    site.daemon.wait_for(r"event=pop3\.message\.unreadable .*Input/output error")
    # What cannot be read is named and left alone, whoever asks.
    files = site.message_files()
    for verb in (("check",), ("check", "--repair"), ("check",)):
        out = site.ctl(*verb, status=DATAERR)
        assert "Input/output error" in out and len(out.splitlines()) == 2, out
    assert site.message_files() == files
    deliver(site, [bob], message("more", GOOD))
    assert sum(octets.endswith(GOOD) for octets in fetch_but_first(site, bob)) == 1
    count("messages that the disk could not read any more", 1)
    site.stop()


def fetch_but_first(site, user):
    pop3 = Pop3(site, user)
    messages = [pop3.bytes_of(i) for i in range(2, pop3.stat()[0] + 1)]
    pop3.quit()
    return messages


def test_control_without_rot_all_is_read(disk, site):
    alice = site.new_account()
    site.start()
    deliver(site, [alice], message("rotten", ROTTEN))
    site.stop()
    disk.unmount()
    disk.mount()
    site.start()
    assert fetch_all(site, alice)[0].endswith(ROTTEN)
    site.assert_sound()
