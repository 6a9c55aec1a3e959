# SPDX-License-Identifier: ISC
"""given - a service by itself, with what popstored hands it: the taking end of a channel and
the key of tickets"""

import os
import signal
import socket
import subprocess
import sys

from . import place
from .wire import DEADLINE

# The channel as descriptor 3, the key as 4.
_EXEC = """
import os, sys
a, b = int(sys.argv[1]), int(sys.argv[2])
os.dup2(a, 50); os.dup2(b, 51); os.dup2(50, 3); os.dup2(51, 4)
os.set_inheritable(3, True); os.set_inheritable(4, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES=sys.argv[3])
os.execv(sys.argv[4], sys.argv[4:])
"""


class Given:
    """`site` is not started; give(note) is the other end of a new connection."""

    KEY = bytes(range(32))

    def __init__(self, site, program, channel):
        self.argv = [place.program(program), "-c", site.conf_file]
        self.names = f"{channel}.take:ticket"
        self.giving, self.taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.key = os.memfd_create("key", 0)
        os.write(self.key, self.KEY)
        self.log_file = site.dir / "log"
        self.start()

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _EXEC, str(self.taking.fileno()), str(self.key),
                 self.names, *self.argv], stderr=log,
                pass_fds=(self.taking.fileno(), self.key))

    def give(self, note):
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.giving, [b"H" + note], [theirs.fileno()])
        ours.settimeout(DEADLINE)
        return ours

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(DEADLINE)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.giving.close()
        self.taking.close()
        os.close(self.key)
