# SPDX-License-Identifier: ISC
"""Forwardings at the delivery agent, with a script in the place of sendmail(1).

The rule that is shown here stands in store/targets.h and channel/session.h: 250 when
every target has the message, 4xx or 5xx when none has.
"""

import json
import sys

import pytest

from lib.mail import HARD_BODY, Lmtp, message
from lib.site import Site
from lib.wire import DEADLINE

SENDMAIL = """#!{python}
# Writes down what it was given; the file `status` next to it says how it ends.
import json, os, sys
where = os.path.dirname(os.path.abspath(__file__))
body = sys.stdin.buffer.read()
with open(os.path.join(where, "mailed"), "a") as f:
    f.write(json.dumps({{"args": sys.argv[1:], "body": body.decode("latin-1")}}) + "\\n")
status = open(os.path.join(where, "status")).read()
if status != "0":
    print("not today", file=sys.stderr)
sys.exit(int(status))
"""


class Mta:
    def __init__(self, where):
        self.program, self.status = where / "sendmail", where / "status"
        self.mailed_file = where / "mailed"
        self.program.write_text(SENDMAIL.format(python=sys.executable))
        self.program.chmod(0o755)
        self.will(0)

    def will(self, status):
        self.status.write_text(str(status))
        self.mailed_file.write_text("")

    def mailed(self):
        return [json.loads(line) for line in self.mailed_file.read_text().splitlines()]


@pytest.fixture(scope="module")
def forwarder():
    s = Site("forward", domains=("example.org",), pop3=None, policy=None, socketmap=None,
             milter=None)
    try:
        s.mta = Mta(s.dir)
        s.conf["sendmail"] = s.mta.program
        s.init()
        s.ctl("domain", "add", "example.net", "--alias", "example.org")
        for name in ("alice", "bob", "carol"):
            s.add(f"{name}@example.org")
        s.add("picky@example.org")
        s.ctl("sieve", "put", "picky@example.org", "main", "-",
              stdin='require "reject"; reject "no";')
        s.ctl("sieve", "activate", "picky@example.org", "main")
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


def holders(path):
    with open(path, "rb") as f:
        header = f.read().partition(b"\n\n")[0].decode()
    return [line.split(" ")[2].partition("@")[0] for line in header.split("\n")
            if line.startswith("rcpt + ")]


def rcpts(run):
    args = run["args"]
    return args[args.index("--") + 1:]


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
    assert received.startswith("Received: from client.example.com (")
    assert ("From: " + rest).encode("latin-1") == content.replace(b"\r\n", b"\n")


def test_a_large_message_is_mailed_whole(deliver, mta):
    content = message(body=b".line\r\n" * 200000)
    answers, _ = deliver("far@example.org", content=content)
    assert answers[0].startswith("250")
    assert mta.mailed()[0]["body"].encode("latin-1").endswith(
        content.replace(b"\r\n", b"\n"))


def test_one_target_elsewhere_sends_all_to_the_mta(deliver, mta):
    answers, stored = deliver("both@example.org")
    assert answers[0].endswith(" mailed")
    assert stored == []
    assert [rcpts(r) for r in mta.mailed()] == \
        [["alice@example.org", "x@far.example", "y@far.example"]]


def test_a_target_that_is_gone_is_for_the_mta_to_bounce(deliver, mta):
    answers, stored = deliver("gone@example.org")
    assert answers[0].endswith(" mailed")
    assert stored == []
    assert [rcpts(r) for r in mta.mailed()] == [["alice@example.org", "nobody@example.org"]]


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
