# SPDX-License-Identifier: ISC
"""A reply that gets lost: the MTA sends the message again, and nobody gets it twice.

With real MTAs a relay stands before lmtpd and loses replies; the rest is plain LMTP, with
the line on top that an MTA would have written.  The control is the same with the feature
off: the same tests then see two copies.
"""

import os
import signal
import time
from email.utils import formatdate

import pytest

from lib import place
from lib.counts import count
from lib.daemon import Daemon
from lib.mail import Lmtp, deliver, dot_stuffed, fetch_all, message
from lib.mta import Postfix, Sendmail
from lib.peer import Loser
from lib.site import Site
from lib.trace import Trace
from lib.wire import wait_listening, wait_until

LHLO = "client.example.com"  # what lib.mail.Lmtp says


def received(qid="4bXyz1", by=LHLO, age=0):
    date = formatdate(time.time() - age)
    return (f"Received: from somewhere (unknown [192.0.2.1])\r\n"
            f"\tby {by} (Postfix) with ESMTP id {qid}; {date} (UTC)\r\n").encode()


def send(site, names, content, sender="sender@example.com", options="", before=()):
    """A session with one message; the replies, all of which are 250."""
    with Lmtp(site.lmtp_socket) as lmtp:
        for line in before:
            assert lmtp.ask(line).startswith("250")
        answers = lmtp.send(names, content, sender=sender, options=options)
        lmtp.ask("QUIT")
    assert all(a.startswith("250") for a in answers), answers
    return answers


def copies(site, name):
    return len(fetch_all(site, name))


# ---- by LMTP alone -------------------------------------------------------------------------

# What the second attempt has in common with the first, and how many copies there are then.
PAIRS = {
    # name: (first, second, copies); each is keyword arguments of attempt()
    "the same": ({}, {}, 1),
    "another queue id": ({}, {"qid": "4bXyz2"}, 2),
    "another text under the same queue id": ({}, {"body": b"Hallo.\r\n"}, 2),
    "one more octet": ({}, {"body": b"Hello.\r\n\r\n"}, 2),
    "another sender": ({}, {"sender": "other@example.com"}, 2),
    "the null sender, twice": ({"sender": ""}, {"sender": ""}, 1),
    "another field on top": ({}, {"top": b"X-Field: y\r\n"}, 2),
    "a field on top, twice": ({"top": b"X-Field: y\r\n"}, {"top": b"X-Field: y\r\n"}, 1),
    "no line of an MTA": ({"line": b""}, {"line": b""}, 2),
    "a line of another host": ({"by": "other.example"}, {"by": "other.example"}, 2),
    "a line of another host, and its queue id told":
        ({"by": "other.example", "ident": "4bXyz1"}, {"by": "other.example", "ident": "4bXyz1"}, 1),
    "a line of another host, and another queue id told":
        ({"by": "other.example", "ident": "1"}, {"by": "other.example", "ident": "1"}, 2),
    "a queue id told, and no line": ({"line": b"", "ident": "1"}, {"line": b"", "ident": "1"}, 2),
    "by BDAT after DATA": ({}, {"bdat": True}, 1),
    "a large one": ({"body": b"x" * 70 + b"\r\n" + b"y\r\n" * 40000},
                    {"body": b"x" * 70 + b"\r\n" + b"y\r\n" * 40000}, 1),
    "a large one, changed at its end": ({"body": b"y\r\n" * 40000 + b"a\r\n"},
                                        {"body": b"y\r\n" * 40000 + b"b\r\n"}, 2),
    # The line of our MTA is the first; what a stranger wrote below it is his.
    "a forged line below": ({"below": received("1")}, {"qid": "4bXyz2", "below": received("1")}, 2),
    # A stranger's field, if the MTA removes its own, can only be about the stranger's mail.
    "two ids in the line":
        ({"line": f"Received: by {LHLO} id 1 id 2; {formatdate()}\r\n".encode()},) * 2 + (2,),
    "a line without a date": ({"line": f"Received: by {LHLO} id 1\r\n".encode()},) * 2 + (2,),
    "a line of 5000 octets":
        ({"line": f"Received: by {LHLO} id 1\r\n".encode() + b"\t(x)\r\n" * 1000
                  + f"\t; {formatdate()}\r\n".encode()},) * 2 + (2,),
}


