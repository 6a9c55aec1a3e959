# SPDX-License-Identifier: ISC
"""The delivery agent: conversations, limits, bad input, local trouble.

Most tests here need nothing but popstore-lmtpd, so the site has no other service; what
was stored is read from the message files themselves.
"""

import contextlib
import time

import pytest

from lib.mail import HARD_BODY, Lmtp, dot_stuffed, message
from lib.site import Site
from lib.talk import Talker
from lib.wire import Wire, wait_until

ONLY_LMTP = {"pop3": None, "policy": None, "socketmap": None, "milter": None}
MAX_MESSAGE = 70000
MAX_RECIPIENTS = 100
MAX_RECEIVED = 10


@pytest.fixture(scope="module")
def lmtpd():
    s = Site("lmtp", domains=("example.org",), **ONLY_LMTP,
             lmtp={"max_message": MAX_MESSAGE, "max_recipients": MAX_RECIPIENTS,
                   "max_received": MAX_RECEIVED, "delivered_to": True})
    try:
        s.init()
        s.ctl("domain", "add", "example.net", "--alias", "example.org")
        s.add("alice@example.org")
        s.add("bob@example.org")
        s.add("off@example.org", flags="dismail")
        s.add("small@example.org", quota="100", overdraft="0")
        s.start()
        yield s
        s.assert_sound()
    finally:
        s.end()


@pytest.fixture
def talk(lmtpd, way):
    return Talker(lmtpd.lmtp, way).talk


class Stored:
    """A message file, read without any code of ours (doc/STORE.md)."""

    def __init__(self, path):
        with open(path, "rb") as f:
            header, _, self.wire = f.read().partition(b"\n\n")
        self.rcpt = [line.split(b" ")[2].decode() for line in header.split(b"\n")
                     if line.startswith(b"rcpt ")]
        self.header = header
        assert self.wire.endswith(b"\r\n.\r\n")
        # Return-Path is one line, Received three.
        lines = self.wire.split(b"\r\n", 4)
        self.top, self.message = lines[:4], lines[4]


class News:
    """The message files that appear while it is open."""

    def __init__(self, site):
        self.site, self.before = site, site.message_files()

    def __call__(self):
        return [Stored(f) for f in sorted(self.site.message_files() - self.before)]


@pytest.fixture
def news(lmtpd):
    return News(lmtpd)


def begin(rcpt="alice@example.org", mail="MAIL FROM:<sender@example.com>"):
    return f"""
        < 220 mx.example.org LMTP*
        > LHLO client.example.com
        < ...
        < 250 *
        > {mail}
        < 250 2.1.0*
        > RCPT TO:<{rcpt}>
        < 250 2.1.5*
    """


# ---- one message ---------------------------------------------------------------------


def test_says_what_it_can(talk):
    talk("""
        < 220 mx.example.org LMTP*
        > LHLO client.example.com
        < 250-mx.example.org
        < 250-PIPELINING
        < 250-ENHANCEDSTATUSCODES
        < 250-8BITMIME
        < 250-SMTPUTF8
        < 250-SIZE 70000
        < 250-CHUNKING
        < 250 XFORWARD IDENT
        > QUIT
        < 221 2.0.0*
        <eof
    """)


def test_a_message(talk, news):
    talk(begin() + r"""
        > DATA
        < 354*
        > Subject: hi
        >
        > ..dot
        > .
        < 250 2.0.0 * stored
        > QUIT
        < 221*
        <eof
    """)
    (stored,) = news()
    assert stored.rcpt == ["alice@example.org"]
    assert stored.message == b"Subject: hi\r\n\r\n..dot\r\n.\r\n"
    assert stored.top[0] == b"Return-Path: <sender@example.com>"
    assert stored.top[1].startswith(b"Received: from client.example.com (127.0.0.1:")
    assert stored.top[2].startswith(b"\tby mx.example.org with LMTP id ")
    assert stored.top[3].endswith(b" +0000")


