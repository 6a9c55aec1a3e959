# SPDX-License-Identifier: ISC
"""popstore-sieved: the commands of RFC 5804, and what must not come of bad input"""

import base64
import os
import signal
import threading
from pathlib import Path

import pytest

from lib.mail import Lmtp, fetch_all, message
from lib.managesieve import Client, plain, quoted
from lib.sasl import Scram, b64
from lib.site import PASSWORD, Site
from lib.talk import Talker
from lib.wire import wait_until

MAX_SCRIPTS, MAX_SIZE = 3, 4000
ERRORS = 'keep;\nfoo;\nif true { bar "x"; }\n'


@pytest.fixture(scope="module")
def server():
    s = Site("managesieve", policy=None, socketmap=None, milter=None,
             sieve={"max_scripts": MAX_SCRIPTS, "max_script_size": MAX_SIZE})
    s.conf["sieve"]["listen"] = [s.sieve]
    try:
        yield s.init().start()
        s.assert_sound()
        s.daemon.assert_no_errors()
    finally:
        s.end()


@pytest.fixture
def name(server):
    return server.new_account()


@pytest.fixture
def client(server, name):
    with Client(server.sieve) as c:
        yield c.log_in(name)


@pytest.fixture
def talk(server, way):
    return Talker(server.sieve, way)


# ---- conversations ---------------------------------------------------------------------------

GREETED = """
    < "IMPLEMENTATION" "popstore"
    < "SASL" "*PLAIN*"
    < "SIEVE" "*envelope*"
    < "NOTIFY" "mailto"
    < "MAXREDIRECTS" "*"
    < "UNAUTHENTICATE"
    < "VERSION" "1.0"
    < OK
"""


def test_before_login(talk):
    talk.talk(GREETED + r"""
    > capability
    < ...
    < OK
    > NOOP
    < OK "done"
    > NOOP "a \\"b\\""
    < OK (TAG "a \"b\"") "done"
    > LISTSCRIPTS
    < NO "log in first"
    > PUTSCRIPT "a" {8+}
    > LOGOUT
    >
    < NO "log in first"
    > STARTTLS
    < NO "there is no TLS"
    > UNAUTHENTICATE
    < NO "log in first"
    > AUTHENTICATE "GSSAPI"
    < NO "no such mechanism here"
    > LOGOUT
    < OK "goodbye"
    <eof
    """)


def test_a_life(talk, name):
    talk.talk(GREETED + rf"""
    > AUTHENTICATE "PLAIN" "{plain(name)}"
    ---
    < OK "logged in"
    > LISTSCRIPTS
    < OK
    > HAVESPACE "main" 100
    < OK
    > PUTSCRIPT "main" {{5+}}
    > keep;
    < OK
    > PUTSCRIPT "\xc3\xa4 / ../x" {{5}}
    > stop;
    < OK
    > CHECKSCRIPT "discard;"
    < OK
    > SETACTIVE "main"
    < OK
    > LISTSCRIPTS
    < "main" ACTIVE
    < "{chr(0xe4)} / ../x"
    < OK
    > DELETESCRIPT "main"
    < NO (ACTIVE) "*"
    > RENAMESCRIPT "main" "new"
    < OK
    > GETSCRIPT "main"
    < NO (NONEXISTENT) "*"
    > GETSCRIPT "new"
    < "keep;"
    < OK
    > RENAMESCRIPT "new" "{chr(0xe4)} / ../x"
    < NO (ALREADYEXISTS) "*"
    > SETACTIVE ""
    < OK
    > SETACTIVE ""
    < OK
    > DELETESCRIPT {{3+}}
    > new
    < OK
    > DELETESCRIPT "new"
    < NO (NONEXISTENT) "*"
    > AUTHENTICATE "PLAIN" "{plain(name)}"
    < NO "only before the login"
    > LOGOUT
    < OK "goodbye"
    <eof
    """)


# ---- logging in --------------------------------------------------------------------------------

