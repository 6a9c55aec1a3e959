# SPDX-License-Identifier: ISC
"""POP3 over TLS: STLS, port 995, and the relay between the two processes"""

import contextlib
import os
import poplib
import signal
import socket
import ssl
import stat
import struct
import subprocess
import threading
import time

import pytest

from lib import certificate, place
from lib.mail import HARD_BODY, deliver, message
from lib.secure import began_tls, capa, greeted, running, tls_first
from lib.site import PASSWORD
from lib.wire import DEADLINE, Wire, wait_until


@pytest.fixture(scope="module")
def secure():
    with running() as s:
        yield s
        s.daemon.assert_no_errors()


@pytest.fixture
def filled(secure):
    name = secure.new_account()
    contents = [message("first"), message("hard", HARD_BODY),
                message("large", b"0123456789abcde\r\n" * 20000)]
    for content in contents:
        deliver(secure, name, content)
    return name, contents


def log_in(wire, name, password=PASSWORD):
    assert wire.ask(f"USER {name}").startswith(b"+OK")
    return wire.ask(f"PASS {password}")


def session(site, name):
    wire = tls_first(site)
    answer = log_in(wire, name)
    assert answer.startswith(b"+OK"), answer
    return wire


# ---- what a client sees -------------------------------------------------------------------


def test_poplib_on_both_ports(secure, filled):
    name, contents = filled
    trusted = certificate.client(trusted=secure.mail[0])
    trusted.check_hostname = False  # it is reached by an address
    implicit = poplib.POP3_SSL("127.0.0.1", secure.port("pop3s"), context=trusted)
    stls = poplib.POP3("127.0.0.1", secure.port("pop3"))
    assert "STLS" in stls.capa()
    stls.stls(trusted)
    assert "STLS" not in stls.capa()
    for pop3 in (implicit, stls):
        pop3.user(name)
        pop3.pass_(PASSWORD)
        for i, sent in enumerate(contents, 1):
            assert b"".join(line + b"\r\n" for line in pop3.retr(i)[1]).endswith(sent)
        pop3.quit()


def private(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


def run(*argv, ok=(0,), **kw):
    done = subprocess.run([str(a) for a in argv], capture_output=True, check=False,
                          timeout=DEADLINE * 3, **kw)
    assert done.returncode in ok, done.stdout[-2000:] + done.stderr
    return done


@pytest.mark.parametrize("how", ["pop3s", "pop3"])
def test_curl(secure, filled, tmp_path, how):
    name, contents = filled
    netrc = private(tmp_path / "netrc", f'machine 127.0.0.1 login {name} password "{PASSWORD}"\n')
    done = run("curl", "-sS", "--insecure", "--ssl-reqd", "--netrc-file", netrc,
               f"{how}://{getattr(secure, how)}/2")
    assert done.stdout.endswith(contents[1])


def mpop(secure, name, folder, inbox, starttls):
    rc = private(folder / "mpoprc", f"""
account default
host 127.0.0.1
port {secure.port("pop3" if starttls else "pop3s")}
user {name}
password {PASSWORD}
auth user
tls on
tls_starttls {'on' if starttls else 'off'}
tls_certcheck off
keep on
received_header off
uidls_file {folder}/uidls
delivery mda {inbox}
""")
    run("mpop", "-C", rc)


def fetchmail(secure, name, folder, inbox, starttls):
    how = "sslproto TLS1.2+" if starttls else "ssl"
    rc = private(folder / "fetchmailrc", f"""
poll 127.0.0.1 protocol POP3 port {secure.port("pop3" if starttls else "pop3s")} no dns uidl
    user "{name}" password "{PASSWORD}" {how} no sslcertck
    mda "{inbox}" keep no rewrite no mimedecode pass8bits
set no bouncemail
set invisible
""")
    run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", folder / "pid", "-i",
        folder / "ids", env={"PATH": "/usr/bin:/bin", "HOME": str(folder),
                             "LC_ALL": "C.UTF-8"})


def getmail(secure, name, folder, inbox, _):
    rc = private(folder / "getmailrc", f"""
[retriever]
type = SimplePOP3SSLRetriever
server = 127.0.0.1
port = {secure.port("pop3s")}
username = {name}
password = {PASSWORD}
[destination]
type = MDA_external
path = {inbox}
allow_root_commands = true
[options]
delivered_to = false
received = false
""")
    run("getmail", f"--getmaildir={folder}", f"--rcfile={rc}")