def test_the_same_by_bdat(talk, news):
    talk(begin(mail="MAIL FROM:<> BODY=8BITMIME SMTPUTF8") + r"""
        > BDAT 14
        > Subject: hi\r\n\r\c
        < 250 2.0.0 14 octets received
        > BDAT 2
        > \n.\c
        < 250 2.0.0 2 octets received
        > BDAT 5 LAST
        > dot\r\n\c
        < 250 2.0.0 * stored
        > QUIT
        < 221*
    """)
    (stored,) = news()
    assert stored.message == b"Subject: hi\r\n\r\n..dot\r\n.\r\n"
    assert stored.top[0] == b"Return-Path: <>"
    assert b" with UTF8LMTP id " in stored.top[2]


def test_every_octet_comes_through(lmtpd, news):
    content = message(body=HARD_BODY + bytes(set(range(256)) - {10, 13}) + b"\r\n\r\r\n")
    with Lmtp(lmtpd.lmtp_socket) as client:
        (answer,) = client.send(["alice@example.org"], content)
    assert answer.startswith("250 2.0.0 ")
    (stored,) = news()
    assert stored.message == dot_stuffed(content)
    assert stored.top[1].startswith(b"Received: from client.example.com (unix:")


def test_a_reply_for_each_recipient_in_order(talk, news):
    talk(begin() + """
        > RCPT TO:<nobody@example.org>
        < 550 5.1.1*
        > RCPT TO:<off@example.org>
        < 550 5.2.1*
        > RCPT TO:<small@example.org>
        < 250 2.1.5*
        > RCPT TO:<stranger@example.com>
        < 550 5.1.2*
        > RCPT TO:<bob@example.net>
        < 250 2.1.5*
        > DATA
        < 354*
        > Subject: longer than a hundred octets, with what stands above
        > .
        < 250 2.0.0 *
        < 552 5.2.3*
        < 250 2.0.0 *
    """)
    (stored,) = news()
    assert stored.rcpt == ["alice@example.org", "small@example.org", "bob@example.org"]
    assert b"rcpt - small@example.org" in stored.header


def test_one_account_by_several_names_is_one_copy_and_several_replies(talk, news):
    talk(begin() + """
        > RCPT TO:<ALICE@example.net>
        < 250 2.1.5*
        > RCPT TO:<alice+detail@example.org>
        < 250 2.1.5*
        > DATA
        < 354*
        > .
        < 250 2.0.0 *
        < 250 2.0.0 *
        < 250 2.0.0 *
    """)
    (stored,) = news()
    assert stored.rcpt == ["alice@example.org"]


def test_delivered_to_is_beside_the_copy(lmtpd, news):
    with Lmtp(lmtpd.lmtp) as client:
        client.send(["Alice+Detail@example.org", "bob@example.org"], message())
    (stored,) = news()
    assert b"Delivered-To" not in stored.wire
    assert b"Delivered-To:%20Alice+Detail@example.org%0d%0a" in stored.header
    assert b"Delivered-To:%20bob@example.org%0d%0a" in stored.header


def test_two_transactions_in_one_segment(talk, news):
    one = """
        > MAIL FROM:<s@example.com>
        < 250*
        > RCPT TO:<alice@example.org>
        < 250*
        > BDAT 3 LAST
        > a\\r\\n\\c
        < 250*
    """
    talk("""
        < 220*
        > LHLO client.example.com
        < ...
        < 250 *
    """ + one + one + """
        > QUIT
        < 221*
        <eof
    """)
    assert len(news()) == 2


# ---- one end of data ---------------------------------------------------------------------

# None of these ends a message (RFC 5321 s2.3.8, s4.1.1.4).
NO_END = [rb"\n.\n", rb"\n.\r\n", rb"\r\n.\n", rb"\n.\r", rb"\r.\r", rb"\r.\n", rb"\r.\r\n",
          rb"\r\n.\r", rb"\r\n.\r\r\n", rb"\r\0\n.\r\n", rb"\r\n\0.\r\n", rb"\r\n.\0\r\n",
          rb"\r\r\n.\r\r\n"]
BARE_LF = {rb"\n.\n", rb"\n.\r\n", rb"\r\n.\n", rb"\n.\r", rb"\r.\n", rb"\r\0\n.\r\n"}