@pytest.mark.parametrize("hash_name,mechanism", [("sha1", "SCRAM-SHA-1"),
                                                 ("sha256", "SCRAM-SHA-256")])
@pytest.mark.parametrize("initial", [True, False])
def test_scram(server, name, hash_name, mechanism, initial):
    scram = Scram(name, PASSWORD, hash_name)

    def challenge(line):
        return base64.b64decode(line.strip()[1:-1])

    with Client(server.sieve) as c:
        if initial:
            c.send(f'AUTHENTICATE "{mechanism}" "{b64(scram.first())}"\r\n')
        else:
            c.send(f'AUTHENTICATE "{mechanism}"\r\n')
            assert c.line() == b'""\r\n'
            first = b64(scram.first())
            c.send(f"{{{len(first)}+}}\r\n{first}\r\n")
        proof = b64(scram.proof(challenge(c.line())))
        answer = c.say(quoted(proof))
        assert answer.word == "OK"
        assert answer.code == f'SASL "{b64(b"v=" + scram.server_signature)}"'
        assert c.capabilities()["OWNER"] == name
        c.log_out()


def test_wrong_passwords(server, name):
    with Client(server.sieve) as c:
        for who in (name, server.new_name("nobody")):
            said = c.no(f'AUTHENTICATE "PLAIN" "{plain(who, "wrong")}"')
            assert said == "name or password is wrong"
        answer = c.say(f'AUTHENTICATE "PLAIN" "{plain(name, "wrong")}"')
        assert (answer.word, answer.text) == ("BYE", "name or password is wrong")
        c.assert_over()


def test_who_may_not_log_in(server):
    name = server.new_account(flags="disuser")
    with Client(server.sieve) as c:
        assert c.no(f'AUTHENTICATE "PLAIN" "{plain(name)}"') == "name or password is wrong"


def test_the_next_one(server, client, name):
    other = server.new_account()
    assert client.put("a", "keep;").word == "OK"
    client.send("UNAUTHENTICATE\r\nNOOP \"x\"\r\n")
    assert client.answer().word == "OK"
    assert client.answer().code == 'TAG "x"'
    assert client.no("LISTSCRIPTS") == "log in first"
    assert "OWNER" not in client.capabilities()
    client.log_in(other)
    assert client.scripts() == {}
    client.ok("UNAUTHENTICATE")
    client.log_in(name)
    assert client.scripts() == {"a": False}
    client.log_out()


# ---- scripts ----------------------------------------------------------------------------------------

def test_all_errors_are_told(client):
    for command in (client.put("a", ERRORS),
                    client.say(f"CHECKSCRIPT {{{len(ERRORS)}+}}\r\n{ERRORS}")):
        assert command.word == "NO"
        assert command.text.split("\r\n") == [
            "line 2, column 1: there is no command 'foo'",
            "line 3, column 11: there is no command 'bar'"]
    assert client.scripts() == {}


def test_warnings_are_told(client):
    text = 'require ["envelope",\n "date"];\nkeep; stop;\nif true { stop; }\ndiscard;\n'
    for answer in (client.put("a", text),
                   client.say(f"CHECKSCRIPT {{{len(text)}+}}\r\n{text}")):
        assert (answer.word, answer.code) == ("OK", "WARNINGS")
        assert answer.text.split("\r\n") == [
            "line 4, column 1: this is never reached: 'stop' stands before it",
            'line 1, column 10: "envelope" is required, and not used',
            'line 2, column 2: "date" is required, and not used']
    assert client.get("a").replace("\r\n", "\n") == text
    assert client.put("a", 'require "date"; if currentdate "year" "2026" { stop; }').code == ""


def test_a_bad_text_leaves_the_old_one(client):
    assert client.put("a", "keep;").word == "OK"
    assert client.put("a", ERRORS).word == "NO"
    assert client.put("a", "").text == "this script is empty"
    assert client.get("a") == "keep;"


