# SPDX-License-Identifier: ISC
"""popstore-authd by its socket, with real saslauthd, slapd, sasldb and Dovecot behind it

On the socket of auth.listen the service is smtp, and the asker says where his peer is: so a
test can be as many networks as it likes.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import threading
import time

import pytest

from lib import place, sources
from lib.authd import AuthSite, Conversation
from lib.given import Given
from lib.sasl import Scram, b64
from lib.site import PASSWORD
from lib.wire import DEADLINE, wait_until

EVERY = ("mechanisms SCRAM-SHA-512,SCRAM-SHA-256,SCRAM-SHA-1,DIGEST-MD5,CRAM-MD5,APOP,"
         "PLAIN,LOGIN,PASS")


@pytest.fixture
def make_authd():
    made = []

    def make(start=True, **auth):
        s = AuthSite(auth=auth)
        made.append(s)
        s.init()
        s.add("alice@example.org")
        return s.start() if start else s

    yield make
    for s in made:
        s.end()


@pytest.fixture(scope="module")
def authd():
    s = AuthSite()
    try:
        s.init()
        s.ctl("domain", "add", "example.net", "--alias", "example.org")
        s.add("alice@example.org")
        s.add("off@example.org", flags="disuser")
        s.start()
        yield s
    finally:
        s.end()


# ---- who comes in -----------------------------------------------------------------------

def test_a_password_opens(authd):
    answer = authd.password("alice@example.org", PASSWORD)
    assert answer.word == "ok" and answer["account"] == "alice@example.org"
    assert int(answer["uid"]) > 0


@pytest.mark.parametrize("user", ("ALICE@Example.ORG", "alice@example.net"))
def test_other_names_of_an_account_open(authd, user):
    assert authd.password(user, PASSWORD)["account"] == "alice@example.org"


@pytest.mark.parametrize("user, password", (
    ("alice@example.org", "wrong"),
    ("alice@example.org", ""),
    ("nobody@example.org", PASSWORD),
    ("alice@nowhere.org", PASSWORD),
    ("off@example.org", PASSWORD),
    ("off@example.org", "wrong"),
    ("", PASSWORD),
    ("' OR 1=1", PASSWORD),
    ("*)(uid=*", PASSWORD),
    ("%n%n%s", "%n%n%n"),
    ("../../etc/passwd", PASSWORD),
    ("alice@example.org\x00", PASSWORD),
    ("alice@example.org", "x\tmaster_user=root\tskip_password_check=1"),
))
def test_all_who_are_refused_are_told_the_same(authd, user, password):
    answer = authd.password(user, password, client=f"198.51.{hash(user) % 250}.1")
    answer.pop("wait", None)
    assert answer == {"answer": "refused"}


@pytest.mark.parametrize("hash_name, mechanism", (
    ("sha1", "SCRAM-SHA-1"), ("sha256", "SCRAM-SHA-256"), ("sha512", "SCRAM-SHA-512")))
def test_scram_opens_and_proves_the_server(authd, hash_name, mechanism):
    # What is not ASCII is prepared alike by both; a client without SASLprep keeps to this.
    name = authd.new_account(password="sesame seed 7")
    with authd.talk() as c:
        answer = c.scram(name, "sesame seed 7", hash_name, mechanism)
        assert answer.word == "ok" and answer["account"] == name
        assert c.scram(name, "sesame seed 8", hash_name, mechanism).word == "refused"
        assert c.scram("nobody" + name, "sesame seed 7", hash_name, mechanism).word == \
            "refused"


def test_plain_opens(authd):
    with authd.talk() as c:
        assert c.plain("alice@example.org", PASSWORD).word == "ok"
        assert c.plain("alice@example.org", "wrong").word == "refused"


def test_a_disabled_account_is_refused_after_scram(authd):
    name = authd.new_account(password="sesame seed 7")
    with authd.talk() as c:
        assert c.scram(name, "sesame seed 7").word == "ok"
        authd.ctl("modify", name, "--flags", "disuser")
        assert c.scram(name, "sesame seed 7").word == "refused"


def test_the_true_reason_is_in_the_log_and_no_password(authd):
    mark = authd.daemon.mark()
    secret = "do-not-write-this-anywhere"
    authd.password("off@example.org", PASSWORD, client="198.51.100.1", sid="x1")
    authd.password("bob\x1b]0;x\x07", secret, client="198.51.100.1", sid="x2")
    authd.password("a\nNov 21 sshd: Accepted", secret, client="198.51.100.1", sid="x3")
    assert "DISUSER" in authd.daemon.wait_for("event=auth.refused .*sid=x1", mark)
    line = authd.daemon.wait_for("event=auth.refused .*sid=x2", mark)
    assert r"\x1b" in line and "\x1b" not in line
    assert r"\x0a" in authd.daemon.wait_for("event=auth.refused .*sid=x3", mark)
    assert secret not in authd.daemon.log and PASSWORD not in authd.daemon.log


def test_a_changed_password_ends_the_old_one_at_once(authd):
    name = authd.new_account()
    with authd.talk() as c:
        for _ in range(3):
            assert c.password(name, PASSWORD).word == "ok"  # remembered now
        authd.ctl("passwd", name, "--password-stdin", stdin="another one 8\n")
        assert c.password(name, PASSWORD).word == "refused"
        assert c.password(name, "another one 8").word == "ok"
        authd.ctl("delete", name)
        assert c.password(name, "another one 8").word == "refused"
        authd.add(name, "another one 8")
        assert c.password(name, "another one 8").word == "ok"


def test_a_user_changes_his_password(authd):
    name = authd.new_account()
    with authd.talk() as c:
        def change(old, new):
            return c.ask("change", user=name, password=old, new=new)

        assert change("wrong", "a new one 77").word == "refused"
        assert change(PASSWORD, "").word == "rejected"
        assert change(PASSWORD, "a new one 77").word == "ok"
        assert c.password(name, PASSWORD).word == "refused"
        assert c.password(name, "a new one 77").word == "ok"
        assert c.scram(name, "a new one 77").word == "ok"
        authd.ctl("modify", name, "--flags", "lockpwd")
        answer = change("a new one 77", "a newer one 88")
        assert answer.word == "rejected" and "cannot be changed" in answer["why"]


def test_an_expired_password_has_to_be_changed(make_authd):
    s = make_authd(password_lifetime="1s")
    name = "alice@example.org"
    wait_until("it to expire", lambda: s.password(name, PASSWORD).word == "expired")
    assert s.password(name, "wrong").word == "refused"
    with s.talk() as c:
        assert c.plain(name, PASSWORD).word == "expired"
        answer = c.ask("change", user=name, password=PASSWORD, new="a new one 77")
        assert answer.word == "ok"
        assert c.password(name, "a new one 77").word in ("ok", "expired")
        assert c.password(name, PASSWORD).word == "refused"


def test_a_hash_of_another_system_is_brought_up_to_date(authd):
    name = authd.new_name()
    digest = base64.b64encode(hashlib.sha1(b"sesame seed 7salt").digest() + b"salt").decode()
    authd.ctl("add", name, "--hash-stdin", stdin="{SSHA}" + digest + "\n")
    mark = authd.daemon.mark()
    with authd.talk() as c:
        assert c.scram(name, "sesame seed 7").word == "refused"
        assert c.password(name, "sesame seed 8").word == "refused"
        assert c.password(name, "sesame seed 7").word == "ok"
        authd.daemon.wait_for(f"event=auth.upgraded .*account={name} source=secret", mark)
        assert c.scram(name, "sesame seed 7").word == "ok"


def test_a_proof_cannot_be_used_twice(authd):
    name = authd.new_account(password="sesame seed 7")
    scram = Scram(name, "sesame seed 7", "sha256")
    with authd.talk() as c:
        def begin():
            return c.ask("sasl", mechanism="SCRAM-SHA-256", data=b64(scram.first()))

        proof = b64(scram.proof(begin().data))
        assert c.ask("step", data=proof).word == "challenge"
        assert c.ask("step", data="").word == "ok"
        assert begin().word == "challenge"
        assert c.ask("step", data=proof).word == "refused"


def test_a_remembered_password_needs_no_hash(make_authd):
    s = make_authd(yescrypt_cost=9)
    s.ctl("passwd", "alice@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    with s.talk() as c:
        times = []
        for _ in range(4):
            begin = cpu_ms(s.daemon.process.pid)
            assert c.password("alice@example.org", PASSWORD).word == "ok"
            times.append(cpu_ms(s.daemon.process.pid) - begin)
    assert min(times[1:]) < times[0] / 4


# ---- what may be used ---------------------------------------------------------------------

def test_the_offer_is_what_the_rules_say(make_authd):
    s = make_authd(rules=["client 10.0.0.0/8 " + EVERY, "tls no mechanisms SCRAM-SHA-256"])
    with s.talk() as c:
        assert c.ask("offer") == {
            "answer": "offer", "password": "yes", "mechanisms":
            "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"}
    with s.talk(exporter=b64(b"x" * 32)) as c:
        assert c.ask("offer")["mechanisms"].split()[0] == "SCRAM-SHA-512-PLUS"
    with s.talk(tls=None) as c:
        assert c.ask("offer") == {"answer": "offer", "mechanisms": "SCRAM-SHA-256"}
        assert c.password("alice@example.org", PASSWORD).word == "refused"
        assert c.plain("alice@example.org", PASSWORD).word == "refused"
    with s.talk(client="10.1.1.1") as c:
        offer = c.ask("offer")
        assert offer["apop"] == "yes" and "DIGEST-MD5 CRAM-MD5" in offer["mechanisms"]


@pytest.mark.parametrize("rule", ["sources ldap", "listen 127.0.0.1:9 tls no"])
def test_a_bad_rule_stops_the_start(make_authd, rule):
    s = make_authd(start=False, rules=["sources secret", rule])
    done = subprocess.run([place.program("popstore-authd"), "-c", s.conf_file], text=True,
                          capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 78
    assert f'auth.rules, rule 2 \\"{rule}\\"' in done.stderr


@pytest.mark.parametrize("auth, missing", [
    ({"sasl_plugin_path": "/nowhere"}, "SCRAM-SHA-512"),
    ({"rules": ["sources secret", "sources secret,auxprop:nowhere"]}, "auxprop:nowhere"),
    ({"sasl_plugin_path": "{folder}", "rules": ["sources sasldb"]}, "sasldb")])
def test_a_plug_in_that_is_missing_stops_the_start(make_authd, tmp_path, auth, missing):
    # All that there are but the one.
    for plugin in pathlib.Path("/usr/lib").glob("*/sasl2/lib*.so"):
        if "sasldb" not in plugin.name:
            (tmp_path / plugin.name).symlink_to(plugin)
    auth = {k: v.format(folder=tmp_path) if isinstance(v, str) else v for k, v in auth.items()}
    s = make_authd(start=False, **auth)
    done = subprocess.run([place.program("popstore-authd"), "-c", s.conf_file], text=True,
                          capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 78
    assert f"no plug-in for {missing} in " in done.stderr and "libsasl2-modules" in done.stderr


def test_plug_ins_that_no_rule_names_are_not_loaded(make_authd):
    def maps(s):
        with open(f"/proc/{s.daemon.process.pid}/maps", encoding="utf-8") as f:
            return f.read()

    text = maps(make_authd())
    assert "/sasl2/libscram.so" in text and "/sasl2/libplain.so" in text
    for name in ("crammd5", "digestmd5", "ldapdb", "sasldb", "ntlm", "anonymous"):
        assert f"/sasl2/lib{name}.so" not in text
    assert "/sasl2/libcrammd5.so" in maps(make_authd(rules=[EVERY]))


# ---- recoverable passwords ------------------------------------------------------------------

def test_apop_and_cram_need_a_recoverable_password(make_authd):
    s = make_authd(rules=[EVERY])
    s.ctl("domain", "modify", "example.org", "--recoverable", "yes")
    s.add("bob@example.org", "tanstaaf")
    challenge = "<1896.697170952@dbc.mtview.ca.us>"
    with s.talk() as c:
        def apop(user, digest):
            return c.ask("apop", user=user, challenge=challenge, digest=digest).word

        def cram(user, password):
            text = c.ask("sasl", mechanism="CRAM-MD5").data
            digest = hmac.new(password.encode(), text, "md5").hexdigest()
            return c.ask("step", data=b64(f"{user} {digest}".encode())).word

        right = hashlib.md5((challenge + "tanstaaf").encode()).hexdigest()
        assert right == "c4c9334bac560ecc979e58001b3e22fb"  # RFC 1939
        assert apop("bob@example.org", right) == "ok"
        for wrong in (right[:-1], right + "0", right.upper(), right[:-1] + "0", "", "\0"):
            assert apop("bob@example.org", wrong) == "refused"
        assert apop("nobody@example.org", right) == "refused"
        # Hers was set before, and is not kept so.
        old = hashlib.md5((challenge + PASSWORD).encode()).hexdigest()
        assert apop("alice@example.org", old) == "refused"
    with s.talk(client="192.0.3.1") as c:
        assert cram("bob@example.org", "tanstaaf") == "ok"
        assert cram("bob@example.org", "tanstaaF") == "refused"
        assert cram("alice@example.org", PASSWORD) == "refused"
    with s.talk(client="192.0.4.1") as c:
        # One login with the password, and it is kept.
        assert c.password("alice@example.org", PASSWORD).word == "ok"
        assert cram("alice@example.org", PASSWORD) == "ok"


# ---- other sources ----------------------------------------------------------------------------

def check_source(s, source_stops, transition=False):
    """Success, wrong, down, of carol, whose password only the source knows."""
    name = "carol@example.org"
    assert s.password(name, "her secret 1").word == "ok"
    answer = s.password(name, "wrong")
    assert answer.word == "refused"
    assert s.password("alice@example.org", PASSWORD).word == "ok"
    source_stops()
    if transition:
        assert s.password(name, "her secret 1").word == "ok"
        # As of a user who has no secret here yet.
        assert s.password(name, "wrong").word == "later"
        with s.talk() as c:
            assert c.scram(name, "her secret 1").word == "ok"
    else:
        # A yes is remembered; a no is none while it is not known.
        mark = s.daemon.mark()
        answer = s.password(name, "wrong")
        assert answer.word == "later" and answer["why"]
        s.daemon.wait_for("event=auth.failed", mark)
    assert s.password("alice@example.org", PASSWORD).word == "ok"


def add_carol(s):
    s.ctl("add", "carol@example.org")


@pytest.fixture
def slapd():
    with sources.Slapd({"carol": "her secret 1"}) as d:
        yield d


@pytest.fixture
def saslauthd(make_authd):
    with contextlib.ExitStack() as started:
        def make(mechanism, *arguments, **auth):
            d = started.enter_context(sources.Saslauthd(mechanism, *arguments))
            s = make_authd(start=False, saslauthd=d.socket,
                           rules=["sources secret,saslauthd"], **auth)
            add_carol(s)
            return s, d

        yield make


def test_sasldb(make_authd):
    s = make_authd(start=False, rules=["sources secret,sasldb"])
    add_carol(s)
    file = sources.sasldb(s.dir, {"carol@example.org": "her secret 1"})
    s.conf["auth"]["sasl_options"] = [f"sasldb_path {file}"]
    s.write_conf()
    s.start()
    assert s.password("carol@example.org", "her secret 1").word == "ok"
    assert s.password("carol@example.org", "wrong").word == "refused"
    assert s.password("nobody@example.org", "her secret 1").word == "refused"
    assert s.password("alice@example.org", PASSWORD).word == "ok"
    # It would go on being good there.
    with s.talk() as c:
        answer = c.ask("change", user="carol@example.org", password="her secret 1",
                       new="another one 88")
    assert answer.word == "rejected" and "elsewhere" in answer["why"]


def test_a_password_that_is_kept_elsewhere_is_not_taken_over(make_authd):
    s = make_authd(start=False, rules=["sources secret,sasldb  transition yes"])
    add_carol(s)
    s.ctl("add", "dave@example.org", "--flags", "pwd_elsewhere")
    file = sources.sasldb(s.dir, {"dave@example.org": "his secret 1",
                                  "carol@example.org": "her secret 1"})
    s.conf["auth"]["sasl_options"] = [f"sasldb_path {file}"]
    s.write_conf()
    s.start()
    with s.talk() as c:
        for name, password, scram in (("carol@example.org", "her secret 1", "ok"),
                                      ("dave@example.org", "his secret 1", "refused")):
            assert c.password(name, password).word == "ok"
            assert c.scram(name, password).word == scram
            assert c.password(name, password).word == "ok"


@pytest.mark.parametrize("transition", (False, True))
def test_ldap_by_saslauthd(saslauthd, slapd, transition):
    place.need_root("saslauthd")
    folder = place.scratch("saslauthd")
    conf = folder / "saslauthd.conf"
    rule = "sources secret,saslauthd" + ("  transition yes" if transition else "")
    s, sasl = saslauthd("ldap", "-O", conf)
    s.conf["auth"]["rules"] = [rule]
    s.write_conf()
    conf.write_text(f"ldap_servers: {slapd.url}/\n"
                    "ldap_search_base: dc=example,dc=org\nldap_filter: uid=%u\n",
                    encoding="utf-8")
    s.start()
    try:
        for bad in ("*", "*)(uid=carol", "carol)(uid=*"):
            answer = s.password(bad + "@example.org", "her secret 1", client="192.0.9.9")
            assert answer.word == "refused"
        check_source(s, sasl.kill, transition)
    finally:
        place.discard(folder)


@pytest.fixture
def ldapdb(make_authd, slapd):
    """popstore-authd that asks a slapd for what is behind a secret, and the slapd."""
    s = make_authd(start=False, rules=["sources secret,ldapdb"], sasl_options=slapd.ldapdb)
    add_carol(s)
    return s.start(), slapd


def test_ldapdb(ldapdb):
    s, slapd = ldapdb
    for bad in ("*", "*)(uid=carol", "carol)(uid=*", "' OR 1=1"):
        assert s.password(bad + "@example.org", "her secret 1").word == "refused"
    check_source(s, slapd.kill)


@place.memory_is_ours
def test_ldapdb_costs_no_memory(ldapdb):
    s, _ = ldapdb

    def ask_often():
        with s.talk(client="127.0.0.1", loopback="yes") as c:
            for i in range(100):
                assert c.password("carol@example.org", f"wrong {i}").word == "refused"
        return rss_kb(s.daemon.process.pid)

    # By DIGEST-MD5 it would be 2 MB more each time; a thread's first one is no loss.
    sizes = [ask_often() for _ in range(3)]
    assert min(b - a for a, b in zip(sizes, sizes[1:])) < 1024, sizes


def test_saslauthd_that_says_nothing_is_not_waited_for_in_vain(make_authd):
    s = make_authd(start=False, rules=["sources saslauthd"])
    add_carol(s)
    path = str(s.dir / "mux")
    s.conf["auth"]["saslauthd"] = path
    s.write_conf()
    s.start()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)

        def answer(octets):
            c, _ = listener.accept()
            with c:
                c.recv(4096)
                c.sendall(octets)

        for octets, word in ((b"\0\2OK", "ok"), (b"\0\2NO", "refused"), (b"", "later"),
                             (b"\0\2", "later"), (b"\0\2XX", "later")):
            t = threading.Thread(target=answer, args=(octets,))
            t.start()
            assert s.password("carol@example.org", "p" + word).word == word
            t.join()


@pytest.fixture
def dovecot():
    place.need_root("Dovecot")
    with sources.Dovecot({"carol@example.org": "her secret 1", "carol": "her secret 1"}) as d:
        yield d


@pytest.mark.parametrize("kind, options, transition", (
    ("pop3", "", False), ("pop3", "", True), ("pop3", "?user=local", False),
    ("imap", "", False), ("pop3s", "?ca={ca}", False), ("imaps", "?ca={ca}", True)))
def test_a_remote_server(make_authd, dovecot, kind, options, transition):
    s = make_authd(start=False, rules=[
        f"sources secret,{dovecot.url(kind, options)}" + ("  transition yes" if transition else "")])
    add_carol(s)
    s.start()
    check_source(s, dovecot.kill, transition)


def test_a_certificate_that_nobody_signed_is_not_believed(make_authd, dovecot):
    s = make_authd(start=False, rules=[f"sources {dovecot.url('pop3s')}"])
    add_carol(s)
    s.start()
    answer = s.password("carol@example.org", "her secret 1")
    assert answer.word == "later" and "certificate" in answer["why"]


def test_after_the_transition_the_old_password_is_over(make_authd, dovecot):
    s = make_authd(start=False, rules=[
        f"sources secret,{dovecot.url('pop3')}  transition yes"])
    add_carol(s)
    s.start()
    mark = s.daemon.mark()
    assert s.password("carol@example.org", "her secret 1").word == "ok"
    s.daemon.wait_for("event=auth.upgraded .*account=carol@example.org", mark)
    s.ctl("passwd", "carol@example.org", "--password-stdin", stdin="her secret 2\n")
    # The old server still says yes.
    assert s.password("carol@example.org", "her secret 1").word == "refused"
    assert s.password("carol@example.org", "her secret 2").word == "ok"


# ---- conversations ----------------------------------------------------------------------------

class GivenAuthd(Given):
    def talk(self, **peer):
        return Conversation(self.give(b"auth"), **{"service": "pop3", **peer})


@pytest.fixture
def given(make_authd):
    s = make_authd(start=False)
    s.conf["auth"]["listen"] = []
    s.write_conf()
    g = GivenAuthd(s, "popstore-authd", "auth")
    yield g
    g.end()


def test_conversations_are_given(given):
    with given.talk() as one, given.talk() as other:
        assert one.password("alice@example.org", PASSWORD).word == "ok"
        assert other.password("alice@example.org", "wrong").word == "refused"
        assert one.ask("offer")["password"] == "yes"
    assert given.stop() == 0


def test_a_conversation_waits_for_authd(given):
    assert given.stop(signal.SIGKILL) != 0
    with given.talk() as c:
        c.send("password", user="alice@example.org", password=PASSWORD)
        given.start()
        assert c.answer().word == "ok"


def test_only_pop3_gets_a_ticket(given):
    with given.talk(sid="x7") as c:
        answer = c.password("alice@example.org", PASSWORD)
        assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{64}", answer["ticket"])
        assert "ticket" not in c.password("alice@example.org", "wrong")
    with given.talk(service="smtp") as c:
        answer = c.password("alice@example.org", PASSWORD)
        assert answer.word == "ok" and "ticket" not in answer


def test_bad_exchanges_do_not_disturb_good_ones(authd):
    name = authd.new_account(password="sesame seed 7")
    wrong, stop = [], threading.Event()

    def good(log_in):
        with authd.talk(client="127.0.0.1", loopback="yes") as c:
            for _ in range(40):
                if log_in(c).word != "ok":
                    wrong.append(log_in)

    def bad():
        while not stop.is_set():
            with authd.talk(client="127.0.0.1", loopback="yes") as c:
                for mechanism, data in (("PLAIN", b"\0\0"), ("PLAIN", b"x"), ("LOGIN", b""),
                                        ("SCRAM-SHA-256", b"n,,n=a,r="), ("XYZ", b"")):
                    if c.ask("sasl", mechanism=mechanism, data=b64(data)).word == \
                            "challenge":
                        c.ask("step", data=b64(b"y" * 9000))
                        break

    helpers = [threading.Thread(target=bad) for _ in range(3)]
    logins = [threading.Thread(target=good, args=(f,)) for f in (
        lambda c: c.plain(name, "sesame seed 7"),
        lambda c: c.scram(name, "sesame seed 7"),
        lambda c: c.scram(name, "sesame seed 7", "sha512", "SCRAM-SHA-512"),
        lambda c: c.password(name, "sesame seed 7")) for _ in range(2)]
    for t in helpers + logins:
        t.start()
    for t in logins:
        t.join()
    stop.set()
    for t in helpers:
        t.join()
    assert not wrong


# ---- time --------------------------------------------------------------------------------------

def cpu_ms(pid):
    """What it has used, with the threads that have ended: other work on the machine does not
    count.  This is the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e6


