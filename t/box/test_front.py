# SPDX-License-Identifier: ISC
"""Real proxies in front of POP3: HAProxy as conf-examples has it, and Dovecot"""

import contextlib
import pathlib
import re

import pytest

from lib import certificate, place
from lib.daemon import Daemon
from lib.mta import example
from lib.secure import running
from lib.site import PASSWORD
from lib.wire import Wire, connect, free_port, wait_listening

CLIENT = "127.0.0.5"  # of the proxy


@contextlib.contextmanager
def started(argv, folder, address):
    daemon = Daemon(argv, folder / "log")
    daemon.start()
    try:
        wait_listening(address, daemon.running)
        yield daemon
    finally:
        daemon.kill()


def session(site, wire, name):
    """Logs in and out; who the session process thinks it was."""
    mark = site.daemon.mark()
    assert wire.ask(f"USER {name}").startswith(b"+OK")
    assert wire.ask(f"PASS {PASSWORD}").startswith(b"+OK 0 ")
    wire.quit()
    line = site.daemon.wait_for(rf"pop3.session .*account={name} ", mark)
    return re.search(r" peer=(\S+):\d+ ", line)[1]


# ---- HAProxy ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def behind_haproxy():
    """(the site, HAProxy's two addresses)"""
    with running(pop3={"proxy_networks": ["127.0.0.1"]},
                 auth={"plaintext_without_tls": "always"}) as site:
        fronts = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        conf = site.dir / "haproxy.cfg"
        conf.write_text(example("haproxy/popstore.cfg", {
            "bind :110": f"bind {fronts[0]}", "bind :995": f"bind {fronts[1]}",
            "192.0.2.10:110": site.pop3, "192.0.2.10:995": site.pop3s}),
            encoding="utf-8")
        with started([place.tool("haproxy"), "-f", conf], site.dir, fronts[0]):
            yield site, fronts
        site.daemon.assert_no_errors()


@pytest.mark.parametrize("tls", [False, True])
def test_haproxy(behind_haproxy, tls):
    site, fronts = behind_haproxy
    with Wire(connect(fronts[tls], source=CLIENT)) as wire:
        if tls:
            wire.start_tls(certificate.client())
        assert wire.line().startswith(b"+OK")
        assert session(site, wire, site.new_account()) == CLIENT


# ---- Dovecot ----------------------------------------------------------------------------------

DOVECOT = """protocols = pop3
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
service pop3-login {{
  inet_listener pop3 {{
    address = {at}
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 port={to} nopassword=y {tls}
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={dir}
}}
"""


# A container may have been given no IPv6.
IPV6 = pytest.mark.skipif(not pathlib.Path("/proc/net/if_inet6").exists(),
                          reason="the kernel has no IPv6 here")


@pytest.mark.parametrize("may, at, client, peer", [
    (["127.0.0.1"], "127.0.0.1", CLIENT, CLIENT),
    pytest.param(["127.0.0.1"], "::1", "::1", "[::1]", marks=IPV6),
    ([], "127.0.0.1", CLIENT, "127.0.0.1")])
@pytest.mark.parametrize("tls", ["", "starttls=any-cert", "ssl=any-cert"])
def test_dovecot(may, at, client, peer, tls):
    """It says XCLIENT to whoever greets it with that word, after STLS."""
    place.need_root("Dovecot")
    port = free_port()
    with running(pop3={"xclient_networks": may},
                 auth={"plaintext_without_tls": "always"}) as site:
        conf = site.dir / "dovecot.conf"
        to = site.port("pop3s" if tls.startswith("ssl") else "pop3")
        conf.write_text(DOVECOT.format(dir=site.dir, at=at, port=port, to=to, tls=tls),
                        encoding="utf-8")
        with started([place.tool("dovecot"), "-F", "-c", conf], site.dir, f"{at}:{port}"), \
                Wire(connect(f"{at}:{port}", source=client)) as wire:
            assert wire.line().startswith(b"+OK")
            assert session(site, wire, site.new_account()) == peer
