# SPDX-License-Identifier: ISC
"""A sync that fails is believed (P3): by strace on running workers, and on a disk that
really loses what was written (ThinDisk).

What was answered 250 is there in the end, once; what the sync failed for was answered 451;
nothing takes mail there until popstored is started again; the rest goes on.
"""

import os
import re
import signal
import subprocess
import time

import pytest

from inject import Inject, preload
from lib import place
from lib.asking import Milter, Policy, Socketmap
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, fetch_all, message
from lib.site import PASSWORD, Site
from lib.wire import wait_until
from thin import ThinDisk

NAME = "alice@example.org"
KB = 1024
STOPPED = r"event=storage\.stopped level=error"


@pytest.fixture
def make_sync_site():
    place.need_root("strace attaches to running services")
    made = []

    def make(**sections):
        sections.setdefault("store", {}).setdefault("checkpoint", "1h")
        made.append(Site("sync", **sections))
        made[-1].init().add(NAME)
        return made[-1].start()

    yield make
    for site in made:
        site.end()


def workers(site, program="popstore-lmtpd"):
    return site.daemon.workers(program)


def send(site, subject="test", names=(NAME,)):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send(list(names), message(subject))


def subjects(site, name=NAME):
    return sorted(re.search(rb"Subject: (.*?)\r\n", m)[1].decode()
                  for m in fetch_all(site, name))


def stops(site, n=1):
    """The log's lines about it; there are `n` at least."""
    def said():
        lines = [line for line in site.daemon.lines if re.search(STOPPED, line)]
        return len(lines) >= n and lines
    return wait_until(f"{n} lines of the log", said)


def fail_once(site, what, act, program="popstore-lmtpd"):
    with Inject(workers(site, program), site.dir, what) as inject:
        result = act()
        assert inject.injected() == 1, inject.out.read_text()
    count("syncs made to fail", 1)
    return result


def assert_refuses(site):
    """As every MTA is told, before the message comes; by every process."""
    def refused():
        for _ in range(2 * len(workers(site))):
            with Lmtp(site.lmtp_socket) as lmtp:
                lmtp.ask("MAIL FROM:<a@example.com>")
                if not lmtp.ask(f"RCPT TO:<{NAME}>").startswith("451 4.3.0 "):
                    return False
        with Policy(site.policy) as policy:
            if "451 4.3.0" not in policy.ask(NAME):
                return False
        with Socketmap(site.socketmap) as table:
            if table.ask("virtual_mailbox_maps", NAME)[0] != "TEMP":
                return False
        with Milter(site.milter) as milter:
            milter.mail()
            return milter.rcpt(f"<{NAME}>").startswith("451 4.3.0 ")

    wait_until("every process to refuse mail", refused)  # they look once a second
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<a@example.com>")
        assert lmtp.ask("RCPT TO:<nobody@example.org>").startswith("550 5.1.1 ")


def assert_takes(site):
    deliver(site, NAME, message("taken"))
    with Policy(site.policy) as policy:
        assert policy.ask(NAME) == "DUNNO"


# ---- injected ------------------------------------------------------------------------


def test_one_failed_sync_of_a_message(make_sync_site):
    site = make_sync_site()
    assert send(site, "before")[0].startswith("250 ")
    assert fail_once(site, "fsync:error=EIO:when=1", lambda: send(site, "lost"))[0] \
        .startswith("451 4.3.0 ")
    line, = stops(site)
    assert f'path={site.root}' in line and "volume=0" in line
    assert "Input/output error" in line and "restarted" in line

    assert_refuses(site)
    status = site.ctl_json("status", status=69)
    assert [v["volume"] for v in status["volumes"] if v["state"] == "stopped"] == ["0"]
    assert "Input/output error" in status["attention"][0]
    # Reading and deleting go on.
    assert subjects(site) == ["before"]
    fetch_all(site, NAME, delete=True)
    assert subjects(site) == [] and site.message_files() == set()

    # A worker that is started again does not begin anew.
    for pid in workers(site):
        os.kill(pid, signal.SIGKILL)
    wait_until("new workers", lambda: len(workers(site)) == 2)
    assert_refuses(site)
    assert len(stops(site)) == 1

    site.restart()
    assert_takes(site)
    assert site.ctl_json("status")["attention"] == []
    assert subjects(site) == ["taken"]
    site.assert_sound()


