# SPDX-License-Identifier: ISC
"""STARTTLS of ManageSieve: what was said before it counts for nothing, what is offered
behind it, and clients that others have written"""

import base64
import os
import signal
import subprocess

import pytest

from lib import certificate, place
from lib.managesieve import Client, plain, table
from lib.sasl import Scram, b64
from lib.site import PASSWORD, Site
from lib.wire import DEADLINE

KEEP = "keep;\n"


@pytest.fixture(scope="module")
def server():
    s = Site("sievetls", lmtp=None, pop3=None, policy=None, socketmap=None, milter=None)
    s.mail = certificate.make(s.dir, "mail", "localhost")
    s.conf["tls"] = certificate.settings(s.mail)
    # Nobody says a password in clear text, on this machine either.
    s.conf["auth"]["plaintext_without_tls"] = "never"
    s.conf["sieve"] = {"listen": [s.sieve]}
    try:
        yield s.init().start()
        s.assert_sound()
    finally:
        s.end()


@pytest.fixture
def name(server):
    return server.new_account()


def begin_tls(client):
    client.ok("STARTTLS")
    client.start_tls(certificate.client())
    client.greeting = client.answer()
    assert client.greeting.word == "OK"
    return client


@pytest.fixture
def client(server):
    with Client(server.sieve) as c:
        yield begin_tls(c)


# ---- what is offered -------------------------------------------------------------------------

def test_capabilities_change(server):
    with Client(server.sieve) as c:
        before = table(c.greeting)
        assert before["STARTTLS"] is None and "PLAIN" not in before["SASL"].split()
        after = table(begin_tls(c).greeting)
        assert "STARTTLS" not in after and "PLAIN" in after["SASL"].split()
        assert "SCRAM-SHA-256-PLUS" in after["SASL"].split()
        assert c.capabilities() == after
        assert c.no("STARTTLS") == "this is TLS"


def test_no_password_in_clear(server, name):
    with Client(server.sieve) as c:
        c.no(f'AUTHENTICATE "PLAIN" "{plain(name)}"', "ENCRYPT-NEEDED")
        c.no('AUTHENTICATE "LOGIN"', "ENCRYPT-NEEDED")
        begin_tls(c).log_in(name)
        c.log_out()


def test_what_was_said_before_tls_is_thrown_away(server, name):
    """CVE-2011-0411 and its kin: in one segment with STARTTLS."""
    with Client(server.sieve) as c:
        c.send('STARTTLS\r\nNOOP "injected"\r\nAUTHENTICATE "PLAIN" '
               f'"{plain(name)}"\r\nLISTSCRIPTS\r\n')
        assert c.answer().text == "begin TLS"
        c.start_tls(certificate.client())
        c.greeting = c.answer()
        assert c.ok('NOOP "mine"', 'TAG "mine"').data == []
        assert c.no("LISTSCRIPTS") == "log in first"


def test_half_a_command_before_tls_is_no_half_after(server):
    with Client(server.sieve) as c:
        c.send("STARTTLS\r\nNOOP {100+}\r\n")
        assert c.answer().text == "begin TLS"
        c.start_tls(certificate.client())
        assert c.answer().word == "OK"
        c.ok("NOOP")


def log_in(client, mechanism, scram):
    client.send(f'AUTHENTICATE "{mechanism}" "{b64(scram.first())}"\r\n')
    challenge = base64.b64decode(client.line().strip()[1:-1])
    answer = client.say(f'"{b64(scram.proof(challenge))}"')
    assert answer.word == "OK"
    assert answer.code == f'SASL "{b64(b"v=" + scram.server_signature)}"'


def test_a_channel_is_bound(server, name, client):
    binding = certificate.end_point(server.mail[0])
    log_in(client, "SCRAM-SHA-256-PLUS",
           Scram(name, PASSWORD, "sha256", b"p=tls-server-end-point,,", binding))
    client.log_out()


def test_tls_after_a_session_in_clear(server, name):
    with Client(server.sieve) as c:
        log_in(c, "SCRAM-SHA-256", Scram(name, PASSWORD, "sha256"))
        c.no("STARTTLS")
        c.ok("UNAUTHENTICATE")
        assert "STARTTLS" in c.capabilities()
        begin_tls(c).log_in(name)
        c.ok("UNAUTHENTICATE")
        assert "STARTTLS" not in c.capabilities()
        c.log_in(name).log_out()