def attempt(site, name, *, qid="4bXyz1", by=LHLO, body=b"Hello.\r\n", line=None, top=b"",
            below=b"", sender="sender@example.com", ident=None, bdat=False, date=None):
    line = line if line is not None else date[qid] if by == LHLO else date[by]
    content = top + line + below + message("one Message-ID", body)
    before = [f"XFORWARD NAME=[UNAVAILABLE] IDENT={ident}"] if ident else []
    if not bdat:
        (answer,) = send(site, [name], content, sender=sender, before=before)
        return answer
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask(f"MAIL FROM:<{sender}>")
        lmtp.ask(f"RCPT TO:<{name}>")
        half = len(content) // 2
        lmtp.wire.send(f"BDAT {half}\r\n".encode() + content[:half])
        assert lmtp.answer().startswith("250")
        lmtp.wire.send(f"BDAT {len(content) - half} LAST\r\n".encode() + content[half:])
        return lmtp.answer()


def run_pair(site, name, pair):
    """Both attempts; the lines have one date, as those of one queue file do."""
    first, second, _ = PAIRS[pair]
    date = {qid: received(qid) for qid in ("4bXyz1", "4bXyz2")}
    date["other.example"] = received(by="other.example")
    return [attempt(site, name, date=date, **kw) for kw in (first, second)]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_attempts(site, account, pair):
    one, two = run_pair(site, account, pair)
    want = PAIRS[pair][2]
    assert copies(site, account) == want
    assert (one == two) == (want == 1)  # the reply has the id


@pytest.fixture(scope="module")
def off():
    """The control: a site that knows no retries."""
    s = Site("off", lmtp={"retry_window": 0})
    try:
        yield s.init().start()
        s.assert_sound()
    finally:
        s.end()


@pytest.mark.parametrize("pair", PAIRS)
def test_without_a_window_each_attempt_is_a_copy(off, pair):
    name = off.new_account()
    run_pair(off, name, pair)
    assert copies(off, name) == 2


def test_each_recipient_by_himself(site):
    """One got it, one had a full mailbox, one is new in the second attempt."""
    names = [site.new_account() for _ in range(3)]
    content = received() + message("several")
    send(site, names[:2], content)
    before = site.message_files()
    answers = send(site, names, content)
    assert [copies(site, n) for n in names] == [1, 1, 1]
    assert len(site.message_files() - before) == 1  # for the one who had none
    assert answers[0] == answers[1] != answers[2]


def test_nothing_is_kept_for_a_retry(site, account):
    content = received() + message("once")
    send(site, [account], content)
    files = site.message_files()
    for _ in range(3):
        send(site, [account], content)
    assert site.message_files() == files


def test_an_account_is_one_recipient_by_whatever_name(make_site):
    """As in one transaction: how the MTA divides the recipients makes no difference."""
    s = make_site()
    s.ctl("domain", "add", "example.net", "--alias", "example.org")
    s.add("alice@example.org")
    s.ctl("forward", "sales@example.org", "alice@example.org")
    s.start()
    content = received() + message("by many names")
    for name in ("alice@example.org", "Alice@example.net", "alice+tag@example.org",
                 "sales@example.org"):
        send(s, [name], content)
    assert copies(s, "alice@example.org") == 1


def test_the_client_may_have_removed_it(site, account):
    content = received() + message("read and gone")
    send(site, [account], content)
    assert len(fetch_all(site, account, delete=True)) == 1
    send(site, [account], content)
    assert copies(site, account) == 0


