# SPDX-License-Identifier: ISC
"""Forwardings at the delivery agent, with a script in the place of sendmail(1).

The rule that is shown here stands in store/targets.h and channel/session.h: 250 when
every target has the message, 4xx or 5xx when none has.
"""

import time
from email.utils import formatdate

import pytest

from lib.mail import HARD_BODY, Lmtp, message
from lib.outbox import Outbox, rcpts
from lib.site import Site
from lib.wire import DEADLINE

@pytest.fixture(scope="module")
def forwarder():
    s = Site("forward", domains=("example.org",), pop3=None, policy=None, socketmap=None,
             milter=None)
    try:
        s.mta = Outbox(s.dir)
        s.conf["sendmail"] = s.mta.program
        s.init()
        s.ctl("domain", "add", "example.net", "--alias", "example.org")
        for name in ("alice", "bob", "carol"):
            s.add(f"{name}@example.org")
        s.add("picky@example.org")
        s.ctl("sieve", "put", "picky@example.org", "main", "-",
              stdin='require "reject"; reject "no";')
        s.ctl("sieve", "activate", "picky@example.org", "main")
        s.add("heedless@example.org")
        s.ctl("sieve", "put", "heedless@example.org", "main", "-", stdin="discard;")
        s.ctl("sieve", "activate", "heedless@example.org", "main")
        s.add("small@example.org", quota="400", overdraft="0")
        s.add("tiny@example.org", quota="300", overdraft="0")
        for name, to in {
            "one": "alice@example.org",
            "list": "alice@example.org bob@example.org",
            "nested": "list@example.org carol@example.org alice+x@example.net",
            "far": "x@far.example",
            "both": "alice@example.org x@far.example y@far.example",
            "gone": "alice@example.org nobody@example.org",
            "nowhere": "nobody@example.org nothing@example.org",
            "tight": "alice@example.org small@example.org tiny@example.org",
            "tightest": "small@example.org tiny@example.org",
            "mixed": "alice@example.org picky@example.org",
            "awry": "picky@example.org x@far.example",
            "lost": "heedless@example.org x@far.example",
            "all": "alice@example.org picky@example.org x@far.example",
            "a": "b@example.org", "b": "a@example.org",
        }.items():
            s.ctl("forward", f"{name}@example.org", *to.split())
        s.start()
        yield s
        s.assert_sound()
    finally:
        s.end()


@pytest.fixture
def mta(forwarder):
    forwarder.mta.will(0)
    return forwarder.mta


@pytest.fixture
def deliver(forwarder):
    def deliver(*recipients, content=None, **kw):
        """Answers, and the recipients of each message file that appeared."""
        before = forwarder.message_files()
        with Lmtp(forwarder.lmtp) as client:
            client.wire.sock.settimeout(DEADLINE)
            answers = client.send(recipients, content or message(), **kw)
        return answers, [holders(f) for f in forwarder.message_files() - before]

    return deliver


def queued(qid):
    """The line that makes the same message known again."""
    return (f"Received: from somewhere (unknown [192.0.2.1])\r\n"
            f"\tby client.example.com (Postfix) with ESMTP id {qid}; "
            f"{formatdate(time.time())}\r\n").encode()


def holders(path):
    with open(path, "rb") as f:
        header = f.read().partition(b"\n\n")[0].decode()
    return [line.split(" ")[2].partition("@")[0] for line in header.split("\n")
            if line.startswith("rcpt + ")]


@pytest.mark.parametrize("name, holds", [
    ("one", ["alice"]), ("list", ["alice", "bob"]), ("nested", ["alice", "bob", "carol"])])
def test_accounts_here_share_the_one_copy(deliver, mta, name, holds):
    answers, stored = deliver(f"{name}@example.org")
    assert [a[:9] for a in answers] == ["250 2.0.0"]
    assert answers[0].endswith(" stored")
    assert stored == [holds]
    assert mta.mailed() == []


def test_with_others_in_one_transaction(deliver, mta):
    answers, stored = deliver("list@example.org", "carol@example.org", "far@example.org",
                              "alice@example.org")
    assert [a.split()[-1] for a in answers] == ["stored", "stored", "mailed", "stored"]
    assert stored == [["alice", "bob", "carol"]]
    assert [rcpts(r) for r in mta.mailed()] == [["x@far.example"]]


