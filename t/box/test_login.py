# SPDX-License-Identifier: ISC
"""The login process: who is let in, how many, and what becomes of a connection"""

import base64
import concurrent.futures
import contextlib
import os
import poplib
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import certificate
from lib.daemon import halt
from lib.mail import Pop3, deliver
from lib.secure import running
from lib.site import PASSWORD
from lib.trace import NOT_IO, Trace
from lib.wire import DEADLINE, Wire, free_port, wait_until

TOO_MANY = b"-ERR [SYS/TEMP] too many connections"


class From(Wire):
    """A connection from another loopback address than 127.0.0.1."""

    def __init__(self, address, source):
        host, port = address.split(":")
        self.sock = socket.create_connection((host, int(port)), timeout=DEADLINE,
                                             source_address=(source, 0))
        self.buffer = b""


def log_in(wire, name, password=PASSWORD):
    assert wire.ask(f"USER {name}").startswith(b"+OK")
    return wire.ask(f"PASS {password}")


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- too many ---------------------------------------------------------------------------


def test_a_flood_from_one_address_holds_up_nobody_else(make_site, many_descriptors):
    site = make_site(pop3={"count_loopback": True, "login_workers": 2}).start()
    name = site.new_account()
    flood, let_in = [], 0
    try:
        for i in range(2000):
            flood.append(From(site.pop3, "127.0.0.2"))
            if i % 2:
                with contextlib.suppress(OSError):
                    flood[-1].send("CAPA\r\n")
        for source in ("127.0.0.2", "127.0.0.3", "127.0.1.3"):
            start = time.monotonic()
            with From(site.pop3, source) as wire:
                greeting = wire.line()
                if source == "127.0.0.2":
                    assert greeting.startswith(TOO_MANY)
                    continue
                assert log_in(wire, name).startswith(b"+OK 0 ")
                wire.quit()
            assert time.monotonic() - start < DEADLINE / 2
        for wire in flood:
            with contextlib.suppress(ConnectionResetError):
                let_in += wire.line().startswith(b"+OK")
        assert 50 <= let_in <= 2 * 50  # of each of the two processes
    finally:
        for wire in flood:
            wire.close()
    wait_until("they are forgotten", lambda: greeting_from(site, "127.0.0.2"))


def greeting_from(site, source):
    with From(site.pop3, source) as wire:
        return wire.line().startswith(b"+OK")


def test_a_network_has_a_limit(make_site):
    site = make_site(pop3={"count_loopback": True, "login_workers": 1,
                           "max_per_network": 3, "max_per_address": 2}).start()
    with contextlib.ExitStack() as open_ones:
        def connect(source):
            wire = open_ones.enter_context(From(site.pop3, source))
            return wire, wire.line()

        assert connect("127.0.0.2")[1].startswith(b"+OK")
        assert connect("127.0.0.2")[1].startswith(b"+OK")
        assert connect("127.0.0.2")[1].startswith(TOO_MANY)
        last, answer = connect("127.0.0.3")
        assert answer.startswith(b"+OK")
        assert connect("127.0.0.4")[1].startswith(TOO_MANY)
        assert connect("127.0.1.4")[1].startswith(b"+OK")
        # Who has logged in is counted no more.
        assert log_in(last, site.new_account()).startswith(b"+OK")
        assert connect("127.0.0.4")[1].startswith(b"+OK")


def test_this_machine_is_not_counted(make_site):
    site = make_site(pop3={"login_workers": 1, "max_per_address": 1}).start()
    with Wire(site.pop3) as a, Wire(site.pop3) as b:
        assert a.line().startswith(b"+OK") and b.line().startswith(b"+OK")


# ---- from one process to the other --------------------------------------------------------


def test_what_is_pipelined_goes_along(site, account):
    deliver(site, account)
    with Wire(site.pop3) as wire:
        wire.send(f"USER {account}\r\nPASS {PASSWORD}\r\n" + "NOOP\r\n" * 2000 + "STAT\r\nQUIT\r\n")
        answers = wire.rest().split(b"\r\n")
        assert len(answers) == 1 + 2 + 2000 + 2 + 1
        assert answers[2].startswith(b"+OK 1 messages")
        assert answers[-3].startswith(b"+OK 1 ") and answers[-2].startswith(b"+OK goodbye")


