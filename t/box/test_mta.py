# SPDX-License-Identifier: ISC
"""SMTP in through real Postfix and real Sendmail, POP3 out.

Every test runs with Postfix asking by policy protocol, by milter and by socketmap, and
with Sendmail asking by milter, each with the files of conf-examples/ as shipped.
"""

import itertools
import smtplib

import pytest

from lib import place
from lib.mail import HARD_BODY, Pop3, deliver, fetch_all, message, split_trace
from lib.mta import KINDS, Postfix, Sendmail, behind, running, telling_the_log

_subjects = itertools.count(1)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    place.need_root("Postfix and Sendmail change users")
    return request.param


@pytest.fixture(scope="module")
def mx(kind):
    with behind(kind) as site:
        site.init()
        site.ctl("domain", "add", "example.net", "--alias", "example.org")
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


def unique(body=b"Hello.\r\n"):
    return message(f"subject {next(_subjects)}", body)


def full_account(mx):
    """An account over its quota."""
    name = mx.new_account("full", quota="1K", overdraft="8K")
    deliver(mx, name, message(body=b"x" * 3000 + b"\r\n"))
    return name


def test_one_transaction_has_an_answer_for_each_recipient(mx, mta):
    good = mx.new_account("good")
    last = mx.new_account("last")
    disabled = mx.new_account("disabled", flags="dismail")
    full = full_account(mx)
    # A table has no words of its own (conf-examples/postfix/20-socketmap.cf).
    table = mta.early == "socketmap"
    not_receiving = (550, b"5.1.1") if table else (550, b"5.2.1")
    expected = {
        good: (250, b"2.1.5"),
        "nobody@example.org": (550, b"5.1.1"),
        disabled: not_receiving,
        full: (451, b"4.3.0") if table else (452, b"4.2.2"),
        "default@example.org": not_receiving,
        "nobody+detail@example.net": (550, b"5.1.1"),
        last.upper(): (250, b"2.1.5"),
    }
    content = unique()
    answers = mta.send(expected, content)

    assert {r: (code, text[:5]) for r, (code, text) in answers.items()} == expected
    mta.wait_queue_empty()
    for name in (good, last):
        (stored,) = fetch_all(mx, name)
        split_trace(stored, content if isinstance(mta, Postfix) else content.split(b"\r\n\r\n")[1])
    for name, messages in ((disabled, 0), (full, 1)):
        assert len(fetch_all(mx, name)) == messages


def test_strangers_cannot_relay(mx, mta):
    """Our daemons have no opinion on foreign domains, and the MTA refuses."""
    with mta.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("sender@example.com")
        code, text = smtp.rcpt("someone@elsewhere.test")
        assert code in (454, 550, 554), (code, text)
        assert b"elay" in text
        assert smtp.rcpt(mx.new_account())[0] == 250


def test_the_message_comes_back_byte_for_byte(mx, mta):
    """What the MTA handed on, behind the trace lines of the delivery agent; and in it
    what the client sent."""
    name = mx.new_account("bytes")
    content = unique(HARD_BODY)
    mta.send([name], content, sender="Some.One@example.com", options=["BODY=8BITMIME"])
    mta.wait_queue_empty()

    (stored,) = fetch_all(mx, name)
    handed_on = mta.recorder.messages()[-1]
    trace, _ = split_trace(stored, handed_on)
    assert trace.startswith(b"Return-Path: <Some.One@example.com>\r\nReceived: ")
    assert trace.endswith(b"\r\n") and b"\r\n\r\n" not in trace
    assert all(line.startswith((b"Return-Path: ", b"Received: ", b" ", b"\t"))
               for line in trace.splitlines())
    assert handed_on.endswith(b"\r\n\r\n" + HARD_BODY)
    if isinstance(mta, Postfix):  # Sendmail writes address headers anew
        assert handed_on.endswith(content)


def test_long_lines_come_back_unbroken(mx, mta):
    """Far beyond the 998 octets of RFC 5322: at the MTAs' own limits for input."""
    name = mx.new_account("long")
    body = b"a" * 998 + b"\r\n" + b"b" * 2040 + b"\r\n" + b"." * 1500 + b"\r\nend\r\n"
    mta.send([name], unique(body))
    mta.wait_queue_empty()
    (stored,) = fetch_all(mx, name)
    assert stored.endswith(b"\r\n\r\n" + body)


