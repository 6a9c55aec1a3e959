# SPDX-License-Identifier: ISC
"""SMTP AUTH of Postfix and Sendmail with the users of popstore.

Both run with the files of conf-examples/ as shipped, and are asked by clients that nobody
here wrote: swaks for PLAIN and LOGIN, gsasl for SCRAM.  PLAIN and LOGIN are judged by
popstore-authd itself, by saslauthd's protocol; SCRAM by the MTA, with what libpopstore.so
gets for it.
"""

import re
import struct
import subprocess
import time

import pytest

from lib import place
from lib.mta import Postfix, Sendmail
from lib.site import PASSWORD, Site
from lib.wire import Wire

KINDS = {
    "postfix": lambda site: Postfix(site, "policy", auth=True),
    "sendmail": lambda site: Sendmail(site, auth=True),
}
PLAIN = ("PLAIN", "LOGIN")
# There is no client in Debian that speaks SCRAM-SHA-512.
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")


def auth_site(**sections):
    site = Site("auth", **sections)
    site.conf.setdefault("auth", {}).update(listen=[site.auth],
                                            saslauthd_listen=[site.saslauthd])
    return site


@pytest.fixture(scope="module", params=KINDS)
def mx(request):
    place.need_root("Postfix and Sendmail change users")
    # Sendmail refuses Unix sockets below a directory that all may write, as /tmp.
    sockets = place.scratch("milter", "/run")
    site = auth_site()
    if request.param == "sendmail":
        site.conf["milter"]["listen"] = [f"unix:{sockets}/milter"]
    mta = None
    try:
        site.init()
        site.ctl("domain", "add", "example.net", "--alias", "example.org")
        site.start()
        mta = KINDS[request.param](site)
        mta.start()
        yield site, mta
        site.assert_sound()
    finally:
        if mta is not None:
            mta.stop()
        site.end()
        place.discard(sockets)


@pytest.fixture(autouse=True)
def tell_the_log(request):
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before and "mx" in request.fixturenames:
        print(request.getfixturevalue("mx")[1].tail())


