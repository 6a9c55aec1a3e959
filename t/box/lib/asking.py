# SPDX-License-Identifier: ISC
"""asking - an MTA's side of the policy protocol, of socketmap and of the milter
protocol, on raw connections; every answer is returned as text"""

import struct

from .wire import Wire


class _Asking:
    def __init__(self, address):
        self.wire = Wire(address)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.wire.close()


def policy_request(recipient, state="RCPT", **attributes):
    """As Postfix sends it, `recipient` with its quotes undone."""
    attributes = {"request": "smtpd_access_policy", "protocol_state": state,
                  "protocol_name": "ESMTP", "client_address": "192.0.2.7",
                  "sender": "sender@example.com", "recipient": recipient, **attributes}
    return "".join(f"{k}={v}\n" for k, v in attributes.items()).encode() + b"\n"


class Policy(_Asking):
    def answer(self):
        answer = self.wire.until(b"\n\n").decode()
        assert answer.startswith("action=") and answer.endswith("\n\n"), answer
        assert answer.count("\n") == 2, answer
        return answer[len("action="):-2]

    def ask(self, recipient, state="RCPT", **attributes):
        """"DUNNO" or "550 5.1.1 text"."""
        self.wire.send(policy_request(recipient, state, **attributes))
        return self.answer()


def netstring(text):
    data = text.encode() if isinstance(text, str) else text
    return b"%d:%s," % (len(data), data)


class Socketmap(_Asking):
    def answer(self):
        """A pair: "OK", "NOTFOUND", "TEMP" or "PERM", and the text."""
        length = self.wire.until(b":")
        assert length[:-1].isdigit(), length
        text = self.wire.exactly(int(length[:-1]) + 1)
        assert text.endswith(b","), text
        status, _, rest = text[:-1].decode().partition(" ")
        return status, rest

    def ask(self, table, key):
        self.wire.send(netstring(f"{table} {key}"))
        return self.answer()


class Milter(_Asking):
    """What the filter asked not to be sent is in `steps`, as libmilter's SMFIP_*."""

    ALL_ACTIONS, ALL_STEPS = 0x1ff, 0x1fffff
    NO_BODY, NO_HEADERS, NO_DATA, LEADING_BLANK = 0x10, 0x20, 0x200, 0x100000
    CHUNK = 65535
    ANSWERS = {b"c": "continue", b"r": "reject", b"t": "tempfail", b"a": "accept",
               b"d": "discard"}

    def __init__(self, address, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        super().__init__(address)
        self.send(b"O", struct.pack(">III", version, actions, steps))
        command, data = self.packet()
        assert command == b"O", command
        self.version, self.actions, self.steps = struct.unpack(">III", data[:12])

    def send(self, command, data=b""):
        self.wire.send(struct.pack(">I", len(data) + 1) + command + data)

    def packet(self):
        n, = struct.unpack(">I", self.wire.exactly(4))
        data = self.wire.exactly(n)
        return data[:1], data[1:]

    def answer(self):
        """"continue" and so on, or "550 5.1.1 text"."""
        command, data = self.packet()
        if command == b"y":
            assert data.endswith(b"\0"), data
            return data[:-1].decode().replace("%%", "%")
        assert command in self.ANSWERS, command
        return self.ANSWERS[command]

    def words(self, command, words):
        self.send(command, b"".join(w.encode() + b"\0" for w in words))
        return self.answer()

    def mail(self, sender="sender@example.com", *parameters):
        return self.words(b"M", [f"<{sender}>", *parameters])

    def rcpt(self, path, *parameters):
        """`path` with its brackets, as the MTA passes it."""
        return self.words(b"R", [path, *parameters])

    def macros(self, command, **values):
        pairs = [x for k, v in values.items() for x in (k, v)]
        self.send(b"D", command + b"".join(x.encode() + b"\0" for x in pairs))

    def data(self):
        self.send(b"T")
        return self.answer()

    def header(self, name, value):
        self.send(b"L", name + b"\0" + value + b"\0")
        return self.answer()

    def body(self, octets):
        self.send(b"B", octets)
        return self.answer()

    def _fields(self, header):
        """Pairs, as MTAs hand them over: lines parted by LF, and the blank behind the colon
        only to who asked for it."""
        fields = []
        for line in header.split(b"\r\n"):
            if line[:1] in (b" ", b"\t"):
                fields[-1][1] += b"\n" + line
            else:
                name, _, value = line.partition(b":")
                if not self.steps & self.LEADING_BLANK and value[:1] == b" ":
                    value = value[1:]
                fields.append([name, value])
        return fields

    def message(self, content):
        """All of it after RCPT TO, until something else than "continue" is said: the answer,
        and the steps that were gone through, as "TLLB" or "TLLBE"."""
        header, _, body = content.partition(b"\r\n\r\n")
        chunks = [body[i:i + self.CHUNK] for i in range(0, len(body), self.CHUNK)]
        steps = [] if self.steps & self.NO_DATA or self.version < 4 else [(self.data,)]
        if not self.steps & self.NO_HEADERS:
            steps += [(self.header, *field) for field in self._fields(header)]
        if not self.steps & self.NO_BODY:
            steps += [(self.body, chunk) for chunk in chunks]
        steps.append((self.end_of_message,))
        letters = {"data": "T", "header": "L", "body": "B", "end_of_message": "E"}
        gone = ""
        for step, *args in steps:
            gone += letters[step.__name__]
            answer = step(*args)
            if answer != "continue":
                break
        return answer, gone

    def end_of_message(self):
        self.send(b"E")
        return self.answer()

    def abort(self):
        self.send(b"A")