def test_elsewhere_is_mailed_and_not_stored(deliver, mta):
    answers, stored = deliver("far@example.org", sender="who@example.com")
    assert answers[0].startswith("250 2.0.0 ") and answers[0].endswith(" mailed")
    assert stored == []
    assert mta.mailed()[0]["args"] == ["-i", "-f", "who@example.com", "--", "x@far.example"]


def test_what_is_mailed_is_the_message(deliver, mta):
    content = message(body=HARD_BODY)
    deliver("far@example.org", content=content, sender="")
    (run,) = mta.mailed()
    assert run["args"][2] == "<>"
    received, _, rest = run["body"].partition("\nFrom: ")
    assert received.startswith("X-Popstore-Loop: far@example.org\n"
                               "Received: from client.example.com (")
    assert ("From: " + rest).encode("latin-1") == content.replace(b"\r\n", b"\n")


def test_a_large_message_is_mailed_whole(deliver, mta):
    content = message(body=b".line\r\n" * 200000)
    answers, _ = deliver("far@example.org", content=content)
    assert answers[0].startswith("250")
    assert mta.mailed()[0]["body"].encode("latin-1").endswith(
        content.replace(b"\r\n", b"\n"))


def test_an_account_among_the_targets_keeps_a_copy(deliver, mta):
    answers, stored = deliver("both@example.org")
    assert answers[0].endswith(" mailed")
    assert stored == [["alice"]]
    assert [rcpts(r) for r in mta.mailed()] == [["x@far.example", "y@far.example"]]


def test_the_copy_is_there_once_however_often_the_rest_fails(forwarder, deliver, mta):
    content = queued("4bForward") + message()
    mta.will(75)
    for stored in ([["alice"]], [[]], [[]]):
        answers, files = deliver("both@example.org", content=content)
        assert answers[0].startswith("451 4.3.0 ")
        assert [f for f in files if f] == [f for f in stored if f]
    mta.will(0)
    assert deliver("both@example.org", content=content)[0][0].endswith(" mailed")


def test_what_goes_round_is_not_sent_again(deliver, mta):
    deliver("far@example.org")
    (run,) = mta.mailed()
    mta.will(0)
    again = run["body"].replace("\n", "\r\n").encode("latin-1")
    answers, _ = deliver("far@example.org", "both@example.org", content=again)
    assert answers[0] == "554 5.4.6 forwarding leads in a circle"
    assert answers[1].endswith(" mailed")
    (run,) = mta.mailed()
    again = run["body"].replace("\n", "\r\n").encode("latin-1")
    mta.will(0)
    answers, stored = deliver("BOTH@example.org", content=again)
    assert answers[0].endswith(" stored") and stored == [["alice"]]
    assert mta.mailed() == []


def test_mail_that_failed_dmarc_is_not_forwarded(forwarder, deliver, mta):
    """Unless the operator wants it (test_outgoing.py)."""
    bad = b"Authentication-Results: mx.example.org; dmarc=fail\r\n" + message()
    answers, stored = deliver("far@example.org", "both@example.org", "alice@example.org",
                              content=bad)
    assert answers[0] == "550 5.7.1 Mail that failed DMARC is not forwarded"
    assert [a.split()[-1] for a in answers[1:]] == ["stored", "stored"]
    assert stored == [["alice"]]
    assert mta.mailed() == []
    good = bad.replace(b"fail", b"pass")
    assert deliver("far@example.org", content=good)[0][0].endswith(" mailed")


def test_what_goes_no_further_and_nobody_has_is_refused(forwarder, deliver, mta):
    bad = b"Authentication-Results: mx.example.org; dmarc=fail\r\n" + message()
    mark = forwarder.daemon.mark()
    assert deliver("awry@example.org", content=bad) == (["550 5.7.1 no"], [])
    assert deliver("lost@example.org", content=bad) == (
        ["550 5.7.1 Mail that failed DMARC is not forwarded"], [])
    assert mta.mailed() == []
    for name in ("awry", "lost"):
        forwarder.daemon.wait_for(
            rf"event=lmtp\.recipient\.held .*rcpt={name}@example\.org .*why=dmarc", mark)
    # With one who has it, it is as with any other who failed.
    answers, stored = deliver("all@example.org", content=bad)
    assert answers[0].endswith(" mailed") and stored == [["alice"]]
    assert [rcpts(r) for r in mta.mailed()] == [["picky@example.org"]]