def test_every_sync_of_a_first_message(make_sync_site):
    """It takes a writer's number and makes its directories: each sync in turn, until
    there is none left to fail."""
    failed = 0
    while True:
        site = make_sync_site(lmtp={"workers": 1})
        with Inject(workers(site), site.dir,
                    f"fsync:error=EIO:when={failed + 1}") as inject:
            answer, = send(site, "lost")
            if inject.injected() == 0:
                break
        assert answer.startswith("451 4.3.0 "), answer
        failed += 1
        assert len(stops(site)) == 1
        assert_refuses(site)
        site.restart()
        assert_takes(site)
        assert subjects(site) == ["taken"]
        site.assert_sound()
    assert answer.startswith("250 ")
    assert failed >= 5  # record, its directory, day, minute, message
    count("syncs made to fail", failed)


def test_the_other_volumes_go_on(make_sync_site):
    site = Site("sync")
    site.end()
    volumes = [str(site.dir) + f"-v{i}" for i in range(3)]
    site = make_sync_site(store={"volumes": volumes, "checkpoint": "1h"})
    try:
        for i in range(len(volumes)):
            assert_takes(site)
            # Where it is the sync of a new directory, another volume gets the message.
            answer, = fail_once(site, "fsync:error=EIO:when=1", lambda: send(site, "taken"))
            assert answer.startswith(("451 4.3.0 ", "250 ")), answer
            lines = stops(site, i + 1)
            stopped = {re.search(r" path=(\S+)", line)[1] for line in lines}
            assert len(lines) == len(stopped) == i + 1
            before = {f for f in site.message_files() if f.startswith(tuple(stopped))}
            if i + 1 < len(volumes):
                for _ in range(8):
                    assert_takes(site)
            assert {f for f in site.message_files()
                    if f.startswith(tuple(stopped))} == before
        assert_refuses(site)
        assert set(subjects(site)) == {"taken"}
        site.restart()
        for _ in range(6):
            assert_takes(site)
        site.assert_sound()
    finally:
        site.stop()
        for volume in volumes:
            subprocess.run(["rm", "-rf", volume], check=True)


def test_a_failed_sync_at_quit(make_sync_site):
    site = make_sync_site(pop3={"workers": 1})
    deliver(site, NAME, message("stays"))

    def quit_after_dele():
        pop3 = Pop3(site, NAME)
        pop3.dele(1)
        with pytest.raises(Exception, match="-ERR"):
            pop3.quit()

    fail_once(site, "fdatasync:error=EIO:when=1", quit_after_dele, "popstore-pop3d")
    line, = stops(site)
    assert "volume=root" in line
    assert subjects(site) == ["stays"]
    assert_refuses(site)
    site.restart()
    assert_takes(site)
    fetch_all(site, NAME, delete=True)
    assert subjects(site) == []
    site.assert_sound()


def writer_record(site):
    return {p.name: p.read_text() for p in (site.root / "writers").iterdir()
            if p.name.isdigit()}


def wait_for_a_checkpoint(site):
    """One that passes what was delivered before; then the next is a whole period away."""
    delivered_ms = int(time.time() * 1000)

    def has_passed():
        record, = writer_record(site).values()
        return int(re.search(r"^checkpoint (\d+)$", record, re.M)[1]) >= delivered_ms

    wait_until("a checkpoint", has_passed)


def test_a_failed_checkpoint(make_sync_site):
    """The checkpoint does not advance; a line that the cache lost with the sync comes
    back, although the mount is the same and the process died."""
    site = make_sync_site(lmtp={"workers": 1}, store={"checkpoint": "4s"})
    deliver(site, NAME, message("first"))
    # Or its checkpoint would fail, and the second one would be refused.
    wait_for_a_checkpoint(site)
    before = None

    def checkpoint():
        nonlocal before
        before = writer_record(site)
        deliver(site, NAME, message("second"))
        site.daemon.wait_for(r"event=lmtp\.checkpoint\.failed")

    fail_once(site, "syncfs:error=EIO:when=1", checkpoint)
    site.daemon.wait_for(STOPPED + " volume=root")
    assert_refuses(site)
    assert subjects(site) == ["first", "second"]
    assert writer_record(site) == before
    site.kill()

    maildrop, = site.root.glob(f"accounts/*/*/{NAME}/maildrop")
    os.truncate(maildrop, maildrop.stat().st_size - len(maildrop.read_bytes().splitlines(True)[-1]))
    site.start()
    assert subjects(site) == ["first", "second"]
    assert_takes(site)
    site.assert_sound()


# ---- a disk that really loses writes ----------------------------------------------------


@pytest.fixture
def thin():
    disk = ThinDisk()
    try:
        yield disk
    finally:
        disk.end()


@pytest.fixture
def make_thin_site(thin):
    made = []

    def make(**store):
        store.setdefault("root", thin.path / "store")
        made.append(Site("thin", store=store, lmtp={"workers": 1}))
        made[-1].init().add(NAME)
        return made[-1]

    yield make
    for site in made:
        site.end()


