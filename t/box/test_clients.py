# SPDX-License-Identifier: ISC
"""Clients that nobody here wrote: bytes are compared, and what is left behind."""

import re
import smtplib
import stat
import subprocess

import pytest

from lib import place
from lib.mail import HARD_BODY, Pop3, deliver, fetch_all, message
from lib.site import PASSWORD
from lib.wire import DEADLINE


def run(*argv, ok=(0,), **kw):
    done = subprocess.run([str(a) for a in argv], capture_output=True, check=False,
                          timeout=DEADLINE * 3, **kw)
    assert done.returncode in ok, f"{argv}: {done.returncode}\n" \
        f"{done.stdout[-3000:].decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
    return done


def private(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


@pytest.fixture
def filled(site, account):
    """An account with three messages, and what they hold."""
    contents = [message("first"), message("hard", HARD_BODY), message("last", b"no more\r\n")]
    for content in contents:
        deliver(site, account, content)
    return account, fetch_all(site, account)


def host_port(address):
    return address.split(":")


def unix_lines(data):
    return data.replace(b"\r\n", b"\n")


# ---- POP3 ---------------------------------------------------------------------------


def test_poplib(site, filled):
    name, messages = filled
    pop3 = Pop3(site, name)
    assert pop3.stat() == (3, sum(map(len, messages)))
    assert [int(line.split()[1]) for line in pop3.list()[1]] == [len(m) for m in messages]
    uidls = [line.split()[1] for line in pop3.uidl()[1]]
    assert all(re.fullmatch(rb"[\x21-\x7e]{1,70}", u) for u in uidls) and len(set(uidls)) == 3
    assert "UIDL" in pop3.capa() and "TOP" in pop3.capa()
    head, body = messages[1].split(b"\r\n\r\n", 1)
    top = b"".join(line + b"\r\n" for line in pop3.top(2, 4)[1])
    assert top == head + b"\r\n\r\n" + b"".join(body.splitlines(True)[:4])
    pop3.dele(2)
    pop3.rset()
    pop3.dele(1)
    pop3.quit()
    pop3 = Pop3(site, name)
    assert [line.split()[1] for line in pop3.uidl()[1]] == uidls[1:]
    pop3.quit()
    assert fetch_all(site, name) == messages[1:]


def test_curl(site, filled, tmp_path):
    name, messages = filled
    login = private(tmp_path / "netrc", f'machine 127.0.0.1 login {name} password "{PASSWORD}"\n')
    curl = ["curl", "-sS", "--netrc-file", login, "--max-time", DEADLINE]
    url = f"pop3://{site.pop3}"
    for i, content in enumerate(messages, 1):
        assert run(*curl, f"{url}/{i}").stdout == content
    assert run(*curl, f"{url}/").stdout.split() == \
        [b"%d" % n for i, m in enumerate(messages, 1) for n in (i, len(m))]
    assert len(run(*curl, "-X", "UIDL", f"{url}/").stdout.splitlines()) == 3
    head, _, body = messages[1].partition(b"\r\n\r\n")
    assert run(*curl, "-X", "TOP 2 1", f"{url}/").stdout == \
        head + b"\r\n\r\n" + body.splitlines(True)[0]
    run(*curl, f"{url}/9", ok=[8])  # -ERR
    run(*curl, "-X", "DELE 2", "--head", f"{url}/")
    assert fetch_all(site, name) == [messages[0], messages[2]]


def test_curl_with_a_wrong_password(site, filled, tmp_path):
    name, _ = filled
    login = private(tmp_path / "netrc", f"machine 127.0.0.1 login {name} password wrong\n")
    done = run("curl", "-sS", "--netrc-file", login, f"pop3://{site.pop3}/1", ok=[67])  # login denied
    assert done.stdout == b""


class Box:
    """A place for fetched mail: a program that keeps each message in a file."""

    def __init__(self, path):
        self.dir = path / "box"
        self.dir.mkdir()
        self.mda = path / "mda"
        self.mda.write_text(f'#!/bin/sh\nexec cat > "$(mktemp {self.dir}/XXXXXXXX)"\n')
        self.mda.chmod(0o755)

    def take(self):
        """What arrived since, as a sorted list."""
        out = []
        for path in self.dir.iterdir():
            out.append(path.read_bytes())
            path.unlink()
        return sorted(out)


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def fetchmail(site, name, box, tmp_path, *options):
    """Its own additions are switched off as far as it lets us."""
    host, port = host_port(site.pop3)
    rc = private(tmp_path / "fetchmailrc", f'''
poll {host} protocol POP3 port {port} no dns uidl
    user "{name}" password "{PASSWORD}" sslproto "" {' '.join(options)}
    mda "{box.mda}" no rewrite no mimedecode pass8bits
set no bouncemail
set invisible
''')
    # 1: no mail
    run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", tmp_path / "pid", "-i",
        tmp_path / "fetchids", ok=(0, 1), env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path),
                                              "LC_ALL": "C.UTF-8"})


