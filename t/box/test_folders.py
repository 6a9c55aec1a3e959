# SPDX-License-Identifier: ISC
"""Folders: fileinto, its one copy, the login to one, quota, deletion, and what can be none."""

import os
import poplib
import re
from pathlib import Path

import pytest

from lib.mail import Lmtp, fetch_all, message
from lib.site import PASSWORD, Site
from test_filter import script

FILE = 'require ["fileinto", "copy", "mailbox", "variables", "imap4flags"];\n'

# What a message comes to: where it is afterwards.
SCRIPTS = {
    "none": (None, {"": 1}),
    "work": ('fileinto "Work";', {"work": 1}),
    "both": ('keep; fileinto "work";', {"": 1, "work": 1}),
    "copied": ('fileinto :copy "work";', {"": 1, "work": 1}),
    "two": ('fileinto "one"; fileinto "two"; fileinto "ONE";', {"one": 1, "two": 1}),
    "inbox": ('fileinto "Inbox";', {"": 1}),
    "create": ('if mailboxexists "new" { discard; } else { fileinto :create "new"; }', {"new": 1}),
    "flags": ('addflag "\\\\Seen"; fileinto :flags "\\\\Flagged" "work";', {"work": 1}),
    "utf8": ('fileinto "Büro Köln";', {"büro köln": 1}),
    "at": ('fileinto "list@x+y";', {"list@x+y": 1}),
    "slash": ('fileinto "a/b";', {"": 1}),
    "long": ('fileinto "%s";' % ("x" * 129), {"": 1}),
    "control": ('if header :matches "subject" "*\x07*" { fileinto "${0}"; }', {"": 1}),
    "empty": ('fileinto "${x}";', {"": 1}),
    "half": ('fileinto "good"; fileinto "a/b";', {"": 1, "good": 1}),
    "discard": ("discard;", {}),
}


@pytest.fixture(scope="module")
def filing():
    s = Site("folders", policy=None, socketmap=None, milter=None, sieve={"max_folders": 3})
    try:
        s.init()
        for name, (text, _) in SCRIPTS.items():
            s.add(f"{name}@example.org")
            if text is not None:
                script(s, f"{name}@example.org", FILE + text)
        s.start()
        yield s
        s.assert_sound()
    finally:
        s.end()


def send(site, names, content=None, **kw):
    with Lmtp(site.lmtp_socket) as lmtp:
        return lmtp.send([f"{n}@example.org" for n in names],
                         content or message("filed"), **kw)


def login_name(name, folder):
    return f"{name}+{folder}@example.org" if folder else f"{name}@example.org"


def take(site, name):
    """What is in the maildrop and in each folder; gone afterwards."""
    folders = site.ctl_json("show", f"{name}@example.org")["folders"]
    got = {f: len(fetch_all(site, login_name(name, f), delete=True)) for f in ["", *folders]}
    return {f: n for f, n in got.items() if n}


def slots(file):
    header = Path(file).read_bytes().partition(b"\n\n")[0].decode()
    return dict(reversed(line.split(" ")[1:3]) for line in header.split("\n")
                if line.startswith("rcpt "))


# ---- one message -------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SCRIPTS)
def test_alone(filing, name):
    before = filing.message_files()
    (answer,) = send(filing, [name])
    said = "accepted" if name == "discard" else "stored"
    assert re.fullmatch(rf"250 2\.0\.0 \w{{13}} {said}", answer)
    assert len(filing.message_files() - before) == (name != "discard")
    assert take(filing, name) == SCRIPTS[name][1]


@pytest.mark.parametrize("first", range(4))
def test_in_any_batch(filing, first):
    """With whomever it comes: the same, out of one file."""
    names = list(SCRIPTS)[first::2] + list(SCRIPTS)[first + 1::3]
    names = [n for n in dict.fromkeys(names) if n != "create"]
    before = filing.message_files()
    answers = send(filing, names)
    assert all(a.startswith("250") for a in answers), answers
    (file,) = filing.message_files() - before
    held = {n for n, state in slots(file).items() if state == "+"}
    assert len(held) == sum(len(SCRIPTS[n][1]) for n in names)
    assert {n: take(filing, n) for n in names} == {n: SCRIPTS[n][1] for n in names}


