# SPDX-License-Identifier: ISC
"""Who the client is, as proxies tell it: the PROXY protocol and XCLIENT on the delivery
agent, from those who may and from those who may not."""

import re
import socket
import struct
import subprocess

import pytest

from lib import certificate, place
from lib.mail import Lmtp, message
from lib.site import Site
from lib.wire import DEADLINE, Wire

ONLY_LMTP = {"pop3": None, "policy": None, "socketmap": None, "milter": None}
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 24\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 1234 24\r\n"


def v2(kind, family, addresses=b"", more=b""):
    body = addresses + more
    return SIGNATURE + struct.pack("!BBH", kind, family, len(body)) + body


IPV4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1234, 24)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + \
    socket.inet_pton(socket.AF_INET6, "2001:db8::1") + struct.pack("!HH", 1234, 24)


@pytest.fixture(scope="module")
def behind():
    """A site whose clients on 127.0.0.1 are proxies, and may say XCLIENT where the client
    behind them may."""
    s = Site("proxy", **ONLY_LMTP)
    s.conf["lmtp"].update(workers=1, proxy_networks=["127.0.0.1"],
                          xclient_networks=["198.51.100.0/24", "2001:db8:5::/48"])
    s.conf["tls"] = certificate.settings(certificate.make(s.dir, "mail"))
    try:
        s.init()
        s.add("alice@example.org")
        s.start()
        yield s
        s.daemon.assert_no_errors()
    finally:
        s.end()


@pytest.fixture(scope="module")
def trusting():
    """A site whose clients on 127.0.0.1 may say XCLIENT."""
    s = Site("xclient", **ONLY_LMTP)
    s.conf["lmtp"].update(workers=1, xclient_networks=["127.0.0.0/8"])
    try:
        s.init()
        s.add("alice@example.org")
        s.start()
        yield s
        s.daemon.assert_no_errors()
    finally:
        s.end()


def received(site, deliver):
    """The Received field of the message that deliver() sends, unfolded."""
    before = site.message_files()
    deliver()
    (path,) = site.message_files() - before
    with open(path, "rb") as f:
        return re.search(r"\nReceived: (.*?)\r\n\S",
                         f.read().decode(), re.S)[1].replace("\r\n\t", " ")


