# SPDX-License-Identifier: ISC
"""mail - messages to send, and plain LMTP and POP3 clients to move them with"""

import poplib

from .site import PASSWORD
from .wire import DEADLINE, Wire


def message(subject="test", body=b"Hello.\r\n", sender="sender@example.com", to="<you@example.com>"):
    """A small message with CRLF line ends, as bytes."""
    head = (f"From: <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Date: Sat, 21 Nov 2026 20:13:43 +0000\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@example.com>\r\n\r\n")
    return head.encode() + body


# What a careless program breaks: dots at the start of lines, dots alone, empty lines at
# the end, 8-bit octets, lines as long as the MTAs let through, header-like text, "From ".
HARD_BODY = b"".join([
    b".\r\n", b"..\r\n", b"...three\r\n", b".x\r\n", b" .\r\n", b"\r\n", b"\r\n",
    "Grüße aus Köln, naïve café, 日本語\r\n".encode(),
    b"latin-1: \xe4\xf6\xfc\xdf, and \x80\xfe\xff\r\n",
    b"From here on\r\n", b">From there on\r\n", b"Received: not a header\r\n",
    b"tab\there, blanks at the end   \r\n", b"\x0c form feed, \x1b[31mred, \x7f del\r\n",
    b"l" * 900 + b"\r\n", b"." * 900 + b"\r\n",
    b"the end\r\n", b".\r\n", b"\r\n", b"\r\n",
])


def dot_stuffed(data):
    """As DATA sends it, the end included."""
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


# The client's own limit on what a server may send is 2048; ours sends what was delivered.
poplib._MAXLINE = 1 << 20


class Lmtp:
    """A plain LMTP client on a raw connection; answers are returned as text."""

    def __init__(self, address):
        self.wire = Wire(address)
        assert self.wire.line().startswith(b"220 ")
        self.extensions = self.ask("LHLO client.example.com")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.wire.close()

    def answer(self):
        """One answer, all its lines joined."""
        lines = []
        while True:
            line = self.wire.line().decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, line):
        self.wire.send(line + "\r\n")
        return self.answer()

    def data(self, content, recipients):
        """DATA, the message, and one answer a recipient: of DATA where that was refused."""
        answer = self.ask("DATA")
        if not answer.startswith("354"):
            return [answer] * recipients
        self.wire.send(dot_stuffed(content))
        return [self.answer() for _ in range(recipients)]

    def send(self, recipients, content, sender="sender@example.com", options=""):
        """A transaction: a list with the answer of each recipient, of RCPT where it was
        refused and of the message where it was not."""
        answers = [self.ask(f"MAIL FROM:<{sender}>{options}")]
        assert answers[0].startswith("250"), answers[0]
        answers = [self.ask(f"RCPT TO:<{r}>") for r in recipients]
        good = [i for i, a in enumerate(answers) if a.startswith("250")]
        if not good:
            self.ask("RSET")
            return answers
        for i, answer in zip(good, self.data(content, len(good))):
            answers[i] = answer
        return answers


def deliver(site, recipients, content=None, **kw):
    """By LMTP, to one or many; every one of them has to be accepted."""
    if isinstance(recipients, str):
        recipients = [recipients]
    assert recipients
    if content is None:
        content = message()
    with Lmtp(site.lmtp_socket) as lmtp:
        for answer in lmtp.send(recipients, content, **kw):
            assert answer.startswith("250"), answer
        lmtp.ask("QUIT")


class Pop3(poplib.POP3):
    """Python's client, logged in; bytes come back exactly, unstuffed."""

    def __init__(self, site, user, password=PASSWORD):
        host, port = site.pop3.split(":")
        poplib.POP3.__init__(self, host, int(port), timeout=DEADLINE)
        self.encoding = "UTF-8"
        self.user(user)
        self.pass_(password)

    def bytes_of(self, number):
        return b"".join(line + b"\r\n" for line in self.retr(number)[1])


def fetch_all(site, user, delete=False, password=PASSWORD):
    """Every message of a maildrop, as bytes."""
    pop3 = Pop3(site, user, password)
    try:
        count, octets = pop3.stat()
        messages = [pop3.bytes_of(i + 1) for i in range(count)]
        assert sum(map(len, messages)) == octets
        for i in range(count if delete else 0):
            pop3.dele(i + 1)
    finally:
        pop3.quit()
    return messages


def split_trace(stored, sent):
    """Divides what came back into (what was put in front, what was sent); fails if it
    does not end in exactly the bytes that were sent."""
    assert stored.endswith(sent), \
        f"not what was sent:\n{_difference(stored[-len(sent):], sent)}"
    return stored[:len(stored) - len(sent)], sent


def _difference(got, want):
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    near = slice(max(0, at - 30), at + 30)
    return f"octet {at}: got {got[near]!r}, sent {want[near]!r}"
