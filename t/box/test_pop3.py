# SPDX-License-Identifier: ISC
"""POP3 as a client sees it: RFC 1939, 2449 and 3206, and what a hostile one tries"""

import contextlib
import os
import poplib
import re
import subprocess

import pytest

from lib import place
from lib.mail import HARD_BODY, Pop3, deliver, fetch_all, message, split_trace
from lib.record import checksum
from lib.site import PASSWORD
from lib.talk import Talker
from lib.trace import attach
from lib.wire import DEADLINE, Wire, wait_until

# ---- before login ------------------------------------------------------------------


def test_capabilities_before_login(pop3):
    pop3.talk("""
        < +OK mx.example.org POP3 server ready
        > CAPA
        < +OK*
        < TOP
        < UIDL
        < PIPELINING
        < RESP-CODES
        < AUTH-RESP-CODE
        < EXPIRE NEVER
        < USER
        < SASL *
        < .
        > QUIT
        < +OK*
        <eof
    """)


def test_a_login(pop3, account):
    pop3.talk(f"""
        < +OK*
        > USER {account}
        < +OK*
        # the password has a space in it
        > PASS {PASSWORD}
        < +OK 0 messages (0 octets)
        > CAPA
        < +OK*
        < ...
        < IMPLEMENTATION popstore-*
        < .
        > USER {account}
        < -ERR already logged in
        > QUIT
        < +OK*
        <eof
    """)


def test_a_login_by_another_spelling_of_the_name(pop3, account):
    pop3.talk(f"""
        < +OK*
        > uSER {account.upper()}
        < +OK*
        > pass {PASSWORD}
        < +OK 0 messages (0 octets)
        > quit
        < +OK*
        <eof
    """)


def test_every_refusal_reads_the_same(site, pop3, account):
    disabled = site.new_account(flags="disuser")
    for name, password in ((account, "wrong"), (account, PASSWORD.upper()),
                           ("nobody@example.org", PASSWORD), ("a@nowhere.example", PASSWORD),
                           ("default@example.org", PASSWORD), (disabled, PASSWORD),
                           ("../../etc/passwd", "x"), ("a/b", "x"), (".", "x"),
                           ("u@../d", "x"), ("u@d/..", "x"), ("x" * 240, "x"),
                           ("%n%n%s%x", "%n%n%n"), ("%{user}", "$(id)"),
                           (account, "x\tmaster_user=root\tskip_password_check=1")):
        pop3.talk(rf"""
            < +OK*
            > USER {name}
            < +OK and the password?
            > PASS {password}
            < -ERR [AUTH] name or password is wrong
            > STAT
            < -ERR log in first
            > QUIT
            < +OK*
            <eof
        """)


def test_three_tries_a_connection(site, way, account):
    Talker(site.pop3, way).talk("""
        < +OK*
    """ + 3 * f"""
        > USER {account}
        < +OK*
        > PASS wrong
        < -ERR [AUTH]*
    """ + f"""
        > USER {account}
        > PASS {PASSWORD}
        <eof
    """)


def test_other_ways_to_log_in_are_not_there(make_site):
    """Neither a certificate nor a secret that APOP could use."""
    site = make_site(domains=("example.org",)).start()
    with Wire(site.pop3) as wire:
        assert b"<" not in wire.line()
        assert wire.ask("AUTH NONSENSE AGEAYg==") == b"-ERR [AUTH] no such mechanism here\r\n"
        assert wire.ask("APOP a " + 32 * "0") == b"-ERR [AUTH] no APOP here\r\n"
        assert wire.ask("STLS") == b"-ERR there is no TLS\r\n"
        assert wire.ask("XCLIENT ADDR=192.0.2.7 PORT=1").startswith(b"-ERR")
        wire.quit()