def transaction(wire):
    wire.send("LHLO c.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    while not wire.line().startswith(b"354"):
        pass
    wire.send(message() + b".\r\n")
    assert wire.line().startswith(b"250 2.0.0 ")
    wire.quit()


# ---- the PROXY protocol ---------------------------------------------------------------------


@pytest.mark.parametrize("header, peer", [
    (V1, "192.0.2.7:1234"),
    (V1_IPV6, "[2001:db8::7]:1234"),
    (v2(0x21, 0x11, IPV4), "192.0.2.7:1234"),
    (v2(0x21, 0x21, IPV6), "[2001:db8::7]:1234"),
    (v2(0x21, 0x11, IPV4, b"\x03\0\4abcd\x04\0\0"), "192.0.2.7:1234"),
    (b"PROXY UNKNOWN\r\n", r"127\.0\.0\.1:\d+"),
    (v2(0x20, 0x00), r"127\.0\.0\.1:\d+"),
    (v2(0x20, 0x11, IPV4), r"127\.0\.0\.1:\d+")])
@pytest.mark.parametrize("step", [None, 1])
def test_the_client_is_who_the_proxy_says(behind, header, peer, step):
    mark = behind.daemon.mark()

    def deliver():
        with Wire(behind.lmtp) as wire:
            wire.send(header, step)
            assert wire.line().startswith(b"220 ")
            transaction(wire)

    if "\\" not in peer:
        peer = re.escape(peer)
    assert re.fullmatch(rf"from c\.example \({peer}\) by mx\.example\.org with LMTP id .*",
                        received(behind, deliver))
    behind.daemon.wait_for(rf"event=lmtp.session .* peer={peer} ", mark)


def test_what_follows_the_header_at_once_is_not_lost(behind):
    with Wire(behind.lmtp) as wire:
        wire.send(V1 + b"LHLO c.example\r\nQUIT\r\n")
        assert wire.rest().endswith(b"221 2.0.0 Bye\r\n")


@pytest.mark.parametrize("header", [
    b"LHLO c.example\r\n", b"PROXY TCP4 192.0.2.7\r\n", b"PROXY TCP4 x y 1 2\r\n",
    V1.replace(b"\r\n", b"\n"), b"PROXY UNKNOWN " + b"x" * 100, v2(0x31, 0x11, IPV4),
    v2(0x21, 0x12, IPV4), v2(0x21, 0x21, IPV4), SIGNATURE + b"\x21\x11\xff\xff",
    b"\x16\x03\x01\x02\0\x01"])
def test_a_proxy_without_a_header_hears_nothing(behind, header):
    mark = behind.daemon.mark()
    with Wire(behind.lmtp) as wire:
        wire.send(header)
        try:
            assert wire.rest() == b""
        except ConnectionResetError:
            pass
    behind.daemon.wait_for(r'event=lmtp.session .* end="no PROXY header', mark)


def test_a_proxy_that_hangs_up(behind):
    mark = behind.daemon.mark()
    with Wire(behind.lmtp) as wire:
        wire.send(V1[:20])
        wire.half_close()
        assert wire.rest() == b""
    behind.daemon.wait_for(r'event=lmtp.session .* end="connection closed"', mark)


def test_from_others_a_header_is_bad_input(behind, trusting):
    # A Unix socket's client is in no network.
    for address in (behind.lmtp_socket, trusting.lmtp):
        with Wire(address) as wire:
            wire.send(V1)
            assert wire.line().startswith(b"220 ")
            assert wire.line().startswith(b"500 5.5.2 ")
            assert wire.ask("LHLO c.example").startswith(b"250-")
        with Wire(address) as wire:
            wire.send(v2(0x21, 0x11, IPV4))
            assert wire.line().startswith(b"220 ")
            try:
                assert all(line.startswith(b"500 ") for line in wire.rest().splitlines())
            except ConnectionResetError:
                pass


def test_tls_comes_after_the_header(behind):
    def deliver():
        with Wire(behind.lmtp) as wire:
            wire.send(V1)
            assert wire.line().startswith(b"220 ")
            wire.send("LHLO c.example\r\nSTARTTLS\r\n")
            while not wire.line().startswith(b"220 "):
                pass
            wire.start_tls(certificate.client())
            transaction(wire)

    assert "(192.0.2.7:1234) by mx.example.org with LMTPS id" in received(behind, deliver)


@pytest.mark.parametrize("version", ["1", "2"])
def test_swaks_as_a_proxy(behind, version):
    def deliver():
        done = subprocess.run(
            ["swaks", "--protocol", "LMTP", "--server", behind.lmtp, "--from", "s@example.com",
             "--to", "alice@example.org", "--proxy-version", version, "--proxy-family",
             "TCP4" if version == "1" else "AF_INET", "--proxy-source", "192.0.2.9",
             "--proxy-source-port", "99", "--proxy-dest", "127.0.0.1", "--proxy-dest-port", "24"],
            capture_output=True, text=True, timeout=DEADLINE * 3, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    assert "(192.0.2.9:99)" in received(behind, deliver)


# ---- XCLIENT ------------------------------------------------------------------------------------


def test_xclient_is_for_those_who_may(behind, trusting, site):
    with Lmtp(trusting.lmtp) as lmtp:
        assert "XCLIENT NAME ADDR PORT PROTO HELO LOGIN" in lmtp.extensions
    for address in (trusting.lmtp_socket, site.lmtp):
        with Lmtp(address) as lmtp:
            assert "XCLIENT" not in lmtp.extensions
            assert lmtp.ask("XCLIENT ADDR=192.0.2.7").startswith("500 5.5.2 ")


@pytest.mark.parametrize("client, may", [
    ("198.51.100.9", True), ("192.0.2.7", False), ("2001:db8:5::1", True), ("127.0.0.1", False)])
def test_behind_a_proxy_the_client_counts(behind, client, may):
    family = "TCP6" if ":" in client else "TCP4"
    ours = "::1" if ":" in client else "127.0.0.1"
    with Wire(behind.lmtp) as wire:
        wire.send(f"PROXY {family} {client} {ours} 1 24\r\nLHLO c.example\r\nQUIT\r\n")
        assert (b"XCLIENT" in wire.rest()) == may


@pytest.mark.parametrize("says, peer", [
    ("ADDR=192.0.2.7 PORT=1234", "192.0.2.7:1234"),
    ("ADDR=IPV6:2001:db8::7", "[2001:db8::7]:0"),
    ("ADDR=2001:db8::7 PORT=9 DESTNAME=mx.example", "[2001:db8::7]:9"),
    ("NAME=a.example ADDR=192.0.2.7 PROTO=ESMTP LOGIN=[UNAVAILABLE]", "192.0.2.7:0")])
def test_xclient_says_who_it_is(trusting, says, peer):
    mark = trusting.daemon.mark()

    def deliver():
        with Lmtp(trusting.lmtp) as lmtp:
            assert lmtp.ask("XCLIENT " + says + " HELO=said.example").startswith("220 ")
            assert lmtp.ask("MAIL FROM:<a@b>").startswith("503 ")
            transaction(lmtp.wire)

    assert received(trusting, deliver).startswith(f"from said.example ({peer}) by ")
    trusting.daemon.wait_for(f"event=lmtp.session .* peer={re.escape(peer)} ", mark)


def test_xclient_has_its_place_and_its_syntax(trusting):
    with Lmtp(trusting.lmtp) as lmtp:
        for bad in ("", " ADDR", " ADDR=x", " ADDR=2001:db8::x", " PORT=70000", " WHO",
                    " HELO=a+4", " ADDR=192.0.2.7;id"):
            assert lmtp.ask("XCLIENT" + bad).startswith("501 5.5.4 ")
        assert lmtp.ask("MAIL FROM:<a@b>").startswith("250 ")
        assert lmtp.ask("XCLIENT ADDR=192.0.2.7").startswith("503 5.5.1 ")
        assert lmtp.ask("RCPT TO:<alice@example.org>").startswith("250 ")


def test_swaks_with_xclient(trusting):
    def deliver():
        done = subprocess.run(
            [place.tool("swaks"), "--protocol", "LMTP", "--server", trusting.lmtp, "--from",
             "s@example.com", "--to", "alice@example.org", "--xclient-addr", "192.0.2.9",
             "--xclient-helo", "swaks.example"],
            capture_output=True, text=True, timeout=DEADLINE * 3, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    assert received(trusting, deliver).startswith("from swaks.example (192.0.2.9:0) by ")
