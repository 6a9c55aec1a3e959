# SPDX-License-Identifier: ISC
"""SCRAM bound to the TLS channel, by clients that nobody here wrote: each of the bindings, its
value, and the proof

    tls-exporter (RFC 9266)           openssl s_client has the channel and tells its keying
                                      material; gsasl makes the messages
    tls-server-end-point (RFC 5929)   pyOpenSSL, and aiosasl
"""

import asyncio
import base64
import contextlib
import os
import re
import select
import subprocess

import aiosasl
import pytest
from aiosasl.channel_binding import TLSServerEndPoint
from OpenSSL import SSL

from lib import certificate, place
from lib.secure import running
from lib.site import PASSWORD
from lib.wire import DEADLINE, connect

SHA = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


@pytest.fixture(scope="module")
def secure():
    with running() as s:
        yield s


@pytest.fixture(scope="module")
def rsa():
    """aiosasl cannot read the name of another kind of signature."""
    with running() as s:
        s.conf["tls"] = certificate.settings(certificate.make(s.dir, "rsa", rsa=True))
        s.write_conf()
        s.restart()
        yield s


# ---- tls-exporter ---------------------------------------------------------------------------


class Program:
    """Lines to and from one."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def send(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def find(self, pattern):
        """The match; what comes before is passed over."""
        while not (m := re.search(pattern, self.buffer)):
            ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
            more = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            assert more, f"no {pattern!r} in {self.buffer!r}"
            self.buffer += more
        self.buffer = self.buffer[m.end():]
        return m


@contextlib.contextmanager
def s_client(site, *version):
    """(the channel, what it exports)"""
    with Program(place.tool("openssl"), "s_client", "-connect", site.pop3, "-starttls", "pop3",
                 "-crlf", "-ign_eof", "-keymatexport", "EXPORTER-Channel-Binding",
                 "-keymatexportlen", "32", *version) as tls:
        exported = tls.find(rb"Keying material: ([0-9A-F]{64})\n")[1]
        yield tls, bytes.fromhex(exported.decode())


def gsasl_login(tls, mechanism, name, binding):
    """The last line of the server."""
    with Program(place.tool("gsasl"), "--quiet", "--client", "--mechanism", mechanism,
                 "--authentication-id", name, "--password", PASSWORD) as client:
        client.find(rb"tls-exporter channel binding: ")
        client.send(base64.b64encode(binding))
        first = client.find(rb"(\S+)\r?\n")[1]
        assert base64.b64decode(first).startswith(b"p=tls-exporter,,")
        tls.send(b"AUTH " + mechanism.encode() + b" " + first)
        said = tls.find(rb"(\+ |-ERR|\+OK)([^\r\n]*)\r?\n")
        while said[1] == b"+ ":
            client.send(said[2])
            tls.send(client.find(rb"(\S*)\r?\n")[1])
            said = tls.find(rb"(\+ |-ERR|\+OK)([^\r\n]*)\r?\n")
        return said[0]


@pytest.mark.parametrize("mechanism", SHA)
def test_tls_exporter(secure, mechanism):
    name = secure.new_account()
    with s_client(secure) as (tls, exported):
        assert gsasl_login(tls, mechanism, name, exported).startswith(b"+OK 0 ")


def test_the_exporter_of_another_channel_opens_nothing(secure):
    name = secure.new_account()
    with s_client(secure) as (tls, _), s_client(secure) as (_, other):
        assert gsasl_login(tls, SHA[1], name, other).startswith(b"-ERR [AUTH]")


def test_there_is_no_exporter_in_tls_1_2(secure):
    """RFC 9266 asks for an extended master secret there, which s_client has; we do not."""
    name = secure.new_account()
    with s_client(secure, "-tls1_2") as (tls, exported):
        assert gsasl_login(tls, SHA[1], name, exported).startswith(b"-ERR [AUTH]")


# ---- tls-server-end-point -------------------------------------------------------------------


class Pop3Sasl(aiosasl.SASLInterface):
    """How aiosasl talks to a server, in the words of RFC 5034."""

    def __init__(self, channel):
        super().__init__()
        self.channel = channel
        self.last = b""

    def line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.channel.recv(1)
        return line

    def _said(self):
        self.last = self.line()
        if self.last.startswith(b"+ "):
            return aiosasl.SASLState.CHALLENGE, base64.b64decode(self.last[2:])
        if self.last.startswith(b"+OK"):
            return aiosasl.SASLState.SUCCESS, None
        raise aiosasl.AuthenticationFailure(self.last.decode())

    async def initiate(self, mechanism, payload=None):
        self.channel.sendall(b"AUTH " + mechanism.encode() + b" " +
                             base64.b64encode(payload) + b"\r\n")
        return self._said()

    async def respond(self, payload):
        self.channel.sendall(base64.b64encode(payload) + b"\r\n")
        return self._said()

    async def abort(self):
        self.channel.sendall(b"*\r\n")
        return self._said()


@contextlib.contextmanager
def pyopenssl(site):
    with connect(site.pop3s) as sock:
        sock.settimeout(None)  # or pyOpenSSL would not wait
        channel = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock)
        channel.set_connect_state()
        channel.do_handshake()
        yield channel


def aiosasl_login(site, mechanism, name, binding):
    async def credentials():
        return name, PASSWORD

    with pyopenssl(site) as channel:
        sasl = Pop3Sasl(channel)
        assert sasl.line().startswith(b"+OK")
        client = aiosasl.SCRAMPLUS(credentials, binding(channel))
        with contextlib.suppress(aiosasl.AuthenticationFailure):
            asyncio.run(client.authenticate(aiosasl.SASLStateMachine(sasl),
                                            client.any_supported([mechanism])))
        return sasl.last


@pytest.mark.parametrize("mechanism", SHA)
def test_tls_server_end_point(rsa, mechanism):
    name = rsa.new_account()
    assert aiosasl_login(rsa, mechanism, name, TLSServerEndPoint).startswith(b"+OK 0 ")


def test_another_server_in_between_is_found_out(rsa):
    """Its certificate is not the one that ours has."""
    class Elsewhere(TLSServerEndPoint):
        def extract_cb_data(self):
            return bytes(b ^ 1 for b in super().extract_cb_data())

    name = rsa.new_account()
    assert aiosasl_login(rsa, SHA[1], name, Elsewhere).startswith(b"-ERR [AUTH]")