def busiest(site, program):
    return max(site.daemon.workers(program), key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))


@pytest.mark.parametrize("victim", ["popstore-login", "popstore-pop3d"])
def test_a_crash_hurts_its_own_connections_only(make_site, victim):
    """In clear text a session does not even need the login process any more."""
    site = make_site(pop3={"login_workers": 2, "workers": 2}).start()
    sessions = [Pop3(site, site.new_account()) for _ in range(12)]
    os.kill(busiest(site, victim), signal.SIGKILL)
    alive = 0
    for pop3 in sessions:
        with contextlib.suppress(Exception):
            pop3.noop()
            alive += 1
        pop3.close()
    assert alive == 12 if victim == "popstore-login" else alive < 12
    Pop3(site, site.new_account()).quit()


def test_a_login_waits_while_authd_is_down(make_site):
    site = make_site(pop3={"login_workers": 1}).start()
    name = site.new_account()
    with Wire(site.pop3) as wire:
        wire.line()
        authd, = site.daemon.workers("popstore-authd")
        os.kill(authd, signal.SIGKILL)
        assert log_in(wire, name).startswith(b"+OK 0 ")


def test_an_authd_that_hangs_takes_no_more_than_the_login_has(make_site):
    site = make_site(pop3={"login_workers": 1, "login_timeout": "2s"}).start()
    name = site.new_account()
    authd, = site.daemon.workers("popstore-authd")
    with Wire(site.pop3) as wire:
        wire.line()
        halt(authd)
        start = time.monotonic()
        try:
            assert log_in(wire, name).startswith(b"-ERR [SYS/TEMP]")
            with Wire(site.pop3) as other:
                other.line()  # by what authd offered before
                assert log_in(other, name).startswith(b"-ERR [SYS/TEMP]")
        finally:
            os.kill(authd, signal.SIGCONT)
        assert time.monotonic() - start < DEADLINE
    assert Pop3(site, name).quit().startswith(b"+OK")


def test_a_right_password_waits_for_its_turn_too(make_site):
    """Or whoever gives up a connection that is not answered at once could go on to the next."""
    site = make_site().start()
    name = site.new_account()
    for _ in range(3):
        with Wire(site.pop3) as wire:
            wire.line()
            for _ in range(3):
                assert log_in(wire, name, "wrong").startswith(b"-ERR [AUTH]")
    start = time.monotonic()
    assert Pop3(site, name).quit().startswith(b"+OK")
    assert time.monotonic() - start >= 0.1


def test_a_stop_in_the_middle_of_a_login(make_site):
    site = make_site().start()
    name = site.new_account()
    with Wire(site.pop3) as wire, Wire(site.pop3) as other:
        wire.line(), other.line()
        assert wire.ask(f"USER {name}").startswith(b"+OK")
        start = time.monotonic()
        site.stop()
        assert time.monotonic() - start < DEADLINE / 2
        assert wire.rest() == b"" and other.rest() == b""


def unread(wire):
    """How many octets of what this client sent were not read yet."""
    ends = [f"{port:04X}" for port in (wire.sock.getpeername()[1], wire.sock.getsockname()[1])]
    with open("/proc/net/tcp", encoding="ascii") as f:
        for row in map(str.split, f):
            if [end.rpartition(":")[2] for end in row[1:3]] == ends:
                return int(row[4].split(":")[1], 16)
    raise AssertionError("no such connection")


@pytest.mark.parametrize("tls", (False, True), ids=("clear", "tls"))
def test_a_hand_over_while_all_stops_is_answered(tls):
    """The session processes are gone when the password is found to be right."""
    with running() as site:
        hand_over_late(site, tls)