def send_until_refused(site, octets, most=400):
    """The subjects that were answered 250, and the first answer that was not."""
    good = []
    for i in range(most):
        with Lmtp(site.lmtp_socket) as lmtp:
            answer, = lmtp.send([NAME], message(f"number {i}", os.urandom(octets // 2).hex()
                                                .encode() + b"\r\n"))
        if not answer.startswith("250"):
            return good, answer
        good.append(f"number {i}")
    raise AssertionError("the disk loses nothing")


def test_a_thin_disk_for_all(thin, make_thin_site):
    site = make_thin_site(checkpoint="1s").start()
    good, answer = send_until_refused(site, 200 * KB)
    count("messages delivered on a thin disk", len(good))
    assert answer.startswith("451 4.3.0 "), answer
    assert_refuses(site)
    assert subjects(site) == sorted(good)
    site.kill()
    thin.repair()
    site.start()
    assert_takes(site)
    assert subjects(site) == sorted(good + ["taken"])
    site.assert_sound()


@pytest.fixture
def volume():
    path = place.scratch("volume")
    yield path
    place.discard(path)


def cut_after_a_start(site, thin):
    """Everything of ours has ended cleanly before."""
    site.start()
    before = subjects(site)
    site.stop()
    thin.cut()
    thin.power_up()
    site.start()
    return before


@pytest.mark.parametrize("remounted", [True, False])
def test_a_thin_disk_for_the_root(thin, volume, make_thin_site, remounted):
    """The messages are safe on another disk; it is the maildrops' lines that are lost.  With
    the disk mounted again, and with no more than a new start and the power cut after it."""
    site = make_thin_site(volumes=[volume], checkpoint="2s").start()
    good = lose_lines(site, thin)
    site.kill()
    if remounted:
        thin.repair()
    else:
        thin.grow()
    assert cut_after_a_start(site, thin) == sorted(good)
    assert_takes(site)
    assert subjects(site) == sorted(good + ["taken"])
    site.assert_sound()


def loses_by_belief():
    """A recovery without the record of the failed sync, and the power cut that proves it
    wrong, unless the kernel happened to write the pages once more in between."""
    disk, folder = ThinDisk(), place.scratch("volume")
    site = Site("thin", store={"root": disk.path / "store", "volumes": [folder],
                               "checkpoint": "2s"}, lmtp={"workers": 1})
    try:
        site.init().add(NAME)
        site.start()
        good = lose_lines(site, disk)
        site.kill()
        disk.grow()
        (site.root / "stopped" / "root").unlink()
        assert cut_after_a_start(site, disk) == sorted(good)
        return len(list(what_can_be_fetched(site))) < len(good)
    finally:
        site.end()
        place.discard(folder)
        disk.end()


def test_control_a_recovery_that_believes_the_cache():
    assert any(loses_by_belief() for _ in range(6)), "nothing was lost"


def lose_lines(site, thin):
    """Small messages until a checkpoint of the root fails.  A page of the maildrop that is
    on the disk can be written again; the next ones cannot."""
    good = ["number 0"]
    deliver(site, NAME, message(good[0]))
    wait_for_a_checkpoint(site)
    thin.exhaust()
    for i in range(1, 5000):
        answer = send(site, f"number {i}")[0]
        if not answer.startswith("250"):
            assert answer.startswith("451 4.3.0 "), answer
            break
        good.append(f"number {i}")
    site.daemon.wait_for(STOPPED + " volume=root")
    assert len(good) > 60, "not even a page of lines"
    count("lines that a thin disk may have lost", len(good))
    return good


def test_control_a_failure_that_is_hidden_loses_mail(thin, make_thin_site):
    """If a failed sync is taken for a good one, mail that was answered 250 is gone: else
    the tests above would prove nothing."""
    site = make_thin_site(checkpoint="1s")
    site.start(env=preload("lying_sync", site.dir))
    good = []
    for i in range(200):
        answer = send_large(site, f"number {i}")
        if not answer.startswith("250"):
            break
        good.append(f"number {i}")
    site.kill()
    thin.repair()
    site.start()
    there = [m.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode()
             for m in what_can_be_fetched(site)]
    assert set(good) - set(there), "a disk that loses writes lost nothing"
    site.daemon.kill()
    site.daemon = None


def send_large(site, subject):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send([NAME], message(subject, os.urandom(100 * KB).hex().encode()
                                         + b"\r\n"))[0]


def what_can_be_fetched(site):
    try:
        pop3 = Pop3(site, NAME, PASSWORD)
    except Exception:  # noqa: BLE001 - a damaged maildrop is a loss as well
        return
    for i in range(pop3.stat()[0]):
        try:
            yield pop3.bytes_of(i + 1)
        except Exception:  # noqa: BLE001
            continue
    pop3.quit()
