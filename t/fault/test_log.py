# SPDX-License-Identifier: ISC
"""Mail flows whatever the log does: a reader that hangs, a syslogd that hangs, a full disk

The pipes and sockets here really are full: the lines that were dropped are counted in the
end by the programs themselves.
"""

import fcntl
import os
import re
import socket
import struct
import subprocess
import termios
import time

import pytest

from inject import preload
from lib import place
from lib.counts import count
from lib.mail import Lmtp, fetch_all, message
from lib.site import Site
from lib.wire import DEADLINE, wait_until

NAME = "alice@example.org"
MESSAGES = 150
PATIENCE = 100  # seconds for all of it; if each of its lines waited one, it would be 450


@pytest.fixture
def site():
    s = Site("log", lmtp={"workers": 1}, pop3={"workers": 1}, milter=None, policy=None,
             socketmap=None)
    s.init().add(NAME)
    yield s
    s.end()


@pytest.fixture
def run(site):
    """Runs popstored with standard error and a prefix of one's own; ends it."""
    started = []

    def start(stderr, prefix=(), env=None):
        site.write_conf()
        process = subprocess.Popen([*prefix, place.program("popstored"), "-c",
                                    str(site.conf_file)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=stderr, env=dict(os.environ, **(env or {})))
        started.append(process)
        wait_until("popstored to listen", lambda: listens(site))
        return process

    yield start
    for process in started:
        process.terminate()
        assert process.wait(DEADLINE + 30) == 0


def listens(site):
    try:
        with Lmtp(site.lmtp_socket):
            return True
    except (OSError, AssertionError):
        return False


def assert_mail_flows(site):
    """Each message is a session of its own, with three lines of the log."""
    began = time.monotonic()
    for i in range(MESSAGES):
        with Lmtp(site.lmtp_socket) as lmtp:
            answer, = lmtp.send([NAME], message(f"number {i}", b"x" * 200 + b"\r\n"),
                                sender="s" * 60 + "@example.com")
        assert answer.startswith("250 "), answer
    assert len(fetch_all(site, NAME, delete=True)) == MESSAGES
    assert time.monotonic() - began < PATIENCE
    count("messages past a log that hangs", MESSAGES)


def fill(fd):
    """Until nothing more fits."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, b"x" * 4095 + b"\n")
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, b"\n")
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def test_a_pipe_that_nobody_reads(site, run):
    reader, writer = os.pipe()
    process = run(writer)
    fill(writer)
    assert_mail_flows(site)
    waiting = struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4))[0]
    assert waiting >= 60000  # it is still full
    os.set_blocking(reader, False)
    lost(lambda: os.read(reader, 1 << 20), site)
    end_reading(process, reader, writer)


def test_control_a_log_that_blocks_stops_the_mail(site, run):
    """If standard error blocked, nobody would get an answer while the pipe is full."""
    reader, writer = os.pipe()
    process = run(writer, env=preload("blocking_log", site.dir))
    fill(writer)
    try:
        with Lmtp(site.lmtp_socket) as lmtp:
            lmtp.ask("MAIL FROM:<a@example.com>")
            lmtp.ask(f"RCPT TO:<{NAME}>")
            lmtp.ask("DATA")
            lmtp.wire.send(b"Subject: waits\r\n\r\n.\r\n")
            lmtp.wire.sock.settimeout(3)
            with pytest.raises(TimeoutError):
                lmtp.wire.sock.recv(1, socket.MSG_PEEK)
            lmtp.wire.sock.settimeout(DEADLINE)
            os.read(reader, 65536)
            assert lmtp.answer().startswith("250 ")
    finally:
        end_reading(process, reader, writer)


def end_reading(process, reader, writer):
    """Everything that is still said, to the end."""
    os.close(writer)
    process.terminate()
    os.set_blocking(reader, True)
    while os.read(reader, 65536):
        pass
    os.close(reader)


def lost(read, site):
    """Reads what there is, has another line written, and finds the sum of the others."""
    text = b""

    def told():
        nonlocal text
        with Lmtp(site.lmtp_socket) as lmtp:
            lmtp.send([NAME], message("one more"))
        try:
            while piece := read():
                text += piece
        except BlockingIOError:
            pass
        return re.search(rb"event=log\.lost level=error lines=(\d+)", text)

    found = wait_until("the count of lost lines", told)
    assert int(found[1]) > 10
    count("lines of the log dropped", int(found[1]))


def test_a_socket_that_nobody_reads(site, run):
    """As journald's, under systemd."""
    reader, writer = socket.socketpair()
    with reader, writer:
        run(writer.fileno())
        fill(writer.fileno())
        assert_mail_flows(site)
        reader.setblocking(False)
        lost(lambda: reader.recv(1 << 20), site)


def test_a_syslogd_that_hangs(site, run):
    place.need_root("a /dev of its own")
    site.conf["log"] = {"to": "syslog"}
    log = site.dir / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        syslogd.bind(str(log))
        run(subprocess.DEVNULL, ["unshare", "--mount", "sh", "-ec", f"""
            mount -t tmpfs none /dev
            mknod -m 666 /dev/null c 1 3
            mknod -m 666 /dev/urandom c 1 9
            ln -s {log} /dev/log
            exec "$@" """, "--"])
        text = syslogd.recv(4096)
        assert re.match(rb"<2[0-9]>[A-Z][a-z][a-z] [ 1-3][0-9] \d\d:\d\d:\d\d popstore\S*\[\d+\]: "
                        rb"event=", text), text
        assert_mail_flows(site)
        syslogd.setblocking(False)
        lost(lambda: syslogd.recv(8192), site)


def test_a_full_disk_under_the_log(site, run):
    place.need_root("a small file system is mounted")
    disk = site.dir / "small"
    disk.mkdir()
    subprocess.run([place.tool("mount"), "-t", "tmpfs", "-o", "size=64k", "none", disk],
                   check=True)
    try:
        with open(disk / "log", "ab") as log:
            process = run(log)
            with open(disk / "fill", "wb", buffering=0) as f, pytest.raises(OSError):
                while True:
                    f.write(b"x" * 512)
            assert_mail_flows(site)
            os.unlink(disk / "fill")
            with open(disk / "log", "rb") as said:
                lost(said.read, site)
        process.terminate()
        process.wait(DEADLINE)
    finally:
        subprocess.run([place.tool("umount"), "--lazy", disk], check=True)
