# SPDX-License-Identifier: ISC
"""managesieve - a client of RFC 5804 that takes answers apart, and leaves nothing out"""

import base64
import re

from .site import PASSWORD
from .wire import Wire

_ANSWER = re.compile(rb"(OK|NO|BYE)(?: \((.*?)\))?(?: (\".*\"|\{\d+\}))?\r\n", re.S)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain(name, password=PASSWORD):
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()


class Answer:
    """`data` are the lines before it, as tuples of words: a string is str, an atom bytes."""

    def __init__(self, word, code, text, data):
        self.word, self.code, self.text, self.data = word, code, text, data

    def __repr__(self):
        return f"{self.word} ({self.code}) {self.text!r} {self.data!r}"


class Client(Wire):
    def __init__(self, address, greeted=True):
        super().__init__(address)
        self.greeting = self.answer() if greeted else None

    # ---- what comes ------------------------------------------------------------------

    def _string(self, text):
        """`text` is a quoted string, or the length of a literal that follows."""
        if text.startswith(b"{"):
            return self.exactly(int(text[1:-1])).decode()
        return re.sub(rb"\\(.)", rb"\1", text[1:-1]).decode()

    def answer(self):
        data = []
        while True:
            line = self.line()
            assert line.endswith(b"\r\n"), f"{line!r} after {data!r}"
            found = _ANSWER.fullmatch(line)
            if found:
                word, code, text = found.groups()
                said = ""
                if text is not None:
                    said = self._string(text)
                    if text.startswith(b"{"):
                        assert self.line() == b"\r\n"
                return Answer(word.decode(), (code or b"").decode(), said, data)
            words = []
            while line:
                word = re.match(rb'"(?:[^"\\]|\\.)*"|\{\d+\}\r\n|[A-Z]+', line)
                assert word, line
                line = line[word.end():]
                if word[0].startswith(b"{"):
                    words.append(self._string(word[0][:-2]))
                    line = self.line()
                else:
                    words.append(word[0] if word[0].isalpha() else self._string(word[0]))
                assert line[:1] in (b" ", b"\r"), line
                line = line[1:] if line[:1] == b" " else b""
            data.append(tuple(words))

    def capabilities(self):
        answer = self.say("CAPABILITY")
        assert answer.word == "OK"
        return table(answer)

    # ---- what is said -------------------------------------------------------------------

    def say(self, command):
        self.send(command + "\r\n" if isinstance(command, str) else command + b"\r\n")
        return self.answer()

    def ok(self, command, code=""):
        answer = self.say(command)
        assert (answer.word, answer.code) == ("OK", code), f"{command!r}: {answer}"
        return answer

    def no(self, command, code=""):
        answer = self.say(command)
        assert (answer.word, answer.code) == ("NO", code), f"{command!r}: {answer}"
        return answer.text

    def log_in(self, name, password=PASSWORD):
        self.ok(f'AUTHENTICATE "PLAIN" "{plain(name, password)}"')
        return self

    def put(self, name, text):
        octets = text.encode()
        return self.say(f"PUTSCRIPT {quoted(name)} {{{len(octets)}+}}\r\n".encode() + octets)

    def scripts(self):
        """{name: whether it is active}"""
        return {row[0]: row[1:] == (b"ACTIVE",) for row in self.ok("LISTSCRIPTS").data}

    def get(self, name):
        (row,) = self.ok(f"GETSCRIPT {quoted(name)}").data
        return row[0]

    def log_out(self):
        self.ok("LOGOUT")
        assert self.rest() == b""
        self.close()

    def assert_over(self):
        assert self.rest() == b""


def table(answer):
    return {row[0]: row[1] if len(row) > 1 else None for row in answer.data}
