# SPDX-License-Identifier: ISC
"""wire - a raw connection: every wait has a deadline, nothing is tidied up"""

import errno
import random
import socket
import time

DEADLINE = 20  # seconds; long enough for a loaded machine under a sanitizer


# Suites run beside each other.  Ports are taken from blocks, and a block belongs to who has
# the abstract socket of its name, which the kernel takes back when he ends.
_BLOCK = 500
_claims, _ports = [], iter(())


def _claim():
    """The ports of a block that nobody has, all of them below the range that the kernel
    gives to outgoing connections."""
    blocks = range(10000, 32000, _BLOCK)
    for first in random.sample(blocks, len(blocks)):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(f"\0popstore-ports-{first}")
        except OSError as e:
            s.close()
            if e.errno != errno.EADDRINUSE:
                raise
            continue
        _claims.append(s)
        return iter(range(first, first + _BLOCK))
    raise AssertionError("no block of ports is left")


def free_port():
    """A loopback port nobody has now, nor was given before: its owner binds it later."""
    global _ports
    while True:
        port = next(_ports, None)
        if port is None:
            _ports = _claim()
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise
                continue
        return port


def connect(address, deadline=DEADLINE, source=None):
    """`address` as in popstore.conf: "127.0.0.1:24" or the path of a Unix socket; from
    another loopback address, perhaps."""
    if address.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(deadline)
        s.connect(address)
    else:
        host, port = address.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=deadline,
                                     source_address=source and (source, 0))
        # Bytes go out as the test writes them, not as the kernel would gather them.
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Wire:
    def __init__(self, address, deadline=DEADLINE):
        self.sock = address if isinstance(address, socket.socket) else \
            connect(address, deadline)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def start_tls(self, context, server_name=None):
        """The handshake; everything after it goes through TLS."""
        assert self.buffer == b"", f"came before TLS: {self.buffer!r}"
        self.sock = context.wrap_socket(self.sock, server_hostname=server_name)
        return self

    def reset(self):
        """Ends the connection with RST instead of FIN (a Unix socket just closes)."""
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, data, step=None):
        """`step` octets per write, or all of them in one."""
        if isinstance(data, str):
            data = data.encode()
        if step is None:
            self.sock.sendall(data)
            return
        for i in range(0, len(data), step):
            self.sock.sendall(data[i:i + step])

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return len(data) > 0

    def line(self):
        """The next line with its end; b"" when the peer has closed."""
        return self.until(b"\n")

    def until(self, end):
        """Everything up to and including `end`, or to the end of the connection."""
        while end not in self.buffer:
            if not self._more():
                rest, self.buffer = self.buffer, b""
                return rest
        at = self.buffer.index(end) + len(end)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def exactly(self, n):
        while len(self.buffer) < n:
            assert self._more(), f"closed after {len(self.buffer)} of {n} octets"
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def rest(self):
        """Everything until the peer closes."""
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def ask(self, line):
        """One command, one line of answer."""
        self.send(line + "\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.line()

    def quit(self):
        """Ends a session of POP3 or LMTP: the server lets go of the maildrop before it
        answers.  After a close() it does so when it gets to it, and another login may come
        too early."""
        answer = self.ask("QUIT")
        assert answer.startswith((b"+OK", b"221 ")), answer


def wait_until(what, condition, deadline=DEADLINE):
    """For what no program reports: asks `condition` until it is true."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {deadline} s for: {what}"
        time.sleep(0.01)


def wait_listening(address, alive=lambda: True):
    def try_it():
        assert alive(), f"ended before it listened on {address}"
        try:
            connect(address, 5).close()
        except OSError:
            return False
        return True

    wait_until(f"{address} to listen", try_it)
