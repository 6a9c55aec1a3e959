# SPDX-License-Identifier: ISC
"""popstore check and scrub: a bar on a terminal, a stop at any time, a resume, a rate

What makes a run long here is the rate of a scrub; t/crash/test_check_large.py has checks
that are long by themselves.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.mail import Lmtp, fetch_all, message
from lib.record import with_sum
from lib.site import Site
from lib.wire import DEADLINE, wait_until

OK, USAGE, DATAERR, UNAVAILABLE, TEMPFAIL = 0, 64, 65, 69, 75

MESSAGES = 40
BODY = b"0123456789012345678901234567890123456789\r\n" * 250  # 10 KB
RATE = 200_000  # two seconds and more
SLOW = ("scrub", "--rate", "20K")  # twenty seconds
STANDING = ("scrub", "--rate", "100")  # an hour


@pytest.fixture(scope="module")
def full():
    """A store with messages of one account; nothing runs."""
    site = Site("check", milter=None, policy=None, socketmap=None)
    try:
        site.init().start()
        site.add("alice@example.org")
        with Lmtp(site.lmtp) as lmtp:
            for i in range(MESSAGES):
                answer, = lmtp.send(["alice@example.org"], message(f"no {i}", body=BODY))
                assert answer.startswith("250"), answer
        site.stop()
        yield site
    finally:
        site.end()


@pytest.fixture(autouse=True)
def begin_anew(full):
    """What one test stopped is nothing to the next one."""
    yield
    for name in ("checking", "scrubbing"):
        (full.root / name).unlink(missing_ok=True)


class Running:
    """`popstore ...` in the background, by default with pipes for a terminal."""

    def __init__(self, site, *args, on_terminal=False, ignored=()):
        self.terminal = None
        files = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if on_terminal:
            self.terminal, other = pty.openpty()
            files["stderr"] = other
        # Whoever runs the tests in the background ignores them, and that is inherited.
        before = {n: signal.signal(n, signal.SIG_IGN if n in ignored else signal.SIG_DFL)
                  for n in (signal.SIGINT, signal.SIGHUP)}
        self.process = subprocess.Popen(site.command(*args), text=True, **files)
        for number, handler in before.items():
            signal.signal(number, handler)
        if on_terminal:
            os.close(other)

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err

    def drawn(self, seconds):
        """What came to the terminal until then, or until the process ended."""
        text, end = "", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.terminal], [], [], left)[0]:
                break
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # EIO: the other side is closed
                break
            text += data.decode()
        return text


@pytest.fixture
def background(full):
    made = []

    def start(*args, **kw):
        made.append(Running(full, *args, **kw))
        return made[-1]

    yield start
    for running in made:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)
        if running.terminal is not None:
            os.close(running.terminal)


def files_of(site):
    """Message files, oldest first."""
    return sorted(map(Path, site.message_files()), key=lambda path: path.name)


def state_of(site, status=None):
    return json.loads(site.ctl("--json", "status", status=status))["checks"]


def wait_running(site, messages=0):
    wait_until("a round that runs", lambda: [
        c for c in state_of(site)
        if c["state"] == "running" and c["messages"] >= messages])


# ---- what it does -----------------------------------------------------------------------------


def test_a_scrub_of_a_sound_store(full):
    octets = full.ctl_json("scrub")["octets"]
    assert octets > MESSAGES * len(BODY)
    assert re.fullmatch(rf"accounts 0, messages {MESSAGES}, octets \S+: sound\n",
                        full.ctl("scrub", "--rate", "none"))
    assert full.ctl_json("scrub", "--rate=0") == {
        "accounts": 0, "messages": MESSAGES, "octets": octets, "findings": [], "found": 0,
        "repaired": 0, "sound": True, "stopped": False}
    assert not (full.root / "scrubbing").exists()


@pytest.mark.parametrize("rate", ["", "fast", "-1", "1.5M", "10 M", "99999999999999999999"])
def test_a_rate_that_is_none(full, rate):
    done = full.run("scrub", "--rate", rate)
    assert done.returncode == USAGE and "--rate takes octets a second" in done.stderr


def test_a_scrub_keeps_to_its_rate(full):
    size = sum(path.stat().st_size for path in files_of(full))
    begin = time.monotonic()
    assert full.ctl_json("scrub", "--rate", RATE)["sound"]
    assert size / RATE * 0.95 < time.monotonic() - begin < size / RATE * 1.25 + DEADLINE / 2


def test_damage_is_named_and_left(full):
    path = files_of(full)[7]
    sound = path.read_bytes()
    path.write_bytes(sound[:-50] + b"X" + sound[-49:])
    try:
        done = full.run("scrub")
        assert done.returncode == DATAERR
        finding, total = done.stdout.splitlines()
        assert finding.startswith("I8: ") and path.name in finding
        assert total.endswith("findings 1, repaired 0")
        assert "popstore check --repair" in done.stderr
        assert full.ctl_json("scrub", status=DATAERR)["found"] == 1
        assert path.read_bytes() != sound
    finally:
        path.write_bytes(sound)


# ---- on a terminal, and not --------------------------------------------------------------------


def test_a_bar_on_a_terminal(background):
    running = background("scrub", "--rate", RATE, on_terminal=True)
    drawn = running.drawn(DEADLINE)
    status, out, _ = running.end()
    assert status == OK and out.endswith("sound\n")
    shares = [int(n) for n in re.findall(
        r"scrubbing messages  \[[#.]{24}\] +(\d+)%  \d+  \d+:\d\d", drawn)]
    assert len(shares) > 2
    assert shares == sorted(shares) and shares[-1] < 101


def test_silence_elsewhere(background):
    assert background("scrub", "--rate", RATE).end()[2] == ""


# ---- stopping and going on ----------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_it_waits(full, background, number):
    running = background(*STANDING)
    wait_running(full)
    begin = time.monotonic()
    status, out, err = running.end(number)
    assert time.monotonic() - begin < DEADLINE / 2
    assert status == TEMPFAIL
    assert re.search(r"messages 0, octets 0: stopped, findings 0 so far$", out)
    assert "the same with --resume goes on" in err
    check, = state_of(full, OK)
    assert (check["what"], check["state"], check["phase"]) == ("scrub", "stopped", "messages")
    assert check["resume"] == "popstore scrub --resume"
    told = full.ctl_json("scrub", "--resume", "--rate", "none")
    assert told["messages"] == MESSAGES and not told["stopped"]
    assert state_of(full, OK) == []


def ignores(pid, number):
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^SigIgn:\s*(\w+)", text, re.M)[1], 16) >> (number - 1) & 1


def test_what_is_ignored_stays_ignored(full, background):
    """As nohup(1) asks for."""
    running = background(*STANDING, ignored=[signal.SIGHUP])
    wait_running(full)
    assert ignores(running.process.pid, signal.SIGHUP)
    assert not ignores(running.process.pid, signal.SIGTERM)


def test_stopped_in_the_middle_it_ends_with_the_whole(full, background):
    """One finding before the stop, one after it."""
    files = files_of(full)
    sound = {path: path.read_bytes() for path in (files[1], files[-2])}
    for path, octets in sound.items():
        path.write_bytes(octets[:-50] + b"X" + octets[-49:])
    try:
        whole = full.ctl_json("scrub", "--rate", "none", status=DATAERR)
        running = background(*SLOW)
        # The record is written every two seconds.
        wait_running(full, 2)
        status = json.loads(full.ctl("--json", "status", status=UNAVAILABLE))
        assert ["has found 1 thing" in text for text in status["attention"]] == [True]
        status, out, _ = running.end(signal.SIGINT)
        assert status == TEMPFAIL and files[1].name in out and files[-2].name not in out
        check, = state_of(full, UNAVAILABLE)
        assert check["state"] == "stopped" and 0 < check["messages"] < MESSAGES
        assert "popstore scrub --resume" in full.ctl("status", status=UNAVAILABLE)
        rest = full.ctl_json("scrub", "--resume", "--rate", "none", status=DATAERR)
        for key in ("messages", "octets", "found", "repaired", "sound", "stopped"):
            assert rest[key] == whole[key], key
        assert [files[-2].name in f["what"] for f in rest["findings"]] == [True]
    finally:
        for path, octets in sound.items():
            path.write_bytes(octets)


def test_killed_it_goes_on_where_it_was_seen_last(full, background):
    running = background(*SLOW)
    wait_running(full, 2)
    assert running.end(signal.SIGKILL)[0] == -signal.SIGKILL
    check, = state_of(full, OK)
    assert check["state"] == "stopped"
    path = files_of(full)[0]
    sound = path.read_bytes()
    try:
        # Only the rest is read again.
        path.write_bytes(sound[:-50] + b"X" + sound[-49:])
        done = full.run("scrub", "--resume", "--rate", "none")
        assert done.returncode == OK and done.stderr == ""
        assert f"messages {MESSAGES}," in done.stdout and done.stdout.endswith("sound\n")
        assert full.run("scrub", "--rate", "none").returncode == DATAERR
    finally:
        path.write_bytes(sound)


def test_nothing_to_resume(full):
    for verb in ("check", "scrub"):
        done = full.run(verb, "--resume")
        assert done.returncode == OK and "none was stopped" in done.stderr
        assert done.stdout.endswith("sound\n")


def test_only_the_same_is_resumed(full):
    """With a record as `check --repair` leaves it."""
    (full.root / "checking").write_bytes(with_sum(
        b"popstore-checking 1\nwhat check --repair\nphase accounts\nplace \nvolume 0\nshare 0\n"
        b"volumes 0\naccounts 0\nmessages 0\noctets 0\nfindings 0\nrepaired 0\nstarted 1\n"
        b"at 1\npid 1\n"))
    done = full.run("check", "--resume")
    assert done.returncode == USAGE and "`popstore check --repair`" in done.stderr
    assert done.stdout == ""
    check, = state_of(full, OK)
    assert check["resume"] == "popstore check --repair --resume"
    full.ctl("check")
    assert state_of(full, OK) == []


@pytest.mark.parametrize("left", [b"", bytes(300), b"popstore-checking 1\nwhat check\n"])
def test_what_a_power_cut_leaves_of_the_record(full, left):
    (full.root / "checking").write_bytes(left)
    assert state_of(full, OK) == []
    done = full.run("check", "--resume")
    assert done.returncode == OK and "begins at the beginning" in done.stderr
    assert not (full.root / "checking").exists()


def test_two_at_once(full, background):
    first = background(*STANDING)
    wait_running(full)
    done = full.run("scrub", "--rate", "none")
    assert done.returncode == OK and "cannot be resumed" in done.stderr
    done = full.run("scrub", "--resume")
    assert done.returncode == TEMPFAIL and "still running" in done.stderr
    check, = state_of(full)
    assert check["state"] == "running" and check["pid"] == first.process.pid
    full.ctl("check")  # has a record of its own
    first.end(signal.SIGINT)
    assert [c["state"] for c in state_of(full)] == ["stopped"]


# ---- while the services run ---------------------------------------------------------------------


def test_no_findings_while_mail_comes_and_goes(own_site):
    """Neither by a check nor by a scrub, one after the other."""
    names = [own_site.new_account() for _ in range(3)]
    done, failed = threading.Event(), []

    def come(name):
        with Lmtp(own_site.lmtp) as lmtp:
            while not done.is_set():
                answer, = lmtp.send([name], message("online"))
                if not answer.startswith("250"):
                    failed.append(answer)

    def go(name):
        while not done.is_set():
            try:
                fetch_all(own_site, name, delete=True)
            except Exception as why:  # pylint: disable=broad-except
                failed.append(why)

    threads = [threading.Thread(target=f, args=(n,)) for n in names for f in (come, go)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(24):
            for verb in ("check", "scrub"):
                told = own_site.run("--json", verb)
                assert told.returncode == OK, told.stdout + told.stderr
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed
