# SPDX-License-Identifier: ISC
"""Each way to log in to POP3, by clients that nobody here wrote

A domain each has that way and no other, so that a client that takes another one does not come
in.  The bindings to a channel are in test_channel_binding.py; SCRAM-SHA-512 is spoken by Cyrus
SASL's own client alone.
"""

import base64
import os
import poplib
import pty
import re
import select
import stat
import subprocess
import tty

import pytest

from lib import certificate, sources
from lib.mail import deliver, message
from lib.secure import SecureSite, tls_first
from lib.wire import DEADLINE

MECHANISMS = ["PASS", "PLAIN", "LOGIN", "APOP", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1",
              "SCRAM-SHA-256", "SCRAM-SHA-512", "EXTERNAL"]
# Some clients have trouble with what is not ASCII, or a blank.
SECRET = "sesame-seed-7"
TEXT = b"nobody but the owner reads this"


def user_of(mechanism):
    return f"alice@{mechanism.lower()}.example"


class Site(SecureSite):
    """`.client`: the user's certificate for EXTERNAL."""

    def __init__(self):
        super().__init__(domains=[f"{m.lower()}.example" for m in MECHANISMS], policy=None,
                         socketmap=None, milter=None, auth={
                             "certificate_name": "subject-cn",
                             "rules": [f"domain {m.lower()}.example mechanisms {m}"
                                       for m in MECHANISMS]})
        authority = certificate.make_authority(self.dir, "ca")
        self.client = certificate.issue(self.dir, "client", f"/CN={user_of('EXTERNAL')}",
                                        authority)
        self.conf["tls"]["client_ca"] = [str(authority[0])]

    def prepare(self):
        self.init()
        for domain in self.domains:
            self.ctl("domain", "modify", domain, "--recoverable", "yes")
            self.add(f"alice@{domain}", SECRET)
        self.start()
        for domain in self.domains:
            deliver(self, f"alice@{domain}", message("secret", TEXT + b"\r\n"))
        return self


@pytest.fixture(scope="module")
def site():
    s = Site()
    try:
        yield s.prepare()
    finally:
        s.end()


def run(*argv, **kw):
    """What it printed, whether it was content or not."""
    return subprocess.run([str(a) for a in argv], capture_output=True, check=False,
                          timeout=DEADLINE * 3, **kw)


