# SPDX-License-Identifier: ISC
"""POP3 as nmap and testssl.sh see it, by STLS and on port 995"""

import re

import pytest

from lib import place, scan
from lib.secure import running

pytestmark = place.not_twice

# Each says NOT VULNERABLE; and each of SILENT nothing, where there is no SSLv2 and no NTLM.
VULNERABLE = ["ssl-heartbleed", "ssl-poodle", "ssl-ccs-injection", "ssl-dh-params"]
SILENT = ["sslv2-drown", "pop3-ntlm-info"]
SCRIPTS = ["pop3-capabilities", "ssl-cert", "ssl-enum-ciphers", *VULNERABLE, *SILENT]


@pytest.fixture(scope="module")
def secure():
    with running(lmtp=None, policy=None, socketmap=None, milter=None) as s:
        yield s
        s.daemon.assert_no_errors()


@pytest.fixture(scope="module")
def ports(secure):
    return scan.nmap([secure.port("pop3"), secure.port("pop3s")], SCRIPTS)


@pytest.fixture(params=["pop3", "pop3s"])
def said(request, secure, ports):
    return {name: s.get("output") for name, s in ports[secure.port(request.param)].items()}


def test_nmap_finds_nothing(said):
    assert "commonName=mx.example.org" in said["ssl-cert"]
    for name in VULNERABLE:
        verdicts = re.findall("(?:NOT |LIKELY )?VULNERABLE", said[name])
        assert set(verdicts) == {"NOT VULNERABLE"}, f"{name}: {said[name]}"
    assert not said.keys() & set(SILENT), said


def test_nmap_sees_only_what_is_new(said):
    versions = re.findall(r"^\s*((?:SSL|TLS)v[0-9.]+):", said["ssl-enum-ciphers"], re.M)
    assert versions == ["TLSv1.2", "TLSv1.3"]
    assert "least strength: A" in said["ssl-enum-ciphers"]
    for line in said["ssl-enum-ciphers"].splitlines():
        assert "TLS_" not in line or line.endswith(" - A"), line
        assert "TLS_" not in line or re.search("TLS_(AKE|ECDHE)_", line), line


def test_nmap_is_told_what_there_is(secure, ports):
    def words(which):
        text = ports[secure.port(which)]["pop3-capabilities"].get("output")
        return set(re.sub(r"[()]", " ", text).split())

    clear, tls = words("pop3"), words("pop3s")
    assert "STLS" in clear and "STLS" not in tls
    assert "SCRAM-SHA-256" in clear and "SCRAM-SHA-256-PLUS" in tls - clear
    for none in ("NTLM", "ANONYMOUS", "IMPLEMENTATION"):
        assert none not in clear | tls


def test_testssl_finds_nothing_on_port_995(secure, tmp_path):
    scan.testssl(secure.pop3s, tmp_path / "findings.csv", *scan.MORE, looked_at=scan.ALL)


def test_testssl_finds_nothing_behind_stls(secure, tmp_path):
    scan.testssl(secure.pop3, tmp_path / "findings.csv", "--starttls", "pop3",
                 looked_at=scan.VULNERABILITIES)
