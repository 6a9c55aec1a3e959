# SPDX-License-Identifier: ISC
"""TLS by STARTTLS on the delivery agent: clients that nobody here wrote, the border
between clear text and TLS, and what is refused."""

import os
import re
import smtplib
import ssl
import subprocess

import pytest

from lib import certificate, place, scan
from lib.daemon import Daemon
from lib.mail import HARD_BODY, Lmtp, message
from lib.mta import Postfix
from lib.site import Site, conf_text
from lib.wire import DEADLINE, Wire, wait_until

ONLY_LMTP = {"pop3": None, "policy": None, "socketmap": None, "milter": None}

# What Python would rather not have a client try is what some of these are about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Alerts, in the words of OpenSSL.
NO_PROTOCOL = "tlsv1 alert no application protocol"
BAD_VERSION = "tlsv1 alert protocol version"


class TlsSite(Site):
    """An LMTP server with two certificates; the first one is for anybody."""

    def __init__(self, name="tls", **sections):
        super().__init__(name, **ONLY_LMTP, **sections)
        self.mail = certificate.make(self.dir, "mail", "mail.example.org", rsa=True)
        self.other = certificate.make(self.dir, "other", "other.example.org", "*.example.net")
        self.conf.setdefault("tls", {}).update(certificate.settings(self.mail, self.other))
        self.conf["lmtp"]["workers"] = 1


@pytest.fixture(scope="module")
def tls_site():
    s = TlsSite()
    try:
        s.init()
        s.add("alice@example.org")
        s.start()
        yield s
        s.assert_sound()
        s.daemon.assert_no_errors()
    finally:
        s.end()


@pytest.fixture
def news(tls_site):
    """What was stored since the test began."""
    before = tls_site.message_files()

    def new():
        out = []
        for path in tls_site.message_files() - before:
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    return new


def greeted(site, before=""):
    """A connection that has been greeted and said LHLO, and whatever is in `before`."""
    wire = Wire(site.lmtp)
    assert wire.line().startswith(b"220 ")
    wire.send("LHLO client.example.com\r\n" + before)
    while True:
        line = wire.line()
        assert line.startswith(b"250"), line
        if line[3:4] == b" ":
            return wire


def upgraded(site, context=None, server_name=None):
    """A connection over TLS, before LHLO."""
    wire = greeted(site)
    assert wire.ask("STARTTLS").startswith(b"220 2.0.0 ")
    return wire.start_tls(context or certificate.client(), server_name)


def ends(wire):
    """Nothing more comes, in clear text at least: what came, until the end."""
    try:
        return wire.rest()
    except ConnectionResetError:
        return b""


def worker(site):
    (pid,) = site.daemon.workers("popstore-lmtpd")
    return pid


# ---- clients that nobody here wrote --------------------------------------------------------


def test_smtplib(tls_site, news):
    content = message("smtplib", HARD_BODY)
    host, port = tls_site.lmtp.split(":")
    mark = tls_site.daemon.mark()
    context = certificate.client(trusted=tls_site.mail[0])
    with smtplib.LMTP(host, int(port), local_hostname="client.example.com") as lmtp:
        lmtp.ehlo()
        assert lmtp.has_extn("starttls")
        lmtp._host = "mail.example.org"  # the name that the certificate has to be for
        assert lmtp.starttls(context=context)[0] == 220
        lmtp.ehlo()
        assert not lmtp.has_extn("starttls")
        assert lmtp.docmd("STARTTLS")[0] == 500
        assert lmtp.sendmail("s@example.com", ["alice@example.org"], content) == {}
    (text,) = news()
    assert b" with LMTPS id " in text and content.replace(b"\r\n.", b"\r\n..") in text
    tls_site.daemon.wait_for(r"event=lmtp.session .* messages=1 .* tls=TLSv1\.3 end=closed", mark)


