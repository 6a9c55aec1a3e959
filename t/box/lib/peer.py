# SPDX-License-Identifier: ISC
"""peer - what stands at the other ends of an MTA in a test"""

import re
import socket
import threading

from .wire import connect


class _Listener:
    """A thread that accepts, a thread for each connection."""

    def _serve(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(client,), daemon=True).start()


class Recorder(_Listener):
    """A relay in front of an LMTP server that keeps what the client said."""

    def __init__(self, target, address=None):
        self.target = target
        self.sessions = []
        if address is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address)
            self.listener.listen()
            self.address = address
        self._serve()

    def _session(self, client):
        said = bytearray()
        self.sessions.append(said)
        try:
            server = connect(self.target, None)
        except OSError:
            client.close()
            return
        back = threading.Thread(target=self._copy, args=(server, client, None), daemon=True)
        back.start()
        self._copy(client, server, said)
        back.join()
        client.close()
        server.close()

    def _copy(self, source, sink, keep):
        try:
            while data := source.recv(65536):
                if keep is not None:
                    keep += data
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def messages(self):
        """All messages that were sent with DATA, unstuffed, in order."""
        out = []
        for said in self.sessions:
            for part in re.split(rb"(?i)(?:^|\r\n)DATA\r\n", bytes(said))[1:]:
                stuffed = (b"\r\n" + part).split(b"\r\n.\r\n")[0] + b"\r\n"
                out.append(stuffed.replace(b"\r\n..", b"\r\n.")[2:])
        return out

    def transactions(self):
        return sum(len(re.findall(rb"(?im)^MAIL FROM:", bytes(s))) for s in self.sessions)


class Loser(Recorder):
    """A relay that loses replies.  `plan` has a number for each message to come: so many of
    the replies that follow its final dot reach the client, then the connection is gone.  A
    message for which there is no number passes.  While `away` is set nobody gets through;
    on_loss() runs when the reply is here and has not gone on.  `story`: what it did."""

    def __init__(self, *args):
        self.plan, self.lost, self.story = [], 0, []
        self.away = threading.Event()
        self.on_loss = lambda: None
        super().__init__(*args)

    def _session(self, client):
        if self.away.is_set():
            client.close()
            return
        super()._session(client)

    def _copy(self, source, sink, keep):
        if keep is not None or not self.plan:
            super()._copy(source, sink, keep)
            return
        said, passing = self.sessions[-1], None
        try:
            while passing is None or passing >= 0:
                data = source.recv(65536)
                if not data:
                    break
                for line in data.splitlines(True):
                    if passing is None and b"\r\nDATA\r\n" in said and DOT.search(said) \
                            and not line.startswith(b"354"):
                        passing = self.plan.pop(0)
                        self.story.append(f"a message, of whose replies {passing} pass")
                    if passing == 0:
                        passing = -1
                        break
                    passing = None if passing is None else passing - 1
                    self.story.append(f"passes: {line!r}")
                    sink.sendall(line)
        except OSError as failure:
            self.story.append(str(failure))
        self.story.append(f"ends, {passing} left to pass")
        if passing == -1:
            self.on_loss()
            self.lost += 1
        for end in (sink, source):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


# The end of a message, behind its DATA.
DOT = re.compile(rb"\r\nDATA\r\n(?:.*\r\n)?\.\r\n", re.DOTALL)


class Outside(_Listener):
    """The rest of the Internet: an SMTP server that takes everything, but for recipients
    that begin with "refused".  Not at 127.0.0.1, for an MTA that listens there takes that
    for itself."""

    host = "127.0.0.6"

    def __init__(self):
        self.listener = socket.create_server((self.host, 0))
        self.port = self.listener.getsockname()[1]
        self.mail = []  # (sender, [recipients], content)
        self._serve()

    def _session(self, client):
        sender, rcpts = None, []
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 outside ESMTP\r\n")
            for line in lines:
                verb = line.upper()
                answer = b"250 fine\r\n"
                if verb.startswith(b"EHLO"):
                    answer = b"250-outside\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE\r\n"
                elif verb.startswith(b"MAIL"):
                    sender, rcpts = _path(line), []
                elif verb.startswith(b"RCPT") and _path(line).startswith("refused"):
                    answer = b"550 5.1.1 nobody of that name\r\n"
                elif verb.startswith(b"RCPT"):
                    rcpts.append(_path(line))
                elif verb.startswith(b"DATA"):
                    client.sendall(b"354 go on\r\n")
                    content = b""
                    for text in lines:
                        if text == b".\r\n":
                            break
                        content += text[1:] if text.startswith(b".") else text
                    self.mail.append((sender, rcpts, content))
                elif verb.startswith(b"QUIT"):
                    client.sendall(b"221 bye\r\n")
                    return
                client.sendall(answer)

    def to(self, recipient):
        return [m for m in self.mail if recipient in m[1]]


def _path(line):
    return line[line.index(b"<") + 1:line.index(b">")].decode()
