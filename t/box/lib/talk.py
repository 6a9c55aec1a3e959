# SPDX-License-Identifier: ISC
r"""talk - conversations that read like the dialogues in an RFC

    pop3.talk('''
        < +OK*
        > USER alice@example.org
        < +OK*
        > RETR 1
        < -ERR*
    ''')

One statement a line:

    > text     send text and CRLF.  \r \n \0 \t \\ and \xHH work as in C (write the
               dialogue as a raw string); \c at the end leaves out the CRLF
    < pattern  the next line must match; * stands for anything, nothing else is
               special; a line must end in CRLF
    < ...      any lines, until one matches the next pattern
    <eof       the peer must close now
    ---        do not send on before everything above has been answered
    # text     a remark

A dialogue runs in one of three ways, and the fixtures make every test run in all:

    written    a write for each line, answers are read where they stand
    bytes      the same with one octet per write
    at-once    everything up to the next --- in one write, then all the answers.
               A `<` before the first `>` (the greeting) is read first

After the last line the connection is half closed, and the peer must have nothing
more to say: an answer too many is found, without waiting for one.
"""

import re

from .wire import Wire

WAYS = ("written", "bytes", "at-once")

_ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "t": b"\t", "\\": b"\\"}


def _octets(text):
    """What a `>` line puts on the wire."""
    out, end = b"", b"\r\n"
    pieces = re.split(r"(\\x[0-9a-fA-F]{2}|\\.)", text)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            out += piece.encode()
        elif piece.startswith("\\x"):
            out += bytes([int(piece[2:], 16)])
        elif piece == "\\c":
            assert not "".join(pieces[i + 1:]), r"\c stands at the end of a line"
            end = b""
        else:
            assert piece[1] in _ESCAPES, f"unknown escape {piece}"
            out += _ESCAPES[piece[1]]
    return out + end


def _pattern(text):
    return re.compile(b".*".join(re.escape(p.encode()) for p in text.split("*")), re.S)


def parse(dialogue):
    """A list of (kind, line number, line, value); kind is > < ... eof or ---."""
    steps = []
    for number, raw in enumerate(dialogue.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line == "---":
            steps.append(("---", number, line, None))
        elif line == "<eof":
            steps.append(("eof", number, line, None))
        elif line == "< ...":
            steps.append(("...", number, line, None))
        elif line == ">" or line.startswith("> "):
            # Blanks at the end of what is sent matter; those before the > do not.
            steps.append((">", number, line, _octets(raw.lstrip()[2:])))
        elif line == "<" or line.startswith("< "):
            steps.append(("<", number, line, _pattern(line[2:])))
        else:
            raise ValueError(f"line {number} of the dialogue: {line}")
    return steps


class _Run:
    def __init__(self, wire, way):
        self.wire, self.way = wire, way
        self.pending, self.seen = b"", []
        self.skipping = False

    def send(self, data, more):
        if self.way == "at-once":
            self.pending += data
            if more:
                return
            data, self.pending = self.pending, b""
        try:
            self.wire.send(data, 1 if self.way == "bytes" else None)
        except (BrokenPipeError, ConnectionResetError):
            # The peer may have answered and closed already; reading tells.
            pass

    def fail(self, step, why):
        _, number, line, _ = step
        seen = "\n".join(f"    {s}" for s in self.seen[-12:])
        raise AssertionError(f"line {number} of the dialogue, sent {self.way}:\n"
                             f"  {line}\n  {why}\n  seen so far:\n{seen}")

    def line(self, step):
        try:
            line = self.wire.line()
        except TimeoutError:
            self.fail(step, f"no answer; so far {self.wire.buffer!r}")
        except ConnectionResetError:
            line = b""
        self.seen.append(f"< {line!r}")
        return line

    def expect(self, step):
        while True:
            line = self.line(step)
            if not line:
                self.fail(step, "the peer closed the connection")
            if not line.endswith(b"\r\n"):
                self.fail(step, f"does not end in CRLF: {line!r}")
            if step[3].fullmatch(line[:-2]):
                self.skipping = False
                return
            if not self.skipping:
                self.fail(step, f"got {line!r}")

    def eof(self, step):
        line = self.line(step)
        if self.skipping:
            while line:
                line = self.line(step)
        if line:
            self.fail(step, f"still talking: {line!r}")


def _order(steps, way):
    """At once: all that is sent first, then all that is awaited, from the first `>`
    to the next barrier."""
    if way != "at-once":
        return steps
    out, group = [], []
    first = next((i for i, s in enumerate(steps) if s[0] == ">"), len(steps))
    for step in steps[first:] + [("---", 0, "", None)]:
        if step[0] == "---":
            out += [s for s in group if s[0] == ">"] + [s for s in group if s[0] != ">"]
            group = []
        else:
            group.append(step)
    return steps[:first] + out


def converse(wire, dialogue, way="written"):
    """Runs the dialogue on an open connection and leaves it open."""
    run = _Run(wire, way)
    steps = _order(parse(dialogue), way)
    for i, step in enumerate(steps):
        kind = step[0]
        if kind == ">":
            run.seen.append(f"> {step[3]!r}")
            run.send(step[3], more=i + 1 < len(steps) and steps[i + 1][0] == ">")
        elif kind == "<":
            run.expect(step)
        elif kind == "...":
            run.skipping = True
        elif kind == "eof":
            run.eof(step)
    return run


class Talker:
    """An address to talk to, in one of the ways."""

    def __init__(self, address, way="written"):
        self.address, self.way = address, way

    def talk(self, dialogue):
        with Wire(self.address) as wire:
            run = converse(wire, dialogue, self.way)
            try:
                wire.half_close()
                rest = wire.rest()
            except OSError:
                rest = b""  # closed from the other side already
            assert rest == b"", f"more than the dialogue says: {rest!r}"
            return run