@pytest.mark.parametrize("client, starttls", [(mpop, True), (mpop, False), (fetchmail, True),
                                              (fetchmail, False), (getmail, False)])
def test_other_clients(secure, filled, tmp_path, client, starttls):
    name, contents = filled
    inbox = tmp_path / "inbox"
    inbox.write_text(f'#!/bin/sh\nexec cat >"$(mktemp {tmp_path}/got.XXXXXX)"\n',
                     encoding="ascii")
    inbox.chmod(0o755)
    client(secure, name, tmp_path, inbox, starttls)
    got = sorted(p.read_bytes() for p in tmp_path.glob("got.*"))
    assert len(got) == len(contents)
    for content in contents:
        sent = content.replace(b"\r\n", b"\n")
        assert any(g.endswith(sent) for g in got)


def test_s_client(secure, filled):
    name, _ = filled
    done = run("openssl", "s_client", "-quiet", "-crlf", "-starttls", "pop3", "-connect",
               secure.pop3, input=f"USER {name}\nPASS {PASSWORD}\nSTAT\nQUIT\n".encode())
    lines = done.stdout.split(b"\r\n")
    assert lines[-3].startswith(b"+OK 3 ") and lines[-2].startswith(b"+OK goodbye")


def test_the_log_says_that_it_was_tls(secure, filled):
    mark = secure.daemon.mark()
    with session(secure, filled[0]) as wire:
        wire.quit()
    secure.daemon.wait_for(rf"pop3.session .*account={filled[0]} peer=127.0.0.1:\d+ tls=yes",
                           mark)


# ---- what may be said when ------------------------------------------------------------------


def test_passwords_in_clear_only_under_tls():
    with running(auth={"plaintext_without_tls": "never"}) as site:
        name = site.new_account()
        with greeted(site) as wire:
            lines = capa(wire)
            assert "STLS" in lines and "USER" not in lines
            assert wire.ask(f"USER {name}").startswith(b"-ERR [AUTH]")
        with began_tls(site) as wire:
            lines = capa(wire)
            assert "STLS" not in lines and "USER" in lines
            assert log_in(wire, name).startswith(b"+OK")
            wire.quit()
            assert wire.rest() == b""


def test_tls_is_begun_once(secure, filled):
    with began_tls(secure) as wire:
        assert wire.ask("STLS") == b"-ERR this is TLS\r\n"
        assert log_in(wire, filled[0]).startswith(b"+OK")
        assert wire.ask("STLS").startswith(b"-ERR")
        wire.quit()
    with greeted(secure) as wire:
        assert log_in(wire, filled[0]).startswith(b"+OK")
        assert wire.ask("STLS").startswith(b"-ERR")
        assert wire.ask("NOOP").startswith(b"+OK")


# ---- what is smuggled in before TLS -----------------------------------------------------------


@pytest.mark.parametrize("smuggled", ["CAPA\r\n", "CA", "USER eve\r\nPASS x\r\n", "QUIT\r\n",
                                      "USER eve\r\n"])
def test_what_comes_with_stls_is_dropped(secure, filled, smuggled):
    with greeted(secure) as wire:
        wire.send("STLS\r\n" + smuggled)
        assert wire.line() == b"+OK begin TLS\r\n"
        wire.start_tls(certificate.client())
        # The first answer is to this.
        assert wire.ask(f"PASS {PASSWORD}") == b"-ERR USER comes first\r\n"
        assert log_in(wire, filled[0]).startswith(b"+OK 3 ")
        wire.quit()
        assert wire.rest() == b""


def test_a_name_from_before_tls_is_forgotten(secure, filled):
    with greeted(secure) as wire:
        assert wire.ask(f"USER {filled[0]}").startswith(b"+OK")
        assert wire.ask("STLS").startswith(b"+OK")
        wire.start_tls(certificate.client())
        assert wire.ask(f"PASS {PASSWORD}") == b"-ERR USER comes first\r\n"


