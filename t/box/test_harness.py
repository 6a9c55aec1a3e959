# SPDX-License-Identifier: ISC
"""The test tools themselves: a helper that cannot fail would prove nothing."""

import signal
import socket
import sys
import threading

import pytest

from lib import place
from lib.daemon import Daemon
from lib.mail import dot_stuffed, split_trace
from lib.site import conf_text
from lib.talk import Talker, parse
from lib.wire import DEADLINE, wait_until

pytestmark = place.not_twice


class Canned:
    """A server that greets and answers each line by a table; b"" closes."""

    def __init__(self, answers, greeting=b"220 hi\r\n"):
        self.answers, self.greeting = answers, greeting
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.got = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb", buffering=0) as lines:
                peer.sendall(self.greeting)
                for line in lines:
                    self.got += line
                    answer = self.answers.get(line, b"500 what?\r\n")
                    if not answer:
                        break
                    peer.sendall(answer)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()


ANSWERS = {b"ONE\r\n": b"250 one\r\n", b"MANY\r\n": b"250-a\r\n250-b\r\n250 c\r\n",
           b"LF\r\n": b"250 bare\n", b"TWICE\r\n": b"250 a\r\n250 b\r\n", b"BYE\r\n": b"",
           b"a\0\xff \r\n": b"250 odd\r\n"}


@pytest.fixture
def canned():
    with Canned(ANSWERS) as c:
        yield c


@pytest.mark.parametrize("dialogue", [
    "< 220 *\n> ONE\n< 250 one\n> MANY\n< ...\n< 250 c",
    "< 220 hi\n> ONE\n< 250 one\n---\n> ONE\n< 250*",
    "< 220*\n> MANY\n< 250-a\n< 250-b\n< 250 c\n> BYE\n<eof",
    "< 220*\n> MANY\n< ...\n> BYE\n<eof",
    r"""
        < 220*
        # octets that no keyboard has
        > a\0\xff \x0d\n\c
        < 250 odd
    """,
])
def test_talk_follows(canned, way, dialogue):
    Talker(canned.address, way).talk(dialogue)


@pytest.mark.parametrize("dialogue, why", [
    ("< 220*\n> ONE\n< 250 two", "got b'250 one"),
    ("< 220*\n> ONE\n< 25", "got b'250 one"),
    ("< 220*\n> ONE\n< [2]50 one", "got b'250 one"),
    ("< 220*\n> LF\n< 250 bare", "does not end in CRLF"),
    ("< 220*\n> TWICE\n< 250 a", "more than the dialogue says"),
    ("< 220*\n> BYE\n< 250*", "the peer closed"),
    ("< 220*\n> BYE\n< ...\n< 250*", "the peer closed"),
    ("< 220*\n> ONE\n<eof", "still talking"),
])
def test_talk_fails(canned, way, dialogue, why):
    with pytest.raises(AssertionError, match=why.replace("[", r"\[")):
        Talker(canned.address, way).talk(dialogue)


def test_talk_sends_what_stands_there(canned):
    Talker(canned.address, "bytes").talk("< *\n> ONE\\x20\\t\\\\\n< 500*\n>  x \n< 500*")
    assert canned.got == b"ONE \t\\\r\n x \r\n"


@pytest.mark.parametrize("line", ["220 hi", "<220", ">> x", "EOF"])
def test_a_misspelt_dialogue_is_an_error(line):
    with pytest.raises(ValueError):
        parse(line)


def python(code):
    return [sys.executable, "-c", code]


READY = "import sys, time; print('ready', file=sys.stderr, flush=True); "
# A handler might run just before the sleep that it is to end.
ARMED = "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); "
WAIT = "; print('ready', file=sys.stderr, flush=True); signal.sigwait([15]); sys.exit(0)"


def test_daemon_stops_cleanly(tmp_path):
    d = Daemon(python(ARMED + "print('armed', file=sys.stderr)" + WAIT), tmp_path / "log").start()
    d.wait_for("^ready$")
    d.stop()
    assert (tmp_path / "log").read_text() == "armed\nready\n"


@pytest.mark.parametrize("code, why", [
    (READY + "time.sleep(60)", "ended with -15"),
    (READY + "sys.exit(3)", "ended"),
    ("import sys; sys.exit(3)", "without"),
    (ARMED + "print('==1==ERROR: AddressSanitizer: heap', file=sys.stderr)" + WAIT,
     "found in the log"),
    (ARMED + "print('p[1]: event=dispatch.ended level=warn pid=2 signal=11 then=x', "
     "file=sys.stderr)" + WAIT, "found in the log"),
])
def test_daemon_bad_ends_are_noticed(tmp_path, code, why):
    d = Daemon(python(code), tmp_path / "log").start()
    with pytest.raises(AssertionError, match=why):
        d.wait_for("^ready$")
        if "sys.exit(3)" in code:
            d.process.wait(DEADLINE)
        d.stop(signal.SIGTERM)


def test_daemon_finds_its_children(tmp_path):
    d = Daemon(["sh", "-c", "sleep 60 & sleep 60 & echo ready >&2; wait"],
               tmp_path / "log").start()
    d.wait_for("^ready$")
    wait_until("both to be sleep", lambda: len(d.workers("sleep")) == 2)
    d.kill()
    assert d.processes() == []


def test_configuration_text():
    assert conf_text({"hostname": "a", "lmtp": {"listen": ["x:1", "/y"], "n": 3, "b": True}}) == \
        'hostname = "a"\nlmtp {\n\tlisten = {"x:1", "/y"}\n\tn = 3\n\tb = true\n}\n'


def test_dot_stuffing():
    assert dot_stuffed(b".\r\n..a\r\nb.\r\n\r\n") == b"..\r\n...a\r\nb.\r\n\r\n.\r\n"
    with pytest.raises(AssertionError, match="octet 1"):
        split_trace(b"xabd", b"acd")
    assert split_trace(b"xacd", b"acd") == (b"x", b"acd")
