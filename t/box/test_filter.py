# SPDX-License-Identifier: ISC
"""Scripts at delivery: keep, discard, reject, what goes wrong, and that none of it depends
on who else gets the message."""

import itertools
import re
import time
from email.utils import formatdate

import pytest

from lib.mail import Lmtp, fetch_all, message
from lib.site import Site

SPAM = 'if header "subject" "spam" { %s; }\n'
REJECT = 'require "reject";\n'
SLOW = ('require "variables";\nset "a" "' + "a" * 4000 + '";\n'
        + 'if string :matches "${a}${a}${a}${a}" "*aab*aab" { keep; }\n' * 400
        + "discard;\n")

# What a message with the subject "spam" comes to: what is kept, and what is said.
SCRIPTS = {
    "none": (None, 1, r"250 2\.0\.0 \w{13} stored"),
    "keep": ("keep;\n", 1, r"250 2\.0\.0 \w{13} stored"),
    "discard": (SPAM % "discard", 0, r"250 2\.0\.0 \w{13} accepted"),
    "reject": (REJECT + SPAM % 'reject "not\r\nby me"', 0, r"550 5\.7\.1 not by me"),
    "regex": ('require ["regex", "body", "ereject"];\n'
              'if body :text :regex "H[ea]llo" { ereject "regex"; }\n', 0, r"550 5\.7\.1 regex"),
    "body": ('require ["body", "reject"];\n'
             'if body :raw :contains "the end" { reject "body"; }\n', 1,
             r"250 2\.0\.0 \w{13} stored"),
    "other": (SPAM.replace("spam", "ham") % "discard", 1, r"250 2\.0\.0 \w{13} stored"),
    "fails": ('require "ihave";\ndiscard;\nerror "told";\n', 1, r"250 2\.0\.0 \w{13} stored"),
    "slow": (SLOW, 1, r"250 2\.0\.0 \w{13} stored"),
}


def script(site, name, text):
    site.ctl("sieve", "put", name, "main", "-", stdin=text)
    site.ctl("sieve", "activate", name, "main")


@pytest.fixture(scope="module")
def filtering():
    s = Site("filter", policy=None, socketmap=None, milter=None)
    try:
        s.init()
        for name, (text, _, _) in SCRIPTS.items():
            s.add(f"{name}@example.org")
            if text is not None:
                script(s, f"{name}@example.org", text)
        s.ctl("forward", "both@example.org", "reject@example.org", "regex@example.org")
        s.ctl("forward", "nobody@example.org", "discard@example.org")
        s.start()
        yield s
        s.assert_sound()
    finally:
        s.end()


def send(site, names, content=None, **kw):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send([f"{n}@example.org" for n in names],
                         content or message("spam"), **kw)


def kept(site, name):
    """How many there are; gone afterwards."""
    return len(fetch_all(site, f"{name}@example.org", delete=True))


# ---- one message ---------------------------------------------------------------------------

@pytest.mark.parametrize("name", SCRIPTS)
def test_alone(filtering, name):
    _, copies, says = SCRIPTS[name]
    (answer,) = send(filtering, [name])
    assert re.fullmatch(says, answer), answer
    assert kept(filtering, name) == copies


@pytest.mark.parametrize("names", list(itertools.permutations(
    ["none", "discard", "reject", "fails", "regex"], 3))[::7] + [tuple(SCRIPTS)])
def test_in_any_batch(filtering, names):
    before = filtering.message_files()
    answers = send(filtering, names)
    for name, answer in zip(names, answers):
        assert re.fullmatch(SCRIPTS[name][2], answer), (name, answer)
    keepers = [n for n in names if SCRIPTS[n][1]]
    # A single copy, whose slots hold for those who keep it, or none.
    files = list(filtering.message_files() - before)
    assert len(files) == (1 if keepers else 0)
    for file in files:
        with open(file, "rb") as f:
            header = f.read().partition(b"\n\n")[0].decode()
        slots = dict(reversed(line.split(" ")[1:3]) for line in header.split("\n")
                     if line.startswith("rcpt "))
        assert slots == {f"{n}@example.org": "+" if n in keepers else "-" for n in names}
    assert {n: kept(filtering, n) for n in names} == {n: SCRIPTS[n][1] for n in names}