def test_unknown_and_wrong_take_the_same_time(authd):
    pid, users = authd.daemon.process.pid, (
        "alice@example.org", "nobody@example.org", "off@example.org",
        "alice@nowhere.org", "")
    times = {user: [] for user in users}
    with authd.talk(client="127.0.0.1", loopback="yes") as c:
        for _ in range(200):
            for user in users:
                begin = cpu_ms(pid)
                assert c.password(user, "wrong").word == "refused"
                times[user].append(cpu_ms(pid) - begin)
    medians = {user: statistics.median(t) for user, t in times.items()}
    # Of a wrong password the hash is made; without one it would be less than a third.
    assert max(medians.values()) < 2 * min(medians.values()), medians


# ---- the limiter -----------------------------------------------------------------------------

def test_tries_of_a_network_are_paced(make_authd):
    s = make_authd()
    waits, words = [], set()
    with s.talk(client="203.0.113.1") as c:
        for i in range(60):
            answer = c.password(f"user{i}@example.org", "wrong")
            waits.append(answer.wait_ms)
            words.add(answer.word)
    assert waits[:5] == [0] * 5 and waits[5] >= 100 and max(waits) > 10000
    assert words == {"refused", "later"}
    # Her network is another; and she comes in from a new one, too.
    assert s.password("alice@example.org", PASSWORD, client="198.51.100.1").wait_ms == 0
    # Not one that is asked for at the same place.
    assert s.password("alice@example.org", PASSWORD, client="203.0.113.2").word == "later"


