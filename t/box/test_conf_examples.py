# SPDX-License-Identifier: ISC
"""conf-examples/: every file is run, and says what is true.

Those for Postfix and Sendmail are run by test_mta.py and test_smtp_auth.py, systemd's by
test_systemd.py, HAProxy's by test_front.py.
"""

import re

import pytest

from lib import certificate, place
from lib.mail import deliver, fetch_all, message
from lib.mta import example
from lib.site import Site
from lib.wire import free_port


def test_every_example_has_a_test():
    tested = {f"postfix/{n}.cf" for n in ("10-delivery", "20-policy", "20-milter", "20-socketmap",
                                          "30-smtp-auth")}
    tested |= {"postfix/sasl/smtpd.conf"}
    tested |= {f"sendmail/{n}" for n in ("popstore.mc", "smtp-auth.mc", "Sendmail.conf")}
    tested |= {"haproxy/popstore.cfg"}
    tested |= {f"popstore/{n}.conf" for n in ("minimal", "dev", "full")}
    tested |= {f"systemd/popstored{n}" for n in (".service", "-lmtp.socket", "-pop3.socket",
                                                 "-pop3s.socket", "-root.conf")}
    tested |= {f"systemd/popstore-scrub{n}" for n in (".service", ".timer")}
    there = {str(p.relative_to(place.EXAMPLES)) for p in place.EXAMPLES.rglob("*") if p.is_file()}
    assert there == tested


class ExampleSite(Site):
    """A Site whose configuration is a file as shipped, with ports and paths of our own."""

    def __init__(self, name, changes):
        super().__init__("example")
        self.text = example(f"popstore/{name}", changes(self))

    def write_conf(self):
        self.conf_file.write_text(self.text, encoding="utf-8")


SITES = {
    "minimal.conf": lambda s: {
        "/var/lib/popstore": str(s.root), "127.0.0.1:24": s.lmtp, "[::]:110": s.pop3,
        "127.0.0.1:10040": s.policy},
    "dev.conf": lambda s: {
        "/tmp/popstore-dev.lmtp": s.lmtp_socket, '"/tmp/popstore-dev"': f'"{s.root}"',
        "127.0.0.1:10024": s.lmtp, "127.0.0.1:10110": s.pop3, "127.0.0.1:10040": s.policy,
        "127.0.0.1:10041": s.socketmap, "inet:10891@127.0.0.1": s.milter_conf},
    "full.conf": lambda s: {
        "/var/lib/popstore": str(s.root), "/disk1": f"{s.dir}/disk1", "/disk2": f"{s.dir}/disk2",
        "127.0.0.1:24": s.lmtp, "/run/popstore/lmtp": s.lmtp_socket, "[::]:110": s.pop3,
        "127.0.0.1:10040": s.policy, "127.0.0.1:10041": s.socketmap,
        "[::]:995": f"127.0.0.1:{free_port()}", "[::]:4190": s.sieve,
        "inet:8891@127.0.0.1": s.milter_conf, '"127.0.0.1:106"': f'"{s.poppassd}"',
        "/etc/popstore/": f"{s.dir}/", "/run/popstore/smtp/auth": s.auth},
}


@pytest.fixture
def example_site(request):
    name = request.param
    site = ExampleSite(name, SITES[name])
    if name == "full.conf":
        # The volumes are what an operator mounts; the log is for the test to read.
        for disk in ("disk1", "disk2"):
            (site.dir / disk).mkdir()
        for name in ("mail", "pop3", "clients"):
            certificate.make(site.dir, name)
        (site.dir / "srs-secrets").write_text("a secret of this site\n")
        site.text = site.text.replace('to = "syslog"', 'to = "stderr"')
    yield site
    site.end()


@pytest.mark.parametrize("example_site", SITES, indirect=True)
def test_a_store_runs_with_it(example_site):
    site = example_site
    # The scratch folder may be anywhere; what is shipped asks for a disk.
    site.text = site.text.replace("\ttrust_file_system = no\n", "")
    if "trust_file_system" not in site.text:
        site.text = site.text.replace("store {\n", "store {\n\ttrust_file_system = yes\n")
    site.init()
    site.start()
    name = site.add("alice@example.org")
    for i in range(4):
        with_socket = "/lmtp" in site.text
        site.lmtp_socket = site.lmtp_socket if with_socket else site.lmtp
        deliver(site, name, message(f"number {i}"))
    assert len(fetch_all(site, name)) == 4
    site.assert_sound()


def settings_of(text):
    """{section.name: value} of `popstore settings` or of a file, comments left out."""
    out, section = {}, ""
    for line in text.splitlines():
        line = line.split("#")[0].strip() if "name_charset" not in line else line.strip()
        if m := re.fullmatch(r"(\w+)\s*\{", line):
            section = m[1] + "."
        elif line == "}":
            section = ""
        elif m := re.fullmatch(r"(\w+)\s*=\s*(.*)", line):
            out[section + m[1]] = m[2]
    return out


@pytest.mark.parametrize("example_site", ["full.conf"], indirect=True)
def test_full_conf_lists_every_setting_with_its_default(example_site):
    site = example_site
    site.write_conf()
    in_effect = settings_of(site.ctl("settings"))
    written = settings_of(site.text)
    assert set(written) == set(in_effect)
    site.text = f'store {{\n\troot = "{site.root}"\n}}\n'
    site.write_conf()
    defaults = settings_of(site.ctl("settings"))
    differs = {k for k in in_effect if in_effect[k] != defaults[k]}
    ours = {"hostname", "store.volumes", "tls.certificate", "tls.key", "tls.client_ca",
            "outgoing.srs_domain", "outgoing.srs_secrets"}
    ours |= {k for k in in_effect if k.endswith((".listen", "_networks"))} | {"pop3.tls_listen"}
    assert differs == ours, "full.conf shows a value that is not the default"


def test_marks_are_kept():
    """A change outside the marked places is an error of the test."""
    port = str(free_port())
    assert port in example("postfix/20-policy.cf", {"10040": port})
    with pytest.raises(AssertionError, match="not in a site block"):
        example("postfix/20-policy.cf", {"451 4.3.0": port})