def test_fetchmail_keeps_and_remembers(site, filled, box, tmp_path):
    name, messages = filled
    expected = sorted(unix_lines(m) for m in messages)
    fetchmail(site, name, box, tmp_path, "keep")
    assert box.take() == expected
    fetchmail(site, name, box, tmp_path, "keep")
    assert box.take() == [], "the UIDLs did not stay the same"
    deliver(site, name, message("fresh"))
    fetchmail(site, name, box, tmp_path, "keep")
    (fresh,) = box.take()
    assert b"Subject: fresh\n" in fresh
    assert len(fetch_all(site, name)) == 4


def test_fetchmail_deletes(site, filled, box, tmp_path):
    name, messages = filled
    fetchmail(site, name, box, tmp_path, "no keep", "fetchall")
    assert box.take() == sorted(unix_lines(m) for m in messages)
    assert fetch_all(site, name) == []


def mpop(site, name, box, tmp_path, keep):
    host, port = host_port(site.pop3)
    rc = private(tmp_path / "mpoprc", f'''
account default
host {host}
port {port}
user {name}
password {PASSWORD}
auth user
tls off
keep {'on' if keep else 'off'}
received_header off
uidls_file {tmp_path}/uidls
delivery mda {box.mda}
''')
    run("mpop", "-C", rc)


def getmail(site, name, box, tmp_path, keep):
    host, port = host_port(site.pop3)
    rc = private(tmp_path / "getmailrc", f'''
[retriever]
type = SimplePOP3Retriever
server = {host}
port = {port}
username = {name}
password = {PASSWORD}
[destination]
type = MDA_external
path = {box.mda}
allow_root_commands = true
[options]
delete = {str(not keep).lower()}
read_all = false
delivered_to = false
received = false
''')
    run("getmail", f"--getmaildir={tmp_path}", f"--rcfile={rc}")


@pytest.mark.parametrize("client", [mpop, getmail])
def test_mpop_and_getmail(site, filled, box, tmp_path, client):
    name, messages = filled
    client(site, name, box, tmp_path, keep=True)
    assert box.take() == sorted(unix_lines(m) for m in messages)
    client(site, name, box, tmp_path, keep=True)
    assert box.take() == [], "the UIDLs did not stay the same"
    deliver(site, name, message("fresh"))
    client(site, name, box, tmp_path, keep=False)
    assert len(box.take()) == 1
    assert fetch_all(site, name) == [], "they delete what they had seen before as well"


# ---- LMTP ---------------------------------------------------------------------------


@pytest.fixture(params=["tcp", "unix"])
def lmtp_address(site, request):
    return site.lmtp if request.param == "tcp" else site.lmtp_socket


def test_smtplib(site, lmtp_address):
    names = [site.new_account() for _ in range(3)]
    content = message("smtplib", HARD_BODY)
    host, port = (lmtp_address, 0) if lmtp_address.startswith("/") else host_port(lmtp_address)
    with smtplib.LMTP(host, int(port), local_hostname="client.example.com") as lmtp:
        lmtp.ehlo()
        for extension in ("pipelining", "8bitmime", "enhancedstatuscodes", "size", "chunking",
                          "smtputf8"):
            assert lmtp.has_extn(extension)
        # Its sendmail() knows of one answer to a message, as in SMTP.
        assert lmtp.sendmail("sender@example.com", names[:1], content, ["BODY=8BITMIME"]) == {}
        assert lmtp.mail("sender@example.com")[0] == 250
        assert [lmtp.rcpt(n)[0] for n in (names[1], "nobody@example.org", names[2])] == \
            [250, 550, 250]
        assert lmtp.data(content)[0] == 250
        assert lmtp.getreply()[0] == 250
    for name in names:
        (stored,) = fetch_all(site, name)
        assert stored.endswith(content)