def test_a_hundred_recipients_are_one_file(mx, mta):
    names = mx.add_many(mx.new_name("many") for _ in range(100))
    content = unique(b"To all of you.\r\n" * 400)
    before, transactions = mx.message_files(), mta.recorder.transactions()

    answers = mta.send(names, content)
    assert {code for code, _ in answers.values()} == {250}
    mta.wait_queue_empty()

    assert mta.recorder.transactions() == transactions + 1
    assert len(mx.message_files() - before) == 1
    (first,) = fetch_all(mx, names[0])
    assert first.endswith(content.split(b"\r\n\r\n", 1)[1])
    for name in names[1:]:
        assert fetch_all(mx, name, delete=True) == [first]

    assert len(mx.message_files() - before) == 1, "the first recipient still has it"
    assert fetch_all(mx, names[0], delete=True) == [first]
    assert mx.message_files() - before == set()


def test_subaddress_and_alias_domain_reach_the_account(mx, mta):
    name = mx.new_account("sub")
    local = name.split("@")[0]
    for recipient in (f"{local}+list@example.org", f"{local}@example.net",
                      f"{local.upper()}+A.b-c@EXAMPLE.NET"):
        content = unique()
        assert mta.send([recipient], content)[recipient][0] == 250
        mta.wait_queue_empty()
        (stored,) = fetch_all(mx, name, delete=True)
        assert stored.endswith(content.split(b"\r\n\r\n", 1)[1])


def test_the_same_account_by_three_names_gets_one_copy(mx, mta):
    name = mx.new_account("thrice")
    local = name.split("@")[0]
    answers = mta.send([name, f"{local}+x@example.org", f"{local}@example.net"], unique())
    assert {code for code, _ in answers.values()} == {250}
    mta.wait_queue_empty()
    assert len(fetch_all(mx, name)) == 1


def test_a_forwarding_reaches_its_accounts(mx, mta):
    """Expanded by Postfix with socketmap, by popstore-lmtpd elsewhere."""
    one, two = mx.new_account("one"), mx.new_account("two")
    name, chain = mx.new_name("team"), mx.new_name("chain")
    mx.ctl("forward", name, one, two)
    mx.ctl("forward", chain, name)
    content = unique()
    before = mx.message_files()
    assert mta.send([chain], content)[chain][0] == 250
    mta.wait_queue_empty()
    for account in (one, two):
        (stored,) = fetch_all(mx, account)
        assert stored.endswith(content.split(b"\r\n\r\n", 1)[1])
    assert len(mx.message_files() - before) == 1
    to_lmtp = bytes(mta.recorder.sessions[-1]).lower()
    expanded_by_mta = b"rcpt to:<" + one.encode() in to_lmtp
    assert expanded_by_mta == (mta.early == "socketmap")


def test_a_forwarding_leaves_the_site(mx, mta):
    here, name = mx.new_account("here"), mx.new_name("both")
    mx.ctl("forward", name, here, "there@elsewhere.test")
    content = unique(HARD_BODY)
    assert mta.send([name], content)[name][0] == 250
    mta.wait_queue_empty()
    (stored,) = fetch_all(mx, here)
    sent = content if isinstance(mta, Postfix) else HARD_BODY
    split_trace(stored, sent)
    (sender, recipients, got), = mta.outside.to("there@elsewhere.test")
    assert (sender, recipients) == ("sender@example.com", ["there@elsewhere.test"])
    split_trace(got, sent)


def test_too_large_is_refused_before_it_is_sent(mx, mta):
    """By the site's limit at MAIL FROM; by the account's at RCPT TO, where the MTA tells
    the size that the client named."""
    small, large = mx.new_account("small", quota="100K", overdraft="10K"), mx.new_account()
    with mta.smtp() as smtp:
        smtp.ehlo()
        assert smtp.mail("sender@example.com", ["SIZE=60000000"])[0] == 552
        smtp.rset()
        assert smtp.mail("sender@example.com", ["SIZE=200000"])[0] == 250
        code, text = smtp.rcpt(small)
        if mta.early == "socketmap":
            assert code == 250, "a table does not learn the size"
        else:
            assert (code, text[:5]) == (552, b"5.2.3")
        assert smtp.rcpt(large)[0] == 250