def test_the_maildrop_may_have_been_compacted(own_site):
    name = own_site.new_account()
    content = received() + message("read and gone")
    send(own_site, [name], content)
    for _ in range(120):
        deliver(own_site, name)
    path, = own_site.root.glob(f"accounts/*/*/{name}/maildrop")
    before = path.stat().st_size
    own_site.restart()  # with a checkpoint, so that most is forgotten
    fetch_all(own_site, name, delete=True)
    assert path.stat().st_size < before / 10
    send(own_site, [name], content)
    assert copies(own_site, name) == 0
    own_site.assert_sound()


def test_older_than_the_window_is_another_message(make_site):
    s = make_site(lmtp={"retry_window": 1}).start()
    name = s.new_account()
    content = received() + message("late")
    send(s, [name], content)
    moment = time.time()
    wait_until("the window to be over", lambda: time.time() > moment + 1.1)
    send(s, [name], content)
    assert copies(s, name) == 2


def test_a_line_from_the_future_proves_nothing(site, account):
    """Then nobody can tell how far to look back."""
    content = received(age=-3600) + message("tomorrow")
    for _ in range(2):
        send(site, [account], content)
    assert copies(site, account) == 2


@pytest.mark.parametrize("words", ["tempfail", "reject"])
def test_a_full_mailbox_is_no_reason_to_bounce_what_it_is_full_of(make_site, words):
    s = make_site(store={"over_quota": words}).start()
    name = s.new_account(quota="1K", overdraft="100K")
    big = received("1") + message("fills it", b"x" * 70 + b"\r\n" * 5000)
    size = f" SIZE={len(big)}"
    (first,) = send(s, [name], big, options=size)
    assert send(s, [name], big, options=size) == [first]
    with Lmtp(s.lmtp_socket) as lmtp:
        # Another one of that size is judged when it is here ...
        (answer,) = lmtp.send([name], big.replace(b"id 1;", b"id 2;"), options=size)
        assert answer.startswith("452 4.2.2" if words == "tempfail" else "552 5.2.2")
        # ... and one that cannot be it at once.
        assert lmtp.ask("MAIL FROM:<sender@example.com> SIZE=1000000").startswith("250")
        assert lmtp.ask(f"RCPT TO:<{name}>").startswith(("452", "552"))
    assert copies(s, name) == 1
    s.assert_sound()


def test_a_forwarding_that_failed_for_one_does_not_repeat_itself_for_the_others(make_site):
    """The store took it for one account and not for the other, and sendmail(1) failed: 4xx.
    The next attempt is a retry for the first, and is mailed for the other."""
    s = make_site()
    script = s.dir / "sendmail"
    script.write_text("#!/bin/sh\ncat > /dev/null\nexit 75\n")
    script.chmod(0o755)
    s.conf["sendmail"] = script
    s.write_conf()
    s.start()
    one, full = s.new_account(), s.new_account(quota="10K")
    s.ctl("forward", "both@example.org", one, full)
    content = received() + message("for both", b"x" * 70 + b"\r\n" * 12000)
    with Lmtp(s.lmtp_socket) as lmtp:
        (answer,) = lmtp.send(["both@example.org"], content)
        assert answer.startswith("451"), answer
    assert copies(s, one) == 1
    script.write_text("#!/bin/sh\ncat > /dev/null\nexit 0\n")
    send(s, ["both@example.org"], content)
    assert copies(s, one) == 1
    assert copies(s, full) == 0


# ---- what it costs -------------------------------------------------------------------------------


def calls_of(site, tmp_path, name, contents):
    """System calls of lmtpd on the maildrop for these deliveries, one after the other."""
    (worker,) = site.daemon.workers("popstore-lmtpd")
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.send([name], message("warm"))
        with Trace([worker], tmp_path) as trace:
            for content in contents:
                assert lmtp.send([name], content)[0].startswith("250")
            lmtp.ask("NOOP")  # what comes after an answer has been done then
        lmtp.ask("QUIT")
    return sorted(call for call, line in trace.calls if "/maildrop" in line)


