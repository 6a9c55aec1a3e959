# SPDX-License-Identifier: ISC
"""Senders that are rewritten, against Mail::SRS, which nobody here wrote; and what milter,
policy daemon, socketmap and LMTP say of the way back.  With an MTA: test_mta_outgoing.py"""

import os
import subprocess

import pytest

from lib import place
from lib.asking import Milter, Policy, Socketmap
from lib.mail import Lmtp, message
from lib.outbox import Outbox, rcpts, sender
from lib.site import Site
from lib.wire import wait_until

DOMAIN = "srs.example.org"
SECRETS = ["the new secret of this site", "the old secret of this site"]


def perl(secret, code, *args):
    """Of Mail::SRS, with our settings; what it printed."""
    program = ("use Mail::SRS::Guarded; my $s = Mail::SRS::Guarded->new(Secret => shift, "
               "MaxAge => 21, HashLength => 8, HashMin => 8); " + code)
    return subprocess.run([place.tool("perl"), "-e", program, secret, *args], check=True,
                          text=True, capture_output=True).stdout.strip()


def their_forward(address, secret=SECRETS[0], domain=DOMAIN):
    return perl(secret, "print $s->forward(@ARGV)", address, domain)


def their_reverse(address, secret=SECRETS[0]):
    return perl(secret, "print $s->reverse(@ARGV)", address)


@pytest.fixture(scope="module")
def rewriting():
    s = Site("srs", domains=("example.org", DOMAIN), outgoing={"srs_domain": DOMAIN})
    try:
        s.out = Outbox(s.dir)
        s.secrets = s.dir / "secrets"
        s.secrets.write_text("\n".join(["# ours", *SECRETS, ""]))
        s.secrets.chmod(0o600)
        s.conf["sendmail"] = s.out.program
        s.conf["outgoing"]["srs_secrets"] = s.secrets
        s.init()
        s.ctl("forward", "far@example.org", "x@elsewhere.example")
        s.start()
        yield s
        s.assert_sound()
        s.daemon.assert_no_errors()
    finally:
        s.end()


@pytest.fixture
def out(rewriting):
    rewriting.out.will(0)
    return rewriting.out


def send(site, to, sender):
    with Lmtp(site.lmtp_socket) as lmtp:
        (answer,) = lmtp.send([to], message(), sender=sender)
    return answer


def forward(site, out, who):
    """The sender that it goes on with."""
    out.will(0)
    assert send(site, "far@example.org", who).endswith("mailed")
    (run,) = out.mailed()
    return sender(run)


@pytest.mark.parametrize("who", [
    "who@far.example", "Who.Else@far.example", "a=b=c@far.example", "x+y@far.example",
    "SRS0=aaaa=bb=first.example=who@far.example",
    "SRS1=aaaa=first.example==bbbb=cc=zero.example=who@far.example"])
def test_others_understand_ours_and_we_theirs(rewriting, out, who):
    ours = forward(rewriting, out, who)
    assert ours == their_forward(who)
    home = their_reverse(ours)
    assert home == who or who.startswith("SRS1")
    out.will(0)
    assert send(rewriting, ours, "").endswith("mailed")
    (run,) = out.mailed()
    assert sender(run) == "" and rcpts(run) == [home]


@pytest.mark.parametrize("who", ["", "alice@example.org", f"alice@{DOMAIN}"])
def test_who_stays_as_he_is(rewriting, out, who):
    assert forward(rewriting, out, who) == who


def answers(site, address):
    """What the four say of it at RCPT: the first word, or the code."""
    with Lmtp(site.lmtp_socket) as lmtp, Policy(site.policy) as policy, \
            Milter(site.milter) as milter, Socketmap(site.socketmap) as table:
        lmtp.ask("MAIL FROM:<>")
        milter.mail("")
        return (lmtp.ask(f"RCPT TO:<{address}>")[:9], policy.ask(address)[:9],
                milter.rcpt(f"<{address}>")[:9],
                table.ask("virtual_mailbox_maps", address)[0],
                table.ask("virtual_alias_maps", address))


