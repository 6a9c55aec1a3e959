# SPDX-License-Identifier: ISC
"""servers - popstore, its peers and the bare limit, each a scratch instance on 127.0.0.1

A server has names and versions, and addresses: lmtp, pop3, pop3s (None: it has no such thing).
Users are user0, user1 and so on, as `name` makes them, all with PASSWORD."""

import os
import signal
import socket
import subprocess
import time

from lib import certificate, place
from lib.wire import free_port

from . import grounds, processes

PASSWORD = "bench-secret-1"
START_S, STOP_S = 60, 60


def listens(address):
    host, port = address.split(":")
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((host, int(port))) == 0


class Server:
    name = None            # in tables
    user = "user%@example.org"
    lmtp = pop3 = pop3s = None

    def __init__(self, ground, users):
        self.ground, self.users = ground, users
        self.logins = users  # the first of them log in
        self.dir = ground.dir / self.name
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.log, self.log_begin = self.dir / "log", 0  # where this start's lines begin
        self.process = None
        self.certificate = certificate.make(self.dir, "mail", "mx.example.org")

    def address(self):
        return f"127.0.0.1:{free_port()}"

    def prepare(self):
        """Configuration and accounts."""

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        return all(listens(a) for a in (self.lmtp, self.pop3, self.pop3s) if a)

    def start(self):
        self.log_begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                list(map(str, self.command())), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **self.ground.env}, start_new_session=True)
        end = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{self.name} does not start; {self.log} ends with\n" +
                                 self.log.read_text(errors="replace")[-3000:])
            time.sleep(0.002)

    def stop(self):
        if self.process is None:
            return
        pids = processes.tree(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # What a peer leaves behind: processes that were still busy.
        for pid in pids - {self.process.pid}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process = None

    def kill(self):
        """kill -9 for all its processes, which are stopped first, so that none has the time
        to notice."""
        pids = processes.tree(self.process.pid)
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, sig)
        self.process.wait()
        end = time.monotonic() + STOP_S
        while any(listens(a) for a in (self.lmtp, self.pop3) if a):
            if time.monotonic() > end:
                raise SystemExit(f"{self.name} survives kill -9")
            time.sleep(0.01)
        self.process = None

    def version(self):
        return ""

    def processor_s(self):
        return processes.processor_s(self.process.pid)

    def pss_kb(self):
        return processes.pss_kb(processes.tree(self.process.pid))

    def checked(self):
        """After the run: complaints of the server's own check."""


class Canned(Server):
    """The bare limit of POP3: t/bench/canned.c."""

    name = "canned"
    octets, messages = "8K", 100

    def prepare(self):
        self.pop3 = self.address()

    def command(self):
        return [grounds.PROGRAMS / "canned", f"listen={self.pop3}", f"octets={self.octets}",
                f"messages={self.messages}"]


class CannedLarge(Canned):
    name = "canned-10M"
    octets, messages = "10M", 5


class Durable(Server):
    """The bare limit of LMTP: t/bench/durable.c.  It is no server, and is its own load."""

    name = "durable-1"
    appends = 1

    def prepare(self):
        self.turns = 0

    def start(self):
        pass

    def folder(self):
        """A new one for each run."""
        self.turns += 1
        path = self.dir / str(self.turns)
        path.mkdir()
        return path

    def processor_s(self):
        return 0.0


class Durable100(Durable):
    name = "durable-100"
    appends = 100


def installed_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], text=True,
                          capture_output=True, check=False)
    return done.stdout.strip() or "not installed"


tool = place.tool