def run(*argv):
    done = subprocess.run(list(map(str, argv)), check=False, text=True, errors="replace",
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    return done.stdout + done.stderr


def swaks(mta, mechanism, user, password, tls=True):
    """The answer to AUTH: its code, and its text."""
    host, port = mta.address.split(":")
    said = run(place.tool("swaks"), "--server", host, "--port", port, "--quit-after", "AUTH",
               "--local-interface", "127.0.0.5", "--ehlo", "client.example.com",
               *(["--tls"] if tls else []), "--auth", mechanism, "--auth-user", user,
               "--auth-password", password)
    answers = re.findall(r"^<[-~*]+>? +(\d{3}) (.*)$", said.split("AUTH ", 1)[-1], re.M)
    answers = [a for a in answers if a[0] in ("235", "535", "454", "421", "500", "503")]
    assert answers, said
    return answers[0]


def gsasl(mta, mechanism, user, password):
    host, port = mta.address.split(":")
    said = run(place.tool("gsasl"), "--smtp", "--starttls", "--x509-ca-file",
               mta.certificate, "--no-cb", "-m", mechanism, "-a", user,
               "-z", "", "-p", password, f"--connect={host}:{port}")
    answers = re.findall(r"^(235|535|454|421|5\d\d) (.*)$", said, re.M)
    assert answers, said
    return answers[-1]


def log_in(mta, mechanism, user, password=PASSWORD):
    return (swaks if mechanism in PLAIN else gsasl)(mta, mechanism, user, password)


@pytest.mark.parametrize("mechanism", PLAIN + SCRAM)
def test_a_login(mx, mechanism):
    site, mta = mx
    name = site.new_account()
    assert log_in(mta, mechanism, name)[0] == "235"
    # As it may be spelled elsewhere, too.
    other = name.upper().replace("EXAMPLE.ORG", "Example.Net")
    assert log_in(mta, mechanism, other)[0] == "235"


@pytest.mark.parametrize("mechanism", PLAIN + SCRAM)
def test_every_refusal_reads_the_same(mx, mechanism):
    site, mta = mx
    answers = {log_in(mta, mechanism, site.new_account(), "wrong"),
               log_in(mta, mechanism, site.new_name()),
               log_in(mta, mechanism, site.new_account(flags="disuser")),
               log_in(mta, mechanism, "default@example.org"),
               log_in(mta, mechanism, "nobody@elsewhere.test")}
    assert {code for code, _ in answers} == {"535"}
    assert len(answers) == 1, answers


def test_a_changed_password_counts_at_once(mx):
    site, mta = mx
    name = site.new_account()
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        assert log_in(mta, mechanism, name)[0] == "235"
    site.ctl("passwd", name, "--password-stdin", stdin="another word 9\n")
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        assert log_in(mta, mechanism, name)[0] == "535"
        assert log_in(mta, mechanism, name, "another word 9")[0] == "235"


def test_who_has_logged_in_may_relay(mx):
    site, mta = mx
    name = site.new_account()
    host, port = mta.address.split(":")
    common = ["--server", host, "--port", port, "--local-interface", "127.0.0.5", "--tls",
              "--from", name, "--to", "someone@elsewhere.test"]
    said = run(place.tool("swaks"), *common, "--quit-after", "RCPT")
    assert re.search(r"^<[-~*]+ +(454|55\d) ", said, re.M), said
    said = run(place.tool("swaks"), *common, "--auth", "PLAIN", "--auth-user", name,
               "--auth-password", PASSWORD)
    assert re.search(r"^<[-~]+ +250 .*(queued|accepted)", said, re.M), said
    mta.wait_queue_empty()


def test_no_password_without_tls(mx):
    _, mta = mx
    with mta.smtp() as smtp:
        smtp.ehlo()
        offered = set(smtp.esmtp_features.get("auth", "").upper().split())
    assert not offered & {"PLAIN", "LOGIN"}, offered


def test_the_refusal_is_in_our_log(mx):
    site, mta = mx
    name, since = site.new_account(), site.daemon.mark()
    assert log_in(mta, "PLAIN", name, "not the right one")[0] == "535"
    line = site.daemon.wait_for(f"event=auth.refused .*user={name}", since)
    assert "service=smtp" in line and "not the right one" not in line


def test_without_authd_it_is_later(mx):
    """454, so that nobody is asked for a password that is right.  Sendmail says so here since
    the milter is away as well."""
    site, mta = mx
    name = site.new_account()
    site.stop()
    try:
        for mechanism in PLAIN + SCRAM:
            assert log_in(mta, mechanism, name)[0] == "454", mechanism
    finally:
        site.start()
    for mechanism in PLAIN + SCRAM:
        assert log_in(mta, mechanism, name)[0] == "235", mechanism


def test_a_damaged_secret_is_later(mx):
    """But for Sendmail, which takes whatever Cyrus SASL says but yes for no."""
    site, mta = mx
    later = "454" if isinstance(mta, Postfix) else "535"
    name = site.new_account()
    secret = next(p for p in (site.root / "secrets").rglob(name))
    text = secret.read_bytes()
    secret.write_bytes(b"nonsense\n")
    try:
        for mechanism in PLAIN + SCRAM:
            assert log_in(mta, mechanism, name)[0] == later, mechanism
    finally:
        secret.write_bytes(text)
    assert log_in(mta, "PLAIN", name)[0] == "235"


# ---- the sockets themselves -----------------------------------------------------------


@pytest.fixture(scope="module")
def bare():
    """Without an MTA."""
    site = auth_site(lmtp=None, policy=None, socketmap=None, milter=None)
    try:
        site.init().start()
        yield site
        site.daemon.assert_no_errors()
    finally:
        site.end()


def ask_saslauthd(site, user, password, service="smtp", realm=""):
    with Wire(site.saslauthd) as wire:
        for text in (user, password, service, realm):
            wire.send(struct.pack(">H", len(text.encode())) + text.encode())
        return wire.rest()


def test_saslauthd_protocol(bare):
    name = bare.new_account()
    local, domain = name.split("@")
    assert ask_saslauthd(bare, local, PASSWORD, realm=domain) == b"\0\2OK"
    assert ask_saslauthd(bare, name, PASSWORD) == b"\0\2OK"
    assert ask_saslauthd(bare, name, "wrong") == b"\0\2NO"
    assert ask_saslauthd(bare, "nobody@example.org", PASSWORD) == b"\0\2NO"
    assert ask_saslauthd(bare, name, PASSWORD, service="imap") == b"\0\2NO"


def test_tries_by_saslauthd_are_paced(bare):
    name, other = bare.new_account(), bare.new_account()
    start = time.monotonic()
    assert {ask_saslauthd(bare, name, f"wrong {i}") for i in range(9)} == {b"\0\2NO"}
    # From the sixth on 100, 200, 400, 800 ms, and for the owner as many as for the last.
    assert time.monotonic() - start >= 1.5
    start = time.monotonic()
    assert ask_saslauthd(bare, name, PASSWORD) == b"\0\2OK"
    assert time.monotonic() - start >= 0.1
    assert ask_saslauthd(bare, other, PASSWORD) == b"\0\2OK"


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 70000, b"\0\1a\xff\xff",
                                     b"\0\1a\0\1b\0\2c\n\0\0"],
                         ids=("http", "flood", "long", "control"))