@pytest.mark.parametrize("octets", NO_END)
def test_nothing_is_smuggled(talk, news, octets):
    text = octets.decode()
    answer = "554 5.6.0*" if octets in BARE_LF else "250 2.0.0 *"
    talk(begin() + rf"""
        > DATA
        < 354*
        > Subject: outer\r\n\r\ntext{text}MAIL FROM:<x@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: inner\r\n
        > .
        < {answer}
        > NOOP
        < 250*
    """)
    stored = news()
    assert len(stored) == (0 if octets in BARE_LF else 1)
    for s in stored:
        assert s.rcpt == ["alice@example.org"]
        raw = octets.replace(rb"\r", b"\r").replace(rb"\n", b"\n").replace(rb"\0", b"\0")
        assert b"text" + raw + b"MAIL FROM" in s.message
        assert s.message.count(b"\r\n.\r\n") == 1


def test_a_command_with_a_bare_lf_ends_the_connection(talk):
    talk(r"""
        < 220*
        > LHLO client.example.com
        < ...
        < 250 *
        > MAIL FROM:<a@b>\nRCPT TO:<alice@example.org>
        < 500 5.5.2*
        <eof
    """)


@pytest.mark.parametrize("bad", [
    r'MAIL FROM:<"a\rb"@c>', r'RCPT TO:<"a\0b"@c>', r"NOOP \0"])
def test_no_cr_and_no_nul_in_commands(talk, bad):
    talk(rf"""
        < 220*
        > {bad}
        < 500 5.5.2*
        <eof
    """)


# ---- limits ----------------------------------------------------------------------------------


def test_the_largest_message(lmtpd, news):
    content = (b"x" * 98 + b"\r\n") * (MAX_MESSAGE // 100)
    assert len(content) == MAX_MESSAGE
    with Lmtp(lmtpd.lmtp) as client:
        (answer,) = client.send(["alice@example.org"], content,
                                options=f" SIZE={MAX_MESSAGE}")
        assert answer.startswith("250")
        (answer,) = client.send(["alice@example.org"], content + b"\r\n")
        assert answer.startswith("552 5.3.4 ")
        assert client.ask(f"MAIL FROM:<a@b> SIZE={MAX_MESSAGE + 1}").startswith("552 5.3.4 ")
        assert client.ask("RCPT TO:<alice@example.org>").startswith("503 5.5.1 ")
    assert len(news()) == 1


def test_too_many_recipients(lmtpd):
    with Lmtp(lmtpd.lmtp) as client:
        client.ask("MAIL FROM:<a@b>")
        for _ in range(MAX_RECIPIENTS):
            assert client.ask("RCPT TO:<alice@example.org>").startswith("250")
        assert client.ask("RCPT TO:<bob@example.org>").startswith("452 4.5.3 ")
        answers = client.data(message(), MAX_RECIPIENTS)
        assert all(a.startswith("250") for a in answers)


@pytest.mark.parametrize("n, code", [(MAX_RECEIVED, "250"), (MAX_RECEIVED + 1, "554 5.4.6")])
def test_loops_are_cut(lmtpd, n, code):
    with Lmtp(lmtpd.lmtp) as client:
        (answer,) = client.send(["alice@example.org"], b"Received: x\r\n" * n + message())
        assert answer.startswith(code)
        (answer,) = client.send(["alice@example.org"], message())
        assert answer.startswith("250")


def test_a_long_line_is_refused_once(talk):
    talk(f"""
        < 220*
        > NOOP {"x" * 5000}
        < 500 5.5.2*
        > NOOP
        < 250*
    """)


@pytest.mark.parametrize("number", ["-1", "x", "", "18446744073709551616", "1e3", "0x10"])
def test_bdat_without_a_number_ends_the_connection(talk, news, number):
    talk(begin() + f"""
        > BDAT {number}
        < 501 5.5.4*
        <eof
    """)
    assert news() == []


def test_bdat_without_recipients_eats_its_octets(talk, news):
    talk(r"""
        < 220*
        > LHLO client.example.com
        < ...
        < 250 *
        > BDAT 6 LAST
        > RSET\r\n\c
        < 503 5.5.1*
        > MAIL FROM:<a@b>
        < 250*
        > BDAT 6
        > RSET\r\n\c
        < 503 5.5.1*
        > RCPT TO:<alice@example.org>
        < 250*
        > BDAT 0 LAST
        < 250*
        > DATA
        < 503 5.5.1*
    """)
    assert len(news()) == 1


def test_after_a_refused_message_nothing_goes_on(talk, news):
    talk(begin() + r"""
        > DATA
        < 354*
        > a\nb
        > .
        < 554 5.6.0*
        > RCPT TO:<alice@example.org>
        < 503 5.5.1*
        > DATA
        < 503 5.5.1*
        > BDAT 0 LAST
        < 503 5.5.1*
    """)
    assert news() == []


def test_too_many_errors(lmtpd):
    with Wire(lmtpd.lmtp) as wire:
        wire.line()
        wire.send("x\r\n" * 20)
        answers = wire.rest().split(b"\r\n")
    assert answers[:20] == [b"500 5.5.2 Command not recognized"] * 20
    assert answers[20].startswith(b"421 4.7.0 ")
    assert answers[21:] == [b""]


# ---- clients that go -------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [
    "DATA\r\nSubject: x\r\n\r\nhalf", "DATA\r\nx\r\n.", "DATA\r\nx\r\n.\r",
    "BDAT 100 LAST\r\nhalf", "BDAT 4\r\nhalf", "BDAT 4\r\nhalfQUIT\r\n"])
