# SPDX-License-Identifier: ISC
"""certificate - certificates made by openssl(1), and TLS contexts of a client"""

import hashlib
import ssl
import subprocess

from .place import tool
from .wire import DEADLINE


def _alternative(host):
    return ("IP:" if host.replace(".", "").isdigit() else "DNS:") + host


def make(folder, name, *hosts, curve="P-256", rsa=False):
    """A certificate that signs itself, for these host names: (certificate, key), paths."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["-newkey", "rsa:2048"] if rsa else \
        ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"]
    hosts = hosts or (f"{name}.example.org",)
    subprocess.run([tool("openssl"), "req", "-x509", *kind, "-nodes", "-sha256", "-days", "300",
                    "-subj", f"/CN={hosts[0]}",
                    "-addext", "subjectAltName=" + ",".join(map(_alternative, hosts)),
                    "-keyout", key, "-out", certificate],
                   check=True, capture_output=True, timeout=DEADLINE)
    key.chmod(0o600)
    return certificate, key


def make_authority(folder, name):
    """One that signs others: (certificate, key), paths."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "300", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    return certificate, key


def issue(folder, name, subject, authority):
    """A client's certificate, as "/CN=alice@example.org": (certificate, key), paths."""
    request, certificate, key = (folder / f"{name}.{end}" for end in ("req", "pem", "key"))
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             subject, "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-days", "300", "-CA", authority[0], "-CAkey",
             authority[1], "-CAcreateserial", "-out", certificate)
    return certificate, key


def _openssl(*argv):
    subprocess.run([tool("openssl"), *argv], check=True, capture_output=True, timeout=DEADLINE)


def end_point(certificate):
    """RFC 5929 s4.1, of a PEM file signed by SHA-256 or less."""
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
    return hashlib.sha256(der).digest()


def settings(*pairs):
    """The section tls for these."""
    return {"certificate": [str(c) for c, _ in pairs], "key": [str(k) for _, k in pairs]}


def client(trusted=None, alpn=None, newest=None):
    """A context that trusts one certificate, or anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(trusted)
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    if newest is not None:
        # What Debian's own settings forbid a client to try.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    return context