def test_larger_than_the_account_is_bounced_not_stored(mx, mta):
    """The client did not name the size, so only the delivery agent can tell."""
    small, large = mx.new_account("small", quota="100K", overdraft="10K"), mx.new_account()
    sender = mx.new_account("sender")
    content = unique(b"0123456789abcde\r\n" * 10000)
    assert {c for c, _ in mta.send([small, large], content, sender=sender).values()} == {250}
    mta.wait_queue_empty()
    assert fetch_all(mx, small) == []
    assert len(fetch_all(mx, large)) == 1
    (bounce,) = fetch_all(mx, sender)
    assert b"5.2.3" in bounce and small.encode() in bounce
    assert bounce.startswith(b"Return-Path: <>\r\n")


def test_mail_to_an_account_that_went_is_bounced(mx, mta):
    """Between the early check and the delivery: the delivery agent has the last word."""
    sender, victim = mx.new_account("sender"), mx.new_account("victim")
    with mta.smtp() as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        assert smtp.rcpt(victim)[0] == 250
        mx.ctl("delete", victim)
        assert smtp.data(unique())[0] == 250
    mta.wait_queue_empty()
    (bounce,) = fetch_all(mx, sender)
    assert b"5.1.1" in bounce


def test_several_messages_in_one_session(mx, mta):
    name = mx.new_account("several")
    with mta.smtp() as smtp:
        for i in range(5):
            smtp.sendmail("sender@example.com", [name], message(f"number {i}"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("sender@example.com", ["nobody@example.org"], message())
        smtp.sendmail("sender@example.com", [name], message("number 5"))
    mta.wait_queue_empty()
    pop3 = Pop3(mx, name)
    assert pop3.stat()[0] == 6
    uidls = [line.split()[1] for line in pop3.uidl()[1]]
    assert len(set(uidls)) == 6
    pop3.quit()


def refusing(mx, text):
    """An account that gets nothing but what is called "welcome"."""
    name = mx.new_account("refuses")
    mx.ctl("sieve", "put", name, "main", "-", stdin=(
        f'require "reject"; if not header "subject" "welcome" {{ reject "{text}"; }}\n'))
    mx.ctl("sieve", "activate", name, "main")
    return name


def test_a_script_refuses_while_the_client_is_there(mx, mta):
    """Where the MTA asks by milter; elsewhere it takes the message, and tells the sender."""
    text = "100% unwanted, by more than one rule"
    name, other, sender = refusing(mx, text), refusing(mx, "no"), mx.new_account("sender")
    for content in (unique(), unique(HARD_BODY), unique((b"x" * 70 + b"\r\n") * 3000)):
        with mta.smtp() as smtp:
            smtp.ehlo()
            smtp.mail(sender)
            answers = [smtp.rcpt(r)[0] for r in (name, "nobody@example.org", other)]
            assert answers == [250, 550, 250]
            code, said = smtp.data(content)
        if mta.early == "milter":
            assert (code, said.decode()) == (550, f"5.7.1 {text}")
            assert not mta.queue()
        else:
            assert code == 250
            mta.wait_queue_empty()
            bounces = fetch_all(mx, sender, delete=True)
            assert bounces and any(text.encode() in b for b in bounces)
    mta.wait_queue_empty()
    assert fetch_all(mx, name) + fetch_all(mx, other) + fetch_all(mx, sender) == []


def test_in_one_session_a_script_refuses_what_it_has_to(mx, mta):
    """With messages between that nobody has a script for, of which a milter is told nothing
    after DATA."""
    name, plain, sender = refusing(mx, "no"), mx.new_account("plain"), mx.new_account("sender")
    refused = 550 if mta.early == "milter" else 250
    with mta.smtp() as smtp:
        smtp.ehlo()
        for rcpt, content, expected in ((plain, unique(), 250), (name, unique(), refused),
                                        (plain, unique(), 250), (name, message("welcome"), 250),
                                        (name, unique(), refused), (plain, unique(), 250)):
            smtp.mail(sender)
            assert smtp.rcpt(rcpt)[0] == 250
            assert smtp.data(content)[0] == expected
    mta.wait_queue_empty()
    assert (len(fetch_all(mx, name)), len(fetch_all(mx, plain))) == (1, 3)


def test_what_only_some_refuse_is_taken(mx, mta):
    """The sender hears of the others from the MTA (sieve.refused)."""
    name, plain, sender = refusing(mx, "not for me"), mx.new_account("plain"), mx.new_account("sender")
    assert {c for c, _ in mta.send([name, plain], unique(), sender=sender).values()} == {250}
    mta.wait_queue_empty()
    (bounce,) = fetch_all(mx, sender)
    assert b"5.7.1" in bounce and b"not for me" in bounce and name.encode() in bounce
    assert plain.encode() not in bounce
    assert (fetch_all(mx, name), len(fetch_all(mx, plain))) == ([], 1)


def test_the_mta_has_no_complaint(mx, mta):
    """After all that: no setting it does not know, a protocol error of ours."""
    assert mta.warnings() == []


def test_mail_waits_while_the_store_is_down(mx, mta):
    """Nothing is taken that nobody could judge, and what was taken waits in the queue."""
    name = mx.new_account("waiting")
    content = unique()
    with mta.smtp() as smtp:
        smtp.ehlo()
        assert smtp.mail("sender@example.com")[0] == 250
        assert smtp.rcpt(name)[0] == 250
        mx.stop()
        try:
            try:
                answer = smtp.data(content)
            except smtplib.SMTPDataError as refused:
                answer = refused.args
            # A milter is asked at DATA and at the end of the message as well, and the table
            # of forwardings then only; a policy daemon has agreed.
            assert answer[0] == 250 or mta.early != "policy" and answer[0] // 100 == 4
            if answer[0] == 250:
                assert mta.queue()
            with mta.smtp() as late:
                late.ehlo()
                codes = [late.mail("sender@example.com")[0], late.rcpt(name)[0]]
                assert any(code // 100 == 4 for code in codes) and 550 not in codes
        finally:
            mx.start()
    mta.wait_queue_empty()
    messages = fetch_all(mx, name)
    assert len(messages) == (1 if answer[0] == 250 else 0)
    assert mta.send([name], unique())[name][0] == 250
    mta.wait_queue_empty()
    assert len(fetch_all(mx, name)) == len(messages) + 1


@pytest.mark.parametrize("program", ("postfix", "sendmail"))
def test_a_filter_that_comes_after_ours_gets_the_message(make_site, program):
    """Also where ours wants nothing more of it: the second one is another popstore-milter,
    for whose site the same name has a script."""
    place.need_root("Postfix and Sendmail change users")
    sockets = place.scratch("milter", "/run")
    first, second = make_site(), make_site(lmtp=None, pop3=None, policy=None, socketmap=None)
    if program == "sendmail":
        first.conf["milter"]["listen"] = [f"unix:{sockets}/milter"]
        first.write_conf()
    name = first.new_account("two")
    second.add(name)
    for site in (first, second):
        site.start()
    after = f"inet:{second.milter}" if program == "postfix" else second.milter_conf
    mta = (Postfix(first, "milter", extra=f"smtpd_milters = $popstore_milter, {after}\n")
           if program == "postfix" else
           Sendmail(first, extra=f"INPUT_MAIL_FILTER(`second', `S={after}, F=T')dnl\n"))
    try:
        mta.start()
        assert mta.send([name], unique())[name][0] == 250
        second.ctl("sieve", "put", name, "main", "-", stdin='require "reject"; reject "second";')
        second.ctl("sieve", "activate", name, "main")
        with mta.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("sender@example.com")
            assert smtp.rcpt(name)[0] == 250
            assert smtp.data(unique()) == (550, b"5.7.1 second")
        mta.wait_queue_empty()
        assert len(fetch_all(first, name)) == 1
    finally:
        mta.stop()
        place.discard(sockets)


def test_the_single_copy_depends_on_the_recipient_limit(make_site):
    """What "one file" above would look like without the line in 10-delivery.cf."""
    place.need_root("Postfix changes users")
    site = make_site().start()
    postfix = Postfix(site, "policy", extra="lmtp_destination_recipient_limit = 25\n")
    try:
        postfix.start()
        postfix.send(site.add_many(site.new_name("cut") for _ in range(100)), unique())
        postfix.wait_queue_empty()
        assert len(site.message_files()) == 4
    finally:
        postfix.stop()
