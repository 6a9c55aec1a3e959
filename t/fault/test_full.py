# SPDX-License-Identifier: ISC
"""A full disk is a normal state (P7): it can be read from, logged in to and deleted from,
and takes mail again by itself when there is room; full of octets or of inodes, and over
quota."""

import pytest

from inject import Inject
from lib import place
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.site import PASSWORD, Site
from lib.wire import wait_until
from small import KINDS, SmallDisk

KB = 1024
TEMPFAIL = 75
FULL = "452 4.3.1 "


@pytest.fixture(params=KINDS)
def disk(request):
    d = SmallDisk(request.param)
    try:
        yield d
    finally:
        d.end()


@pytest.fixture
def small(disk):
    """A running popstore on it, with two accounts that have mail."""
    s = Site("full", store={"root": disk.path / "store", "checkpoint": "1s"},
             lmtp={"workers": 1}, pop3={"workers": 1}, milter=None, policy=None,
             socketmap=None)
    try:
        s.init().start()
        s.names = [s.new_account(), s.new_account()]
        for i in range(3):
            deliver(s, s.names, message(f"early {i}"))
        yield s
        s.stop()
    finally:
        if s.daemon is not None:
            s.daemon.kill()
            s.daemon = None
        s.end()


def send(site, content=None):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send(site.names, content or message("more"))


def fill(site, disk):
    """And finds that the delivery agent has noticed."""
    disk.fill()
    wait_until("452", lambda: all(a.startswith(FULL) for a in send(site)))


def test_mail_until_it_is_full(small, disk):
    """What was accepted is there, what was not was told 452; deleting makes room."""
    good = 3
    for _ in range(300):
        answers = send(small, message("one of many", (b"x" * 70 + b"\r\n") * 280))
        if not all(a.startswith("250") for a in answers):
            break
        good += 1
    assert all(a.startswith(FULL) for a in answers), answers
    for name in small.names:
        assert len(fetch_all(small, name, delete=True)) == good
        assert Pop3(small, name).stat() == (0, 0)
    assert small.message_files() == set()
    assert all(a.startswith("250") for a in send(small))
    small.assert_sound()
    count(f"messages until a disk was full: {disk.kind}", good)


def test_what_goes_on_while_it_is_full(small, disk):
    alice, bob = small.names
    fill(small, disk)
    for size in (10, 100 * KB):
        assert all(a.startswith(FULL) for a in send(small, message("no", b"x" * size + b"\r\n")))
    # Reading; and what cannot be changed stays as it was.
    assert len(fetch_all(small, alice)) == 3
    new = small.run("passwd", alice, "--password-stdin", stdin="another one 7\n")
    assert new.returncode == TEMPFAIL and "No space left" in new.stderr, new
    new = small.run("modify", alice, "--owner", "A. Smith", "--quota", "1M")
    assert new.returncode == TEMPFAIL and "No space left" in new.stderr, new
    new = small.run("add", "carol@example.org", "--password-stdin", stdin="x\n")
    assert new.returncode == TEMPFAIL and "No space left" in new.stderr, new
    assert small.ctl_json("show", alice)["owner"] == ""
    assert small.ctl_json("verdict", alice)["verdict"] == "ok"
    assert small.run("show", "carol@example.org").returncode != 0
    status = small.ctl_json("status", status=69)
    assert {v["state"] for v in status["volumes"]} == {"full"}
    # Logging in and deleting.
    pop3 = Pop3(small, alice, PASSWORD)
    pop3.dele(1)
    pop3.dele(3)
    pop3.quit()
    assert [b"early 1" in m for m in fetch_all(small, alice)] == [True]
    assert len(fetch_all(small, bob)) == 3

    disk.make_room()
    wait_until("mail", lambda: all(a.startswith("250") for a in send(small)))
    small.ctl("passwd", alice, "--password-stdin", stdin=PASSWORD + "\n")
    small.ctl("modify", alice, "--owner", "A. Smith")
    assert small.ctl_json("show", alice)["owner"] == "A. Smith"
    assert len(fetch_all(small, alice)) == 2
    small.assert_sound()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_start_while_it_is_full(small, disk, how):
    """Who wants to read or to delete is let in; mail comes when there is room."""
    alice, bob = small.names
    deliver(small, bob, message("just now"))
    fill(small, disk)
    getattr(small, how)()
    small.start()
    assert all(a.startswith(FULL) for a in send(small))
    assert len(fetch_all(small, bob, delete=True)) == 4
    assert len(fetch_all(small, alice)) == 3
    disk.make_room()
    wait_until("mail", lambda: all(a.startswith("250") for a in send(small)))
    small.ctl("recover")
    assert len(fetch_all(small, bob)) == 1
    assert len(fetch_all(small, alice)) == 4
    small.assert_sound()


# ---- over quota: the kernel's, which is injected -------------------------------------


@pytest.mark.parametrize("what", ["pwrite64", "linkat"])
def test_over_the_quota_of_the_disk(make_site, what):
    place.need_root("strace attaches to running services")
    site = make_site(lmtp={"workers": 1}).start()
    site.names = [site.new_account()]
    deliver(site, site.names)
    with Inject(site.daemon.workers("popstore-lmtpd"), site.dir,
                f"{what}:error=EDQUOT") as inject:
        answer, = send(site)
        assert inject.injected() > 0
    assert answer.startswith(FULL), answer
    count("calls that met a quota", inject.injected())
    assert send(site)[0].startswith("250 ")
    site.assert_sound()


# ---- the control ----------------------------------------------------------------------


def test_control_the_disk_is_full(disk):
    """Nothing fits, and afterwards it does: the tests above had a full disk before them."""
    disk.fill()
    with pytest.raises(OSError):
        (disk.path / "one more").write_text("x" * 4096)
    disk.make_room()
    (disk.path / "one more").write_text("x" * 4096)