def test_many_conversations_do_not_beat_it(make_authd):
    s = make_authd()
    answers, lock = [], threading.Lock()

    def attack(i):
        with s.talk(client="203.0.113.1") as c:
            for k in range(5):
                answer = c.password("alice@example.org", f"guess {i} {k}")
                with lock:
                    answers.append(answer)

    threads = [threading.Thread(target=attack, args=(i,)) for i in range(40)]
    begin = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 200
    told_at_once = [a for a in answers if a.word == "refused" and a.wait_ms < 1000]
    # Every ten seconds a failure is forgiven.
    assert len(told_at_once) <= 10 + (time.monotonic() - begin) / 10
    assert sum(a.word == "later" for a in answers) > 150
    # The owner is not kept out of where she is.
    answer = s.password("alice@example.org", PASSWORD, client="198.51.100.1")
    assert answer.word == "ok" and answer.wait_ms <= 3000
    assert s.password("alice@example.org", PASSWORD, client="198.51.100.1").wait_ms == 0


def test_trusted_networks_have_no_line(make_authd):
    s = make_authd(trusted_networks=["203.0.113.0/24"])
    with s.talk(client="203.0.113.1") as c:
        for i in range(60):
            assert c.password(f"user{i}@example.org", "wrong").wait_ms == 0