def test_swaks(tls_site, news):
    for more in ([], ["--pipeline"], ["--tls-protocol", "tlsv1_2"]):
        done = subprocess.run(
            ["swaks", "--protocol", "LMTP", "--server", tls_site.lmtp, "--tls",
             "--from", "s@example.com", "--to", "alice@example.org", *more],
            capture_output=True, text=True, timeout=DEADLINE * 3, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "=== TLS started with cipher TLSv1." in done.stdout
    assert len(news()) == 3
    assert all(b" with LMTPS id " in text for text in news())


def s_client(site, *args, stdin=b"QUIT\n"):
    return subprocess.run(
        [place.tool("openssl"), "s_client", "-connect", site.lmtp, "-starttls", "lmtp",
         "-name", "client.example.com", "-crlf", *args],
        input=stdin, capture_output=True, timeout=DEADLINE * 3, check=False)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client(tls_site, version):
    done = s_client(tls_site, version, "-CAfile", str(tls_site.mail[0]),
                    "-verify_return_error", "-servername", "mail.example.org", "-ign_eof")
    assert done.returncode == 0, done.stderr
    assert b"221 2.0.0 Bye" in done.stdout
    assert b"Compression: NONE" in done.stdout
    # TLS 1.3: nobody may send a command before the handshake is over.
    assert b"Max Early Data: 0" in done.stdout or version == "-tls1_2"


def test_a_client_certificate_is_not_asked_for(tls_site):
    done = s_client(tls_site, "-tls1_2")
    assert b"No client certificate CA names sent" in done.stdout


def test_postfix():
    """A real MTA that accepts nothing but this certificate."""
    place.need_root("Postfix changes users")
    site = Site("postfix", pop3=None, socketmap=None, milter=None)
    mail = certificate.make(site.dir, "mail", "mail.example.org")
    site.conf["tls"] = certificate.settings(mail)
    trusted = "".join(f"lmtp_tls_{k} = {v}\n" for k, v in {
        "security_level": "secure", "secure_cert_match": "mail.example.org",
        "CAfile": mail[0], "loglevel": 1}.items())
    mta = Postfix(site, "policy", extra="\n" + trusted)
    try:
        site.init()
        site.add("alice@example.org")
        site.start()
        mta.start()
        for _ in range(3):
            assert mta.send(["alice@example.org"], message("postfix", HARD_BODY)) \
                ["alice@example.org"][0] == 250
        mta.wait_queue_empty()
        assert len(site.message_files()) == 3
        for path in site.message_files():
            with open(path, "rb") as f:
                assert b" with LMTPS id " in f.read(), mta.tail()
        assert mta.warnings() == []
        site.daemon.assert_no_errors()
    finally:
        mta.stop()
        site.end()


# ---- what is offered ------------------------------------------------------------------------


def test_nothing_is_offered_without_a_certificate(site):
    with Lmtp(site.lmtp) as lmtp:
        assert "STARTTLS" not in lmtp.extensions
        assert lmtp.ask("STARTTLS").startswith("500 5.5.2 ")


def test_everything_begins_again_after_tls(tls_site):
    wire = greeted(tls_site, before="")
    assert wire.ask("STARTTLS").startswith(b"220 ")
    wire.start_tls(certificate.client())
    assert wire.ask("MAIL FROM:<a@b>").startswith(b"503 5.5.1 LHLO")
    wire.send("LHLO client.example.com\r\n")
    lines = [wire.line()]
    while lines[-1][3:4] == b"-":
        lines.append(wire.line())
    assert b"250-PIPELINING\r\n" in lines and b"250-STARTTLS\r\n" not in lines
    assert wire.ask("STARTTLS").startswith(b"500 5.5.2 ")
    wire.quit()
    assert wire.rest() == b""
    wire.close()


@pytest.mark.parametrize("name, which", [
    (None, "mail"), ("mail.example.org", "mail"), ("other.example.org", "other"),
    ("a.example.net", "other"), ("nobody.example", "mail"), ("x" * 60 + ".example", "mail")])
def test_the_name_asked_for_chooses_the_certificate(tls_site, name, which):
    with upgraded(tls_site, server_name=name) as wire:
        got = ssl.DER_cert_to_PEM_cert(wire.sock.getpeercert(True))
    assert got == getattr(tls_site, which)[0].read_text(encoding="ascii")


# ---- the border between clear text and TLS (RFC 3207 s4.2, CVE-2011-0411) --------------------


def test_what_was_sent_with_starttls_is_dropped(tls_site):
    wire = greeted(tls_site, before="STARTTLS\r\nNOOP\r\n")
    assert wire.line().startswith(b"220 2.0.0 ")
    wire.start_tls(certificate.client())
    # One answer, and it is QUIT's.
    assert wire.ask("QUIT").startswith(b"221 2.0.0 Bye")
    assert wire.rest() == b""
    wire.close()


def test_another_transaction_does_not_come_with_it(tls_site, news):
    wire = greeted(tls_site, before="STARTTLS\r\nLHLO evil.example\r\nMAIL FROM:<eve@example.com>\r\n"
                   "RCPT TO:<alice@example.org>\r\nDATA\r\nevil\r\n.\r\n")
    assert wire.line().startswith(b"220 2.0.0 ")
    wire.start_tls(certificate.client())
    assert wire.ask("RCPT TO:<alice@example.org>").startswith(b"503 ")
    assert wire.ask("DATA").startswith(b"503 ")
    wire.quit()
    assert wire.rest() == b""
    wire.close()
    assert news() == []


@pytest.mark.parametrize("spelling, upgrades", [
    ("starttls\r\n", True), ("STARTTLS \r\n", True), ("StartTLS\r\n", True),
    ("STARTTLS\t\r\n", False), ("STARTTLS x\r\n", False), ("STARTTLS\n", False),
    ("STARTTLS\r", False), (" STARTTLS\r\n", False), ("STARTTLS\0\r\n", False)])
def test_every_spelling_drops_or_refuses(tls_site, spelling, upgrades):
    wire = greeted(tls_site, before=spelling + "VRFY injected\r\n")
    if upgrades:
        assert wire.line().startswith(b"220 2.0.0 ")
        wire.start_tls(certificate.client())
        wire.quit()
        assert wire.rest() == b""
    else:
        assert wire.line().startswith((b"500 ", b"501 "))
        wire.half_close()
        assert b"220 " not in ends(wire)
    wire.close()


def test_a_command_cut_in_two_does_not_come_with_it(tls_site):
    wire = greeted(tls_site, before="STARTTLS\r\nVR")
    assert wire.line().startswith(b"220 2.0.0 ")
    wire.start_tls(certificate.client())
    wire.send("FY injected\r\n")
    assert wire.line().startswith(b"500 5.5.2 Command not recognized")
    wire.close()


@pytest.mark.parametrize("garbage", [
    b"NOOP\r\nQUIT\r\n", b"\0" * 100, b"\xff" * 20000, b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"a" * 70000, b"\x15\x03\x03\0\2\2\x28"])
def test_garbage_instead_of_a_handshake(tls_site, garbage):
    mark = tls_site.daemon.mark()
    wire = greeted(tls_site)
    assert wire.ask("STARTTLS").startswith(b"220 ")
    try:
        wire.send(garbage)
    except (BrokenPipeError, ConnectionResetError):
        pass
    # An alert at most: nothing in clear text any more.
    assert ends(wire)[:1] in (b"", b"\x15")
    wire.close()
    tls_site.daemon.wait_for(r"event=lmtp.session .* end=\"TLS handshake: ", mark)


def test_silence_in_a_handshake(make_tls_site):
    site = make_tls_site(lmtp={"idle_timeout": "1s"}).start()
    for begin in (b"", b"\x16\x03\x01\x02\0\x01\0", b"\x16"):
        mark = site.daemon.mark()
        wire = greeted(site)
        assert wire.ask("STARTTLS").startswith(b"220 ")
        wire.send(begin)
        assert wire.rest() == b""
        wire.close()
        site.daemon.wait_for(r"event=lmtp.session .* end=timeout", mark)


def test_silence_within_tls_is_told(make_tls_site):
    site = make_tls_site(lmtp={"idle_timeout": "1s"}).start()
    with upgraded(site) as wire:
        assert wire.line().startswith(b"421 4.4.2 ")
        assert wire.rest() == b""


# ---- tickets, ALPN, versions -------------------------------------------------------------------


@pytest.fixture
def make_tls_site():
    made = []

    def make(**sections):
        made.append(TlsSite("own-tls", **sections))
        return made[-1].init()

    yield make
    for s in made:
        s.end()


def session_of(site, context, server_name="mail.example.org", session=None):
    """(whether the session was taken up again, the session that the server gives)"""
    wire = greeted(site)
    assert wire.ask("STARTTLS").startswith(b"220 ")
    wire.sock = context.wrap_socket(wire.sock, server_hostname=server_name, session=session)
    assert wire.ask("NOOP").startswith(b"250 ")  # the ticket has come by then
    reused = wire.sock.session_reused
    got = wire.sock.session
    wire.quit()
    assert wire.rest() == b""
    wire.close()
    return reused, got


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_is_good_where_it_was_made(tls_site, make_tls_site, newest):
    context = certificate.client(newest=newest)
    _, session = session_of(tls_site, context)
    assert session_of(tls_site, context, session=session)[0]
    # Another certificate of the same service, and another server with the same ones.
    assert not session_of(tls_site, context, "other.example.org", session)[0]
    other = make_tls_site()
    other.conf["tls"] = tls_site.conf["tls"]
    other.write_conf()
    other.start()
    assert not session_of(other, context, session=session)[0]
    # It does not come to that: the client is served all the same.
    assert session_of(other, context)[1] is not None


@pytest.mark.parametrize("offers, ok", [
    (None, True), (["lmtp"], True), (["http/1.1", "lmtp"], True),
    (["http/1.1"], False), (["pop3"], False), (["h2", "ftp"], False)])
def test_a_client_of_another_protocol_is_refused(tls_site, offers, ok):
    context = certificate.client(alpn=offers)
    if ok:
        with upgraded(tls_site, context) as wire:
            assert wire.sock.selected_alpn_protocol() == ("lmtp" if offers else None)
            assert wire.ask("NOOP").startswith(b"250 ")
        return
    with pytest.raises(ssl.SSLError, match=NO_PROTOCOL):
        upgraded(tls_site, context)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(tls_site, newest):
    with pytest.raises(ssl.SSLError, match=BAD_VERSION):
        upgraded(tls_site, certificate.client(newest=newest))


def test_only_the_newest_where_that_is_wished(make_tls_site):
    site = make_tls_site(tls={"minimum": "1.3"}).start()
    with pytest.raises(ssl.SSLError, match=BAD_VERSION):
        upgraded(site, certificate.client(newest=ssl.TLSVersion.TLSv1_2))
    with upgraded(site) as wire:
        assert wire.sock.version() == "TLSv1.3"


def test_a_second_handshake_is_refused(tls_site):
    done = s_client(tls_site, "-tls1_2", "-legacy_renegotiation", stdin=b"R\nQUIT\r\n")
    assert b"no renegotiation" in done.stderr


# ---- names that nobody has ------------------------------------------------------------------------


def hello(name):
    """A ClientHello that asks for `name`, of which every x is the octet after it."""
    context = certificate.client()
    out, bio = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(bio, out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


@pytest.mark.parametrize("octet", [b"\0", b"\\", b"\r", b"\n", b"/", b"%", b"\xff", b"*"])
def test_a_name_with_anything_in_it(tls_site, octet):
    data = hello("ma.qqqq.example.org")
    assert data.count(b"qqqq") == 1
    wire = greeted(tls_site)
    assert wire.ask("STARTTLS").startswith(b"220 ")
    wire.send(data.replace(b"qqqq", b"q" + octet * 2 + b"q"))
    # An alert, or the first certificate.
    assert wire.exactly(5)[:2] in (b"\x15\x03", b"\x16\x03")
    wire.close()
    with upgraded(tls_site) as wire:
        assert wire.ask("NOOP").startswith(b"250 ")


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s*(\d+) kB", f.read())[1])


@place.memory_is_ours
def test_thousands_of_names_cost_no_memory(tls_site):
    context, pid = certificate.client(), worker(tls_site)

    def meet(n):
        for i in range(n):
            upgraded(tls_site, context, f"n{i}.{os.urandom(8).hex()}.example").close()

    # What is kept is kept each time; a thread more than before is there once.
    meet(200)
    sizes = [memory_of(pid)]
    for _ in range(3):
        meet(500)
        sizes.append(memory_of(pid))
    assert min(b - a for a, b in zip(sizes, sizes[1:])) < 500, sizes


# ---- the site --------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting, value, says", [
    ("key", "nobody.key", "tls.key .*nobody.key: No such file"),
    ("certificate", "nobody.pem", "tls.certificate .*nobody.pem: No such file"),
    ("key", "other.key", "tls.key .*other.key does not belong to tls.certificate .*mail.pem"),
    ("certificate", "mail.key", "tls.certificate .*mail.key: has to hold a certificate"),
    ("client_ca", "mail.key", "tls.client_ca .*mail.key: has to hold certificates")])
