# SPDX-License-Identifier: ISC
"""popstore-policyd by Postfix's policy delegation protocol.  That it agrees with the
others on who may get what is in test_verdict.py, that Postfix understands it in
test_mta.py; here is the connection."""

import concurrent.futures
import contextlib

import pytest

from lib.asking import Policy, policy_request
from lib.wire import Wire

STATES = ("CONNECT", "EHLO", "HELO", "MAIL", "VRFY", "ETRN", "BDAT", "NOOP", "")


def test_an_unknown_recipient_is_refused(site):
    with Policy(site.policy) as policy:
        assert policy.ask(site.new_name()) == "550 5.1.1 no such user here"


@pytest.mark.parametrize("state", STATES)
def test_other_stages_have_no_verdict(site, state):
    with Policy(site.policy) as policy:
        assert policy.ask(site.new_name(), state) == "DUNNO"


def test_several_recipients_are_not_judged_at_the_end(site):
    with Policy(site.policy) as policy:
        assert policy.ask("", "DATA", recipient_count=2) == "DUNNO"
        assert policy.ask("", "END-OF-MESSAGE", recipient_count=2, size=10) == "DUNNO"


def test_the_true_size_counts_at_the_end(site):
    account = site.new_account(quota="10K", overdraft="0")
    with Policy(site.policy) as policy:
        assert policy.ask(account, size=0) == "DUNNO"
        assert policy.ask(account, "END-OF-MESSAGE", size=10240) == "DUNNO"
        assert policy.ask(account, "END-OF-MESSAGE", size=10241)[:10] == "552 5.2.3 "


def test_a_connection_serves_many_requests(site, account):
    with Policy(site.policy) as policy:
        for _ in range(300):
            assert policy.ask(account) == "DUNNO"
            assert policy.ask("nobody-" + account)[:10] == "550 5.1.1 "


@pytest.mark.parametrize("step", (1, 7, None))
def test_requests_may_arrive_in_pieces_and_together(site, account, step):
    with Policy(site.policy) as policy:
        policy.wire.send(policy_request(account) + policy_request("nobody-" + account) +
                         policy_request(account, "MAIL"), step)
        assert [policy.answer() for _ in range(3)] == \
            ["DUNNO", "550 5.1.1 no such user here", "DUNNO"]


def test_changes_are_seen_at_once(site):
    name = site.new_name()
    with Policy(site.policy) as policy:
        assert policy.ask(name)[:3] == "550"
        site.add(name)
        assert policy.ask(name) == "DUNNO"
        site.ctl("modify", name, "--flags", "dismail")
        assert policy.ask(name)[:10] == "550 5.2.1 "
        site.ctl("delete", name)
        assert policy.ask(name)[:10] == "550 5.1.1 "


@pytest.mark.parametrize("rubbish, why", [
    (b"GET / HTTP/1.1\n\n", "name=value"),
    (b"request=junk\nprotocol_state=RCPT\n\n", "smtpd_access_policy"),
    (policy_request("a@example.org").replace(b"\n", b"\r\n"), "name=value"),
    (policy_request("a@example.org", size="-1"), "size"),
    (policy_request("a@example.org").replace(b"a@", b"a\0@"), "NUL"),
    (policy_request("a@example.org\nrecipient=b@example.org"), "twice"),
    (b"request=smtpd_access_policy\nx=" + b"y" * 20000, "too long"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_rubbish_is_not_answered(site, rubbish, why):
    since = site.daemon.mark()
    with Wire(site.policy) as wire:
        try:
            wire.send(rubbish)
            assert wire.rest() == b""
        except OSError:
            pass  # closed with some of it unread
    assert why in site.daemon.wait_for("event=policy.request.broken", since)
    with Policy(site.policy) as policy:
        assert policy.ask("a@elsewhere.test") == "DUNNO"


@pytest.mark.parametrize("recipient", [
    "a\x1b[31m@example.org", "a\x85b@example.org", "%n%s@example.org", '"\\@example.org',
    "'; DROP TABLE x@example.org", "x" * 4000 + "@example.org"])
def test_hostile_recipients_are_only_text(site, recipient):
    since = site.daemon.mark()
    with Policy(site.policy) as policy:
        assert policy.ask(recipient)[:4] in ("550 ", "553 ")
    line = site.daemon.wait_for("event=policy.recipient.refused", since)
    assert line.isprintable() and len(line) < 1500


def test_many_connections_at_once(site, account):
    def ask(_):
        with Policy(site.policy) as policy:
            return {policy.ask(account) for _ in range(20)}

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set().union(*pool.map(ask, range(64))) == {"DUNNO"}


def test_an_idle_connection_does_not_hold_up_the_end(make_site):
    site = make_site(pop3=None, lmtp=None, milter=None).start()
    with Policy(site.policy) as idle, Wire(site.policy) as half:
        assert idle.ask("a@elsewhere.test") == "DUNNO"
        half.send(b"request=smtpd_acc")
        site.stop()
        assert idle.wire.rest() == b""
        # What was sent last may still be unread, and then the end is a reset.
        with contextlib.suppress(ConnectionResetError):
            assert half.rest() == b""


def test_one_connection_too_many_is_closed(make_site):
    site = make_site(pop3=None, lmtp=None, milter=None, policy={"max_connections": 2},
                     socketmap={"max_connections": 1}).start()
    with Policy(site.policy) as a, Policy(site.policy) as b, Policy(site.policy) as c:
        assert {x.ask("a@elsewhere.test") for x in (a, b, c)} == {"DUNNO"}
        with Wire(site.policy) as wire:
            assert wire.rest() == b""
        assert a.ask("a@elsewhere.test") == "DUNNO"
