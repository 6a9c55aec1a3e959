# SPDX-License-Identifier: ISC
"""What somebody does who wants to break in on the store, or a disk that gives up.

Each test is an attack that once did damage.
"""

import os

import pytest

from lib.disk import Disk
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.site import PASSWORD
from lib.wire import Wire


@pytest.fixture
def disk_site(make_site, tmp_path):
    """make_site() with its store on a Disk."""
    disks = []

    def make(options):
        disks.append(Disk(tmp_path, options))
        return disks[-1], make_site(store={"root": tmp_path / "store", "checkpoint": 1})

    yield make
    for d in disks:
        d.__exit__()


def login(site, name, *commands):
    """The answers, from the one to PASS on."""
    with Wire(site.pop3) as wire:
        wire.line()
        wire.ask(f"USER {name}")
        return [wire.ask(c)[:4].strip() for c in (f"PASS {PASSWORD}".encode(), *commands)]


def test_first_login_and_delete_without_a_free_inode(disk_site):
    disk, site = disk_site("size=20m,nr_inodes=120")
    site.start()
    name = site.new_account()
    deliver(site, name)
    disk.use_all_inodes()
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<>")
        assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
        assert lmtp.ask("DATA").startswith("452 4.3.1")
    assert login(site, name, "DELE 1", "QUIT") == [b"+OK"] * 3
    site.stop()


def test_a_disk_that_went_read_only_can_be_read(disk_site):
    disk, site = disk_site("size=20m")
    name = site.new_account()
    site.start()
    deliver(site, name)
    site.stop()
    disk.remount("ro")
    site.start()
    assert len(fetch_all(site, name)) == 1  # its QUIT is +OK: nothing was to be removed
    assert login(site, name, "DELE 1", "QUIT") == [b"+OK", b"+OK", b"-ERR"]
    disk.remount("rw")
    site.restart()
    assert login(site, name, "DELE 1", "QUIT") == [b"+OK"] * 3
    site.stop()


def test_naming_a_large_forwarding_again_and_again(own_site):
    """Each time it stands for as many recipients as it has targets."""
    names = own_site.add_many(f"member{i}@example.org" for i in range(400))
    for i in range(4):
        own_site.ctl("forward", f"part{i}@example.org", *names[100 * i:100 * i + 100])
    own_site.ctl("forward", "all@example.org", *(f"part{i}@example.org" for i in range(4)))
    with Lmtp(own_site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<sender@example.com>")
        for i in range(3):
            assert lmtp.ask(f"RCPT TO:<all+{i}@example.org>").startswith("250")
        for i in range(3):
            assert lmtp.ask(f"RCPT TO:<all+{i}@example.org>").startswith("452 4.5.3")
        assert all(a.startswith("250") for a in lmtp.data(message(), 3))
    for name in names[::100]:
        assert len(fetch_all(own_site, name)) == 1


def test_repair_during_a_session(own_site):
    """What a session has removed is not removed once more behind its back."""
    name = own_site.new_account()
    deliver(own_site, name)
    pop3 = Pop3(own_site, name)
    pop3.dele(1)
    for path in own_site.message_files():
        os.unlink(path)
    own_site.ctl("check", "--repair", status=os.EX_DATAERR)
    assert pop3.quit().startswith(b"+OK")
    deliver(own_site, name)
    assert len(fetch_all(own_site, name)) == 1
    own_site.assert_sound()