@pytest.mark.parametrize("spelling", ["stls\r\n", "StLs\r\n", "STLS \r\n", "STLS\t\r\n",
                                      "STLS\n", "STLS x\r\n", " STLS\r\n", "STLS\r\r\n"])
def test_no_spelling_keeps_what_came_with_it(secure, spelling):
    """TLS begins and the rest is gone, or there is no TLS and the rest is answered."""
    with greeted(secure) as wire:
        wire.send(spelling + "CAPA\r\n")
        first = wire.line()
        if first.startswith(b"+OK begin TLS"):
            wire.start_tls(certificate.client())
            assert wire.ask("STLS") == b"-ERR this is TLS\r\n"  # the first answer is to this
            assert "USER" in capa(wire)
        else:
            assert first.startswith(b"-ERR")
            assert wire.until(b"\r\n.\r\n").startswith(b"+OK capabilities")


def ends_without_a_word(wire):
    with contextlib.suppress(ConnectionResetError):
        answer = wire.rest()
        assert answer == b"" or answer[0] == 21  # an alert of TLS


def test_garbage_instead_of_a_handshake(secure):
    with greeted(secure) as wire:
        assert wire.ask("STLS").startswith(b"+OK")
        wire.send("CAPA\r\nUSER alice\r\n")
        ends_without_a_word(wire)
    with Wire(secure.pop3s) as wire:
        wire.send("CAPA\r\n" * 10)
        ends_without_a_word(wire)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_has_an_end(said):
    with running(pop3={"login_timeout": "1s"}) as site:
        with greeted(site) as wire, Wire(site.pop3s) as other:
            assert wire.ask("STLS").startswith(b"+OK")
            start = time.monotonic()
            for w in (wire, other):
                w.send(said)
            for w in (wire, other):
                ends_without_a_word(w)
            assert time.monotonic() - start < DEADLINE / 2


@pytest.mark.parametrize("together", [True, False])
def test_the_handshake_behind_a_proxy(together):
    """Proxies send their header and what the client has said in one segment."""
    with running(pop3={"proxy_networks": ["127.0.0.0/8"]}) as site:
        name = site.new_account()
        with Wire(site.pop3s) as wire:
            wire.sock.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 995\r\n",
                           socket.MSG_MORE if together else 0)
            wire.start_tls(certificate.client())
            assert wire.line().startswith(b"+OK")
            assert log_in(wire, name).startswith(b"+OK")


# ---- the relay -----------------------------------------------------------------------------------


def test_pipelining_both_ways(secure, filled):
    """More commands in one go than fit a read, and more answers than fit a socket."""
    n = 2000
    with session(secure, filled[0]) as wire:
        assert wire.ask("NOOP").startswith(b"+OK")
        commands = ("TOP 2 0\r\n" * n + "RETR 3\r\n" * 20 + "QUIT\r\n").encode()
        wire.send(commands)
        answers = wire.rest()
        assert answers.count(b"+OK top of message follows\r\n") == n
        assert answers.count(b"0123456789abcde\r\n") == 20 * 20000
        assert answers.endswith(b"\r\n.\r\n+OK goodbye\r\n")


def test_pipelined_with_the_password(secure, filled):
    with tls_first(secure) as wire:
        wire.send(f"USER {filled[0]}\r\nPASS {PASSWORD}\r\nSTAT\r\nNOOP\r\nQUIT\r\n")
        answers = wire.rest().split(b"\r\n")
        assert [a[:3] for a in answers] == [b"+OK"] * 5 + [b""]
        assert answers[2].startswith(b"+OK 3 ")


@pytest.mark.parametrize("reset", [False, True])
def test_who_goes_away_deletes_nothing(secure, filled, reset):
    name, contents = filled
    wire = session(secure, name)
    assert wire.ask("DELE 1").startswith(b"+OK")
    mark = secure.daemon.mark()
    if reset:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    secure.daemon.wait_for(rf"pop3.session .*account={name} .*removed=0", mark)
    with session(secure, name) as again:
        assert again.ask("STAT").startswith(b"+OK %d " % len(contents))


def test_a_stop_ends_relays_too():
    with running() as site:
        name = site.new_account()
        with session(site, name) as wire, tls_first(site) as other:
            start = time.monotonic()
            site.stop()
            assert time.monotonic() - start < DEADLINE / 2
            assert wire.rest() == b"" and other.rest() == b""
            site.start()