@pytest.mark.parametrize("octets", [10, 60_000, 65_000, 70_000, 3_000_000])
def test_a_body_of_any_size(filing, octets):
    """What is in memory, and what has gone to the disk already, when the slots are known."""
    body = b"x" * 70 + b"\r\n..dots\r\n"
    content = message("filed", body * (octets // len(body)) + b"\r\n.\r\nthe end\r\n")
    send(filing, ["both", "none", "discard"], content)
    for name in ("both", "both+work", "none"):
        (got,) = fetch_all(filing, f"{name}@example.org", delete=True)
        assert got.endswith(content)


def test_wrong_names_are_one_line_in_the_log(filing):
    for name, why in [("slash", "slash"), ("long", "too long"), ("half", "slash"),
                      ("empty", "is no name of a folder"), ("control", "is no name of a folder")]:
        mark = filing.daemon.mark()
        send(filing, [name], message("a\x07b"))
        filing.daemon.wait_for(r"event=lmtp\.message ", since=mark)
        lines = [x for x in filing.daemon.lines[mark:] if "event=lmtp.filter.failed" in x]
        assert len(lines) == 1 and f"account={name}@example.org" in lines[0], lines
        assert "script=main line=2" in lines[0] and re.search(why, lines[0]), lines
        take(filing, name)


def test_a_flag_or_a_special_use_changes_nothing(filing):
    filing.add("special@example.org")
    script(filing, "special@example.org",
           'require ["fileinto", "special-use", "mboxmetadata", "servermetadata"];\n'
           'if anyof(specialuse_exists "\\\\Junk", metadataexists "INBOX" "/private/comment",'
           ' servermetadataexists "/shared/admin") { discard; }\n'
           'else { fileinto :specialuse "\\\\Junk" "Spam"; }\n')
    send(filing, ["special"])
    assert take(filing, "special") == {"spam": 1}


def test_mailboxexists_knows_what_is_there(filing):
    filing.add("exists@example.org")
    script(filing, "exists@example.org",
           FILE + 'if mailboxexists ["INBOX", "Late"] { fileinto "late"; }\n'
           'elsif mailboxexists "INBOX" { fileinto "late"; keep; }')
    send(filing, ["exists"])
    assert take(filing, "exists") == {"": 1, "late": 1}
    send(filing, ["exists"])
    assert take(filing, "exists") == {"late": 1}


def test_a_limit(filing):
    """One folder too many is the maildrop; those that are there still get their mail."""
    filing.add("many@example.org")
    for folder in "abcd":
        script(filing, "many@example.org", FILE + f'fileinto "{folder}";')
        mark = filing.daemon.mark()
        send(filing, ["many"])
    filing.daemon.wait_for(r"event=lmtp\.filter\.failed .*max_folders", since=mark)
    assert take(filing, "many") == {"": 1, "a": 1, "b": 1, "c": 1}
    script(filing, "many@example.org", FILE + 'fileinto "c";')
    send(filing, ["many"])
    assert take(filing, "many") == {"c": 1}


# ---- the login -------------------------------------------------------------------------------

def refused(site, user, password=PASSWORD):
    host, port = site.pop3.split(":")
    client = poplib.POP3(host, int(port), timeout=60)
    try:
        client.user(user)
        with pytest.raises(poplib.error_proto) as why:
            client.pass_(password)
        return str(why.value)
    finally:
        client.close()


def test_login_to_a_folder(filing):
    send(filing, ["both"])
    assert "AUTH" in refused(filing, "both+none@example.org")
    assert "AUTH" in refused(filing, "both+work@example.org", "wrong")
    assert "AUTH" in refused(filing, "both/work@example.org")
    assert len(fetch_all(filing, "BOTH+Work@example.org", delete=True)) == 1
    # Twice: what was remembered of the first login is of the account.
    assert len(fetch_all(filing, "both+work@example.org")) == 0
    assert len(fetch_all(filing, "both@example.org", delete=True)) == 1


def test_disabled_is_disabled(filing):
    send(filing, ["work"])
    filing.ctl("modify", "work@example.org", "--flags", "disuser")
    assert "AUTH" in refused(filing, "work+work@example.org")
    filing.ctl("modify", "work@example.org", "--flags", "nodisuser")
    # The profile was written anew, and knows of its folders still.
    assert take(filing, "work") == {"work": 1}


def test_two_sessions_at_once(filing):
    """A client polls all that it knows of at the same time."""
    send(filing, ["both"])
    host, port = filing.pop3.split(":")
    clients = []
    for user in ("both@example.org", "both+work@example.org"):
        c = poplib.POP3(host, int(port), timeout=60)
        c.user(user)
        c.pass_(PASSWORD)
        clients.append(c)
    assert [c.stat()[0] for c in clients] == [1, 1]
    assert clients[0].uidl()[1] == clients[1].uidl()[1]
    assert "IN-USE" in refused(filing, "both+work@example.org")
    for c in clients:
        c.dele(1)
        c.quit()
    assert take(filing, "both") == {}


def test_an_account_of_that_very_name_comes_first(filing):
    filing.add("copied+work@example.org")
    send(filing, ["copied"])
    assert len(fetch_all(filing, "copied+work@example.org")) == 0
    filing.ctl("delete", "copied+work@example.org")
    assert take(filing, "copied") == {"": 1, "work": 1}


# ---- popstore(8) -------------------------------------------------------------------------------

def test_verbs(filing):
    filing.add("verbs@example.org")
    script(filing, "verbs@example.org", FILE + 'fileinto "Büro"; keep;')
    send(filing, ["verbs"])
    assert len(filing.ctl_json("messages", "verbs+büro@example.org")) == 1
    shown = filing.ctl_json("show", "verbs@example.org")
    assert shown["folders"] == ["büro"] and shown["messages"] == 2
    assert filing.ctl_json("show", "verbs+büro@example.org")["messages"] == 1
    assert not any("/" in a["name"] for a in filing.ctl_json("list"))
    # What only an account has is no folder's.
    for verb in (["modify", "verbs+büro@example.org", "--quota", "1M"],
                 ["sieve", "list", "verbs+büro@example.org"],
                 ["messages", "verbs+none@example.org"],
                 ["messages", "verbs/büro@example.org"]):
        assert filing.run(*verb).returncode != 0, verb
    filing.ctl("delete", "verbs+büro@example.org")
    assert filing.ctl_json("show", "verbs@example.org")["folders"] == []
    send(filing, ["verbs"])
    assert take(filing, "verbs") == {"": 2, "büro": 1}


def test_deleted_with_its_account(filing):
    filing.add("gone@example.org")
    script(filing, "gone@example.org", FILE + 'fileinto "a"; fileinto "b";')
    before = filing.message_files()
    send(filing, ["gone"])
    assert len(filing.message_files() - before) == 1
    host, port = filing.pop3.split(":")
    client = poplib.POP3(host, int(port), timeout=60)
    client.user("gone+a@example.org")
    client.pass_(PASSWORD)
    result = filing.run("delete", "gone@example.org")
    assert result.returncode != 0 and "in use" in result.stderr
    client.quit()
    assert len(filing.ctl_json("messages", "gone+b@example.org")) == 1
    filing.ctl("delete", "gone@example.org")
    assert filing.message_files() == before
    filing.add("gone@example.org")
    assert filing.ctl_json("show", "gone@example.org")["folders"] == []
    assert "AUTH" in refused(filing, "gone+a@example.org")


# ---- quota -----------------------------------------------------------------------------------

def test_quota_is_of_all_together(filing):
    filing.add("full@example.org", quota="10K", overdraft="0")
    script(filing, "full@example.org", FILE + 'fileinto "a";')
    content = message("filed", b"x" * 70 + b"\r\n" * 50 + b"y" * 4000 + b"\r\n")
    answers = [send(filing, ["full"], content)[0][:3] for _ in range(2)]
    script(filing, "full@example.org", "keep;")
    assert answers == ["250", "250"]
    # Neither at RCPT, nor after the message, for the maildrop or for another folder.
    assert send(filing, ["full"], content, options=f" SIZE={len(content)}")[0].startswith("452 4.2.2")
    assert send(filing, ["full"], content)[0].startswith("452 4.2.2")
    script(filing, "full@example.org", FILE + 'fileinto "b";')
    assert send(filing, ["full"], content)[0].startswith("452 4.2.2")
    assert filing.ctl_json("show", "full@example.org")["octets"] > 8000
    fetch_all(filing, "full+a@example.org", delete=True)
    assert send(filing, ["full"], content)[0].startswith("250")
    assert take(filing, "full") == {"b": 1}


def test_folder_lies_beside_its_account(filing):
    """doc/STORE.md, section 20."""
    send(filing, ["both"])
    (mail,) = Path(filing.root, "accounts").glob("*/*/both%2fwork@example.org/maildrop")
    (profile,) = Path(filing.root, "accounts").glob("*/*/both@example.org/profile")
    assert mail.parent.parent == profile.parent.parent
    assert "\nfolders yes\n" in profile.read_text()
    assert re.search("\nfolder-of \\w{13}\n", mail.with_name("profile").read_text())
    assert os.path.exists(mail.with_name("session"))
    take(filing, "both")