GOOD = ("250 2.1.5", "DUNNO", "continue", "OK", ("OK", "who@far.example"))
BAD = ("550 5.7.1",) * 3 + ("NOTFOUND", ("NOTFOUND", ""))


def test_all_say_the_same_of_a_return_address(rewriting):
    good = their_forward("who@far.example")
    assert answers(rewriting, good) == GOOD
    assert answers(rewriting, their_forward("who@far.example", SECRETS[1])) == GOOD
    assert answers(rewriting, good.lower()) == GOOD
    for bad in (their_forward("who@far.example", "a secret of somebody else"),
                good.replace("who@", "whom@"), good.replace("far.", "near."),
                f"SRS0=x@{DOMAIN}"):
        assert answers(rewriting, bad) == BAD, bad


def test_an_old_one_has_expired(rewriting):
    # The days of Mail::SRS come from its clock, so it is told another day.
    def old(days):
        return perl(SECRETS[0], "no warnings 'redefine'; my $f = "
                    "\\&Mail::SRS::timestamp_create; *Mail::SRS::timestamp_create = sub { "
                    "my ($self) = @_; return $f->($self, time - $ARGV[2] * 86400) }; "
                    "print $s->forward(@ARGV[0, 1])", "who@far.example", DOMAIN, str(days))

    assert answers(rewriting, old(20)) == GOOD
    assert answers(rewriting, old(24)) == BAD


def test_the_mta_does_not_send_on_by_itself(rewriting):
    """It would leave the sender as it is; it is told that there is somebody."""
    with Socketmap(rewriting.socketmap) as table:
        assert table.ask("virtual_alias_maps", "far@example.org") == ("NOTFOUND", "")
        assert table.ask("virtual_mailbox_maps", "far@example.org")[0] == "OK"


def test_popstore_tells(rewriting):
    good = their_forward("who@far.example")
    told = rewriting.ctl_json("verdict", good)
    assert (told["verdict"], told["targets"]) == ("forward", ["who@far.example"])
    told = rewriting.ctl_json("verdict", good.replace("who@", "whom@"))
    assert (told["verdict"], told["smtp"], told["dsn"]) == ("forged", 550, "5.7.1")


def test_secrets_change_with_a_reload(rewriting, out):
    before = forward(rewriting, out, "who@far.example")
    try:
        rewriting.secrets.write_text("\n".join(["the third secret of this site", *SECRETS]))
        daemon = rewriting.daemon
        mark, old = daemon.mark(), set(daemon.processes()) - {daemon.process.pid}
        os.kill(daemon.process.pid, 1)
        daemon.wait_for(r"event=dispatch\.ready ", mark)
        # One that is to end may still take a connection.
        wait_until("the old processes to end", lambda: not old & set(daemon.processes()))
        after = forward(rewriting, out, "who@far.example")
        assert after != before
        assert answers(rewriting, before) == answers(rewriting, after) == GOOD
    finally:
        rewriting.secrets.write_text("\n".join(SECRETS))
        rewriting.restart()


@pytest.mark.parametrize("text, domain, says", [
    (None, DOMAIN, "No such file"), ("", DOMAIN, "there is no secret"),
    ("short\n", DOMAIN, "a secret has 16 to 255 octets"),
    ("long enough it is\n", "other.example", "no domain of this store")])
def test_what_is_no_good_ends_the_start(make_site, text, domain, says):
    site = make_site(outgoing={"srs_domain": domain})
    secrets = site.dir / "secrets"
    if text is not None:
        secrets.write_text(text)
    site.conf["outgoing"]["srs_secrets"] = secrets
    site.write_conf()
    site.ctl("domain", "add", DOMAIN)
    with pytest.raises(AssertionError):
        site.start()
    assert says in (site.dir / "log").read_text()


def test_the_secrets_are_nobody_elses(rewriting, out):
    """Not in a log, not in an answer."""
    forward(rewriting, out, "who@far.example")
    log = "\n".join(rewriting.daemon.lines)
    assert all(secret not in log for secret in SECRETS)
