# SPDX-License-Identifier: ISC
"""secure - a popstore with STLS and port 995, and connections of each kind to it"""

import contextlib

from . import certificate
from .site import Site
from .wire import Wire, free_port


class SecureSite(Site):
    def __init__(self, **sections):
        super().__init__("pop3tls", **sections)
        self.pop3s = f"127.0.0.1:{free_port()}"
        self.mail = certificate.make(self.dir, "mail", "mx.example.org")
        self.conf["tls"] = {**certificate.settings(self.mail), **self.conf.get("tls", {})}
        self.conf["pop3"]["tls_listen"] = [self.pop3s]

    def port(self, which):
        return int(getattr(self, which).split(":")[1])


@contextlib.contextmanager
def running(**sections):
    s = SecureSite(**sections)
    try:
        s.init()
        yield s.start()
        s.assert_sound()
    finally:
        s.end()


def greeted(site):
    wire = Wire(site.pop3)
    assert wire.line().startswith(b"+OK")
    return wire


def began_tls(site, context=None):
    wire = greeted(site)
    assert wire.ask("STLS") == b"+OK begin TLS\r\n"
    return wire.start_tls(context or certificate.client())


def tls_first(site, context=None):
    wire = Wire(site.pop3s).start_tls(context or certificate.client())
    assert wire.line().startswith(b"+OK")
    return wire


def capa(wire):
    wire.send("CAPA\r\n")
    return wire.until(b"\r\n.\r\n").decode().split("\r\n")