def test_rubbish_is_not_answered(bare, rubbish):
    since = bare.daemon.mark()
    with Wire(bare.saslauthd) as wire:
        try:
            wire.send(rubbish)
            assert wire.rest() == b""
        except OSError:
            pass  # closed with some of it unread
    bare.daemon.wait_for("event=auth.question.broken", since)
    name = bare.new_account()
    assert ask_saslauthd(bare, name, PASSWORD) == b"\0\2OK"


def test_testsaslauthd(bare):
    """The client that comes with saslauthd."""
    tool = place.tool("testsaslauthd")
    name = bare.new_account()
    for word, answer in ((PASSWORD, '0: OK "Success."'), ("wrong", "0: NO")):
        said = run(tool, "-u", name, "-p", word, "-s", "smtp", "-f", bare.saslauthd)
        assert said.startswith(answer[:5]), said


def look_up(site, user, service="smtp"):
    with Wire(site.auth) as wire:
        wire.send(f"do lookup\nservice {service}\nuser {user}\n\n")
        wire.half_close()
        return wire.rest().decode()


def test_lookup_gives_verifiers_and_nothing_else(bare):
    name = bare.new_account()
    unknown = look_up(bare, bare.new_name())
    known = look_up(bare, name)
    shape = r"answer ok\nverifiers( SCRAM-SHA-(1|256|512)\$4096:[\w+/=]+\$[\w+/=]+:[\w+/=]+){3}\n\n"
    for answer in (known, unknown):
        assert re.fullmatch(shape, answer), answer
    assert known != unknown and PASSWORD not in known
    assert look_up(bare, name, "pop3") == ""


def test_look_ups_of_a_user_are_paced(bare):
    """Each proof by SCRAM to the MTA needs one, whether it is right or not."""
    name = bare.new_account()
    waits = [re.search(r"^wait (\d+)$", look_up(bare, name), re.M) for _ in range(45)]
    assert not any(waits[:30])
    told = [int(m[1]) for m in waits[30:] if m]
    assert told[0] == 100 and max(told) == 3000
    assert "\nwait " not in look_up(bare, bare.new_account())


def test_the_plugin_exports_one_name():
    library = place.BIN.parent / "lib" / "sasl2" / "libpopstore.so"
    said = run(place.tool("nm"), "-D", "--defined-only", library)
    assert [line.split()[-1] for line in said.splitlines()] == ["sasl_auxprop_plug_init"]
