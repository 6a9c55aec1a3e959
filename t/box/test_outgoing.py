# SPDX-License-Identifier: ISC
"""What filters send: redirect, vacation, notify; and what they remember.  A script stands in
the place of sendmail(1)."""

import base64
import email
import re
import time
from email.utils import formatdate

import pytest

from lib.mail import HARD_BODY, Lmtp, fetch_all, message
from lib.outbox import Outbox, rcpts, sender
from lib.site import Site

ME = "to-me@far.example"


@pytest.fixture(scope="module")
def sending():
    s = Site("sending", policy=None, socketmap=None, milter=None)
    try:
        s.out = Outbox(s.dir)
        s.conf["sendmail"] = s.out.program
        s.init()
        s.start()
        yield s
        s.assert_sound()
    finally:
        s.end()


@pytest.fixture
def out(sending):
    sending.out.will(0)
    return sending.out


@pytest.fixture
def user(sending, out):
    """A new account with this script: its name."""
    def user(text, name=None):
        name = name or sending.new_account("user")
        sending.ctl("sieve", "put", name, "main", "-", stdin=text)
        sending.ctl("sieve", "activate", name, "main")
        return name

    return user


_ids = iter(range(1, 10000))


def letter(to, qid=None, **fields):
    """With the line of a queue that makes it known again, where it has a qid."""
    number = next(_ids)
    fields = {"From": "Who <who@far.example>", "To": to, "Subject": f"subject {number}",
              "Message-ID": f"<{number}@far.example>", **fields}
    head = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items())
    top = f"Received: from somewhere (unknown [192.0.2.1])\r\n\tby client.example.com (Postfix) " \
          f"with ESMTP id {qid}; {formatdate(time.time())}\r\n" if qid else ""
    return (top + head + "\r\nHello.\r\n").encode()


def send(site, names, content, sender="who@far.example"):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send(names if isinstance(names, list) else [names], content, sender=sender)


def kept(site, name):
    return len(fetch_all(site, name, delete=True))


# ---- redirect ------------------------------------------------------------------------------

REDIRECT = f'redirect "{ME}";\n'


