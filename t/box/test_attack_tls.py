# SPDX-License-Identifier: ISC
"""Clients that leave a session over TLS in the middle, in every way there is; and its end on a
disk that is full

Between the client and the store there are two processes and a pair of sockets: whatever one of
them does not get to know, a message hangs on it.
"""

import contextlib
import socket
import ssl
import struct

import pytest

from lib import certificate
from lib.disk import Disk
from lib.mail import deliver
from lib.secure import SecureSite, running
from lib.site import PASSWORD
from lib.wire import connect


@pytest.fixture(scope="module")
def secure():
    with running() as s:
        yield s
        s.daemon.assert_no_errors()


class Client:
    """TLS that is made in memory: its records can be cut, and the socket be closed apart from
    it."""

    def __init__(self, site):
        self.sock = connect(site.pop3s)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = certificate.client().wrap_bio(self.incoming, self.outgoing)
        self.text = b""
        self._do(self.tls.do_handshake)
        self.sock.sendall(self.outgoing.read())
        assert self.line().startswith(b"+OK")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def _do(self, what, *args):
        while True:
            try:
                return what(*args)
            except ssl.SSLWantReadError:
                if self.outgoing.pending:
                    self.sock.sendall(self.outgoing.read())
                more = self.sock.recv(65536)
                if more:
                    self.incoming.write(more)
                else:
                    self.incoming.write_eof()

    def record(self, text):
        """Octets for the wire; not sent."""
        assert self.tls.write(text) == len(text)
        return self.outgoing.read()

    def ask(self, line):
        self.sock.sendall(self.record(line + b"\r\n"))
        return self.line()

    def line(self):
        while b"\n" not in self.text:
            self.text += self._do(self.tls.read, 65536)
        line, _, self.text = self.text.partition(b"\n")
        return line + b"\n"

    def rest(self):
        """Until the server says that it has said all."""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while more := self._do(self.tls.read, 65536):
                self.text += more
        return self.text

    def close_notify(self):
        """The end of what we say, and no FIN."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.sock.sendall(self.outgoing.read())

    def fin(self):
        """The same of TCP, and nothing of TLS."""
        self.sock.shutdown(socket.SHUT_WR)

    def gone(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@contextlib.contextmanager
def deleting(site):
    """A client that has marked the one message of its account, and the account."""
    name = site.new_account()
    deliver(site, name)
    with Client(site) as client:
        assert client.ask(b"USER " + name.encode()).startswith(b"+OK")
        assert client.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK 1 ")
        assert client.ask(b"DELE 1").startswith(b"+OK")
        yield client, name


def outcome(site, name, mark):
    """How many the session says that it has removed; it has ended, and the maildrop says so,
    too."""
    line = site.daemon.wait_for(rf"pop3.session .*account={name} ", mark)
    removed = int(line.split("removed=")[1].split()[0])
    assert len(site.ctl_json("messages", name)) == 1 - removed
    return removed


ENDS = [Client.gone, Client.reset, Client.fin, Client.close_notify]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("said", [b"", b"QUI", b"QUIT", b"QUIT\r", b"QUIT x\r\n"])
def test_without_a_whole_quit_nothing_is_removed(secure, end, said):
    with deleting(secure) as (client, name):
        mark = secure.daemon.mark()
        client.sock.sendall(client.record(said) if said else b"")
        end(client)
        assert outcome(secure, name, mark) == 0


@pytest.mark.parametrize("end", [Client.gone, Client.reset, Client.fin])
@pytest.mark.parametrize("part", ["the first octet", "the header", "all but one octet"])
def test_a_quit_in_a_torn_record_is_none(secure, end, part):
    with deleting(secure) as (client, name):
        record = client.record(b"QUIT\r\n")
        mark = secure.daemon.mark()
        client.sock.sendall(record[:{"the first octet": 1, "the header": 5}.get(part, -1)])
        end(client)
        assert outcome(secure, name, mark) == 0


@pytest.mark.parametrize("end", [Client.gone, Client.fin, Client.close_notify])
def test_a_whole_quit_counts_though_nobody_waits_for_the_answer(secure, end):
    with deleting(secure) as (client, name):
        mark = secure.daemon.mark()
        client.sock.sendall(client.record(b"QUIT\r\n"))
        end(client)
        assert outcome(secure, name, mark) == 1


def test_a_quit_with_a_reset_behind_it_is_one_or_none(secure):
    """What the kernel does with what was not read yet is its own; both ends agree."""
    for _ in range(10):
        with deleting(secure) as (client, name):
            mark = secure.daemon.mark()
            client.sock.sendall(client.record(b"QUIT\r\n"))
            client.reset()
            assert outcome(secure, name, mark) in (0, 1)


@pytest.mark.parametrize("end", [Client.fin, Client.close_notify])
def test_half_closed_is_not_gone(secure, end):
    """All that was asked is answered to who still listens."""
    with deleting(secure) as (client, name):
        mark = secure.daemon.mark()
        client.sock.sendall(client.record(b"NOOP\r\n" * 500 + b"RSET\r\nRETR 1\r\nQUIT\r\n"))
        end(client)
        answers = client.rest()
        assert answers.startswith(b"+OK") and answers.endswith(b"\r\n.\r\n+OK goodbye\r\n")
        # By a reset, where close_notify came when the server read no more.
        with contextlib.suppress(ConnectionResetError):
            assert client.sock.recv(1) == b""
        assert outcome(secure, name, mark) == 0


@pytest.mark.parametrize("end", [Client.fin, Client.close_notify])
@pytest.mark.parametrize("said", [b"", b"USER a\r\n", b"AUTH PLAIN\r\n", b"AUTH SCRAM-SHA-256\r\n"])
def test_half_closed_before_login_ends_it(secure, end, said):
    with Client(secure) as client:
        client.sock.sendall(client.record(said) if said else b"")
        end(client)
        client.rest()
        assert client.sock.recv(1) == b""


# ---- a full disk ------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [Disk.use_all_octets, Disk.use_all_inodes])
def test_quit_on_a_full_disk(tmp_path, fill):
    with Disk(tmp_path, "size=20m,nr_inodes=200") as disk:
        site = SecureSite(store={"root": tmp_path / "store", "checkpoint": 1})
        try:
            site.init().start()
            with deleting(site) as (client, name):
                fill(disk)
                mark = site.daemon.mark()
                assert client.ask(b"QUIT").startswith(b"+OK")
                assert client.rest() == b"" and outcome(site, name, mark) == 1
            with Client(site) as client:
                assert client.ask(b"USER " + name.encode()).startswith(b"+OK")
                assert client.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK 0 ")
            site.stop()
        finally:
            site.end()
