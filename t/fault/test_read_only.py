# SPDX-License-Identifier: ISC
"""A disk that takes no writes: who wants to read can, who wants to change something is told,
mail is put off before it comes; and when the disk takes writes again, all goes on by itself"""

import os
import poplib
import subprocess

import pytest

from lib import place
from lib.asking import Policy
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.wire import wait_until
from small import SmallDisk

NAME = "alice@example.org"
TEMPFAIL, UNAVAILABLE = 75, 69


@pytest.fixture
def disk():
    d = SmallDisk("ext4, inodes")
    try:
        yield d
    finally:
        d.end()


@pytest.fixture
def site(disk, make_site):
    site = make_site(store={"root": disk.path / "store", "checkpoint": "1s"},
                     lmtp={"workers": 1}, pop3={"workers": 1}, policy={})
    site.add(NAME)
    site.start()
    for i in range(3):
        deliver(site, NAME, message(f"number {i}"))
    yield site
    site.stop()


def remount(disk, how):
    return subprocess.run([place.tool("mount"), "-o", f"remount,{how}", disk.path],
                          capture_output=True, text=True, check=False)


def make_read_only(site, disk):
    """The writer's lease is open for writing: only a new delivery agent has none yet."""
    site.restart()
    done = remount(disk, "ro")
    assert done.returncode == 0, done.stderr


def recipient(site):
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<a@example.com>")
        return lmtp.ask(f"RCPT TO:<{NAME}>")


def assert_only_reading(site):
    wait_until("451", lambda: recipient(site).startswith("451 4.3.0 "))
    with Policy(site.policy) as policy:
        wait_until("451", lambda: "451 4.3.0" in policy.ask(NAME))
    assert len(fetch_all(site, NAME)) == 3
    pop3 = Pop3(site, NAME)
    pop3.dele(1)
    with pytest.raises(Exception, match="-ERR"):
        pop3.quit()
    assert len(fetch_all(site, NAME)) == 3
    for verb in (("passwd", NAME, "--password-stdin"), ("modify", NAME, "--owner", "A."),
                 ("forward", "sales@example.org", NAME)):
        done = site.run(*verb, stdin="new one 7\n")
        assert done.returncode == TEMPFAIL and "Read-only" in done.stderr, done
    status = site.ctl_json("status", status=UNAVAILABLE)
    assert {v["state"] for v in status["volumes"]} == {"read-only"}
    count("operations on a read-only disk", 9)


def wait_for_mail(site):
    try:
        wait_until("mail", lambda: recipient(site).startswith("250 "))
    except AssertionError as e:
        status = site.run("status")
        raise AssertionError(f"{status.stdout}\n{site.daemon.tail()}") from e


def assert_all_goes_on(site):
    wait_for_mail(site)
    deliver(site, NAME, message("and again"))
    site.ctl("modify", NAME, "--owner", "A.")
    assert len(fetch_all(site, NAME, delete=True)) == 4
    assert fetch_all(site, NAME) == []
    # popstored tries again to say what it does whenever it does something.
    assert [a for a in site.ctl_json("status", status=None)["attention"]
            if not a.startswith("popstored is gone")] == []
    site.assert_sound()


def test_mounted_read_only_and_back(site, disk):
    make_read_only(site, disk)
    assert_only_reading(site)
    remount(disk, "rw")
    assert_all_goes_on(site)
    # That a checkpoint cannot be written is said once, not every second.
    assert len([line for line in site.daemon.lines if "checkpoint.failed" in line]) <= 1


def test_a_last_login_that_cannot_be_written(site, disk):
    """LOGIN-DELAY fails open: better than an owner who cannot read."""
    site.conf["pop3"]["login_delay"] = "1h"
    site.write_conf()
    make_read_only(site, disk)
    mark = site.daemon.mark()
    for _ in range(2):
        assert len(fetch_all(site, NAME)) == 3
    site.daemon.wait_for("event=pop3.touch.failed .*Read-only", mark)
    remount(disk, "rw")
    assert len(fetch_all(site, NAME)) == 3
    with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
        Pop3(site, NAME)


def test_what_authd_says_of_itself_cannot_be_written(site, disk):
    """Logins go on, it is said once, and `popstore status` knows again when it can."""
    def shown():
        rows = site.ctl_json("status", status=None)["logins"]
        return rows and rows[0]["refused_hour"] == 2

    make_read_only(site, disk)
    mark = site.daemon.mark()
    with pytest.raises(poplib.error_proto, match="AUTH"):
        Pop3(site, NAME, "wrong")
    site.daemon.wait_for("event=auth.report.failed .*Read-only", mark)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        Pop3(site, NAME, "wrong")
    assert len(fetch_all(site, NAME)) == 3
    assert not shown()
    remount(disk, "rw")
    wait_until("the report", shown)
    assert len([x for x in site.daemon.lines if "auth.report.failed" in x]) == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_start_on_a_disk_that_is_read_only(site, disk, how):
    getattr(site, how)()
    assert remount(disk, "ro").returncode == 0
    site.start()
    assert_only_reading(site)
    remount(disk, "rw")
    wait_for_mail(site)
    site.ctl("recover")
    assert_all_goes_on(site)


def test_the_kernel_makes_it_read_only(site, disk):
    """As it does when it finds the file system damaged, under running services."""
    assert remount(disk, "errors=remount-ro").returncode == 0
    loop = os.stat(disk.path).st_dev
    name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(loop)}:{os.minor(loop)}"))
    with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w") as f:
        f.write("planted")
    wait_until("451", lambda: recipient(site).startswith("451 4.3.0 "))
    assert len(fetch_all(site, NAME)) == 3
    pop3 = Pop3(site, NAME)
    pop3.dele(1)
    with pytest.raises(Exception, match="-ERR"):
        pop3.quit()
    assert len(fetch_all(site, NAME)) == 3
    status = site.ctl_json("status", status=UNAVAILABLE)
    assert {v["state"] for v in status["volumes"]} <= {"read-only", "broken", "stopped"}
    site.kill()
    disk.unmount()
    disk.mount()
    site.start()
    assert_all_goes_on(site)


def test_control_the_disk_takes_no_writes(site, disk):
    make_read_only(site, disk)
    with pytest.raises(OSError, match="Read-only"):
        (disk.path / "x").touch()
    remount(disk, "rw")
    (disk.path / "x").touch()
