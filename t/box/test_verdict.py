# SPDX-License-Identifier: ISC
"""One verdict: milter, policy protocol, socketmap, LMTP and popstore(8) agree.

Each row is an address as it stands between the brackets of RCPT TO, and what Postfix
makes of it: the plain form for a policy server (quotes undone, route dropped) and the key
for a table (quoted only where it must be).  None: Postfix refuses it by itself.
"""

import pytest

from lib.asking import Milter, Policy, Socketmap
from lib.mail import Lmtp, deliver, message
from lib.site import Site

SAME = object()
KB = 1024


def row(address, verdict, plain=SAME, key=SAME, size=0, name=None):
    plain = address if plain is SAME else plain
    return pytest.param(address, verdict, plain, plain if key is SAME else key, size, name,
                        id=f"{address[:40]}-{size}" if size else address[:40] or "empty")


LONG = "l" * 64
ROWS = [
    # good
    row("alice@example.org", "ok", name="alice@example.org"),
    row("ALICE@Example.ORG", "ok", name="alice@example.org"),
    row("alice@example.org.", "ok", key="alice@example.org", name="alice@example.org"),
    row('"alice"@example.org', "ok", "alice@example.org", name="alice@example.org"),
    row('"al\\ice"@example.org', "ok", "alice@example.org", name="alice@example.org"),
    row("@a.test,@b.test:alice@example.org", "ok", "alice@example.org",
        name="alice@example.org"),
    row("a.b-c_d@example.org", "ok"),
    row(LONG + "@example.org", "ok"),
    row("nouser@example.org", "ok"),  # flag DISUSER: no login, but mail
    row("grüße@example.org", "ok"),
    # unknown
    row("nobody@example.org", "no-user"),
    row("alic@example.org", "no-user"),
    row("alicee@example.org", "no-user"),
    row("al.ice@example.org", "no-user"),
    row("a..b@example.org", "no-user", key='"a..b"@example.org'),
    row('"a b"@example.org', "no-user", "a b@example.org", '"a b"@example.org'),
    row('"a@b"@example.org', "no-user", "a@b@example.org", '"a@b"@example.org'),
    row('"\\"alice\\""@example.org', "no-user", '"alice"@example.org',
        '"\\"alice\\""@example.org'),
    row('"@x:alice"@example.org', "no-user", key='"@x:alice"@example.org',
        plain=None),  # its plain form is a route
    row('"../../etc/passwd"@example.org', "no-user", "../../etc/passwd@example.org",
        "../../etc/passwd@example.org"),
    row("alice%example.net@example.org", "no-user"),
    row("x!alice@example.org", "no-user"),
    row("grüss@example.org", "no-user"),
    row(LONG + "l@example.org", "no-user"),
    row("l" * 200 + "@example.org", "no-user"),
    # subaddressed
    row("alice+lists@example.org", "ok", name="alice@example.org"),
    row("alice+@example.org", "ok", name="alice@example.org"),
    row("alice+a+b@example.org", "ok", name="alice@example.org"),
    row('"alice+a b"@example.org', "ok", "alice+a b@example.org",
        '"alice+a b"@example.org', name="alice@example.org"),
    row("alice+" + "d" * 90 + "@example.org", "ok", name="alice@example.org"),
    row("bob+exact@example.org", "ok", name="bob+exact@example.org"),
    row("bob+other@example.org", "no-user"),
    row("+alice@example.org", "no-user"),
    row("nobody+x@example.org", "no-user"),
    # alias domain
    row("alice@example.net", "ok", name="alice@example.org"),
    row("alice+x@EXAMPLE.net", "ok", name="alice@example.org"),
    row("nobody@example.net", "no-user"),
    row("off@example.net", "not-receiving"),
    # forwarded
    row("sales@example.org", "forward", name="sales@example.org"),
    row("sales+x@example.org", "forward", name="sales@example.org"),
    row("sales@example.net", "forward", name="sales@example.org"),
    # disabled
    row("off@example.org", "not-receiving"),
    row("off+x@example.org", "not-receiving"),
    row("default@example.org", "not-receiving"),  # the template of new accounts
    # quota
    row("full@example.org", "over-quota"),
    row("full+x@example.org", "over-quota", size=1),
    row("tight@example.org", "ok", size=KB),
    row("tight@example.org", "over-quota", size=3 * KB),
    row("tight@example.org", "too-large", size=5 * KB),
    row("tight@example.net", "too-large", size=2**40),
    row("nobody@example.org", "no-user", size=5 * KB),
    # foreign
    row("alice@example.com", "not-ours"),
    row("alice@sub.example.org", "not-ours"),
    row("alice@org", "not-ours"),
    row("alice@[192.0.2.1]", "not-ours"),
    row("alice@[IPv6:2001:db8::1]", "not-ours"),
    row('"a b"@example.com', "not-ours", "a b@example.com", '"a b"@example.com'),
    row("l" * 200 + "@example.com", "not-ours"),
    row("alice@" + "d" * 60 + "." + "e" * 60 + "." + "f" * 60 + "." + "g" * 60,
        "not-ours"),
    row("alice@bücher.example", "not-ours"),
    # malformed
    row('""@example.org', "bad-address", "@example.org", '""@example.org'),
    row("alice@", "bad-address", None),
    row("@example.org", "bad-address", None),
    row("alice@example..org", "bad-address", None),
    row("alice@exa mple.org", "bad-address", None),
    row("alice bob@example.org", "bad-address", None),
    row("alice@example.org,bob@example.org", "bad-address", None),
    row("$(id)@example.org", "bad-address", None),
    row("alice@example.org:25", "bad-address", None),
    row("alice\x7f@example.org", "bad-address", None),
    row("", "bad-address", None),
]