def test_no_system_call_more(make_site, tmp_path):
    """What append reads of the end of a maildrop is enough to see that a message is new.
    A busy one, with more than 8 KB of lines since the message was queued, takes one more read."""
    s = make_site(store={"checkpoint": 3600}, lmtp={"workers": 1}).start()
    name = s.new_account()

    def ten(prefix, line):
        return [line(f"{prefix}{i}") + message(f"figure {prefix}{i}") for i in range(10)]
    without = calls_of(s, tmp_path, name, ten("a", lambda qid: b""))
    assert without.count("flock") >= 10
    assert calls_of(s, tmp_path, name, ten("b", received)) == without
    for content in ten("c", received) * 10:
        deliver(s, name, content.replace(b"figure", str(time.time_ns()).encode()))
    busy = calls_of(s, tmp_path, name, ten("d", lambda qid: received(qid, age=3600)))
    assert sorted(without + ["pread64"] * 10) == busy


# ---- kill -9 ------------------------------------------------------------------------------------


ROUNDS = 1000 if os.environ.get("POPSTORE_LONG") else 40


def one_try(site, names, content, moment=None):
    """A delivery to a process that is killed when moment() has come after the final dot, if
    there is one, and then no reply comes through; whether all did."""
    lmtpd = Daemon([place.program("popstore-lmtpd"), "-c", site.conf_file],
                   site.dir / "log").start()
    try:
        wait_listening(site.lmtp, lmtpd.running)
        with Lmtp(site.lmtp) as lmtp:
            assert lmtp.ask("MAIL FROM:<sender@example.com>").startswith("250")
            for name in names:
                assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
            assert lmtp.ask("DATA").startswith("354")
            lmtp.wire.send(dot_stuffed(content))
            if moment is None:
                return all(lmtp.answer().startswith("250") for _ in names)
            moment()
            lmtpd.kill()
            return False
    finally:
        if lmtpd.running():
            lmtpd.stop()
        lmtpd.assert_clean()


def kill_rounds(site, rounds, moment):
    """Each message once with a kill at moment(round) and once more without; recovery runs
    before the retry, or after it.  Two accounts."""
    names = [site.new_account() for _ in range(2)]
    for n in range(rounds):
        content = received(f"r{n}") + message(f"round {n}")
        assert not one_try(site, names, content, lambda n=n: moment(n))
        if n % 2:
            site.ctl("recover")
        assert one_try(site, names, content)
        site.ctl("recover")
    site.start()
    return names


@place.not_twice
def test_kill_at_any_moment(make_site):
    """kill -9 from the final dot to 18 ms after it, closer together at first: before, in and
    after everything that a delivery does."""
    def moment(n):
        end = time.perf_counter() + (n % 20) ** 2 * 0.05e-3
        while time.perf_counter() < end:
            pass

    s = make_site()
    names = kill_rounds(s, ROUNDS, moment)
    assert [copies(s, n) for n in names] == [ROUNDS, ROUNDS]
    s.assert_sound()
    count("LMTP retries after kill -9", ROUNDS)


@place.not_twice
def test_kill_at_any_moment_without_a_window(make_site):
    """The control: a message that was there before the kill is there twice."""
    s = make_site(lmtp={"retry_window": 0})
    names = kill_rounds(s, 6, lambda n: wait_until(
        "the message", lambda: len(s.message_files()) > 2 * n))
    assert [copies(s, n) for n in names] == [12, 12]


# ---- real MTAs ------------------------------------------------------------------------------------

KINDS = {
    "postfix": lambda site: Postfix(site, "policy", relay=Loser),
    # The name it says is not its own; only the queue id tells.
    "postfix-ident": lambda site: Postfix(site, "policy", relay=Loser, extra=(
        "\nlmtp_lhlo_name = farm.example.org\nlmtp_send_xforward_command = yes\n")),
    "sendmail": lambda site: Sendmail(site, relay=Loser),
}