def test_octets_stay_as_they_are(client):
    text = "# \u00e4 \u2028 \\ \" \t\r\nkeep;\n\nstop; # no end"
    assert client.put("a", text).word == "OK"
    assert client.get("a") == text


def test_quotas(client):
    assert client.put("a", "keep;#".ljust(MAX_SIZE, "x")).word == "OK"
    assert client.put("a", "keep;#".ljust(MAX_SIZE + 1, "x")).code == "QUOTA/MAXSIZE"
    assert client.put("a", "#".ljust(3 << 20, "x")).code == "QUOTA/MAXSIZE"
    client.ok(f'HAVESPACE "a" {MAX_SIZE}')
    client.no(f'HAVESPACE "a" {MAX_SIZE + 1}', "QUOTA/MAXSIZE")
    for i in range(1, MAX_SCRIPTS):
        assert client.put(str(i), "keep;").word == "OK"
    client.no('HAVESPACE "b" 5', "QUOTA/MAXSCRIPTS")
    client.ok('HAVESPACE "a" 5')
    assert client.put("b", "keep;").code == "QUOTA/MAXSCRIPTS"
    # A rename is no new one, and what is only checked knows no quota (s2.12).
    client.ok('RENAMESCRIPT "a" "b"')
    text = "keep;#".ljust(MAX_SIZE + 1, "x")
    client.ok(f"CHECKSCRIPT {{{len(text)}+}}\r\n{text}")


@pytest.mark.parametrize("script", ["../../profile", "/etc/passwd", ".", "a/b", "\u00e4" * 128,
                                    "\U0001f600" * 128, "-", "a\\\"b"])
def test_names_are_no_paths(client, script):
    assert client.put(script, "keep;").word == "OK"
    client.ok(f"SETACTIVE {quoted(script)}")
    assert client.scripts() == {script: True}
    client.ok('SETACTIVE ""')
    client.ok(f"DELETESCRIPT {quoted(script)}")


@pytest.mark.parametrize("script", ["", "a\tb", "a\x01", "\x7f", "\u0085", "\u2028", "x" * 513])
def test_what_is_no_name(client, script):
    for command in (f"GETSCRIPT {quoted(script)}", f"DELETESCRIPT {quoted(script)}",
                    f"HAVESPACE {quoted(script)} 5", f'RENAMESCRIPT "a" {quoted(script)}'):
        assert "a script's name" in client.no(command)
    assert client.put(script, "keep;").word == "NO"
    assert client.say(b"GETSCRIPT \"\xff\"").word == "NO"
    assert client.scripts() == {}


def test_what_is_put_filters(server, name, client):
    assert client.put("spam", 'if header "subject" "spam" { discard; }').word == "OK"

    def deliver():
        with Lmtp(server.lmtp_socket) as lmtp:
            lmtp.send([name], message("spam"))
        return len(fetch_all(server, name, delete=True))

    assert deliver() == 1
    client.ok('SETACTIVE "spam"')
    assert deliver() == 0
    client.ok('RENAMESCRIPT "spam" "other"')
    assert deliver() == 0
    client.ok('SETACTIVE ""')
    assert deliver() == 1