def make(name, **store):
    s = Site(name, domains=("example.org",), pop3=None, store=store)
    s.init()
    s.ctl("domain", "add", "example.net", "--alias", "example.org")
    for account in ("alice", "a.b-c_d", LONG, "grüße", "bob+exact"):
        s.add(account + "@example.org")
    s.add("nouser@example.org", flags="disuser")
    s.add("off@example.org", flags="dismail")
    s.add("full@example.org", quota="1K", overdraft="10K")
    s.add("tight@example.org", quota="4K", overdraft="0")
    s.ctl("forward", "sales@example.org", "alice@example.org", "sales@example.com")
    s.start()
    deliver(s, ["full@example.org", "tight@example.org"],
            message(body=b"x" * 70 + b"\r\n") + (b"y" * 70 + b"\r\n") * 20)
    return s


@pytest.fixture(scope="module")
def store():
    s = make("verdict", utf8_names=True)
    try:
        yield s
        s.assert_sound()
    finally:
        s.end()


@pytest.fixture(scope="module")
def strict():
    s = make("strict", utf8_names=True, over_quota="reject")
    try:
        yield s
    finally:
        s.end()


def by_ctl(site, address, size):
    """What every other answer is compared with."""
    args = ["--size", size] if size else []
    return site.ctl_json("verdict", *args, "--", address)


def by_policy(site, plain, size, state="RCPT"):
    with Policy(site.policy) as policy:
        return policy.ask(plain, state, size=size)


def by_milter(site, address, size):
    with Milter(site.milter) as milter:
        assert milter.mail("s@example.com", f"SIZE={size}", "SMTPUTF8") == "continue"
        return milter.rcpt(f"<{address}>")


def by_lmtp(site, address, size):
    with Lmtp(site.lmtp_socket) as lmtp:
        options = f" SIZE={size}" if size else ""
        assert lmtp.ask(f"MAIL FROM:<s@example.com> SMTPUTF8{options}")[:3] == "250"
        return lmtp.ask(f"RCPT TO:<{address}>")


