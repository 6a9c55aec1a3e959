# SPDX-License-Identifier: ISC
"""Power cuts after every octet of an answer (P1, P6), on ext4 and on XFS

What was answered 250 is there, whole, for each recipient; what was deleted by a QUIT
that was answered +OK stays deleted; popstore check is content.  The controls at the
end prove that the rig loses mail where it must.
"""

import os

import pytest

from lib import place
from lib.mail import Lmtp, dot_stuffed, fetch_all, message
from lib.site import PASSWORD, Site
from lib.wire import Wire

# "250 2.0.0 <id> stored" and CRLF
ANSWER = 32

NAMES = [f"user{i}@example.org" for i in range(5)]


@pytest.fixture
def make_power_site(disk):
    made = []

    def make():
        site = Site("power", store={"root": disk.path / "store", "checkpoint": "10m"})
        made.append(site)
        site.init()
        site.add_many(NAMES)
        return site

    yield make
    for site in made:
        site.end()


def cut_and_restart(site, disk):
    disk.cut()
    site.daemon.kill()
    site.daemon = None
    disk.power_up()
    site.start()


def subjects(site, name):
    return sorted(m.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode()
                  for m in fetch_all(site, name))


def deliver_until(site, names, subject, octets):
    """Sends one message, reads `octets` octets of the answers to its final dot, and
    tells how many whole answers those were."""
    lmtp = Lmtp(site.lmtp)
    lmtp.ask("MAIL FROM:<sender@example.com>")
    for name in names:
        assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
    assert lmtp.ask("DATA").startswith("354")
    lmtp.wire.send(dot_stuffed(message(subject, b"x" * 70 + b"\r\n" * 40)))
    got = lmtp.wire.exactly(octets) if octets else b""
    return lmtp, got.count(b"\r\n")


@pytest.mark.parametrize("recipients", [1, 5])
def test_after_every_octet_of_the_answer(make_power_site, disk, recipients):
    site, names = make_power_site().start(), NAMES[:recipients]
    promised = {name: [] for name in names}
    maybe = {name: [] for name in names}
    # The answer to one recipient, octet by octet; with several, past each answer.
    steps = range(ANSWER + 1) if recipients == 1 else \
        range(ANSWER, ANSWER * recipients, ANSWER)
    for octets in steps:
        subject = f"cut-{octets:04d}"
        lmtp, answers = deliver_until(site, names, subject, octets)
        cut_and_restart(site, disk)
        lmtp.wire.close()
        for i, name in enumerate(names):
            # One octet of a 250 is as good as all of it: the rest was on its way.
            (promised if octets > 0 and i <= answers else maybe)[name].append(subject)
    for name in names:
        there = subjects(site, name)
        assert [s for s in promised[name] if there.count(s) != 1] == []
        assert [s for s in there if s not in promised[name] + maybe[name]] == []
        assert all(there.count(s) <= 1 for s in maybe[name])
    site.assert_sound()
    print(f"{disk.kind}: {disk.cuts} power cuts, {recipients} recipients")


def test_after_every_octet_of_the_answer_to_quit(make_power_site, disk):
    site, name = make_power_site().start(), NAMES[0]
    for octets in range(0, 12):
        with Lmtp(site.lmtp) as lmtp:
            for n in range(3):
                answer, = lmtp.send([name], message(f"{octets}-{n}"))
                assert answer.startswith("250")
        before = subjects(site, name)
        wire = Wire(site.pop3)
        wire.line()
        for line in (f"USER {name}", f"PASS {PASSWORD}", "DELE 1", "DELE 2"):
            assert wire.ask(line).startswith(b"+OK"), line
        wire.send("QUIT\r\n")
        got = wire.exactly(octets)
        cut_and_restart(site, disk)
        wire.close()
        after = subjects(site, name)
        if octets > 0:
            assert got == b"+OK"[:octets] or got.startswith(b"+OK")
            assert len(after) == len(before) - 2, (octets, before, after)
        else:
            assert len(after) in (len(before), len(before) - 2)
        assert set(after) <= set(before)
        fetch_all(site, name, delete=True)
        site.assert_sound()
    print(f"{disk.kind}: {disk.cuts} power cuts in QUIT")


def test_control_without_recovery_the_lines_are_gone(make_power_site, disk):
    """The maildrop lines are not synced: a cut takes them, and only recovery brings
    them back.  If this did not fail without it, the tests above would prove nothing."""
    site, name = make_power_site().start(), NAMES[0]
    lmtp, _ = deliver_until(site, [name], "control", 1)
    disk.cut()
    site.daemon.kill()
    site.daemon = None
    lmtp.wire.close()
    disk.power_up()
    assert site.ctl_json("messages", name) == []
    site.ctl("recover")
    assert len(site.ctl_json("messages", name)) == 1


def test_control_a_sync_that_lies_loses_mail(make_power_site, disk):
    """eatmydata makes fsync() do nothing: the rig must notice."""
    library = next((p for p in ("/usr/lib/x86_64-linux-gnu/libeatmydata.so",
                                "/usr/lib/aarch64-linux-gnu/libeatmydata.so")
                    if os.path.exists(p)), None)
    if library is None:
        pytest.skip("libeatmydata1 is not installed")
    if "asan" in str(place.BIN):
        pytest.skip("a preloaded library and the address sanitizer exclude each other")
    site, name = make_power_site().start(env={"LD_PRELOAD": library}), NAMES[0]
    lmtp, _ = deliver_until(site, [name], "control", 1)
    cut_and_restart(site, disk)
    lmtp.wire.close()
    assert subjects(site, name) == [], "a message survived without a sync"