def hand_over_late(site, tls):
    name, daemon = site.new_account(), site.daemon
    with concurrent.futures.ThreadPoolExecutor() as pool, Wire(site.pop3) as wire:
        wire.line()
        if tls:
            assert wire.ask("STLS").startswith(b"+OK")
            wire.start_tls(certificate.client())
        assert wire.ask(f"USER {name}").startswith(b"+OK")
        authd, = daemon.workers("popstore-authd")
        halt(authd)
        wire.send(f"PASS {PASSWORD}\r\n")
        wait_until("the password to be asked about", lambda: unread(wire) == 0)
        stop = pool.submit(site.stop)
        try:
            wait_until("the sessions to end", lambda: not daemon.workers("popstore-pop3d"))
        finally:
            os.kill(authd, signal.SIGCONT)
        assert wire.rest() == b"-ERR [SYS/TEMP] no session now, try again later\r\n"
        stop.result()
    daemon.assert_no_errors()


# ---- SASL -----------------------------------------------------------------------------------


def plain(name, password):
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()


def test_sasl(site, account):
    with Wire(site.pop3) as wire:
        wire.line()
        wire.send("AUTH\r\n")
        assert b"\r\nPLAIN\r\n" in wire.until(b"\r\n.\r\n")
        assert wire.ask("AUTH PLAIN " + plain(account, "wrong")).startswith(b"-ERR [AUTH]")
        assert wire.ask("AUTH PLAIN") == b"+ \r\n"
        assert wire.ask("*") == b"-ERR broken off\r\n"
        assert wire.ask("AUTH PLAIN !!!!") == b"-ERR this is not base64\r\n"
        assert wire.ask("AUTH PLAIN") == b"+ \r\n"
        assert wire.ask(plain(account, PASSWORD)).startswith(b"+OK 0 ")
        wire.quit()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_sasl_of_curl(site, account, tmp_path, mechanism):
    deliver(site, account)
    netrc = tmp_path / "netrc"
    netrc.write_text(f'machine 127.0.0.1 login {account} password "{PASSWORD}"\n',
                     encoding="utf-8")
    done = subprocess.run(["curl", "-sS", "--netrc-file", netrc, "--login-options",
                           f"AUTH={mechanism}", f"pop3://{site.pop3}/"], capture_output=True,
                          timeout=DEADLINE, check=True)
    assert done.stdout.startswith(b"1 ")


def test_rules_by_the_address_that_a_client_came_to(make_site):
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    site = make_site(pop3={"listen": [first, second]},
                     auth={"rules": [f"listen {first} mechanisms PASS",
                                     f"listen {second} mechanisms PLAIN"]}).start()
    name = site.new_account()
    for address, offered in ((first, ["USER"]), (second, ["SASL PLAIN"])):
        with Wire(address) as wire:
            wire.line()
            wire.send("CAPA\r\n")
            lines = wire.until(b"\r\n.\r\n").decode().split("\r\n")
            assert [x for x in lines if x.startswith(("USER", "SASL"))] == offered
            by_pass = wire.ask(f"USER {name}")
            by_plain = wire.ask("AUTH PLAIN " + plain(name, PASSWORD))
            if address == first:
                assert by_pass.startswith(b"+OK")
                assert by_plain == b"-ERR [AUTH] no such mechanism here\r\n"
                assert wire.ask(f"PASS {PASSWORD}").startswith(b"+OK 0 ")
            else:
                assert by_pass.startswith(b"-ERR [AUTH]")
                assert by_plain.startswith(b"+OK 0 ")
            wire.quit()


def test_apop_of_poplib(make_site):
    site = make_site(auth={"rules": ["mechanisms APOP"]})
    site.ctl("domain", "modify", "example.org", "--recoverable", "yes")
    site.start()
    name = site.new_account(password="sesame seed 7")
    deliver(site, name)

    def connect():
        host, port = site.pop3.split(":")
        return poplib.POP3(host, int(port), timeout=DEADLINE)

    pop3 = connect()
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        pop3.apop(name, "sesame seed 8")
    assert pop3.apop(name, "sesame seed 7").startswith(b"+OK 1 ")
    # Its challenge is another one.
    said = connect()
    assert said.welcome != pop3.welcome
    said.close()
    pop3.quit()


# ---- who the client is ----------------------------------------------------------------------