def test_redirect(sending, out, user):
    name = user(REDIRECT)
    before = sending.message_files()
    content = message(body=HARD_BODY)
    (answer,) = send(sending, name, content)
    assert re.fullmatch(r"250 2\.0\.0 \w{13} mailed", answer)
    assert sending.message_files() == before
    (run,) = out.mailed()
    assert sender(run) == "who@far.example" and rcpts(run) == [ME]
    mark, _, rest = run["body"].partition("\n")
    assert mark == f"X-Popstore-Loop: {name}"
    assert rest.startswith("Received: ")
    assert rest.encode("latin-1").endswith(content.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("text, copies, runs", [
    (REDIRECT + "keep;", 1, [[ME]]),
    (f'require "copy"; redirect :copy "{ME}";', 1, [[ME]]),
    (f'redirect "{ME}"; redirect "b@far.example";', 0, [[ME, "b@far.example"]]),
    (REDIRECT + "discard;", 0, [[ME]]),
    (f'if header "subject" "nothing" {{ redirect "{ME}"; }}', 1, []),
    (f'require "ihave"; redirect "{ME}"; error "told";', 1, []),
])
def test_redirect_and_keep(sending, out, user, text, copies, runs):
    name = user(text)
    assert send(sending, name, letter(name))[0].startswith("250")
    assert kept(sending, name) == copies
    assert [rcpts(r) for r in out.mailed()] == runs


def test_dsn_wishes_are_options(sending, out, user):
    name = user('require "redirect-dsn";\nredirect "a@far.example";\n'
                'redirect :notify "FAILURE,delay" :ret "HDRS" "b@far.example";\n'
                'redirect "c@far.example";\n')
    assert send(sending, name, letter(name))[0].startswith("250")
    assert [r["args"] for r in out.mailed()] == [
        ["-i", "-f", "who@far.example", "--", "a@far.example", "c@far.example"],
        ["-i", "-f", "who@far.example", "-N", "failure,delay", "-R", "hdrs", "--",
         "b@far.example"]]


def test_what_goes_round_is_kept(sending, out, user):
    name = user(REDIRECT)
    send(sending, name, letter(name))
    (run,) = out.mailed()
    out.will(0)
    (answer,) = send(sending, name, run["body"].replace("\n", "\r\n").encode())
    assert answer.endswith("stored") and kept(sending, name) == 1
    assert out.mailed() == []
    sending.daemon.wait_for(r"event=lmtp\.filter\.held .*account=" + name + " .*why=loop")


def test_mail_that_failed_dmarc_is_kept(sending, out, user, make_site):
    bad = {"Authentication_Results": "mx.example.org; dmarc=fail"}
    name = user(REDIRECT)
    (answer,) = send(sending, name, letter(name, **bad))
    assert answer.endswith("stored") and kept(sending, name) == 1 and out.mailed() == []
    sending.daemon.wait_for(r"event=lmtp\.filter\.held .*account=" + name + " .*why=dmarc")

    free = make_site(policy=None, socketmap=None, milter=None,
                     outgoing={"forward_failed_dmarc": True})
    free.conf["sendmail"] = out.program
    free.write_conf()
    free.add("user@example.org")
    free.ctl("forward", "far@example.org", ME)
    free.start()
    free.ctl("sieve", "put", "user@example.org", "main", "-", stdin=REDIRECT)
    free.ctl("sieve", "activate", "user@example.org", "main")
    answers = send(free, ["user@example.org", "far@example.org"], letter("x", **bad))
    assert all(a.endswith("mailed") for a in answers)
    assert len(out.mailed()) == 2


def test_a_failure_for_now_is_tried_again_unless_the_mail_is_kept(sending, out, user):
    away, both = user(REDIRECT), user(REDIRECT + "keep;")
    out.will(75)
    mark = sending.daemon.mark()
    answers = send(sending, [away, both, sending.new_account()], letter("x"))
    assert answers[0] == "451 4.3.0 Local trouble, try again later"
    assert answers[1].endswith("stored") and answers[2].endswith("stored")
    assert [kept(sending, n) for n in (away, both)] == [0, 1]
    for name in (away, both):
        sending.daemon.wait_for(r"event=lmtp\.filter\.unsent level=warn .*account=" + name
                                + " what=redirect .*not today", mark)


def test_a_failure_for_good_keeps_the_mail(sending, out, user):
    name = user(REDIRECT)
    out.will(67)
    assert send(sending, name, letter(name))[0].endswith("stored")
    assert kept(sending, name) == 1


def test_what_was_sent_on_is_not_sent_on_again(sending, out, user):
    """The MTA did not hear the answer, and tries again."""
    name, both = user(REDIRECT), user(REDIRECT + 'redirect "b@far.example"; keep;')
    content = letter(name, qid="4bOut1")
    for _ in range(2):
        answers = send(sending, [name, both], content)
        assert [a.split()[-1] for a in answers] == ["mailed", "stored"]
    assert [rcpts(r) for r in out.mailed()] == [[ME], [ME, "b@far.example"]]
    assert kept(sending, both) == 1
    # Another message is another matter.
    send(sending, name, letter(name, qid="4bOut2"))
    assert len(out.mailed()) == 3


def test_what_was_not_sent_on_is(sending, out, user):
    """A part of it was: only the rest is tried again."""
    name = user('require "redirect-dsn"; redirect "a@far.example";\n'
                'redirect :notify "never" "b@far.example";\n')
    content = letter(name, qid="4bOut3")
    out.program.write_text(out.program.read_text().replace(
        "status = open", 'fails = "-N" in sys.argv\nstatus = "75" if fails else open'))
    try:
        assert send(sending, name, content)[0].startswith("451")
    finally:
        out.program.write_text(out.program.read_text().replace(
            'status = "75" if fails else open', "status = open"))
    assert send(sending, name, content)[0].endswith("mailed")
    assert [rcpts(r)[0][0] for r in out.mailed()] == ["a", "b", "b"]


def test_a_redirect_that_fails_does_not_keep_the_others(sending, out, user):
    """And who is put off for one of them is, whatever becomes of those before it."""
    name = user('require "redirect-dsn"; redirect :notify "never" "a@far.example";\n'
                'redirect "b@far.example";\n')
    plain = out.program.read_text()
    content = letter(name, qid="4bOut9")
    for never, other, answer in (("67", "75", "451 4.3.0 Local trouble, try again later"),
                                 ("75", "0", "451 4.3.0 Local trouble, try again later")):
        mark = sending.daemon.mark()
        out.program.write_text(plain.replace(
            "status = open", f'status = "{never}" if "-N" in sys.argv else "{other}" or open'))
        try:
            assert send(sending, name, content) == [answer]
        finally:
            out.program.write_text(plain)
        sending.daemon.wait_for(r"event=lmtp\.filter\.unsent .*to=a@far\.example", mark)
    assert [rcpts(r)[0][0] for r in out.mailed()] == ["a", "b", "a", "b"]
    assert send(sending, name, content)[0].endswith("mailed")
    assert [rcpts(r)[0][0] for r in out.mailed()][4:] == ["a"]


def test_the_others_do_not_wait_for_a_store_that_fails(make_site, out):
    """Whom a script sends it on for needs no store, nor whom it discards it for."""
    site = make_site(policy=None, socketmap=None, milter=None)
    site.conf["sendmail"] = out.program
    site.write_conf()
    names = [site.new_account() for _ in range(3)]
    for name, text in ((names[0], REDIRECT), (names[2], VACATION + "discard;")):
        site.ctl("sieve", "put", name, "main", "-", stdin=text)
        site.ctl("sieve", "activate", name, "main")
    site.start()
    send(site, names[1], letter("x"))
    head = f"To: {names[2]}\r\nSubject: x\r\n\r\n".encode()
    messages = site.root / "messages"
    moved = site.root / "moved"
    with Lmtp(site.lmtp_socket) as lmtp:
        lmtp.ask("MAIL FROM:<who@far.example>")
        for name in names:
            assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
        assert lmtp.ask("DATA").startswith("354")
        lmtp.wire.send(head)
        # The name that the file is to get goes away while the message comes.
        messages.rename(moved)
        messages.write_text("in the way")
        lmtp.wire.send(b".\r\n")
        answers = [lmtp.answer() for _ in names]
    messages.unlink()
    moved.rename(messages)
    assert answers[0].endswith("mailed") and answers[1].startswith("45")
    assert answers[2].endswith("accepted")
    assert [rcpts(r) for r in out.mailed()] == [[ME], ["who@far.example"]]


# ---- vacation ------------------------------------------------------------------------------

VACATION = 'require "vacation";\nvacation "I am away.";\n'


def test_vacation_answers_once(sending, out, user):
    name = user(VACATION)
    for _ in range(3):
        assert send(sending, name, letter(name))[0].endswith("stored")
    (run,) = out.mailed()
    assert sender(run) == "" and rcpts(run) == ["who@far.example"]
    reply = email.message_from_string(run["body"])
    assert reply["From"] == name and reply["To"] == "who@far.example"
    assert re.fullmatch(r"Auto: subject \d+", reply["Subject"])
    assert reply["Auto-Submitted"] == "auto-replied (vacation)"
    assert reply["In-Reply-To"].strip() in reply["References"]
    assert re.fullmatch(r"<\w+\.\w+\.vacation\.\w+@mx\.example\.org>", reply["Message-ID"])
    assert reply.get_payload() == "I am away.\n"
    assert kept(sending, name) == 3
    send(sending, name, letter(name), sender="other@far.example")
    assert [rcpts(r) for r in out.mailed()] == [["who@far.example"], ["other@far.example"]]
    send(sending, name, letter(name), sender="WHO@far.example")
    assert len(out.mailed()) == 2


def test_another_text_is_another_answer(sending, out, user):
    name = user(VACATION)
    send(sending, name, letter(name))
    user(VACATION.replace("away", "still away"), name)
    send(sending, name, letter(name))
    user('require "vacation"; vacation :handle "one" "a";', name)
    send(sending, name, letter(name))
    user('require "vacation"; vacation :handle "one" "b";', name)
    send(sending, name, letter(name))
    assert len(out.mailed()) == 3


def test_the_memory_is_durable_and_the_accounts_own(sending, out, user):
    one, two = user(VACATION), user(VACATION)
    send(sending, one, letter(one))
    sending.kill()
    sending.start()
    send(sending, [one, two], letter(f"{one}, {two}"))
    assert len(out.mailed()) == 2
    sending.ctl("delete", one)
    sending.add(one)
    user(VACATION, one)
    send(sending, one, letter(one))
    assert len(out.mailed()) == 3


@pytest.mark.parametrize("sender, fields", [
    ("", {}), ("owner-list@far.example", {}), ("mailer-daemon@far.example", {}),
    ("who@far.example", {"Precedence": "bulk"}), ("who@far.example", {"List_Id": "<x>"}),
    ("who@far.example", {"Auto_Submitted": "auto-replied"}),
    ("who@far.example", {"To": "somebody@else.example"})])
def test_who_gets_no_answer(sending, out, user, sender, fields):
    name = user(VACATION)
    assert send(sending, name, letter(**{"to": name, **fields}), sender=sender)[0] \
        .endswith("stored")
    assert out.mailed() == []


def test_an_answer_that_was_not_sent_is_not_remembered(sending, out, user):
    name = user(VACATION)
    out.will(75)
    assert send(sending, name, letter(name))[0].endswith("stored")
    sending.daemon.wait_for(r"event=lmtp\.filter\.unsent .*account=" + name
                            + " what=vacation to=who@far.example")
    out.will(0)
    send(sending, name, letter(name))
    assert len(out.mailed()) == 1


def test_an_answer_each_time(sending, out, user):
    name = user('require "vacation-seconds";\nvacation :seconds 0 "Thanks.";\n')
    for _ in range(2):
        send(sending, name, letter(name))
    assert len(out.mailed()) == 2
    for _ in range(2):
        send(sending, name, letter(name, qid="4bOut4"))
    # Two letters, but one message to the MTA's mind would be one with the same octets.
    content = letter(name, qid="4bOut5")
    out.will(0)
    for _ in range(2):
        send(sending, name, content)
    assert len(out.mailed()) == 1


def test_no_answer_for_what_is_not_taken(sending, out, user):
    name = user(VACATION)
    sending.ctl("modify", name, "--quota", "1K", "--overdraft", "0")
    with Lmtp(sending.lmtp_socket) as lmtp:
        (answer,) = lmtp.send([name], letter(name) + b"x" * 900 + b"\r\n" + b"x" * 900 + b"\r\n",
                              sender="who@far.example")
    assert answer.startswith("552 5.2.3")
    assert out.mailed() == []


def test_a_discarded_message_is_answered(sending, out, user):
    name = user(VACATION + "discard;")
    assert send(sending, name, letter(name))[0].endswith("accepted")
    assert len(out.mailed()) == 1 and kept(sending, name) == 0


def test_the_text_of_an_answer(sending, out, user):
    name = user('require "vacation";\nvacation :from "Älice <alice@example.org>" '
                ':subject "Grüße\r\nBcc: x@y" "Grüße";\n')
    send(sending, name, letter(name))
    (run,) = out.mailed()
    reply = email.message_from_string(run["body"])
    assert reply["Bcc"] is None and "alice@example.org" in reply["From"]
    assert "=?utf-8?b?" in reply["From"] and "=?utf-8?b?" in reply["Subject"]
    assert base64.b64decode(reply.get_payload()).decode() == "Grüße\r\n"
    name = user('require "vacation";\nvacation :mime "Content-Type: text/html\r\n\r\n<p>x</p>";\n')
    send(sending, name, letter(name))
    reply = email.message_from_string(out.mailed()[-1]["body"])
    assert reply.get_content_type() == "text/html" and reply.get_payload() == "<p>x</p>\n"


def test_a_damaged_memory_answers_nobody(sending, out, user):
    name = user(VACATION)
    send(sending, name, letter(name))
    (path,) = sending.root.glob(f"accounts/*/*/{name}/memory")
    path.write_bytes(path.read_bytes()[:-2])
    assert send(sending, name, letter(name), sender="b@far.example")[0].endswith("stored")
    sending.daemon.wait_for(r"event=lmtp\.memory\.failed .*account=" + name)
    assert len(out.mailed()) == 1
    assert "I21" in sending.ctl("check", status=None)
    sending.ctl("check", "--repair", status=None)
    sending.assert_sound()
    send(sending, name, letter(name), sender="b@far.example")
    assert len(out.mailed()) == 2


# ---- notify --------------------------------------------------------------------------------

NOTIFY = 'require "enotify";\nnotify :importance "1" :message "New mail" "mailto:%s";\n' % ME


def test_notify(sending, out, user):
    name = user(NOTIFY)
    content = letter(name, qid="4bOut6")
    for _ in range(2):
        assert send(sending, name, content)[0].endswith("stored")
    (run,) = out.mailed()
    assert sender(run) == "" and rcpts(run) == [ME]
    reply = email.message_from_string(run["body"])
    assert (reply["From"], reply["To"], reply["Subject"]) == (name, ME, "New mail")
    assert reply["Auto-Submitted"] == f'auto-notified; owner-email="{name}"'
    assert reply["Importance"] == "High"
    assert "From: Who <who@far.example>" in reply.get_payload()


def test_each_notification_is_its_own(sending, out, user):
    """To one address, of one message: by several actions, and of several accounts."""
    text = 'require "enotify";\n' + "".join(
        f'notify :message "{word}" "mailto:{ME}";\n' for word in ("one", "two", "two"))
    names = [user(text), user(text)]
    content = letter(names[0], qid="4bOutA")
    for _ in range(2):
        send(sending, names, content)
    replies = [email.message_from_string(r["body"]) for r in out.mailed()]
    assert [r["Subject"] for r in replies] == 2 * ["one", "two", "two"]
    assert len({r["Message-ID"] for r in replies}) == 6


def test_a_refused_message_is_notified_of(sending, out, user):
    name = user('require ["enotify", "reject"];\nnotify "mailto:%s";\nreject "no";\n' % ME)
    assert send(sending, name, letter(name)) == ["550 5.7.1 no"]
    assert [rcpts(r) for r in out.mailed()] == [[ME]]


def test_who_is_mailed_what_he_refuses_is_not_notified_twice(sending, out, user):
    """Of a forwarding; the MTA brings it to him again, and his script runs again."""
    picky = user('require ["enotify", "reject"];\nnotify "mailto:%s";\nreject "no";\n' % ME)
    sending.ctl("forward", "halves@example.org", picky, sending.new_account())
    assert send(sending, "halves@example.org", letter("x"))[0].endswith("mailed")
    assert send(sending, picky, letter("x")) == ["550 5.7.1 no"]
    assert [rcpts(r) for r in out.mailed()] == [[picky], [ME]]


# ---- duplicate -----------------------------------------------------------------------------

DUPLICATE = 'require "duplicate";\nif duplicate { discard; }\n'


def test_duplicate(sending, out, user):
    name, other = user(DUPLICATE), user(DUPLICATE)
    content = letter(name)
    assert [send(sending, name, content)[0].split()[-1] for _ in range(3)] == \
        ["stored", "accepted", "accepted"]
    assert send(sending, other, content)[0].endswith("stored")
    assert send(sending, name, letter(name))[0].endswith("stored")
    assert kept(sending, name) == 2


def test_a_message_is_no_duplicate_of_itself(sending, out, user):
    """The MTA did not hear the answer, and tries again: it was filed, sent on or discarded then,
    and is not in the maildrop."""
    texts = ['"fileinto"]; if duplicate { keep; } else { fileinto "work"; }',
             '"fileinto"]; if duplicate { keep; } else { redirect "%s"; }' % ME,
             '"fileinto"]; if duplicate { keep; } else { discard; }']
    names = [user('require ["duplicate", ' + text) for text in texts]
    content = letter(names[0], qid="4bOutB")
    assert [a.split()[-1] for a in send(sending, names, content)] == \
        ["stored", "mailed", "accepted"]
    assert [a.split()[-1] for a in send(sending, names, content)] == ["accepted"] * 3
    assert [kept(sending, name) for name in names] == [0, 0, 0]
    assert len(out.mailed()) == 1
    # Another one with this Message-ID is a duplicate.
    assert [a.split()[-1] for a in send(sending, names, content.replace(b"4bOutB", b"4bOutC"))] \
        == ["stored"] * 3
    assert [kept(sending, name) for name in names] == [1, 1, 1]


def test_what_was_not_taken_is_no_duplicate(sending, out, user):
    name = user('require "duplicate";\nif duplicate { discard; } else { redirect "%s"; }\n' % ME)
    content = letter(name)
    out.will(75)
    assert send(sending, name, content)[0].startswith("451")
    out.will(0)
    assert send(sending, name, content)[0].endswith("mailed")
    assert send(sending, name, content)[0].endswith("accepted")