def test_at_once(server, name):
    """Two who put the same name: one of the texts is there, and whole."""
    texts = [f"# {i} ".ljust(3000, "x") + "\nkeep;" for i in range(4)]
    clients = [Client(server.sieve).log_in(name) for _ in texts]
    words = []

    def put(client, text):
        for _ in range(5):
            words.append(client.put("a", text).word)

    threads = [threading.Thread(target=put, args=x) for x in zip(clients, texts)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert words == ["OK"] * 20
    assert clients[0].get("a") in texts
    assert clients[0].scripts() == {"a": False}
    for c in clients:
        c.log_out()


def test_what_others_did_is_seen(server, name, client):
    assert client.put("a", "keep;").word == "OK"
    server.ctl("sieve", "activate", name, "a")
    assert client.scripts() == {"a": True}
    server.ctl("delete", name)
    client.no("LISTSCRIPTS")
    assert client.answer().word == "BYE"
    client.assert_over()


# ---- bad input --------------------------------------------------------------------------------------

def test_literals_are_no_commands(client):
    """Of what is refused, too."""
    client.send('FOO {8+}\r\nLOGOUT\r\n\r\nGETSCRIPT (a) {10+}\r\n\r\nLOGOUT\r\n\r\n'
                'PUTSCRIPT "a" "b" "c" "d" {8}\r\nLOGOUT\r\n\r\nNOOP "end"\r\n')
    assert [client.answer().word for _ in range(3)] == ["NO"] * 3
    assert client.answer().code == 'TAG "end"'


def test_a_long_string_is_passed_over(server):
    with Client(server.sieve) as c:
        assert c.no("AUTHENTICATE \"PLAIN\" {100000+}\r\n" + "A" * 100000) == \
            "this string is too long"
        c.ok("NOOP")


@pytest.mark.parametrize("octets", ['PUTSCRIPT "a" {4294967295+}\r\n', 'NOOP "\0"\r\n',
                                    'PUTSCRIPT "a" {300000+}\r\n'])
def test_who_sends_too_much_is_cut_off(server, octets):
    with Client(server.sieve) as c:
        c.send(octets)
        assert c.answer().word == "BYE"
        c.assert_over()


def test_a_huge_script_is_not_waited_for(client):
    client.send('PUTSCRIPT "a" {100000000+}\r\n')
    assert client.answer().word == "BYE"
    client.assert_over()


def test_ten_errors(client):
    for _ in range(9):
        client.no("FOO")
    assert client.say("FOO").word == "BYE"
    client.assert_over()


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02",
                                   b"EHLO x\r\n"])
def test_another_protocol(server, first):
    with Client(server.sieve) as c:
        c.send(first)
        c.assert_over()


def test_garbage_between_logins(server, name):
    """What was sent behind UNAUTHENTICATE goes along, octet for octet."""
    with Client(server.sieve) as c:
        c.log_in(name)
        c.send("UNAUTHENTICATE\r\nPUTSCRIPT \"a\" {5+}\r\nke")
        assert c.answer().word == "OK"
        c.send("ep;\r\nNOOP \"x\"\r\n")
        assert c.answer().text == "log in first"
        assert c.answer().code == 'TAG "x"'


def test_much_behind_a_logout(server, name):
    with Client(server.sieve) as c:
        c.log_in(name)
        c.send("UNAUTHENTICATE\r\n" + 'NOOP "x"\r\n' * 2000 +
               f'AUTHENTICATE "PLAIN" "{plain(name)}"\r\n')
        assert c.answer().word == "OK"
        for _ in range(2000):
            assert c.answer().code == 'TAG "x"'
        assert c.answer().text == "logged in"
        c.log_out()


# ---- limits and troubles ---------------------------------------------------------------------------

@pytest.fixture
def own(make_site):
    def start(auth=None, **sieve):
        site = make_site(sieve=sieve, auth=auth or {}, lmtp=None, pop3=None, policy=None, socketmap=None,
                         milter=None)
        site.conf["sieve"]["listen"] = [site.sieve]
        site.write_conf()
        site.add("alice@example.org")
        return site.start()

    return start


ALICE = "alice@example.org"


def test_before_login_time_is_short(own):
    site = own(login_timeout="1s")
    with Client(site.sieve) as c:
        assert c.answer().word == "BYE"
        c.assert_over()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        c.send("UNAUTHENTICATE\r\n")
        assert c.answer().word == "OK"
        assert c.answer().word == "BYE"
        c.assert_over()