def test_a_bad_file_is_named_at_the_start(make_tls_site, setting, value, says):
    site = make_tls_site()
    site.conf["tls"].update(certificate.settings(site.mail))
    site.conf["tls"][setting] = [str(site.dir / value)]
    site.conf_file.write_text(conf_text(site.conf), encoding="utf-8")
    daemon = Daemon([place.program("popstore-lmtpd"), "-c", site.conf_file], site.dir / "log")
    daemon.start()
    assert daemon.process.wait(DEADLINE) != 0
    daemon.reader.join(DEADLINE)
    assert re.search(f"event=lmtp.start.failed .*{says}", daemon.log), daemon.log


def test_a_renewed_certificate_is_read_on_a_reload(make_tls_site):
    site = make_tls_site().start()
    renewed, _ = certificate.make(site.dir, "mail", "mail.example.org")
    site.daemon.process.send_signal(1)
    want = renewed.read_text(encoding="ascii")

    def served():
        with upgraded(site) as wire:
            return ssl.DER_cert_to_PEM_cert(wire.sock.getpeercert(True)) == want

    wait_until("the new certificate", served)


def test_a_stop_is_told_within_tls(make_tls_site):
    site = make_tls_site().start()
    wire = upgraded(site)
    assert wire.ask("NOOP").startswith(b"250 ")
    site.daemon.process.terminate()
    assert wire.line().startswith(b"421 4.3.2 ")
    assert wire.rest() == b""  # after a close_notify, or Python would complain
    wire.close()
    site.daemon.process.wait(DEADLINE)
    site.daemon.process = None
    site.daemon = None


def test_a_large_message_in_many_records(tls_site, news):
    content = message("large", b"".join(b"%07d %s\r\n" % (i, b"z" * 60) for i in range(20000)))
    wire = upgraded(tls_site)
    wire.send("LHLO c.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    while not wire.line().startswith(b"354"):
        pass
    wire.send(content + b".\r\n")
    assert wire.line().startswith(b"250 2.0.0 ")
    wire.quit()
    wire.close()
    (text,) = news()
    assert text.endswith(content + b".\r\n")


# ---- what testssl.sh finds ----------------------------------------------------------------------


@place.not_twice
def test_testssl_finds_nothing(tls_site, tmp_path):
    """test_pop3_scan.py has more of it: the TLS is the same."""
    scan.testssl(tls_site.lmtp, tmp_path / "findings.csv", "--starttls", "lmtp", "--protocols",
                 looked_at=scan.VULNERABILITIES | {"SSLv2", "SSLv3", "TLS1_2", "TLS1_3"})