@pytest.mark.parametrize("first", [
    b"GET /USER%20alice HTTP/1.1\r\nHost: mx\r\n\r\n", b"POST / HTTP/1.0\r\n",
    b"CONNECT mx:25 HTTP/1.1\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"EHLO mx\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_who_speaks_another_protocol_is_left_at_once(site, first):
    with Wire(site.pop3) as wire:
        wire.line()
        wire.send(first)
        assert wire.until(b"never") == b""


# ---- what is no command ---------------------------------------------------------------


def test_only_crlf_ends_a_line(pop3, account):
    pop3.talk(rf"""
        < +OK*
        > USER {account}\n\c
        < -ERR a line ends in CRLF*
        > USER a\rb
        < -ERR a line ends in CRLF*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK*
        > NOOP\nNOOP
        < -ERR a line ends in CRLF*
        < +OK
        > QUIT
        < +OK*
    """)


def test_a_nul_ends_it(pop3, account):
    pop3.talk(rf"""
        < +OK*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK*
        > RETR 1\0 2
        < -ERR a NUL*
        <eof
    """)


def test_a_long_line_is_refused_once(pop3):
    pop3.talk(f"""
        < +OK*
        > USER {'x' * 248}
        < +OK*
        > USER {'x' * 249}
        < -ERR a command has at most 255 octets
        > USER {'x' * 100000}
        < -ERR a command has at most 255 octets
        > QUIT
        < +OK*
    """)


def test_ten_bad_commands_are_enough(pop3, account):
    pop3.talk("""
        < +OK*
    """ + 9 * """
        > XYZZY
        < -ERR unknown command
    """ + """
        > XYZZY
        < -ERR unknown command; too many errors, goodbye
        > QUIT
        <eof
    """)


# ---- a maildrop ---------------------------------------------------------------------------

BODY = b"one\r\n.two\r\n\r\nfour\r\n"


@pytest.fixture
def filled(site, account):
    """An account with three messages."""
    for i in range(3):
        deliver(site, account, message(f"number {i}", BODY + b"x" * i + b"\r\n"))
    return account


def uidls(pop3):
    return [line.split()[1] for line in pop3.uidl()[1]]


def hello(account):
    return f"""
        < +OK*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK 3 messages (*)
    """


def test_rfc1939_in_one_conversation(pop3, filled):
    pop3.talk(hello(filled) + """
        > STAT
        < +OK 3 *
        > LIST
        < +OK 3 messages (* octets)
        < 1 *
        < 2 *
        < 3 *
        < .
        > LIST 2
        < +OK 2 *
        > UIDL 3
        < +OK 3 *
        > RETR 1
        < +OK * octets
        < Return-Path: <sender@example.com>
        < ...
        < Subject: number 0
        < ...
        <
        < one
        < ..two
        <
        < four
        <
        < .
        > TOP 2 2
        < +OK*
        < Return-Path: <sender@example.com>
        < ...
        < Subject: number 1
        < ...
        <
        < one
        < ..two
        < .
        > TOP 3 0
        < +OK*
        < ...
        <
        < .
        > NOOP
        < +OK
        > DELE 2
        < +OK message 2 deleted
        > DELE 2
        < -ERR message 2 is deleted
        > RETR 2
        < -ERR message 2 is deleted
        > TOP 2 0
        < -ERR message 2 is deleted
        > LIST 2
        < -ERR message 2 is deleted
        > UIDL 2
        < -ERR message 2 is deleted
        > STAT
        < +OK 2 *
        > LIST
        < +OK 2 messages (* octets)
        < 1 *
        < 3 *
        < .
        > UIDL
        < +OK*
        < 1 *
        < 3 *
        < .
        > RSET
        < +OK 3 messages (* octets)
        > STAT
        < +OK 3 *
        > QUIT
        < +OK*
        <eof
    """)


def test_numbers_are_numbers(pop3, filled):
    pop3.talk(hello(filled) + """
        > RETR 0
        < -ERR no such message, there are 3
        > RETR 4
        < -ERR no such message*
        > LIST 4294967297
        < -ERR wrong arguments
        > RETR 18446744073709551617
        < -ERR wrong arguments
        > RETR -1
        < -ERR wrong arguments
        > RETR 01x
        < -ERR wrong arguments
        > TOP 1 -1
        < -ERR wrong arguments
        > TOP 1 99999999999999999999
        < -ERR wrong arguments
        > TOP 1
        < -ERR wrong arguments
        > DELE
        < -ERR wrong arguments
        > QUIT now
        < -ERR wrong arguments
        > STAT
        < +OK 3 *
        > QUIT
        < +OK*
    """)


def test_deleting_is_for_good_and_changes_no_uidl(site, filled):
    pop3 = Pop3(site, filled)
    before = uidls(pop3)
    pop3.dele(2)
    pop3.quit()
    pop3 = Pop3(site, filled)
    assert uidls(pop3) == [before[0], before[2]]
    assert b"Subject: number 2" in pop3.retr(2)[1]
    pop3.quit()
    deliver(site, filled)
    pop3 = Pop3(site, filled)
    after = uidls(pop3)
    pop3.quit()
    assert after[:2] == [before[0], before[2]] and after[2] not in before
    assert all(re.fullmatch(rb"[0-9a-v]{13}", u) for u in before + after)


def test_without_a_whole_quit_nothing_is_deleted(site, filled):
    last = b"QUIT\r\n"
    for cut in range(len(last)):
        pop3 = Pop3(site, filled)
        assert pop3.stat()[0] == 3
        pop3.dele(1)
        mark = site.daemon.mark()
        pop3.sock.sendall(last[:cut])
        pop3.close()
        site.daemon.wait_for(rf"event=pop3.session .*account={filled} .*removed=0 .*"
                             r'end="connection closed"', mark)
    # And a whole one counts, whether or not anybody waits for the answer.
    pop3 = Pop3(site, filled)
    pop3.dele(1)
    mark = site.daemon.mark()
    pop3.sock.sendall(last)
    pop3.close()
    site.daemon.wait_for(rf"event=pop3.session .*account={filled} .*removed=1 ", mark)
    assert len(fetch_all(site, filled)) == 2


def test_a_kill_deletes_nothing(own_site):
    name = own_site.new_account()
    for _ in range(2):
        deliver(own_site, name)
    pop3 = Pop3(own_site, name)
    pop3.dele(1)
    own_site.kill()
    pop3.close()
    own_site.start()
    assert len(fetch_all(own_site, name)) == 2


def test_mail_that_arrives_meanwhile_waits(site, filled):
    pop3 = Pop3(site, filled)
    before, listing = pop3.stat(), pop3.list()[1]
    deliver(site, filled)
    assert (pop3.stat(), pop3.list()[1]) == (before, listing)
    pop3.dele(1)
    pop3.quit()
    pop3 = Pop3(site, filled)
    assert pop3.stat()[0] == 3
    pop3.quit()


def test_one_session_at_a_time(site, pop3, filled):
    first = Pop3(site, filled)
    pop3.talk(f"""
        < +OK*
        > USER {filled}
        < +OK*
        # a stranger does not learn that the owner is here
        > PASS wrong
        < -ERR [AUTH]*
        > USER {filled}
        < +OK*
        > PASS {PASSWORD}
        < -ERR [IN-USE]*
        <eof
    """)
    first.quit()


def many_lines(wire, command):
    """What a command answers after its +OK, unstuffed (poplib refuses long lines)."""
    assert wire.ask(command).startswith(b"+OK")
    answer = b"\r\n"
    while not answer.endswith(b"\r\n.\r\n"):
        answer += wire.until(b"\r\n")
    return answer[:-3].replace(b"\r\n.", b"\r\n")[2:]


def test_sizes_are_what_is_sent(site, account):
    bodies = [HARD_BODY, b"", b"\r\n", b".\r\n", b"\r\n" * 5, b"x" * 100000 + b"\r\n"]
    # A dot that is the first octet of a line, and of a block of whatever size.
    for block in (1024, 4096, 8192, 65536):
        head = len(message("dot", b""))
        for around in range(-3, 4):
            fill = block - head - 2 + around
            bodies.append(b"y" * fill + b"\r\n.\r\n")
    for body in bodies:
        deliver(site, account, message("dot", body))
    with Wire(site.pop3) as wire:
        wire.line()
        wire.ask(f"USER {account}")
        wire.ask(f"PASS {PASSWORD}")
        sizes = [int(line.split()[1]) for line in many_lines(wire, "LIST").split(b"\r\n")[:-1]]
        for i, body in enumerate(bodies):
            whole = many_lines(wire, f"RETR {i + 1}")
            split_trace(whole, message("dot", body))
            assert len(whole) == sizes[i]
            header, text = whole.split(b"\r\n\r\n", 1)
            lines = text.split(b"\r\n")
            for n in (0, 1, 2, 5, 1000):
                top = b"".join(line + b"\r\n" for line in lines[:-1][:n])
                assert many_lines(wire, f"TOP {i + 1} {n}") == header + b"\r\n\r\n" + top
        assert wire.ask("STAT") == b"+OK %d %d\r\n" % (len(bodies), sum(sizes))


def test_many_messages_in_one_segment(site, way, account):
    for i in range(40):
        deliver(site, account, message(f"n {i}", b"z" * 3000 + b"\r\n"))
    Talker(site.pop3, way).talk(f"""
        < +OK*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK 40 messages*
    """ + "".join(f"""
        > RETR {i + 1}
        < +OK*
        < ...
        < Subject: n {i}
        < ...
        < .
        > TOP {i + 1} 0
        < +OK*
        < ...
        <
        < .
        > DELE {i + 1}
        < +OK*
    """ for i in range(40)) + """
        > STAT
        < +OK 0 0
        > LIST
        < +OK 0 messages (0 octets)
        < .
        > QUIT
        < +OK*
        <eof
    """)
    assert fetch_all(site, account) == []


# ---- when something is broken -----------------------------------------------------------------

def broken_site(make_site):
    """A site, an account with three messages, and their files in order."""
    site = make_site(pop3={"workers": 1}).start()
    name = site.new_account()
    files = []
    for i in range(3):
        before = site.message_files()
        deliver(site, name, message(f"number {i}", BODY))
        files += site.message_files() - before
    return site, name, files


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        octet = f.read(1)
        f.seek(offset)
        f.write(bytes([octet[0] ^ 1]))


def cut_short(path):
    os.truncate(path, os.path.getsize(path) - 5)


@pytest.mark.parametrize("harm", [
    os.unlink,
    cut_short,
    lambda path: os.truncate(path, 0),
    lambda path: flip(path, 30),
    lambda path: flip(path, os.path.getsize(path) - 20),
], ids=["missing", "short", "empty", "header", "body"])
def test_a_damaged_message_harms_itself_only(make_site, way, harm):
    site, name, files = broken_site(make_site)
    harm(files[1])
    uid = os.path.basename(files[1])
    Talker(site.pop3, way).talk(hello(name) + f"""
        > RETR 1
        < +OK*
        < ...
        < Subject: number 0
        < ...
        < .
        > RETR 2
        < -ERR [SYS/PERM] message {uid} cannot be read: please tell the operator*
        > RETR 3
        < +OK*
        < ...
        < Subject: number 2
        < ...
        < .
        > STAT
        < +OK 3 *
        > QUIT
        < +OK*
    """)
    site.daemon.wait_for(rf"event=pop3.message.unreadable level=error .*account={name} "
                         rf"id={uid} .*err=")


def relabel(path, key):
    """The head says another number, under a checksum that fits it."""
    octets = bytearray(open(path, "rb").read())
    at = octets.index(b"\n" + key + b" ") + len(key) + 2
    octets[at:at + 20] = b"%020d" % (int(octets[at:at + 20]) - 1)
    end = octets.index(b"head-sum ")
    octets[end + 9:end + 25] = checksum(bytes(octets[:end]))
    with open(path, "r+b") as f:
        f.write(octets)


def exchange(a, b):
    os.rename(a, a + ".x")
    os.rename(b, a)
    os.rename(a + ".x", b)


@pytest.mark.parametrize("harm", [
    lambda a, b: exchange(a, b),
    lambda a, b: (relabel(a, b"header"), relabel(b, b"header")),
    lambda a, b: (relabel(a, b"size"), relabel(b, b"size")),
], ids=["exchanged", "another header", "another size"])
def test_a_message_that_is_not_the_listed_one_is_never_served(make_site, way, harm):
    site, name, files = broken_site(make_site)
    harm(files[0], files[1])
    Talker(site.pop3, way).talk(hello(name) + """
        > RETR 1
        < -ERR [SYS/PERM] *
        > TOP 1 0
        < -ERR [SYS/PERM] *
        > TOP 2 5
        < -ERR [SYS/PERM] *
        > RETR 2
        < -ERR [SYS/PERM] *
        > TOP 3 0
        < +OK*
        < ...
        < Subject: number 2
        < ...
        < .
        > QUIT
        < +OK*
    """)


def test_a_message_that_ends_early_has_no_end(make_site):
    """It is whole when RETR begins, and then somebody truncates the file."""
    site = make_site(pop3={"workers": 1}).start()
    name = site.new_account()
    deliver(site, name, message("large", b"l" * 70 + b"\r\n") + (b"l" * 70 + b"\r\n") * 400000)
    file, = site.message_files()
    with Wire(site.pop3) as wire:
        wire.line()
        wire.ask(f"USER {name}")
        assert wire.ask(f"PASS {PASSWORD}").startswith(b"+OK 1 ")
        assert wire.ask("RETR 1").startswith(b"+OK 28")
        os.truncate(file, os.path.getsize(file) // 2)
        rest = wire.rest()
    assert not rest.endswith(b"\r\n.\r\n") and b"-ERR" not in rest
    site.daemon.wait_for(r"event=pop3.message.unreadable .*shorter")
    site.daemon.wait_for(r"event=pop3.session .*retrieved=0 .*end=.*shorter")


@contextlib.contextmanager
def injected(site, pid, call, what):
    """strace(1) tampers with this system call of the process: error=EIO is a dying
    disk, delay_exit a slow machine."""
    strace = attach([pid], site.dir / "strace", "-f", "-e", f"trace={call}",
                    "-e", f"inject={call}:{what}")
    try:
        yield
    finally:
        strace.terminate()
        strace.wait(DEADLINE)


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_quit_that_fails_says_so(make_site, call):
    site, name, files = broken_site(make_site)
    pop3 = Pop3(site, name)
    pop3.dele(1)
    worker, = site.daemon.workers("popstore-pop3d")
    with injected(site, worker, call, "error=EIO"):
        with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\] some deleted"):
            pop3.quit()
    site.daemon.wait_for(rf"event=pop3.commit.failed level=error .*account={name} .*err=")
    site.daemon.wait_for(rf"event=pop3.session .*account={name} .*removed=0 ")
    site.restart()
    messages = fetch_all(site, name)
    assert set(files[1:]) <= site.message_files() and len(messages) in (2, 3)
    for got, i in zip(messages[-2:], (1, 2)):
        split_trace(got, message(f"number {i}", BODY))
    # A line that was written and not synced may count after all; then the message's
    # file is left over, which is the safe error, and mended.
    if call == "fdatasync":
        site.ctl("check", "--repair")
    site.assert_sound()


def test_the_answer_to_quit_means_that_one_may_come_back(make_site):
    site, name, _ = broken_site(make_site)
    worker, = site.daemon.workers("popstore-pop3d")
    # The fourth thing that a session says is its farewell: after that, it is held up.
    with injected(site, worker, "sendto", "delay_exit=1000000:when=4"):
        for _ in range(2):
            Pop3(site, name).quit()


# ---- time and limits -----------------------------------------------------------------------------

def test_a_drip_of_octets_does_not_hold_a_login(make_site):
    site = make_site(pop3={"login_timeout": "1s"}).start()
    with Wire(site.pop3) as wire:
        wire.line()
        wire.sock.settimeout(0.05)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(DEADLINE * 20):
                try:
                    # RFC 1939 s3: it ends without another word.
                    assert wire.sock.recv(100) == b""
                    return
                except TimeoutError:
                    wire.send("N")
            pytest.fail("a login without end")


def test_login_delay_is_kept(make_site, way):
    site = make_site(pop3={"login_delay": "1h"}).start()
    name = site.new_account()
    Talker(site.pop3, way).talk(f"""
        < +OK*
        > CAPA
        < +OK*
        < ...
        < LOGIN-DELAY 3600
        < .
        > USER {name}
        < +OK*
        > PASS {PASSWORD}
        < +OK 0 messages*
        > QUIT
        < +OK*
        <eof
    """)
    # Asking too early does not make it later.
    for _ in range(2):
        Talker(site.pop3, way).talk(f"""
            < +OK*
            > USER {name}
            < +OK*
            > PASS {PASSWORD}
            < -ERR [LOGIN-DELAY] come back in 3* s
            <eof
        """)
    session = next(os.path.join(d, "session") for d, _, _
                   in os.walk(site.root / "accounts") if d.endswith("/" + name))
    os.utime(session, (os.stat(session).st_mtime - 3600,) * 2)
    Pop3(site, name).quit()


def test_no_password_in_clear_where_it_is_not_allowed(make_site, way):
    site = make_site(auth={"plaintext_without_tls": "never"}).start()
    name = site.new_account()
    Talker(site.pop3, way).talk(f"""
        < +OK*
        > CAPA
        < +OK*
        < TOP
        < UIDL
        < PIPELINING
        < RESP-CODES
        < AUTH-RESP-CODE
        < EXPIRE NEVER
        < SASL SCRAM-SHA-*
        < .
        > AUTH PLAIN
        < -ERR [AUTH]*
        > USER {name}
        < -ERR [AUTH]*
        > PASS {PASSWORD}
        < -ERR*
        > STAT
        < -ERR*
        > QUIT
        < +OK*
        <eof
    """)


def test_with_one_connection_too_many_the_first_gives_way(make_site):
    site = make_site(pop3={"login_workers": 1, "max_login_connections": 2}).start()
    name = site.new_account()
    with Wire(site.pop3) as a, Wire(site.pop3) as b:
        assert a.line().startswith(b"+OK") and b.line().startswith(b"+OK")
        with Wire(site.pop3) as c:
            assert c.line().startswith(b"+OK")
            assert a.rest() == b""
            for wire in (b, c):
                assert wire.ask("CAPA").startswith(b"+OK")
        # Who has logged in gives way to nobody.
        pop3 = Pop3(site, name)
        for _ in range(4):
            assert greeting(site).startswith(b"+OK")
        pop3.quit()


def test_one_session_too_many_is_told(make_site):
    site = make_site(pop3={"workers": 1, "max_connections": 1}).start()
    names = [site.new_account() for _ in range(2)]
    first = Pop3(site, names[0])
    with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\] too many connections"):
        Pop3(site, names[1])
    first.quit()
    wait_until("room for another one", lambda: can_log_in(site, names[1]))


def can_log_in(site, name):
    try:
        Pop3(site, name).quit()
    except poplib.error_proto:
        return False
    return True


def greeting(site):
    with Wire(site.pop3) as wire:
        return wire.line()


def test_a_stop_ends_sessions_and_deletes_nothing(own_site):
    name = own_site.new_account()
    deliver(own_site, name)
    pop3 = Pop3(own_site, name)
    pop3.dele(1)
    own_site.stop()
    assert pop3.sock.recv(100) == b""
    pop3.close()
    own_site.start()
    assert len(fetch_all(own_site, name)) == 1


# ---- what is kept, and what must not be -------------------------------------------------------------

def test_the_log_tells_of_every_session(site, filled):
    mark = site.daemon.mark()
    pop3 = Pop3(site, filled)
    octets = sum(len(pop3.bytes_of(i)) for i in (1, 2))
    pop3.dele(1)
    pop3.quit()
    site.daemon.wait_for(rf"event=pop3.session level=info sid=\S+ account={filled} "
                         rf"peer=127.0.0.1:\d+ tls=no retrieved=2 removed=1 octets={octets} "
                         r"end=quit$", mark)
    with pytest.raises(poplib.error_proto):
        Pop3(site, filled, "not my password")
    line = site.daemon.wait_for(r"event=auth.refused", mark)
    assert f"user={filled} " in line and "not my password" not in site.daemon.log


def test_octets_from_a_stranger_stay_in_their_line(site, pop3):
    mark = site.daemon.mark()
    pop3.talk(r"""
        < +OK*
        > USER bob\x1b]0;x\x07 event=forged
        < +OK*
        > PASS x
        < -ERR [AUTH]*
        > QUIT
        < +OK*
    """)
    line = site.daemon.wait_for(r"event=auth.refused", mark)
    assert r'user="bob\x1b]0;x\x07 event=forged"' in line


def memory_of(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            if end - start > 1 << 30:
                continue  # a sanitizer's own
            with contextlib.suppress(OSError):
                mem.seek(start)
                yield mem.read(end - start)


def test_no_password_stays_in_memory(make_site):
    place.need_root("reads another process's memory")
    site = make_site(pop3={"workers": 1, "login_workers": 1}).start()
    name, other = site.new_account(), site.new_account()
    secret = "a-secret-" + "that-nobody-else-has"
    site.ctl("passwd", name, "--password-stdin", stdin=secret + "\n")
    session, = site.daemon.workers("popstore-pop3d")
    login, = site.daemon.workers("popstore-login")
    authd, = site.daemon.workers("popstore-authd")
    with contextlib.suppress(poplib.error_proto):
        Pop3(site, other, secret)
    pop3 = Pop3(site, name, secret)
    wait_until("the password to be gone", lambda: not any(
        secret.encode() in m for pid in (session, login, authd) for m in memory_of(pid)))
    name_found = sum(m.count(name.encode()) for m in memory_of(session))
    pop3.quit()
    assert name_found > 0  # that is, the search finds what is there
