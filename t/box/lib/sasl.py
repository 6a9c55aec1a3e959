# SPDX-License-Identifier: ISC
"""sasl - clients of SASL and APOP, by hashlib: they share no code with the server

A client is a generator: what it yields goes to the server (None: nothing yet), what is sent
to it is what the server said.

    client = cram_md5("alice@example.org", "secret")
    next(client)                       # None: the server speaks first
    client.send(b"<1.2@example.org>")  # b"alice@example.org 2f..."
"""

import base64
import hashlib
import hmac
import os
import re


def b64(octets):
    return base64.b64encode(octets).decode()


class Scram:
    """RFC 5802; `gs2` is the header, `binding` the channel's data where it says "p=..."."""

    def __init__(self, user, password, hash_name, gs2=b"n,,", binding=b""):
        self.user, self.password, self.hash = user, password, hash_name
        self.gs2, self.binding = gs2, binding
        self.nonce = b64(os.urandom(18))
        self.server_signature = b""

    def first(self):
        self.bare = f"n={self.user},r={self.nonce}".encode()
        return self.gs2 + self.bare

    def proof(self, challenge):
        part = dict(p.split(b"=", 1) for p in challenge.split(b","))
        assert part[b"r"].startswith(self.nonce.encode())
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(),
                                     base64.b64decode(part[b"s"]), int(part[b"i"]))
        mac = lambda key, text: hmac.new(key, text, self.hash).digest()
        client_key = mac(salted, b"Client Key")
        without = b"c=" + base64.b64encode(self.gs2 + self.binding) + b",r=" + part[b"r"]
        text = self.bare + b"," + challenge + b"," + without
        signature = mac(hashlib.new(self.hash, client_key).digest(), text)
        self.server_signature = base64.b64encode(mac(mac(salted, b"Server Key"), text))
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return without + b",p=" + base64.b64encode(proof)


def scram(user, password, hash_name, gs2=b"n,,", binding=b""):
    client = Scram(user, password, hash_name, gs2, binding)
    challenge = yield client.first()
    assert (yield client.proof(challenge)) == b"v=" + client.server_signature
    yield b""


def plain(user, password):
    yield b"\0" + user.encode() + b"\0" + password.encode()


def login(user, password):
    yield None
    yield user.encode()
    yield password.encode()


def external(authorization=""):
    yield authorization.encode()


def cram_md5(user, password):
    """RFC 2195"""
    challenge = yield None
    digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
    yield f"{user} {digest}".encode()


def digest_md5(user, password, service="pop"):
    """RFC 2831, for passwords in ASCII; the server's proof is looked at, too."""
    challenge = (yield None).decode()
    asked = dict(re.findall(r'([a-z-]+)="?([^",]*)"?', challenge))
    nonce, realm, own = asked["nonce"], asked.get("realm", ""), os.urandom(12).hex()
    uri = f"{service}/{realm}"

    def md5(octets):
        return hashlib.md5(octets).hexdigest()

    def response(method):
        a1 = hashlib.md5(f"{user}:{realm}:{password}".encode()).digest() + \
            f":{nonce}:{own}".encode()
        a2 = md5(f"{method}:{uri}".encode())
        return md5(f"{md5(a1)}:{nonce}:00000001:{own}:auth:{a2}".encode())

    last = yield (f'charset=utf-8,username="{user}",realm="{realm}",nonce="{nonce}",nc=00000001,'
                  f'cnonce="{own}",digest-uri="{uri}",response={response("AUTHENTICATE")},'
                  "qop=auth").encode()
    assert last == b"rspauth=" + response("").encode()
    yield b""


def apop_digest(challenge, password):
    """RFC 1939 s7"""
    return hashlib.md5((challenge + password).encode()).hexdigest()