def test_a_target_that_is_gone_is_for_the_mta_to_bounce(deliver, mta):
    answers, stored = deliver("gone@example.org")
    assert answers[0].endswith(" mailed")
    assert stored == [["alice"]]
    assert [rcpts(r) for r in mta.mailed()] == [["nobody@example.org"]]


def test_nobody_there_is_said_at_rcpt(deliver, mta):
    answers, stored = deliver("nowhere@example.org", "alice@example.org")
    assert answers[0].startswith("550 5.1.1 ")
    assert answers[1].startswith("250")
    assert stored == [["alice"]]
    assert mta.mailed() == []


def test_whoever_refuses_it_by_a_script_is_for_the_mta_to_bounce(deliver, mta):
    answers, stored = deliver("mixed@example.org")
    assert answers[0].endswith(" mailed")
    assert stored == [["alice"]]
    assert [rcpts(r) for r in mta.mailed()] == [["picky@example.org"]]
    assert deliver("picky@example.org") == (["550 5.7.1 no"], [])


def test_a_circle_is_cut(deliver, mta):
    answers, _ = deliver("a@example.org")
    assert answers[0].startswith("554 5.4.6 ")
    assert mta.mailed() == []


# The message is larger than small and tiny can hold, which only its end shows.
LARGE = message(body=b"x" * 70 + b"\r\n" * 200)


def test_who_became_too_full_is_mailed(deliver, mta):
    answers, stored = deliver("tight@example.org", content=LARGE)
    assert answers[0].endswith(" mailed")
    assert stored == [["alice"]]
    assert [rcpts(r) for r in mta.mailed()] == [["small@example.org", "tiny@example.org"]]


def test_when_that_fails_too_the_sender_tries_again(deliver, mta):
    mta.will(75)
    answers, stored = deliver("tight@example.org", content=LARGE)
    assert answers[0].startswith("451 4.3.0 ")
    assert stored == [["alice"]]  # a second copy is better than none


def test_all_too_full_is_a_refusal(deliver, mta):
    answers, stored = deliver("tightest@example.org", content=LARGE)
    assert answers[0].startswith("552 5.2.3 ")
    assert mta.mailed() == []
    assert stored in ([], [[]])


@pytest.mark.parametrize("status, answer", [
    (65, "554 5.6.0 "), (67, "554 5.1.1 "), (68, "554 5.1.2 "), (77, "554 5.7.1 "),
    (64, "451 4.3.0 "), (69, "451 4.3.0 "), (70, "451 4.3.0 "), (75, "451 4.3.0 "),
    (78, "451 4.3.5 "), (1, "451 4.3.0 ")])
def test_the_mtas_word_is_the_reply(forwarder, deliver, mta, status, answer):
    mta.will(status)
    mark = forwarder.daemon.mark()
    answers, _ = deliver("far@example.org", "alice@example.org")
    assert answers[0].startswith(answer)
    assert answers[1].startswith("250")
    forwarder.daemon.wait_for(r"event=lmtp.recipient.failed level=warn .*verdict=mail-failed "
                              r".*not today", mark)


def test_a_sender_cannot_become_an_option(deliver, mta):
    answers, _ = deliver("far@example.org", sender="-Cevil@example.com")
    assert answers[0].startswith("250")
    assert mta.mailed()[0]["args"] == \
        ["-i", "-f", "-Cevil@example.com", "--", "x@far.example"]


def test_nothing_is_mailed_when_the_message_is_refused(deliver, mta):
    answers, stored = deliver("far@example.org", content=b"a\nb\r\n")
    assert answers[0].startswith("554 5.6.0 ")
    assert stored == [] and mta.mailed() == []