def by_table(site, table, plain, key):
    """As Postfix asks: the quoted form, then the plain one."""
    with Socketmap(site.socketmap) as socketmap:
        answer = socketmap.ask(table, key)
        if answer[0] == "NOTFOUND" and plain not in (None, key):
            answer = socketmap.ask(table, plain)
        return answer


def expected_of_table(v):
    """policy/socketmap.h"""
    if v["accepts"]:
        return "OK", v["name"]
    if v["verdict"] in ("over-quota", "try-again"):
        return "TEMP", v["text"]
    return "NOTFOUND", ""


def agree(site, v, address, plain, key, size):
    line = f"{v['smtp']} {v['dsn']} {v['text']}"
    silent = v["accepts"] or v["verdict"] == "not-ours"

    assert by_milter(site, address, size) == ("continue" if silent else line)
    if plain is not None:
        for state in ("RCPT", "DATA", "END-OF-MESSAGE"):
            assert by_policy(site, plain, size, state) == ("DUNNO" if silent else line)
    if size <= 50 * KB * KB:  # a larger one is refused by LMTP at MAIL FROM already
        answer = by_lmtp(site, address, size)
        # With control octets it is no command at all.
        code = f"{v['smtp']} {v['dsn']} " if address.isprintable() else "500 5.5.2 "
        assert answer.startswith(code), answer
    if key is not None:
        unsized = by_ctl(site, address, 0)
        for table in ("virtual_mailbox_maps", "relay_recipient_maps"):
            assert by_table(site, table, plain, key) == expected_of_table(unsized)
        status, targets = by_table(site, "virtual_alias_maps", plain, key)
        assert status == ("OK" if v["verdict"] == "forward" else "NOTFOUND")
        assert targets == ", ".join(v["targets"])


@pytest.mark.parametrize("address, verdict, plain, key, size, name", ROWS)
def test_all_agree(store, address, verdict, plain, key, size, name):
    v = by_ctl(store, address, size)
    assert v["verdict"] == verdict
    assert v["smtp"] // 100 == (2 if v["accepts"] else 4 if verdict == "over-quota" else 5)
    if name is not None:
        assert v["name"] == name
    agree(store, v, address, plain, key, size)


@pytest.mark.parametrize("address, verdict, size", [
    ("full@example.org", "over-quota", 0),
    ("tight@example.org", "over-quota", 3 * KB),
    ("tight@example.org", "too-large", 5 * KB),
    ("alice@example.org", "ok", 5 * KB),
])
def test_all_agree_where_a_full_mailbox_is_refused(strict, address, verdict, size):
    v = by_ctl(strict, address, size)
    assert v["verdict"] == verdict
    if verdict == "over-quota":
        assert (v["smtp"], v["dsn"]) == (552, "5.2.2")
    agree(strict, v, address, address, address, size)


def test_all_agree_that_they_cannot_tell(make_site):
    """A profile that is damaged: "try again" for this account, and for no other."""
    site = make_site(pop3=None).start()
    alice, bob = site.add("alice@example.org"), site.add("bob@example.org")
    profile, = site.root.glob(f"accounts/*/*/{alice}/profile")
    profile.write_text("rubbish\n", encoding="ascii")
    since = site.daemon.mark()

    assert by_milter(site, alice, 0).startswith("451 4.3.0 ")
    assert by_policy(site, alice, 0).startswith("451 4.3.0 ")
    assert by_lmtp(site, alice, 0).startswith("451 4.3.0 ")
    assert by_table(site, "virtual_mailbox_maps", alice, alice)[0] == "TEMP"
    assert by_table(site, "virtual_alias_maps", alice, alice)[0] == "TEMP"
    assert site.run("--json", "verdict", alice).returncode not in (0, 1)
    for event in ("milter.recipient.deferred", "policy.recipient.deferred",
                  "socketmap.lookup.deferred"):
        assert "err=" in site.daemon.wait_for(rf"event={event} .*alice@example\.org", since)

    v = by_ctl(site, bob, 0)
    assert v["verdict"] == "ok"
    agree(site, v, bob, bob, bob, 0)