@pytest.mark.parametrize("peer", ({"client": "127.0.0.1", "loopback": "yes"},
                                  {"client": "unix"}, {"client": "203.0.113.1"}),
                         ids=("loopback", "unix", "trusted"))
def test_without_a_network_a_user_has_his_own_count(make_authd, peer):
    """The owner waits as a stranger does, but no longer than that, and nobody else."""
    s = make_authd(trusted_networks=["203.0.113.0/24"])
    s.add("bob@example.org")
    with s.talk(**peer) as c:
        waits = [c.password("alice@example.org", "wrong").wait_ms for _ in range(40)]
        assert waits[:6] == [0, 0, 0, 0, 0, 100] and max(waits) == 3000
        right = c.password("alice@example.org", PASSWORD)
        assert right.word == "ok" and 100 <= right.wait_ms <= 3000
        assert c.password("bob@example.org", "wrong").wait_ms == 0
        right = c.password("bob@example.org", PASSWORD)
        assert right.word == "ok" and right.wait_ms == 0


def test_a_users_count_can_be_turned_off(make_authd):
    s = make_authd(user_delay=0)
    with s.talk(client="unix") as c:
        assert {c.password("alice@example.org", "wrong").wait_ms for _ in range(20)} == {0}


def test_status_shows_who_is_slowed_down(make_authd):
    s = make_authd()
    assert s.password("alice@example.org", PASSWORD).word == "ok"
    assert s.password("alice@example.org", PASSWORD).word == "ok"
    with s.talk(client="203.0.113.1") as c:
        for i in range(8):
            c.password(f"user{i}@example.org", "wrong")

    def shown():
        rows = s.ctl_json("status")["logins"]
        return rows and rows[0]["refused_hour"] == 8 and rows[0]
    row = wait_until("the report", shown)
    assert row["worst"] == "203.0.113.0/24 (8)"
    assert row["cache_hits"] == 1 and row["entries"] >= 1
    assert "203.0.113.0/24" in s.ctl("status", status=None)
    s.stop()
    assert s.ctl_json("status")["logins"] == []