def test_half_a_message_is_none(lmtpd, news, last):
    mark = lmtpd.daemon.mark()
    with Wire(lmtpd.lmtp) as wire:
        wire.send("LHLO c.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\n" + last)
        wire.half_close()
        wire.rest()
    lmtpd.daemon.wait_for(r"event=lmtp.session ", mark)
    assert news() == []


@pytest.mark.parametrize("end", ["QUIT\r\n", ""])
def test_going_after_the_dot_undoes_nothing(lmtpd, news, end):
    wire = Wire(lmtpd.lmtp)
    wire.send("LHLO c.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    while not wire.line().startswith(b"354"):
        pass
    wire.send("Subject: x\r\n\r\n.\r\n" + end)
    wire.reset() if not end else wire.close()
    wait_until("the message to be stored", lambda: len(news()) == 1)


# ---- time -----------------------------------------------------------------------------------------


@pytest.fixture
def hasty(make_site):
    s = make_site(**ONLY_LMTP, lmtp={"idle_timeout": 1, "data_timeout": 2})
    s.add("alice@example.org")
    return s.start()


def test_a_silent_client_is_told(hasty):
    with Wire(hasty.lmtp) as wire:
        assert wire.line().startswith(b"220")
        assert wire.rest() == b"421 4.4.2 You took too long, closing\r\n"


def test_a_dripping_client_gains_nothing(hasty):
    """An octet every now and then keeps no command and no message alive."""
    for start, drip in [("", b"x"), ("LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\n"
                                     "DATA\r\n", b"text\r\n")]:
        with Wire(hasty.lmtp) as wire:
            wire.send(start)
            wire.sock.settimeout(0.1)
            seen = b""

            def ended():
                nonlocal seen
                try:
                    data = wire.sock.recv(1000)
                except TimeoutError:
                    # Where it has gone meanwhile, its last word is still to be read.
                    with contextlib.suppress(OSError):
                        wire.send(drip)
                    return False
                except OSError:
                    return True
                seen += data
                return not data
            wait_until("the peer to lose patience", ended)
        assert b"421 4.4.2 " in seen
    assert hasty.message_files() == set()


# ---- stopping -----------------------------------------------------------------------------------------


def test_a_stop_lets_a_message_finish(make_site):
    s = make_site(**ONLY_LMTP)
    s.add("alice@example.org")
    s.start()
    with Lmtp(s.lmtp) as busy, Wire(s.lmtp) as idle:
        assert idle.line().startswith(b"220")
        busy.ask("MAIL FROM:<a@b>")
        busy.ask("RCPT TO:<alice@example.org>")
        assert busy.ask("DATA").startswith("354")
        s.daemon.process.terminate()
        assert idle.rest().startswith(b"421 4.3.2 ")
        busy.wire.send("Subject: x\r\n\r\n.\r\n")
        assert busy.answer().startswith("250 2.0.0 ")
        assert busy.wire.rest().startswith(b"421 4.3.2 ")
    s.stop()
    assert len(s.message_files()) == 1
    s.assert_sound()


def test_one_connection_too_many(make_site):
    s = make_site(**ONLY_LMTP, lmtp={"max_connections": 1, "workers": 1}).start()
    with Wire(s.lmtp) as first:
        assert first.line().startswith(b"220")
        with Wire(s.lmtp) as second:
            assert second.rest().startswith(b"421 4.3.2 ")
        assert first.ask("NOOP").startswith(b"250")


# ---- local trouble -------------------------------------------------------------------------------------


def test_a_store_that_fails_is_told_and_recovers(make_site):
    """Where messages go there is a file in the way: every recipient is told to come
    back, at once after DATA, after the octets with BDAT; then it works again."""
    s = make_site(**ONLY_LMTP, lmtp={"workers": 1})
    s.add("alice@example.org")
    s.add("bob@example.org")
    s.start()
    days = [s.root / "messages" / time.strftime("%Y%m%d", time.gmtime(time.time() + t))
            for t in (0, 86400)]
    for day in days:
        day.write_text("")
    with Lmtp(s.lmtp) as client:
        for verb in ("DATA", "BDAT"):
            client.ask("MAIL FROM:<a@b>")
            client.ask("RCPT TO:<alice@example.org>")
            client.ask("RCPT TO:<bob@example.org>")
            if verb == "BDAT":
                client.wire.send("BDAT 6 LAST\r\nQUIT\r\n")
                answers = [client.answer(), client.answer()]
            else:
                answers = [client.ask("DATA")]
                if answers[0].startswith("354"):
                    client.wire.send("x\r\n.\r\n")
                    answers = [client.answer(), client.answer()]
            assert all(a.startswith("451 4.3.0 ") for a in answers), answers
            assert client.ask("NOOP").startswith("250")
        s.daemon.wait_for(r"event=lmtp.store.failed level=error")
        for day in days:
            day.unlink()
        answers = client.send(["alice@example.org", "bob@example.org"], message())
        assert all(a.startswith("250") for a in answers), answers
    s.stop()
    s.assert_sound()


def test_one_broken_maildrop_hurts_nobody_else(make_site):
    s = make_site(**ONLY_LMTP)
    for name in ("alice", "broken", "bob"):
        s.add(f"{name}@example.org")
    s.start()
    with Lmtp(s.lmtp) as client:
        assert client.send(["broken@example.org"], message())[0].startswith("250")
        (path,) = s.root.glob("accounts/*/*/broken@example.org/maildrop")
        text = path.read_bytes()
        path.write_bytes(text[:-10] + b"x" + text[-9:])  # in the last line
        answers = client.send([f"{n}@example.org" for n in ("alice", "broken", "bob")],
                              message())
    assert [a[:9] for a in answers] == ["250 2.0.0", "451 4.3.0", "250 2.0.0"], answers
    path.write_bytes(text)
    s.stop()


# ---- the log -----------------------------------------------------------------------------------------------


def test_a_line_for_each_message_and_each_refusal(lmtpd):
    mark = lmtpd.daemon.mark()
    with Lmtp(lmtpd.lmtp) as client:
        (_, answer) = client.send(["nobody@example.org", "alice@example.org"], message(),
                                  sender="who@example.com")
    line = lmtpd.daemon.wait_for(r"event=lmtp.message ", mark)
    number = answer.split()[2]
    assert f" id={number} " in str(line) or number in lmtpd.daemon.log
    refused = lmtpd.daemon.wait_for(r"event=lmtp.recipient.refused .*rcpt=nobody@example.org "
                                    r"from=who@example.com code=550 dsn=5.1.1", mark)
    assert refused