def test_the_proxy_protocol(make_site):
    site = make_site(pop3={"proxy_networks": ["127.0.0.0/8"]},
                     auth={"plaintext_without_tls": "always"}).start()
    name = site.new_account()
    mark = site.daemon.mark()
    with Wire(site.pop3) as wire:
        wire.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 110\r\n")
        assert wire.line().startswith(b"+OK")
        assert log_in(wire, name).startswith(b"+OK")
        wire.quit()
    site.daemon.wait_for(rf"pop3.session .*account={name} peer=192.0.2.7:4711 ", mark)
    with Wire(site.pop3) as wire:
        wire.send("CAPA\r\n" * 30)
        with contextlib.suppress(ConnectionResetError):
            assert wire.rest() == b""


def test_xclient(make_site):
    site = make_site(pop3={"xclient_networks": ["127.0.0.1"]}).start()
    name = site.new_account()
    mark = site.daemon.mark()
    with Wire(site.pop3) as wire:
        wire.line()
        assert wire.ask("XCLIENT ADDR=192.0.2.8 PORT=4712").startswith(b"+OK")
        assert wire.ask("XCLIENT ADDR=192.0.2.9 PORT=4712").startswith(b"-ERR")
        # It is not of this machine any more.
        assert wire.ask(f"USER {name}").startswith(b"-ERR [AUTH]")
    with Wire(site.pop3) as wire:
        wire.line()
        assert wire.ask("XCLIENT ADDR=nonsense").startswith(b"-ERR")
        assert log_in(wire, name).startswith(b"+OK")
        wire.quit()
    site.daemon.wait_for(rf"pop3.session .*account={name} peer=127.0.0.1:", mark)
    with From(site.pop3, "127.0.0.2") as wire:
        wire.line()
        assert wire.ask("XCLIENT ADDR=192.0.2.8 PORT=4712") == b"-ERR unknown command\r\n"


def test_who_comes_by_a_trusted_proxy_is_not_trusted_for_it(make_site):
    """An XCLIENT of a stranger would let him choose whose tries are counted."""
    here = ["127.0.0.1"]
    site = make_site(pop3={"proxy_networks": here, "xclient_networks": here}).start()
    with Wire(site.pop3) as wire:
        wire.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 110\r\n")
        assert wire.line().startswith(b"+OK")
        assert wire.ask("XCLIENT ADDR=192.0.2.8 PORT=4712") == b"-ERR unknown command\r\n"
    with Wire(site.pop3) as wire:
        wire.send("PROXY UNKNOWN\r\n")  # it speaks for itself
        assert wire.line().startswith(b"+OK")
        assert wire.ask("XCLIENT ADDR=192.0.2.8 PORT=4712") == b"+OK\r\n"


# ---- figures ------------------------------------------------------------------------------------

def test_system_calls_of_a_login(make_site, tmp_path):
    """Of the login process: to accept, to name the peer, three options, the input and the
    output of each command, twice a question to authd, the hand-over, the end."""
    n = 20
    site = make_site(pop3={"workers": 1, "login_workers": 1}).start()
    names = [site.new_account() for _ in range(n)]
    Pop3(site, names[0]).quit()
    login, = site.daemon.workers("popstore-login")
    with Trace([login], tmp_path) as trace:
        for name in names:
            Pop3(site, name).quit()
    calls = [name for name, _ in trace.calls if name not in NOT_IO]
    counts = {name: calls.count(name) / n for name in set(calls)}
    print(len(calls) / n, counts)
    assert len(calls) / n <= 24


def test_a_thousand_logins(make_site):
    """A figure to look at: the machine's speed is not ours."""
    site = make_site(pop3={"workers": 2, "login_workers": 2}).start()
    names = [site.new_account() for _ in range(4)]
    done = []

    def client(name):
        for _ in range(50):
            pop3 = Pop3(site, name)
            pop3.stat()
            pop3.quit()
            done.append(name)

    start = time.monotonic()
    threads = [threading.Thread(target=client, args=(name,)) for name in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{len(done) / (time.monotonic() - start):.0f} logins with STAT a second")
    assert len(done) == 200
