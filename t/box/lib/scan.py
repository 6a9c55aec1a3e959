# SPDX-License-Identifier: ISC
"""scan - what testssl.sh and nmap find"""

import csv
import subprocess
import xml.etree.ElementTree

from . import place

# These say that the certificate is signed by itself, that openssl(1) has no GOST, that there
# is no HTTP to look at, and that testssl's first client had gone before its ticket came.
NO_FINDINGS = {"cert_trust", "cert_chain_of_trust", "cert_revocation", "engine_problem",
               "service", "sessionresumption_ticket", "sessionresumption_ID"}
# So that an empty list is not for want of looking.
VULNERABILITIES = {"heartbleed", "CCS", "ROBOT", "secure_renego", "secure_client_renego",
                   "CRIME_TLS", "POODLE_SSL", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST",
                   "LUCKY13", "RC4"}
ALL = VULNERABILITIES | {"SSLv2", "SSLv3", "TLS1_2", "TLS1_3", "PFS", "cipher_order",
                         "cert_signatureAlgorithm"}
MORE = ("--protocols", "--server-defaults", "--server-preference", "--fs")


def testssl(address, out, *options, looked_at):
    """Fails for what it finds; and where it did not look for `looked_at`.  `out` is a file."""
    done = subprocess.run(
        [place.tool("testssl"), *options, "--quiet", "--warnings", "batch", "--color", "0",
         "--nodns", "none", "--vulnerable", "--csvfile", str(out), address],
        capture_output=True, text=True, timeout=580, check=False)
    assert out.exists(), done.stdout + done.stderr
    with open(out, encoding="utf-8", newline="") as f:
        rows = [(r["id"].split(" ")[0], r["severity"], r["finding"]) for r in csv.DictReader(f)]
    assert looked_at <= {name for name, severity, _ in rows if severity == "OK"}, done.stdout
    found = [r for r in rows if r[1] not in ("OK", "INFO", "LOW") and r[0] not in NO_FINDINGS]
    assert not found, "\n".join(map(str, found))


def nmap(ports, scripts):
    """{port: {script: element}}: what each script printed, of ports of this machine."""
    done = subprocess.run(
        [place.tool("nmap"), "-Pn", "-n", "-sT", "-sV", "--version-light", "-oX", "-",
         "--script", ",".join(scripts), "--script-args", "vulns.showall", "-p",
         ",".join(map(str, ports)), "127.0.0.1"],
        capture_output=True, text=True, timeout=300, check=True)
    tree = xml.etree.ElementTree.fromstring(done.stdout)
    return {int(port.get("portid")): {s.get("id"): s for s in port.iter("script")}
            for port in tree.iter("port")}
