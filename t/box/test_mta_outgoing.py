# SPDX-License-Identifier: ISC
"""What filters and forwardings send, through real Postfix and real Sendmail: a redirect with
a rewritten sender and the way home of its bounce, an answer of vacation, a notification."""

import email
import itertools

import pytest

from lib import place
from lib.mail import fetch_all, message
from lib.mta import KINDS, Postfix, behind, running, telling_the_log
from lib.wire import DEADLINE, wait_until

WHO = "who@example.com"
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    place.need_root("Postfix and Sendmail change users")
    return request.param


@pytest.fixture(scope="module")
def mx(kind):
    with behind(kind, outgoing={"srs_domain": "example.org"}) as site:
        secrets = site.dir / "srs-secrets"
        secrets.write_text("a secret of this site\n")
        site.conf["outgoing"]["srs_secrets"] = secrets
        site.init()
        site.start()
        yield site


@pytest.fixture(scope="module")
def mta(kind, mx):
    with running(kind, mx) as mta:
        yield mta


@pytest.fixture(autouse=True)
def tell_the_log(request):
    with telling_the_log(request):
        yield


def user(mx, script):
    name = mx.new_account("user")
    mx.ctl("sieve", "put", name, "main", "-", stdin=script)
    mx.ctl("sieve", "activate", name, "main")
    return name


def outside(mta, recipient):
    """What it got, when it is there."""
    wait_until(f"mail for {recipient}", lambda: mta.outside.to(recipient), DEADLINE * 3)
    (mail,) = mta.outside.to(recipient)
    return mail


def fresh(local):
    return f"{local}{next(_numbers)}@elsewhere.test"


def is_ours(sender):
    return sender.startswith("SRS0=") and sender.endswith("=example.com=who@example.org")


@pytest.mark.parametrize("way", ["redirect", "forward"])
def test_what_is_sent_on_has_a_sender_of_ours(mx, mta, way):
    there = fresh("there")
    if way == "redirect":
        name = user(mx, f'redirect "{there}"; keep;')
    else:
        account, name = mx.new_account("user"), mx.new_name("both")
        mx.ctl("forward", name, account, there)
    content = message("on its way", to=f"<{name}>")
    assert mta.send([name], content, sender=WHO)[name][0] == 250
    sender, _, got = outside(mta, there)
    assert is_ours(sender)
    assert got.endswith(content.split(b"\r\n\r\n", 1)[1])
    assert f"X-Popstore-Loop: {name}".encode() in got
    mta.wait_queue_empty()
    (stored,) = fetch_all(mx, name if way == "redirect" else account)
    assert stored.startswith(b"Return-Path: <who@example.com>\r\n")


def test_a_bounce_comes_home(mx, mta):
    """The MTA makes it, of a recipient that nobody knows."""
    home = f"home{next(_numbers)}@example.com"
    name = user(mx, f'redirect "{fresh("refused")}";')
    assert mta.send([name], message(), sender=home)[name][0] == 250
    sender, recipients, bounce = outside(mta, home)
    assert (sender, recipients) == ("", [home])
    assert b"5.1.1" in bounce and b"refused" in bounce
    mta.wait_queue_empty()


def test_a_bounce_from_elsewhere_comes_home_and_a_forged_one_does_not(mx, mta):
    home, there = f"home{next(_numbers)}@example.com", fresh("there")
    name = user(mx, f'redirect "{there}";')
    mta.send([name], message(), sender=home)
    back, _, _ = outside(mta, there)
    forged = "SRS0=AAAAAAAA" + back[len("SRS0=AAAAAAAA"):]
    answers = mta.send([forged, back], message("bounce"), sender="")
    assert answers[back][0] == 250
    code, text = answers[forged]
    assert code == 550 and text[:5] == (b"5.1.1" if mta.early == "socketmap" else b"5.7.1")
    sender, _, bounce = outside(mta, home)
    assert sender == "" and b"Subject: bounce" in bounce
    mta.wait_queue_empty()


def test_vacation(mx, mta):
    home = f"home{next(_numbers)}@example.com"
    name = user(mx, 'require "vacation"; vacation "I am away.";')
    for _ in range(2):
        mta.send([name], message("hello", to=f"<{name}>"), sender=home)
        mta.wait_queue_empty()
    sender, recipients, got = outside(mta, home)
    assert (sender, recipients) == ("", [home])
    reply = email.message_from_bytes(got)
    assert reply["Subject"] == "Auto: hello" and reply["To"] == home
    assert reply["From"] == name and reply["Auto-Submitted"].startswith("auto-replied")
    assert reply.get_payload() == "I am away.\r\n"
    assert len(fetch_all(mx, name)) == 2


def test_notify(mx, mta):
    there = fresh("pager")
    name = user(mx, f'require "enotify"; notify "mailto:{there}";')
    mta.send([name], message("hello"), sender=WHO)
    sender, _, got = outside(mta, there)
    assert sender == "" and b"auto-notified" in got


def test_a_circle_ends(mx, mta):
    """Two accounts that redirect to each other."""
    one, two = mx.new_account("one"), mx.new_account("two")
    for name, other in ((one, two), (two, one)):
        mx.ctl("sieve", "put", name, "main", "-", stdin=f'redirect "{other}";')
        mx.ctl("sieve", "activate", name, "main")
    mta.send([one], message("round"), sender=WHO)
    # From one to two, and back to one, which has seen it.
    wait_until("the message", lambda: len(mx.ctl_json("messages", one)) == 1, DEADLINE * 3)
    mta.wait_queue_empty()
    assert fetch_all(mx, two) == []


def test_dsn_wishes_reach_the_mta(mx, mta):
    if not isinstance(mta, Postfix):
        pytest.skip("here sendmail(1) is a script that knows no -N")
    home = f"home{next(_numbers)}@example.com"
    name = user(mx, 'require "redirect-dsn"; redirect :notify "never" '
                    f'"{fresh("refused")}"; keep;')
    mta.send([name], message(), sender=home)
    mta.wait_queue_empty()
    assert len(fetch_all(mx, name)) == 1
    assert mta.outside.to(home) == []


def test_the_mta_has_no_complaint(mx, mta):
    assert mta.warnings() == []
