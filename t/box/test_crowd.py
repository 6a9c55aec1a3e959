# SPDX-License-Identifier: ISC
"""Thousands who come and say nothing, in every stage before a login

Loopback has 65536 networks of 256 addresses each, so one machine can be all the world.
POPSTORE_CROWD is how many come (3000; as many as there are descriptors at most).
"""

import contextlib
import os
import resource
import ssl
import time

import pytest

from lib import certificate, place
from lib.secure import running
from lib.site import PASSWORD
from lib.wire import DEADLINE, Wire, connect, wait_until

CROWD = int(os.environ.get("POPSTORE_CROWD", "3000"))


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def size():
    spare = 500
    return min(CROWD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - spare)


def network(i):
    return f"127.{1 + i // 250}.{i % 250}"


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f
                   if line.startswith(("Private_Dirty", "Private_Clean")))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def log_in(wire, name):
    assert wire.line().startswith(b"+OK")
    assert wire.ask(f"USER {name}").startswith(b"+OK")
    assert wire.ask(f"PASS {PASSWORD}").startswith(b"+OK 0 ")
    wire.quit()


def silent(_):
    pass


def half_a_line(sock):
    sock.sendall(b"USER some")


def half_a_handshake(sock):
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


def all_but_the_end_of_one(sock):
    context = certificate.client()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    sock.sendall(outgoing.read())


@pytest.mark.parametrize("tls, says", [(False, silent), (False, half_a_line), (True, silent),
                                       (True, half_a_handshake), (True, all_but_the_end_of_one)])
def test_a_crowd_of_all_the_world_keeps_nobody_out(tls, says):
    n, room = size(), 400
    with running(lmtp=None, policy=None, socketmap=None, milter=None,
                 pop3={"count_loopback": True, "login_workers": 1, "login_timeout": "10m",
                       "max_login_connections": room}) as site:
        name = site.new_account()
        login, = site.daemon.workers("popstore-login")
        address = site.pop3s if tls else site.pop3
        before = private_kb(login)
        with contextlib.ExitStack() as crowd:
            for i in range(n):
                sock = crowd.enter_context(connect(address, source=f"{network(i)}.1"))
                with contextlib.suppress(OSError):
                    says(sock)
            begin = time.monotonic()
            with Wire(connect(address, source="127.254.0.1")) as wire:
                if tls:
                    wire.start_tls(certificate.client())
                log_in(wire, name)
            took = time.monotonic() - begin
            wait_until("those who had to give way are gone",
                       lambda: descriptors(login) < room + 100)
            grown = private_kb(login) - before
            print(f"{n} connections: {grown / room:.0f} KB for each of {room} places, "
                  f"a login took {took:.2f} s")
            assert took < DEADLINE / 2
            if not place.SANITIZED:
                assert grown < room * (200 if tls else 100)