def test_swaks(site, lmtp_address, tmp_path):
    names = [site.new_account() for _ in range(2)]
    content = message("swaks", HARD_BODY)
    data = tmp_path / "message"
    # swaks reads local line ends, stuffs dots, and adds an empty line.
    data.write_bytes(unix_lines(content))
    where = ["--socket", lmtp_address] if lmtp_address.startswith("/") else \
        ["--server", lmtp_address]
    done = run("swaks", "--protocol", "LMTP", *where, "--from", "sender@example.com",
               "--to", ",".join(names), "--data", f"@{data}", "--pipeline")
    assert done.stdout.count(b"<-  250 2.1.5") >= 2
    for name in names:
        (stored,) = fetch_all(site, name)
        assert stored.endswith(content + b"\r\n")


def test_swaks_is_told_of_each_recipient(site):
    good = site.new_account()
    done = run("swaks", "--protocol", "LMTP", "--server", site.lmtp, "--from",
               "sender@example.com", "--to", f"nobody@example.org,{good}")
    assert b"<** 550 5.1.1" in done.stdout
    assert len(fetch_all(site, good)) == 1


def test_smtp_source(site):
    """Hundreds of messages over several sessions at once; none is lost or doubled."""
    name = site.new_account()
    host, port = host_port(site.lmtp)
    before = site.message_files()
    run(place.tool("smtp-source"), "-L", "-s", 8, "-m", 400, "-l", 4000, "-f",
        "sender@example.com", "-t", name, "-S", "load", f"inet:{host}:{port}")
    pop3 = Pop3(site, name)
    count, octets = pop3.stat()
    sizes = [int(line.split()[1]) for line in pop3.list()[1]]
    uidls = {line.split()[1] for line in pop3.uidl()[1]}
    ids = set()
    for i in range(count):
        content = pop3.bytes_of(i + 1)
        assert len(content) == sizes[i] and b"Subject: load\r\n" in content
        ids.add(re.search(rb"Message-Id: <(.*?)>", content)[1])
    pop3.quit()
    assert count == len(uidls) == len(ids) == len(site.message_files() - before) == 400
    assert octets == sum(sizes)


def test_smtp_source_to_many(site):
    """smtp-source makes recipients 50name ... 2name, name: they share the file."""
    local = site.new_name("source").split("@")[0]
    names = [f"{i}{local}@example.org" for i in range(2, 51)] + [f"{local}@example.org"]
    site.add_many(names)
    before = site.message_files()
    run(place.tool("smtp-source"), "-L", "-s", 2, "-m", 4, "-r", 50, "-f", "sender@example.com",
        "-t", f"{local}@example.org", f"unix:{site.lmtp_socket}")
    assert len(site.message_files() - before) == 4
    counts = []
    for name in names:
        pop3 = Pop3(site, name)
        counts.append(pop3.stat()[0])
        pop3.quit()
    assert counts == [4] * 50


# ---- milter ---------------------------------------------------------------------------

MILTERTEST = """
conn = mt.connect("inet:%(port)s@127.0.0.1")
-- connect and helo are steps that our filter asks to be left out
assert(mt.mailfrom(conn, "<sender@example.com>"%(args)s) == nil)
assert(mt.getreply(conn) == SMFIR_CONTINUE)
assert(mt.rcptto(conn, "<%(rcpt)s>") == nil)
mt.echo("reply " .. string.char(mt.getreply(conn)))
mt.disconnect(conn)
"""


def overfull(site):
    name = site.new_account(quota="1K", overdraft="9K")
    deliver(site, name, message(body=b"x" * 2000 + b"\r\n"))
    return name


@pytest.mark.parametrize("rcpt, size, reply", [
    pytest.param(lambda site: site.new_account(), 0, b"reply c", id="good"),
    pytest.param(lambda site: "nobody@example.org", 0, b"reply y", id="unknown"),
    pytest.param(lambda site: site.new_account(flags="dismail"), 0, b"reply y", id="disabled"),
    pytest.param(overfull, 0, b"reply y", id="full"),
    pytest.param(lambda site: site.new_account(quota="10K", overdraft="0"), 50000, b"reply y",
                 id="large"),
    pytest.param(lambda site: "someone@elsewhere.test", 0, b"reply c", id="foreign"),
])
def test_miltertest(site, tmp_path, rcpt, size, reply):
    """c: continue, y: a reply of our own (SMFIR_REPLYCODE); test_milter.py has the words."""
    script = tmp_path / "script.lua"
    script.write_text(MILTERTEST % {"port": host_port(site.milter)[1],
                                    "rcpt": rcpt(site),
                                    "args": f', "SIZE={size}"' if size else ""})
    assert reply in run("miltertest", "-v", "-s", script).stdout
