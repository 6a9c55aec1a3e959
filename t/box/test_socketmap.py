# SPDX-License-Identifier: ISC
"""popstore-policyd by the socketmap protocol, asked by us and by Postfix's postmap.
What is answered to whom is in test_verdict.py; here is the protocol."""

import shutil
import subprocess

import pytest

from lib import place
from lib.asking import Socketmap, netstring
from lib.wire import DEADLINE, Wire


def test_domains(site):
    with Socketmap(site.socketmap) as socketmap:
        for table in ("virtual_mailbox_domains", "relay_domains"):
            assert socketmap.ask(table, "example.org") == ("OK", "example.org")
            assert socketmap.ask(table, "EXAMPLE.com") == ("OK", "example.com")
            assert socketmap.ask(table, "example.net") == ("OK", "example.org")
            for key in ("sub.example.org", ".example.org", "org", "a@example.org", "",
                        "[192.0.2.1]", "../example.org", "d" * 300):
                assert socketmap.ask(table, key) == ("NOTFOUND", ""), key


def test_an_account_is_no_alias_and_a_forwarding_is_both(site, account):
    name = site.new_name("sales")
    site.ctl("forward", name, account, "a.b@example.com")
    with Socketmap(site.socketmap) as socketmap:
        assert socketmap.ask("virtual_alias_maps", account) == ("NOTFOUND", "")
        assert socketmap.ask("virtual_alias_maps", name) == \
            ("OK", f"{account}, a.b@example.com")
        assert socketmap.ask("virtual_mailbox_maps", name) == ("OK", name)
        # Postfix asks for the bare domain too, and for @domain.
        for key in ("example.org", "@example.org", name.split("@")[0]):
            assert socketmap.ask("virtual_alias_maps", key) == ("NOTFOUND", ""), key


def test_an_unknown_map_is_an_error_of_the_configuration(site):
    with Socketmap(site.socketmap) as socketmap:
        assert socketmap.ask("aliases", "root")[0] == "PERM"
        assert socketmap.ask("relay_domains", "example.org")[0] == "OK"


@pytest.mark.parametrize("step", (1, 5, None))
def test_requests_may_arrive_in_pieces_and_together(site, account, step):
    with Socketmap(site.socketmap) as socketmap:
        socketmap.wire.send(netstring(f"virtual_mailbox_maps {account}") +
                            netstring(f"virtual_mailbox_maps nobody-{account}") +
                            netstring("relay_domains example.com"), step)
        assert [socketmap.answer() for _ in range(3)] == \
            [("OK", account), ("NOTFOUND", ""), ("OK", "example.com")]


def test_a_long_key_is_not_found_and_not_the_end(site, account):
    with Socketmap(site.socketmap) as socketmap:
        for n in (1000, 1024, 5000, 99000):
            key = "x" * n + "@example.org"
            assert socketmap.ask("virtual_mailbox_maps", key) == ("NOTFOUND", "")
        assert socketmap.ask("virtual_mailbox_maps", account) == ("OK", account)


@pytest.mark.parametrize("rubbish", [
    b"GET / HTTP/1.1\r\n\r\n", b":x,", b"-1:x,", b"5:relay,5:xxxxxx", b"100001:x",
    b"99999999999999999999:x", b"\0\0\0\0", b"0x5:relay,"])
def test_rubbish_is_not_answered(site, rubbish):
    since = site.daemon.mark()
    with Wire(site.socketmap) as wire:
        try:
            wire.send(rubbish)
            answered = wire.rest()
        except OSError:
            answered = b""  # closed with some of it unread
    assert answered in (b"", netstring("PERM there is no map of that name"))
    site.daemon.wait_for("event=socketmap.request.broken", since)


@pytest.fixture
def postmap(site):
    if shutil.which("postmap") is None:
        pytest.skip("postmap is not there: apt-get install postfix")
    folder = place.scratch("postmap")
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")

    def ask(table, key):
        done = subprocess.run(
            ["postmap", "-c", folder, "-q", key, f"socketmap:inet:{site.socketmap}:{table}"],
            capture_output=True, text=True, timeout=DEADLINE, check=False)
        return done.returncode, done.stdout.rstrip("\n"), done.stderr

    yield ask
    place.discard(folder)


def test_postmap_understands_the_answers(postmap, site, account):
    name = site.new_name("sales")
    site.ctl("forward", name, "a.b@example.com", "\"c d\"@example.com")
    assert postmap("virtual_mailbox_maps", account) == (0, account, "")
    assert postmap("virtual_mailbox_maps", "nobody-" + account) == (1, "", "")
    assert postmap("virtual_alias_maps", name) == \
        (0, "a.b@example.com, \"c d\"@example.com", "")
    assert postmap("relay_domains", "example.org") == (0, "example.org", "")
    status, _, complaint = postmap("no_such_map", "x")
    assert status == 1 and "there is no map of that name" in complaint