@pytest.mark.parametrize("octets", [10, 60_000, 70_000, 3_000_000])
def test_a_body_of_any_size(filtering, octets):
    body = b"x" * 70 + b"\r\n"
    content = message("spam", body * (octets // 72) + b"\r\nthe end\r\n")
    answers = send(filtering, ["body", "none"], content)
    assert answers[0] == "550 5.7.1 body" and answers[1].startswith("250")
    assert fetch_all(filtering, "none@example.org", delete=True)[0].endswith(content)


@pytest.mark.parametrize("name,line,why", [("fails", "3", "told"), ("slow", r"\d+", "too much work")])
def test_a_failure_is_one_line_in_the_log(filtering, name, line, why):
    mark = filtering.daemon.mark()
    send(filtering, [name])
    filtering.daemon.wait_for(r"event=lmtp\.message ", since=mark)
    lines = [x for x in filtering.daemon.lines[mark:] if "event=lmtp.filter.failed" in x]
    assert len(lines) == 1 and f"account={name}@example.org" in lines[0]
    assert re.search(f"script=main line={line} why=", lines[0]) and why in lines[0]
    assert kept(filtering, name) == 1


def test_of_a_forwarding_none_has_it(filtering):
    assert send(filtering, ["both"]) == ["550 5.7.1 not by me"]
    (answer,) = send(filtering, ["nobody"])
    assert re.fullmatch(SCRIPTS["discard"][2], answer)


# ---- changes --------------------------------------------------------------------------------

def test_a_change_counts_for_the_next_message(own_site):
    name = own_site.new_account("change")
    user = name.partition("@")[0]
    for text, copies in (("keep;", 1), ("discard;", 0), ("keep;", 1)):
        script(own_site, name, text)
        send(own_site, [user])
        assert kept(own_site, user) == copies
    script(own_site, name, "discard;")
    own_site.ctl("sieve", "deactivate", name)
    send(own_site, [user])
    assert kept(own_site, user) == 1


def test_a_damaged_script_keeps(own_site):
    name = own_site.new_account("damaged")
    user = name.partition("@")[0]
    script(own_site, name, "discard;")
    send(own_site, [user])
    assert kept(own_site, user) == 0
    (path,) = own_site.root.glob(f"accounts/*/*/{name}/sieve/*")
    path.write_bytes(path.read_bytes()[:-1])
    send(own_site, [user])
    assert kept(own_site, user) == 1
    own_site.daemon.wait_for(r"lmtp\.filter\.failed .*account=" + name)
    path.unlink()
    send(own_site, [user])
    assert kept(own_site, user) == 1


# ---- retries --------------------------------------------------------------------------------

def queued(qid):
    line = (f"Received: from somewhere (unknown [192.0.2.1])\r\n"
            f"\tby client.example.com (Postfix) with ESMTP id {qid}; "
            f"{formatdate(time.time())}\r\n").encode()
    return line + message("spam")


def test_a_retry_is_not_filtered_again(own_site):
    name = own_site.new_account("retry")
    user = name.partition("@")[0]
    content = queued("4bXyz1")
    (first,) = send(own_site, [user], content)
    assert first.endswith("stored")
    # The owner changes his mind, and the MTA did not hear of the first attempt.
    for text in (REJECT + 'reject "no";', "discard;"):
        script(own_site, name, text)
        assert send(own_site, [user], content) == [first]
    assert kept(own_site, user) == 1
    # Another message is another matter.
    script(own_site, name, REJECT + 'reject "no";')
    assert send(own_site, [user], queued("4bXyz2")) == ["550 5.7.1 no"]


def test_what_was_discarded_stays_so(own_site):
    """A process that dies, and recovery, bring nothing back."""
    one, two = own_site.new_account("one"), own_site.new_account("two")
    users = [n.partition("@")[0] for n in (one, two)]
    script(own_site, two, "discard;")
    send(own_site, users)
    own_site.kill()
    own_site.start()
    assert [kept(own_site, u) for u in users] == [1, 0]
    own_site.assert_sound()


# ---- the site's -----------------------------------------------------------------------------

def test_the_site_filters_before_and_after(make_site, tmp_path):
    before, after, default = (tmp_path / n for n in ("before", "after", "default"))
    before.write_text(REJECT + 'if header "subject" "virus" { reject "virus"; }\n')
    after.write_text(REJECT + 'if header "subject" "late" { reject "late"; }\n')
    default.write_text(SPAM % "discard")
    site = make_site(sieve={"before": [str(before)], "after": [str(after)],
                            "default_script": str(default)})
    site.add("plain@example.org")
    site.add("own@example.org")
    script(site, "own@example.org", "keep;\n")
    site.start()
    assert send(site, ["plain", "own"], message("virus")) == ["550 5.7.1 virus"] * 2
    assert send(site, ["plain", "own"], message("late")) == ["550 5.7.1 late"] * 2
    assert [a[:3] for a in send(site, ["plain", "own"], message("spam"))] == ["250"] * 2
    assert [kept(site, n) for n in ("plain", "own")] == [0, 1]


def test_a_script_of_the_site_with_errors_ends_the_start(make_site, tmp_path):
    path = tmp_path / "before"
    path.write_text("keep;\nfoo;\n")
    site = make_site(sieve={"before": [str(path)]})
    with pytest.raises(AssertionError):
        site.start()
    assert f"{path}:2:1: there is no command 'foo'" in (site.dir / "log").read_text()