def test_one_too_many_of_an_address(own):
    site = own(proxy_networks=["127.0.0.1"], max_per_address=2,
               auth={"plaintext_without_tls": "always"})

    def come(address):
        c = Client(site.sieve, greeted=False)
        c.send(f"PROXY TCP4 {address} 192.0.2.99 1234 4190\r\n")
        return c, c.answer()

    here = [come("192.0.2.1") for _ in range(2)]
    assert [answer.word for _, answer in here] == ["OK", "OK"]
    c, answer = come("192.0.2.1")
    assert (answer.word, answer.code) == ("BYE", "TRYLATER")
    c.assert_over()
    other, answer = come("192.0.2.2")
    assert answer.word == "OK"
    # Who has logged in counts no more, and again when he has logged out and stays.
    here[0][0].log_in(ALICE)
    third, answer = come("192.0.2.1")
    assert answer.word == "OK"
    answer = here[0][0].say("UNAUTHENTICATE")
    assert (answer.word, answer.code) == ("BYE", "TRYLATER")
    for c in (other, third, here[0][0], here[1][0]):
        c.close()


def test_one_session_too_many(own):
    site = own(max_connections=1)
    first = Client(site.sieve).log_in(ALICE)
    with Client(site.sieve) as c:
        answer = c.say(f'AUTHENTICATE "PLAIN" "{plain(ALICE)}"')
        assert (answer.word, answer.code) == ("BYE", "TRYLATER")
        c.assert_over()
    first.log_out()


def test_a_disk_that_fails(own):
    site = own()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        (account,) = Path(site.root).glob("accounts/*/*/alice@example.org")
        (account / "sieve").write_text("no directory", encoding="ascii")
        assert c.put("a", "keep;").code == "TRYLATER"
        c.ok("NOOP")
        (account / "sieve").unlink()
        assert c.put("a", "keep;").word == "OK"
    site.daemon.wait_for("event=managesieve.script.failed level=error .*account=alice@example.org")


def test_a_damaged_script_is_not_served(own):
    site = own()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        assert c.put("a", "keep; # a text").word == "OK"
        assert c.put("b", "keep;").word == "OK"
        for path in Path(site.root).glob("accounts/*/*/*/sieve/*"):
            octets = path.read_bytes()
            if b"# a text" in octets:
                path.write_bytes(octets.replace(b"# a text", b"# B text"))
        c.no('GETSCRIPT "a"', "TRYLATER")
        assert c.scripts() == {"b": False}
        c.no('SETACTIVE "a"', "TRYLATER")
        # The owner has the text, and mends it.
        assert c.put("a", "keep;").word == "OK"
        assert c.scripts() == {"a": False, "b": False}


def test_processes_that_are_killed(own):
    site = own()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        assert c.put("a", "keep;").word == "OK"
        (pid,) = site.daemon.workers("popstore-sieved")
        os.kill(pid, signal.SIGKILL)
        c.assert_over()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        assert c.scripts() == {"a": False}
        (pid,) = site.daemon.workers("popstore-login")
        os.kill(pid, signal.SIGKILL)
        # In clear text the session has the connection to itself.
        c.ok("NOOP")
        c.log_out()


def test_a_stop_says_so(own):
    site = own()
    with Client(site.sieve) as c, Client(site.sieve) as idle:
        c.log_in(ALICE)
        site.stop()
        assert c.answer().code == "TRYLATER"
        c.assert_over()
        assert idle.rest() == b""


def test_a_reload_keeps_sessions(own):
    site = own()
    with Client(site.sieve) as c:
        c.log_in(ALICE)
        before = set(site.daemon.workers("popstore-sieved"))
        mark = site.daemon.mark()
        os.kill(site.daemon.process.pid, signal.SIGHUP)
        site.daemon.wait_for("event=dispatch.ready", mark)
        wait_until("a new process", lambda: set(site.daemon.workers("popstore-sieved")) - before)
        assert c.put("a", "keep;").word == "OK"
        # Whoever is the login process by then takes the connection.
        c.ok("UNAUTHENTICATE")
        c.log_in(ALICE)
        assert c.scripts() == {"a": False}
        c.log_out()
