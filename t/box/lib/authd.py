# SPDX-License-Identifier: ISC
"""authd - popstore-authd alone, and the protocol of doc/AUTH.md"""

import base64
import itertools
import urllib.parse

from . import place
from .daemon import Daemon
from .sasl import Scram, b64
from .site import Site
from .wire import DEADLINE, Wire, wait_listening


_networks = itertools.count(1000)


class Answer(dict):
    """Keys and values; `word` is what stands behind `answer`."""

    @property
    def word(self):
        return self["answer"]

    @property
    def data(self):
        return base64.b64decode(self.get("data", ""))

    @property
    def wait_ms(self):
        return int(self.get("wait", 0))


def encode(value):
    value = value.encode() if isinstance(value, str) else value
    return b"".join(b"%%%02x" % c if c < 32 or c in (0x7f, 0x25) else bytes((c,))
                    for c in value)


class Conversation:
    """One conversation; keys have `-` for `_`, and `data` is base64 here already."""

    def __init__(self, path, deadline=DEADLINE, **peer):
        self.wire = Wire(path, deadline)
        self.peer = {"service": "smtp", "sid": "s1", "client": "192.0.2.7",
                     "server": "192.0.2.1:25", "tls": "yes"}
        self.peer.update(peer)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.wire.close()

    def send(self, verb, **keys):
        lines = {"do": verb, **({} if verb in ("step", "abort") else self.peer), **keys}
        self.wire.send(b"".join(k.replace("_", "-").encode() + b" " + encode(v) + b"\n"
                                for k, v in lines.items() if v is not None) + b"\n")

    def answer(self):
        lines = self.wire.until(b"\n\n").decode().splitlines()
        assert lines and lines[-1] == "", f"no answer but {lines}"
        return Answer((k, urllib.parse.unquote(v, errors="surrogateescape")) for k, _, v in
                      (line.partition(" ") for line in lines[:-1]))

    def ask(self, verb, **keys):
        self.send(verb, **keys)
        return self.answer()

    def password(self, user, password):
        return self.ask("password", user=user, password=password)

    def plain(self, user, password):
        return self.ask("sasl", mechanism="PLAIN",
                        data=b64(b"\0" + user.encode() + b"\0" + password.encode()))

    def scram(self, user, password, hash_name="sha256", mechanism="SCRAM-SHA-256"):
        """The last answer; that the server has proved itself is asserted."""
        scram = Scram(user, password, hash_name)
        first = self.ask("sasl", mechanism=mechanism, data=b64(scram.first()))
        if first.word != "challenge":
            return first
        last = self.ask("step", data=b64(scram.proof(first.data)))
        if last.word != "challenge":
            return last
        assert last.data == b"v=" + scram.server_signature
        return self.ask("step", data="")


class AuthSite(Site):
    """A store and popstore-authd, without popstored: auth={...} are its settings."""

    def __init__(self, name="authd", **sections):
        super().__init__(name, lmtp=None, pop3=None, policy=None, socketmap=None,
                         milter=None, **sections)
        self.socket = str(self.dir / "auth")
        self.conf["auth"]["listen"] = [self.socket]

    def start(self, prefix=(), env=None):
        self.daemon = Daemon([place.program("popstore-authd"), "-c", self.conf_file],
                             self.dir / "log", prefix=prefix, env=env).start()
        wait_listening(self.socket, self.daemon.running)
        return self

    def talk(self, **peer):
        """From a network of its own, as far as nothing else is said: nobody waits for what
        another test did."""
        n = next(_networks)
        return Conversation(self.socket, **{"client": f"100.{64 + n // 250}.{n % 250}.7", **peer})

    def password(self, user, password, **peer):
        with self.talk(**peer) as c:
            return c.password(user, password)