# ---- sessions ------------------------------------------------------------------------------------

def test_a_session(client, name):
    client.log_in(name)
    text = "# " + "x" * 60000 + "\nkeep;"
    assert client.put("a", text).word == "OK"
    assert client.get("a") == text
    client.log_out()


def test_the_next_one(server, client, name):
    """The TLS stays as it is; its bindings are known to nobody any more."""
    other = server.new_account()
    client.log_in(name)
    assert client.put("a", KEEP).word == "OK"
    client.send('UNAUTHENTICATE\r\nNOOP "behind"\r\n')
    assert client.answer().word == "OK"
    assert client.answer().code == 'TAG "behind"'
    offered = client.capabilities()
    assert "STARTTLS" not in offered and "OWNER" not in offered
    assert "PLAIN" in offered["SASL"].split() and "-PLUS" not in offered["SASL"]
    for who, scripts in ((other, {}), (name, {"a": False}), (other, {})):
        client.log_in(who)
        assert client.scripts() == scripts
        client.ok("UNAUTHENTICATE")
    client.ok("LOGOUT")
    client.assert_over()


def test_a_login_process_that_is_killed_ends_its_tls(server, client, name):
    client.log_in(name)
    for pid in server.daemon.workers("popstore-login"):
        os.kill(pid, signal.SIGKILL)
    # An end without a farewell: TLS has none.
    try:
        assert client.rest() == b""
    except OSError:
        pass
    with Client(server.sieve) as c:
        begin_tls(c).log_in(name).log_out()


# ---- clients of others -------------------------------------------------------------------------------

def sieve_connect(server, name, *args, status=0):
    host, port = "localhost", server.sieve.split(":")[1]
    done = subprocess.run(
        [place.tool("sieve-connect"), "-4", "--server", host, "--port", port, "--user", name,
         "--tlscafile", str(server.mail[0]), "--passwordfd", "0", *args],
        input=PASSWORD + "\n", capture_output=True, text=True, timeout=DEADLINE * 3,
        check=False, cwd=server.dir)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_sieve_connect(server, name):
    local = server.dir / "local.sieve"
    local.write_text(KEEP, encoding="ascii")

    def run(*args, **kw):
        return sieve_connect(server, name, *args, **kw)

    run("--localsieve", str(local), "--remotesieve", "mine", "--upload")
    run("--remotesieve", "mine", "--activate")
    assert '"mine" ACTIVE' in run("--list")
    local.unlink()
    run("--localsieve", str(local), "--remotesieve", "mine", "--download")
    assert local.read_text(encoding="ascii") == KEEP
    local.write_text("foo;\n", encoding="ascii")
    bad = subprocess.run(
        [place.tool("sieve-connect"), "-4", "--server", "localhost", "--port",
         server.sieve.split(":")[1], "--user", name, "--tlscafile", str(server.mail[0]),
         "--passwordfd", "0", "--localsieve", str(local), "--remotesieve", "mine", "--upload"],
        input=PASSWORD + "\n", capture_output=True, text=True, timeout=DEADLINE * 3,
        check=False)
    assert "there is no command 'foo'" in bad.stdout + bad.stderr
    run("--deactivate")
    run("--remotesieve", "mine", "--delete")
    assert "mine" not in run("--list")


def sievelib_client(server, name, **how):
    from sievelib.managesieve import Client as Sievelib

    host, port = server.sieve.split(":")
    client = Sievelib(host, int(port))
    client.read_timeout = DEADLINE
    assert client.connect(name, PASSWORD, **how), client.errmsg
    return client


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_sievelib(server, name, mechanism):
    client = sievelib_client(server, name, starttls=True, authmech=mechanism)
    assert client.havespace("mine", 100)
    assert client.putscript("mine", KEEP)
    assert client.listscripts()[1] == ["mine"]
    assert client.setactive("mine")
    assert client.listscripts()[0] == "mine"
    assert client.getscript("mine").replace("\r\n", "\n").strip() == KEEP.strip()
    assert not client.putscript("bad", "foo;\n")
    assert b"there is no command 'foo'" in client.errmsg
    assert not client.havespace("mine", 10 << 20)
    assert client.errcode == b"QUOTA/MAXSIZE"
    assert client.checkscript(KEEP)
    assert client.renamescript("mine", "other")
    assert client.listscripts()[0] == "other"
    assert client.setactive("")
    assert client.deletescript("other")
    client.logout()