def memory_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        text = f.read()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith(("Private_Dirty", "Private_Clean")))


@place.memory_is_ours
def test_an_idle_relay_is_cheap():
    n = 100
    with running(pop3={"login_workers": 1, "workers": 1}) as site:
        names = site.add_many(site.new_name() for _ in range(n))
        deliver(site, names, message("large", b"0123456789abcde\r\n" * 10000))
        login, = site.daemon.workers("popstore-login")
        wires = [session(site, names[0])]
        before = memory_kb(login)
        for name in names[1:]:
            wires.append(session(site, name))
            wires[-1].send("RETR 1\r\n")
            wires[-1].until(b"\r\n.\r\n")
        each = (memory_kb(login) - before) / (n - 1)
        print(f"{each:.1f} KB for a relay")
        for wire in wires:
            wire.close()
        assert each < 80


def processor_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("octets", [3, 20])
def test_half_a_record_is_waited_for(octets):
    """The rest may never come: no reason to ask for it again and again."""
    with running(pop3={"login_workers": 1, "workers": 1}) as site:
        name = site.new_account()
        login, = site.daemon.workers("popstore-login")
        with session(site, name) as wire:
            assert wire.ask("NOOP").startswith(b"+OK")
            socket.socket.sendall(wire.sock, (b"\x17\x03\x03\x40\x00" + bytes(100))[:octets])
            before, end = processor_s(login), time.monotonic() + 1
            while time.monotonic() < end:
                time.sleep(0.1)
            assert processor_s(login) - before < 0.3


# ---- crashes and reloads ---------------------------------------------------------------------------


def both_kinds(site):
    return set(site.daemon.workers("popstore-login") + site.daemon.workers("popstore-pop3d"))


def test_a_reload_leaves_sessions_alone():
    with running(pop3={"login_workers": 1, "workers": 1}) as site:
        names = [site.new_account() for _ in range(2)]
        for name in names:
            deliver(site, name)
        old = both_kinds(site)
        with session(site, names[0]) as first, tls_first(site) as second:
            mark = site.daemon.mark()
            site.daemon.process.send_signal(signal.SIGHUP)
            site.daemon.wait_for("event=dispatch.ready", mark)
            # The second one logs in by way of the old process, into a new one.
            assert log_in(second, names[1]).startswith(b"+OK 1 ")
            for wire in (first, second):
                assert wire.ask("DELE 1").startswith(b"+OK")
                assert wire.ask("QUIT").startswith(b"+OK goodbye")
                assert wire.rest() == b""
        wait_until("the old ones are gone", lambda: not old & both_kinds(site))
        for name in names:
            assert site.ctl_json("messages", name) == []


def busiest(site, program):
    return max(site.daemon.workers(program), key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))


@pytest.mark.parametrize("victim", ["popstore-login", "popstore-pop3d"])
def test_a_crash_hurts_its_own_connections_only(victim):
    with running(pop3={"login_workers": 2, "workers": 2}) as site:
        names = [site.new_account() for _ in range(16)]
        wires = [session(site, name) for name in names]
        os.kill(busiest(site, victim), signal.SIGKILL)
        alive = 0
        for wire in wires:
            with contextlib.suppress(OSError, ssl.SSLError):
                alive += wire.ask("NOOP").startswith(b"+OK")
            wire.close()
        assert alive < len(names)
        with session(site, site.new_account()) as wire:  # and there is a new one
            wire.quit()


def test_a_login_waits_while_all_sessions_are_down():
    with running(pop3={"login_workers": 1, "workers": 2}) as site:
        name, other = site.new_account(), site.new_account()
        with tls_first(site) as wire, greeted(site) as clear:
            for pid in site.daemon.workers("popstore-pop3d"):
                os.kill(pid, signal.SIGSTOP)
                os.kill(pid, signal.SIGKILL)
            answers = {}
            threads = [threading.Thread(target=lambda w=w, n=n: answers.update({n: log_in(w, n)}))
                       for w, n in ((wire, name), (clear, other))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            assert all(a.startswith(b"+OK 0 ") for a in answers.values()), answers
            assert len(answers) == 2