class Pair:
    """A popstore and an MTA with a relay between them that loses replies."""

    def __init__(self, kind, **sections):
        self.sockets = place.scratch("milter", "/run")
        self.site = Site("retry", **sections)
        try:
            if kind is KINDS["sendmail"]:
                self.site.conf["milter"]["listen"] = [f"unix:{self.sockets}/milter"]
            self.site.init().start()
            self.mta = kind(self.site).start()
        except BaseException:
            self.end()
            raise
        self.loser = self.mta.recorder

    def end(self):
        if hasattr(self, "mta"):
            self.mta.stop()
        self.site.end()
        place.discard(self.sockets)

    def send(self, names, content, plan):
        """By SMTP, and until the MTA's queue is empty."""
        self.loser.plan += plan
        before = self.loser.lost
        answers = self.mta.send(names, content)
        assert all(code == 250 for code, _ in answers.values()), answers
        if not self.loser.away.is_set():
            self.mta.wait_queue_empty()
            assert self.loser.lost - before == len(plan), \
                "\n".join([*self.loser.story, self.mta.tail()])


def pair_fixture(kind, **sections):
    place.need_root("Postfix and Sendmail change users")
    pair = Pair(kind, **sections)
    try:
        yield pair
        pair.site.assert_sound()
    except BaseException:
        print(pair.mta.tail())
        raise
    finally:
        pair.end()


@pytest.fixture(scope="module", params=KINDS)
def pair(request):
    yield from pair_fixture(KINDS[request.param])


# How many of three replies come through, at each attempt that loses the rest.
@pytest.mark.parametrize("plan", [[0], [1], [0, 0]], ids=str)
def test_a_lost_reply(pair, plan):
    names = [pair.site.new_account() for _ in range(3)]
    mark = pair.site.daemon.mark()
    pair.send(names, message(f"plan {plan}"), plan)
    assert [copies(pair.site, n) for n in names] == [1, 1, 1]

    def retried():
        return sum("event=lmtp.recipient.retried " in line
                   for line in pair.site.daemon.lines[mark:])
    again = sum(3 - n for n in plan)
    wait_until("what the log says of it", lambda: retried() >= again)
    assert retried() == again


def test_the_client_fetched_it_before_the_retry(pair):
    name = pair.site.new_account()
    pair.loser.on_loss = pair.loser.away.set
    pair.loser.plan += [0]
    pair.mta.send([name], message("fetched"))
    wait_until("the message", lambda: len(fetch_all(pair.site, name, delete=True)) == 1)
    pair.loser.on_loss = lambda: None
    pair.loser.away.clear()
    pair.mta.wait_queue_empty()
    assert copies(pair.site, name) == 0


def kill_workers(site):
    for pid in site.daemon.workers("popstore-lmtpd"):
        os.kill(pid, signal.SIGKILL)


def test_killed_at_the_moment_of_the_reply(pair):
    names = [pair.site.new_account() for _ in range(2)]
    pair.loser.on_loss = lambda: kill_workers(pair.site)
    try:
        pair.send(names, message("killed"), [0, 1])
    finally:
        pair.loser.on_loss = lambda: None
    assert [copies(pair.site, n) for n in names] == [1, 1]


def test_the_same_mail_sent_twice_is_there_twice(pair):
    """The sender's doing: two queue files, one Message-ID."""
    name = pair.site.new_account()
    for _ in range(2):
        pair.send([name], message("twice"), [])
    assert copies(pair.site, name) == 2


@pytest.fixture(scope="module", params=["postfix", "sendmail"])
def control(request):
    yield from pair_fixture(KINDS[request.param], lmtp={"retry_window": 0})


def test_without_a_window_a_lost_reply_is_a_second_copy(control):
    """The control: these tests can see it."""
    names = [control.site.new_account() for _ in range(3)]
    control.send(names, message("control"), [0])
    assert [copies(control.site, n) for n in names] == [2, 2, 2]


def test_without_the_queue_id_another_name_is_a_second_copy():
    """The control of postfix-ident: it is XFORWARD that tells there."""
    def kind(site):
        return Postfix(site, "policy", relay=Loser,
                       extra="\nlmtp_lhlo_name = farm.example.org\n")
    for pair in pair_fixture(kind):
        name = pair.site.new_account()
        pair.send([name], message("farm"), [0])
        assert copies(pair.site, name) == 2