def private(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


def content(path):
    return path.read_bytes() if path.exists() else b""


# ---- the clients: what they fetched ---------------------------------------------------------


def curl(site, mechanism, name, password, _):
    word = "+APOP" if mechanism == "APOP" else mechanism
    shown = []
    if mechanism == "EXTERNAL":  # which it takes only where it has no password
        shown, password = ["--cert", site.client[0], "--key", site.client[1]], ""
    return run("curl", "-sS", "--insecure", "--login-options", f"AUTH={word}", *shown, "--user",
               f"{name}:{password}", f"pop3s://{site.pop3s}/1").stdout


def mpop(site, mechanism, name, password, folder):
    auth = "user" if mechanism == "PASS" else mechanism.lower()
    shown = f"tls_cert_file {site.client[0]}\ntls_key_file {site.client[1]}\n" \
        if mechanism == "EXTERNAL" else ""
    rc = private(folder / "mpoprc", f"""
account default
host 127.0.0.1
port {site.port("pop3s")}
user {name}
password {password}
auth {auth}
tls on
tls_starttls off
tls_certcheck off
{shown}keep on
received_header off
uidls_file {folder}/uidls
delivery mbox {folder}/got
""")
    run("mpop", "-C", rc)
    return content(folder / "got")


def fetchmail(site, mechanism, name, password, folder):
    how = {"APOP": "protocol APOP", "PASS": "protocol POP3 auth password",
           "CRAM-MD5": "protocol POP3 auth cram-md5"}[mechanism]
    rc = private(folder / "fetchmailrc", f"""
poll 127.0.0.1 {how} port {site.port("pop3s")} no dns
    user "{name}" password "{password}" ssl no sslcertck
    mda "cat >{folder}/got" keep
set no bouncemail
set invisible
""")
    run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", folder / "pid", "-i", folder / "ids",
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"})
    return content(folder / "got")


def getmail(site, mechanism, name, password, folder):
    rc = private(folder / "getmailrc", f"""
[retriever]
type = SimplePOP3SSLRetriever
server = 127.0.0.1
port = {site.port("pop3s")}
username = {name}
password = {password}
use_apop = {mechanism == "APOP"}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >{folder}/got")
allow_root_commands = true
[options]
received = false
""")
    run("getmail", f"--getmaildir={folder}", f"--rcfile={rc}")
    return content(folder / "got")


def python(site, mechanism, name, password, _):
    pop3 = poplib.POP3_SSL("127.0.0.1", site.port("pop3s"), context=certificate.client())
    try:
        if mechanism == "APOP":
            pop3.apop(name, password)
        else:
            pop3.user(name)
            pop3.pass_(password)
        return b"\r\n".join(pop3.retr(1)[1])
    except poplib.error_proto:
        return b""
    finally:
        pop3.close()


CLIENTS = {
    curl: ["PLAIN", "LOGIN", "APOP", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL"],
    mpop: ["PASS", "PLAIN", "LOGIN", "APOP", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1",
           "SCRAM-SHA-256", "EXTERNAL"],
    fetchmail: ["PASS", "APOP", "CRAM-MD5"],
    getmail: ["PASS", "APOP"],
    python: ["PASS", "APOP"],
}
ROWS = [(client, m) for client, mechanisms in CLIENTS.items() for m in mechanisms]


@pytest.mark.parametrize("client, mechanism", ROWS, ids=lambda x: getattr(x, "__name__", x))
def test_a_client_fetches_its_mail(site, tmp_path, client, mechanism):
    assert TEXT in client(site, mechanism, user_of(mechanism), SECRET, tmp_path)


@pytest.mark.parametrize("client, mechanism", ROWS, ids=lambda x: getattr(x, "__name__", x))
def test_and_nobody_elses(site, tmp_path, client, mechanism):
    """With a wrong password; by a certificate, as somebody else."""
    if mechanism == "EXTERNAL":
        name, password = user_of("PLAIN"), SECRET
    else:
        name, password = user_of(mechanism), SECRET + "x"
    assert TEXT not in client(site, mechanism, name, password, tmp_path)


def test_a_client_that_takes_another_way_does_not_come_in(site, tmp_path):
    assert TEXT not in mpop(site, "PLAIN", user_of("CRAM-MD5"), SECRET, tmp_path)
    assert TEXT not in curl(site, "CRAM-MD5", user_of("PLAIN"), SECRET, tmp_path)


# ---- SCRAM-SHA-512 ----------------------------------------------------------------------------


class Terminal:
    """A program that wants one, for a password."""

    def __init__(self, *argv):
        self.fd, theirs = pty.openpty()
        tty.setraw(theirs)
        self.process = subprocess.Popen(["setsid", "--ctty", *argv], stdin=theirs, stdout=theirs,
                                        stderr=theirs)
        os.close(theirs)
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)

    def send(self, line):
        os.write(self.fd, line + b"\n")

    def find(self, pattern):
        while not (m := re.search(pattern, self.said)):
            ready, _, _ = select.select([self.fd], [], [], DEADLINE)
            assert ready, f"no {pattern!r} in {self.said!r}"
            self.said += os.read(self.fd, 4096)
        self.said = self.said[m.end():]
        return m


def cyrus(site, mechanism, name, password):
    """sasl-sample-client makes the messages: the last answer to them."""
    with Terminal("sasl-sample-client", "-m", mechanism, "-s", "pop", "-n", "mx.example.org",
                  "-u", name, "-a", name) as client, tls_first(site) as wire:
        client.find(b"Waiting for mechanism list")
        client.send(b"S: " + base64.b64encode(mechanism.encode()))
        client.find(b"Password: ")
        client.send(password.encode())
        chosen, _, first = base64.b64decode(client.find(rb"C: (\S*)\r?\n")[1]).partition(b"\0")
        assert chosen == mechanism.encode()
        answer = wire.ask(b"AUTH " + chosen + b" " + base64.b64encode(first))
        while answer.startswith(b"+ "):
            client.send(b"S: " + answer[2:].strip())
            answer = wire.ask(client.find(rb"C: (\S*)\r?\n")[1])
        return answer


def test_scram_sha_512(site):
    name = user_of("SCRAM-SHA-512")
    assert cyrus(site, "SCRAM-SHA-512", name, SECRET).startswith(b"+OK 1 ")
    assert cyrus(site, "SCRAM-SHA-512", name, SECRET + "x").startswith(b"-ERR [AUTH]")


# ---- Kerberos ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kerberos():
    """(site, Kdc)"""
    with sources.Kdc("pop/localhost") as kdc:
        s = SecureSite(policy=None, socketmap=None, milter=None, hostname="localhost",
                       auth={"keytab": kdc.keytab, "default_domain": "example.org",
                             "rules": ["mechanisms GSSAPI"]})
        try:
            s.init()
            s.ctl("add", "alice@example.org")
            s.start(env=kdc.server_env)
            deliver(s, "alice@example.org", message("secret", TEXT + b"\r\n"))
            yield s, kdc
        finally:
            s.end()


def mpop_gssapi(site, env, folder):
    rc = private(folder / "mpoprc", f"""
account default
host localhost
port {site.port("pop3")}
user alice
auth gssapi
tls off
keep on
received_header off
uidls_file {folder}/uidls
delivery mbox {folder}/got
""")
    run("mpop", "-C", rc, env=env)
    return content(folder / "got")


def curl_gssapi(site, env, _):
    return run("curl", "-sS", "--login-options", "AUTH=GSSAPI", "--user", "alice@EXAMPLE.ORG:",
               f"pop3://localhost:{site.port('pop3')}/1", env=env).stdout


@pytest.mark.parametrize("client", [mpop_gssapi, curl_gssapi])
def test_gssapi(kerberos, tmp_path, client):
    site, kdc = kerberos
    kdc.kinit("nobody")
    assert TEXT not in client(site, kdc.env, tmp_path)
    kdc.kinit("alice")
    assert TEXT in client(site, kdc.env, tmp_path)