# ---- conversations that are none -------------------------------------------------------------

@pytest.mark.parametrize("text", (
    b"GET / HTTP/1.0\r\n\r\n", b"\n", b"\0\n", b"do offer\n\n", b"do offer\nservice pop3\n\n",
    b"do step\ndata \n\n", b"do password\nservice smtp\nuser a\n\n",
    b"do offer\nservice smtp\nservice smtp\n\n", b"x" * 40000,
    b"do sasl\nservice smtp\nmechanism PLAIN\ndata !!!!\n\n",
    b"do offer\nservice smtp\n" + b"certificate-name x\n" * 80 + b"\n"))
def test_what_is_not_the_protocol_ends_the_conversation(authd, text):
    mark = authd.daemon.mark()
    with authd.talk() as c:
        c.wire.send(text)
        c.wire.half_close()
        assert c.wire.rest() == b""
    authd.daemon.wait_for("event=auth.question.broken", mark)
    assert authd.password("alice@example.org", PASSWORD).word == "ok"


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


ABORTED = int(os.environ.get("POPSTORE_ABORTED_EXCHANGES", "3000"))


@place.memory_is_ours
def test_aborted_exchanges_cost_no_memory(make_authd):
    s = make_authd()
    pid = s.daemon.process.pid
    first = b64(b"n,,n=alice@example.org,r=abcdefgh")

    def abort(n):
        # Some by the verb, some by the end of the conversation, some by nonsense.
        left = n
        while left > 0:
            with s.talk(client="127.0.0.1", loopback="yes") as c:
                for i in range(min(left, 50)):
                    assert c.ask("sasl", mechanism="SCRAM-SHA-256", data=first).word == \
                        "challenge"
                    end = ("abort", {}) if i % 2 else ("step", {"data": b64(b"x")})
                    assert c.ask(end[0], **end[1]).word == "refused"
                    left -= 1
                c.send("sasl", mechanism="SCRAM-SHA-256", data=first)
                assert c.answer().word == "challenge"

    # What is lost is lost each time; a thread more than before is there once.
    sizes = []
    for _ in range(4):
        abort(ABORTED // 3)
        sizes.append(rss_kb(pid))
    assert min(b - a for a, b in zip(sizes, sizes[1:])) < 2048 / 3, sizes
    assert s.password("alice@example.org", PASSWORD).word == "ok"


def test_a_stop_waits_for_no_idle_conversation(make_authd):
    s = make_authd()
    with s.talk() as c:
        assert c.password("alice@example.org", PASSWORD).word == "ok"
        begin = time.monotonic()
        s.stop()
        assert time.monotonic() - begin < DEADLINE / 2
        assert c.wire.rest() == b""


# ---- Kerberos -----------------------------------------------------------------------------------

@pytest.fixture
def kdc():
    with sources.Kdc("smtp/mx.example.org") as d:
        yield d


CLIENT = """
import base64, sys
import gssapi
name = gssapi.Name("smtp@mx.example.org", gssapi.NameType.hostbased_service)
ctx = gssapi.SecurityContext(name=name, usage="initiate")
token = ctx.step()
while True:
    print(base64.b64encode(token or b"").decode(), flush=True)
    line = sys.stdin.readline()
    if not line:
        break
    said = base64.b64decode(line)
    if not ctx.complete:
        token = ctx.step(said)
    else:  # RFC 4752 s3.1: no security layer, and no other name
        ctx.unwrap(said)
        token = ctx.wrap(b"\\1\\0\\0\\0", False).message
"""


def gssapi_login(c, env):
    with subprocess.Popen(["/usr/bin/python3", "-c", CLIENT], env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        say = client.stdout.readline().strip()
        answer = c.ask("sasl", mechanism="GSSAPI", data=say)
        while answer.word == "challenge":
            client.stdin.write(b64(answer.data) + "\n")
            client.stdin.flush()
            answer = c.ask("step", data=client.stdout.readline().strip())
    return answer


def test_gssapi(make_authd, kdc):
    # The plug-in takes the default realm off.
    s = make_authd(start=False, keytab=kdc.keytab, default_domain="example.org",
                   rules=["mechanisms GSSAPI,SCRAM-SHA-256"])
    s.start(env=kdc.server_env)
    with s.talk() as c:
        assert c.ask("offer")["mechanisms"] == "GSSAPI SCRAM-SHA-256"
        kdc.kinit("alice")
        answer = gssapi_login(c, kdc.env)
        assert answer.word == "ok" and answer["account"] == "alice@example.org"
        kdc.kinit("nobody")
        assert gssapi_login(c, kdc.env).word == "refused"
        assert c.ask("sasl", mechanism="GSSAPI", data=b64(b"x" * 100)).word == "refused"
