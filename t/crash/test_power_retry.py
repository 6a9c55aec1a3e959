# SPDX-License-Identifier: ISC
"""A power cut takes the reply, and the MTA sends the message again (doc/STORE.md, section 16)

Whatever the cut left, the message is there once when the MTA has its answer, and stays once
through the next cut, also where the second attempt had let its own file go.
"""

import time
from email.utils import formatdate

import pytest

from lib.counts import count
from lib.mail import Lmtp, dot_stuffed, message
from power import BODY, subjects

ANSWER = 32  # "250 2.0.0 <id> stored" and CRLF
NAMES = [f"user{i}@example.org" for i in range(3)]


def of_an_mta(subject):
    """A message with the line that the client would have put on top."""
    return (f"Received: from a (b [192.0.2.1]) by client.example.com (Postfix)\r\n"
            f"\twith ESMTP id {subject}; {formatdate(time.time())}\r\n").encode() \
        + message(subject, BODY)


def attempt(site, names, content, octets=None):
    """Sends it, and reads so many octets of the answers, or all."""
    with Lmtp(site.lmtp) as lmtp:
        lmtp.ask("MAIL FROM:<sender@example.com>")
        for name in names:
            assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
        assert lmtp.ask("DATA").startswith("354")
        lmtp.wire.send(dot_stuffed(content))
        got = lmtp.wire.exactly(len(names) * ANSWER if octets is None else octets)
        assert octets is not None or got.count(b"250 2.0.0 ") == len(names)


def copies(site, names):
    return [subjects(site, name) for name in names]


def sweep(site, names, steps):
    """A cut after so many octets of the answers, the retry, and every other time one more
    retry and a cut behind that."""
    sent = []
    for i, octets in enumerate(steps):
        sent.append(f"cut{octets:04d}")
        content = of_an_mta(sent[-1])
        attempt(site, names, content, octets)
        site.cut()
        attempt(site, names, content)
        if i % 2:
            attempt(site, names, content)
            site.cut()
    return sent


@pytest.fixture
def two(make_disk, make_power_site_on):
    """Root and messages on file systems of their own: no checkpoint syncs a release."""
    return make_power_site_on(NAMES, make_disk("ext4"), make_disk("xfs"))


def test_within_the_answers(make_power_site, disk):
    site = make_power_site(NAMES)
    sent = sweep(site, NAMES, range(0, len(NAMES) * ANSWER + 1, 6))
    assert copies(site, NAMES) == [sent] * len(NAMES)
    site.assert_sound()
    count(f"power cuts, retry, {disk.kind}", disk.cuts)


def test_root_and_volume_on_two_file_systems(two):
    sent = sweep(two, NAMES, range(0, len(NAMES) * ANSWER + 1, 16))
    assert copies(two, NAMES) == [sent] * len(NAMES)
    two.assert_sound()
    count("power cuts, retry, ext4 + xfs", two.disks[0].cuts)


def test_after_a_checkpoint(two):
    """The retry lets its file go when a checkpoint has passed already, or is about to."""
    contents = [of_an_mta(f"retry{i}") for i in range(4)]
    for i, content in enumerate(contents):
        attempt(two, NAMES, content)
        if i % 2:
            two.restart()
        attempt(two, NAMES[i % 3:], content)
        two.stop()  # with a checkpoint
        two.cut()
    assert copies(two, NAMES) == [[f"retry{i}" for i in range(4)]] * len(NAMES)
    two.assert_sound()


def test_without_a_window_there_are_two(make_power_site_on, make_disk):
    """The control."""
    site = make_power_site_on(NAMES, make_disk("ext4"))
    site.conf["lmtp"]["retry_window"] = 0
    site.write_conf()
    site.restart()
    sent = sweep(site, NAMES, [ANSWER])
    assert copies(site, NAMES) == [sent * 2] * len(NAMES)
