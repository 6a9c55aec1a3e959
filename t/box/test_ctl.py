# SPDX-License-Identifier: ISC
"""popstore(8): the real program on a store of its own, mostly without any service."""

import ctypes
import json
import os
import pathlib
import poplib
import pty
import pwd
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import pytest

from lib import place
from lib.mail import Pop3, deliver, fetch_all, message
from lib.record import rewrite, with_sum
from lib.wire import DEADLINE

OK, USAGE, DATAERR, NOINPUT, NOUSER, NOHOST = 0, 64, 65, 66, 67, 68
IOERR, TEMPFAIL, NOPERM, CONFIG = 74, 75, 77, 78

VERBS = ["init", "domain add", "domain modify", "domain delete", "domain list", "add", "modify",
         "passwd", "delete", "show", "list", "messages", "forward", "noforward", "verdict",
         "check", "scrub", "recover", "status", "settings", "help"]


SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
SEALED = ["APOP", "CRAM-MD5", "DIGEST-MD5"]


@pytest.fixture
def bare(make_site):
    """A store with example.org and its alias example.net; nothing runs."""
    site = make_site()
    site.ctl("domain", "add", "example.net", "--alias", "example.org")
    return site


def complaint(site, *args, status, stdin=None):
    """What the command says when it has to fail with this status: one or more lines, each
    'popstore: VERB: sentence', and nothing on standard output."""
    done = site.run(*args, stdin=stdin)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    assert done.stdout == ""
    for line in done.stderr.splitlines():
        assert re.match(r"popstore: ([a-z ]+: )?\S", line), line
    assert done.stderr.endswith("\n")
    return done.stderr


def names(site, *pattern):
    return [row["name"] for row in site.ctl_json("list", *pattern)]


def secret_files(site):
    return [os.path.join(d, f) for d, _, files in os.walk(site.root / "secrets")
            for f in files]


def password_is(site, name, password):
    """Compares with the record at rest, by crypt(3) itself."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    for path in secret_files(site):
        with open(path, encoding="utf-8") as f:
            record = dict(line.rstrip("\n").split(" ", 1) for line in f)
        if record.get("name") == name:
            stored = record["hash"].encode()
            return crypt(password.encode(), stored) == stored
    return False


# ---- every verb, as a person and as a program sees it ------------------------------------------


def test_version_and_help(bare):
    assert re.fullmatch(r"popstore \d+\.\d+\n", bare.ctl("--version"))
    overview = bare.ctl("help")
    assert overview == bare.ctl("--help")
    for verb in VERBS:
        assert re.search(rf"^  {verb}  ", overview, re.M), verb
        text = bare.ctl(*verb.split(), "--help")
        assert text == bare.ctl("help", *verb.split())
        assert text.startswith(f"popstore [-c FILE] {verb}")
    assert bare.ctl("help", "domain").count("popstore [-c FILE] domain ") == 4


def test_help_needs_no_configuration(tmp_path):
    popstore = place.program("popstore")
    for args in (["--help"], ["--version"], ["help", "add"], ["add", "--help"],
                 ["settings", "--mdoc"]):
        done = subprocess.run([popstore, "-c", str(tmp_path / "none"), *args],
                              capture_output=True, check=True)
        assert done.stdout and not done.stderr


def test_the_manual_names_every_verb_and_switch(bare):
    page = (place.TREE / "ctl" / "popstore.8").read_text(encoding="utf-8")
    for verb in VERBS:
        assert re.search(rf"^\.(It )?(Op )?Cm {verb}\b", page, re.M), verb
        for switch in re.findall(r"^ +--([a-z-]+)", bare.ctl("help", *verb.split()), re.M):
            assert f"Fl -{switch}" in page, switch


def test_init(make_site):
    site = make_site()
    assert "is a popstore already" in complaint(site, "init", status=CONFIG)
    site.conf["store"]["root"] = site.dir / "second"
    site.write_conf()
    assert site.ctl_json("init") == {"name": str(site.dir / "second"), "done": "an empty store"}
    assert names(site) == []


def test_domains(bare):
    assert bare.ctl("domain", "add", "Example.COM", "--delimiters", "-+") == "example.com: added\n"
    assert bare.ctl("domain", "list") == (
        "DOMAIN       ALIAS OF     DELIMITERS  RECOVERABLE\n"
        "example.com  -            -+          no\n"
        "example.net  example.org  +           no\n"
        "example.org  -            +           no\n")
    assert bare.ctl_json("domain", "modify", "example.com", "--delimiters", "none") == \
        {"name": "example.com", "done": "modified"}
    assert bare.ctl_json("domain", "list")[0] == {
        "name": "example.com", "alias_of": "", "delimiters": "", "own_delimiters": True,
        "recoverable": False}
    bare.ctl("domain", "modify", "example.com", "--delimiters", "default")
    assert bare.ctl_json("domain", "list")[0]["delimiters"] == "+"
    bare.ctl("domain", "modify", "example.net", "--alias", "example.com")
    assert bare.ctl_json("domain", "list")[1]["alias_of"] == "example.com"
    bare.add("alice@example.com")
    complaint(bare, "domain", "delete", "example.com", status=DATAERR)  # account and alias
    bare.ctl("delete", "alice@example.com")
    complaint(bare, "domain", "delete", "example.com", status=DATAERR)  # alias
    assert bare.ctl("domain", "delete", "example.net") == "example.net: deleted\n"
    bare.ctl("domain", "delete", "EXAMPLE.com")
    assert [d["name"] for d in bare.ctl_json("domain", "list")] == ["example.org"]


def test_add_and_show(bare):
    assert bare.ctl("add", "Alice@Example.ORG", "--password-stdin", "--quota", "100M",
                    "--overdraft=1M", "--flags", "dismail,lockpwd", "--owner", "Alice Möller",
                    "--group", "staff", stdin="geheim\n") == "alice@example.org: added\n"
    shown = bare.ctl_json("show", "ALICE@example.org")
    for key in ("created", "password_set"):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown.pop(key))
    assert shown == {"name": "alice@example.org", "owner": "Alice Möller", "group": "staff",
                     "flags": ["DISMAIL", "LOCKPWD"], "messages": 0, "octets": 0,
                     "quota": 100 << 20, "overdraft": 1 << 20, "password_expired": False,
                     "mechanisms": ["PLAIN"] + SCRAM, "folders": []}
    text = bare.ctl("show", "alice@example.org")
    assert re.search(r"^Quota +100M$", text, re.M)
    assert re.search(r"^Flags +DISMAIL, LOCKPWD$", text, re.M)
    assert re.search(r"^Created +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$", text, re.M)
    assert password_is(bare, "alice@example.org", "geheim")


def test_an_account_without_a_password(bare):
    assert bare.ctl("add", "bob@example.org") == "bob@example.org: added without a password\n"
    assert bare.ctl_json("show", "bob@example.org")["password_set"] is None
    assert secret_files(bare) == []


def test_new_accounts_follow_the_template(bare):
    bare.ctl("modify", "default@example.org", "--quota", "5M", "--flags", "lockpwd")
    bare.add("alice@example.org")
    bare.add("bob@example.org", quota="none", flags="nolockpwd")
    alice, bob = bare.ctl_json("list")
    assert (alice["quota"], alice["flags"]) == (5 << 20, ["LOCKPWD"])
    assert (bob["quota"], bob["flags"]) == (None, [])


def test_list(bare):
    for name in ("bob@example.org", "alice@example.org", "alan@example.org"):
        bare.add(name)
    bare.ctl("modify", "bob@example.org", "--quota", "1536", "--owner", "Bob")
    assert bare.ctl("list") == (
        "NAME               MESSAGES  USED  QUOTA  FLAGS  OWNER\n"
        "alan@example.org          0     0   none  -      -\n"
        "alice@example.org         0     0   none  -      -\n"
        "bob@example.org           0     0   1.5K  -      Bob\n")
    assert names(bare, "AL*@example.org") == ["alan@example.org", "alice@example.org"]
    assert names(bare, "al??@*") == ["alan@example.org"]
    assert names(bare, "*@example.com") == []
    assert bare.ctl("list", "*@example.com") == ""
    assert set(bare.ctl_json("list")[0]) == {
        "name", "messages", "octets", "quota", "overdraft", "flags", "group", "owner", "created"}
    # The template shows only when it is meant.
    assert names(bare, "default@*") == ["default@example.org"]


def test_modify(bare):
    bare.add("alice@example.org", quota="1M", owner="A")
    assert bare.ctl("modify", "alice@example.org", "--flags", "disuser,dismail") == \
        "alice@example.org: modified\n"
    bare.ctl("modify", "alice@example.org", "--flags", "nodisuser", "--group", "g")
    shown = bare.ctl_json("show", "alice@example.org")
    assert (shown["flags"], shown["group"]) == (["DISMAIL"], "g")
    assert (shown["quota"], shown["owner"]) == (1 << 20, "A")  # untouched
    bare.ctl("modify", "alice@example.org", "--owner=", "--group", "", "--quota", "0")
    shown = bare.ctl_json("show", "alice@example.org")
    assert (shown["owner"], shown["group"], shown["quota"]) == ("", "", 0)
    assert password_is(bare, "alice@example.org", "sesam-öffne-dich 7")


def test_patterns_ask_first(bare):
    for i in range(3):
        bare.add(f"user{i}@example.org")
    said = complaint(bare, "modify", "user*", "--quota", "1M", status=USAGE)
    assert "modify 3 accounts?" in said and "--yes" in said
    assert {a["quota"] for a in bare.ctl_json("list")} == {None}
    assert bare.ctl_json("modify", "user*", "--quota", "1M", "--yes") == \
        [{"name": f"user{i}@example.org", "done": "modified"} for i in range(3)]
    assert {a["quota"] for a in bare.ctl_json("list")} == {1 << 20}
    complaint(bare, "delete", "*", status=USAGE)
    bare.ctl("delete", "*", "--yes")
    assert names(bare) == []
    # Not even "*" takes the template.
    assert names(bare, "default@example.org") == ["default@example.org"]
    assert bare.ctl_json("show", "default@example.org")["quota"] is None


def test_delete(bare):
    for name in ("a@example.org", "b@example.org", "c@example.org"):
        bare.add(name)
    assert len(secret_files(bare)) == 3
    assert bare.ctl("delete", "a@example.org", "B@example.org") == \
        "a@example.org: deleted\nb@example.org: deleted\n"
    assert names(bare) == ["c@example.org"]
    assert len(secret_files(bare)) == 1
    # A new incarnation knows nothing of the old one.
    bare.ctl("add", "a@example.org")
    assert bare.ctl_json("show", "a@example.org")["password_set"] is None


def test_an_account_chosen_twice_is_changed_once(bare):
    for name in ("a@example.org", "b@example.org"):
        bare.add(name)
    assert [d["name"] for d in bare.ctl_json("delete", "b@example.org", "*", "?@*", "--yes")] == \
        ["a@example.org", "b@example.org"]


def test_one_bad_name_does_not_stop_the_others(bare):
    bare.add("a@example.org")
    bare.add("b@example.org")
    done = bare.run("delete", "a@example.org", "nobody@example.org", "b@example.org")
    assert done.returncode == NOUSER
    assert done.stdout == "a@example.org: deleted\nb@example.org: deleted\n"
    assert done.stderr == "popstore: delete: there is no account nobody@example.org\n"
    done = bare.run("--json", "delete", "nobody@example.org")
    assert done.returncode == NOUSER and json.loads(done.stdout) == []


def test_passwd(bare):
    bare.add("alice@example.org", flags="lockpwd")  # binds the owner, not the operator
    assert bare.ctl_json("passwd", "alice@example.org", "--password-stdin", stdin="neu\n") == \
        {"name": "alice@example.org", "done": "password set"}
    assert password_is(bare, "alice@example.org", "neu")
    for typed, password in (("neu2", "neu2"), ("neu3\r\n", "neu3"), ("neu4\nmore\n", "neu4"),
                            (" blanks \n", " blanks "), ("x" * 256, "x" * 256)):
        bare.ctl("passwd", "alice@example.org", "--password-stdin", stdin=typed)
        assert password_is(bare, "alice@example.org", password)


@pytest.mark.parametrize("typed, says", [
    ("", "there was no line to read"), ("\n", "the password is empty"),
    ("x" * 257 + "\n", "longer than 256 octets"), ("x" * 100000, "longer than 256 octets"),
    ("a\tb\n", "control octet"), ("a\0b\n", "control octet"), ("a\x1b[2J\n", "control octet")])
def test_bad_passwords_change_nothing(bare, typed, says):
    bare.ctl("add", "alice@example.org", "--password-stdin", stdin="old\n")
    said = complaint(bare, "passwd", "alice@example.org", "--password-stdin", stdin=typed,
                     status=DATAERR)
    assert says in said
    assert password_is(bare, "alice@example.org", "old")
    complaint(bare, "add", "bob@example.org", "--password-stdin", stdin=typed, status=DATAERR)
    assert names(bare) == ["alice@example.org"]


def test_forwardings(bare):
    bare.add("alice@example.org")
    assert bare.ctl("forward", "Info@example.org", "alice@example.org",
                    "<Far.Away@Elsewhere.Example>") == "info@example.org: forwarded\n"
    targets = ["alice@example.org", "Far.Away@elsewhere.example"]
    assert bare.ctl_json("show", "info@example.org") == {"name": "info@example.org",
                                                         "targets": targets}
    assert bare.ctl_json("list", "--forwardings") == [{"name": "info@example.org",
                                                       "targets": targets}]
    assert bare.ctl("list", "--forwardings", "in*") == (
        "NAME              FORWARDED TO\n"
        "info@example.org  alice@example.org, Far.Away@elsewhere.example\n")
    assert bare.ctl_json("list", "--forwardings", "x*") == []
    bare.ctl("forward", "info@example.org", "bob@elsewhere.example")  # replaces
    assert bare.ctl_json("show", "info@example.org")["targets"] == ["bob@elsewhere.example"]
    assert "is a forwarding" in complaint(bare, "add", "info@example.org", status=DATAERR)
    assert "is an account" in complaint(bare, "forward", "alice@example.org", "x@y.example",
                                        status=DATAERR)
    assert bare.ctl("noforward", "info@example.org") == "info@example.org: no longer forwarded\n"
    complaint(bare, "noforward", "info@example.org", status=NOUSER)
    complaint(bare, "show", "info@example.org", status=NOUSER)


@pytest.mark.parametrize("target", ["nobody", "", "a b@example.org", "x@", "@y", "a@b@c",
                                    "<a@example.org", "a\n@example.org"])
def test_bad_targets(bare, target):
    complaint(bare, "forward", "info@example.org", "ok@elsewhere.example", target, status=DATAERR)
    assert bare.ctl_json("list", "--forwardings") == []


def test_too_many_targets(bare):
    some = [f"u{i}@elsewhere.example" for i in range(101)]
    complaint(bare, "forward", "info@example.org", *some, status=DATAERR)
    bare.ctl("forward", "info@example.org", *some[:100])


def test_verdict(bare):
    bare.add("alice@example.org", quota="1M", overdraft="1M")
    bare.ctl("forward", "info@example.org", "alice@example.org")
    rows = [  # address, size, what is told
        ("alice@example.org", None, ("ok", True, 250)),
        ("Alice+news@example.net", None, ("ok", True, 250)),
        ("info@example.org", None, ("forward", True, 250)),
        ("nobody@example.org", None, ("no-user", False, 550)),
        ("alice@elsewhere.example", None, ("not-ours", False, 550)),
        ("default@example.org", None, ("not-receiving", False, 550)),
        ("alice@example.org", "3M", ("too-large", False, 552)),
        ("alice@@example.org", None, ("bad-address", False, 553)),
    ]
    for address, size, told in rows:
        v = bare.ctl_json("verdict", address, *(["--size", size] if size else []))
        assert (v["verdict"], v["accepts"], v["smtp"]) == told, address
        assert v["dsn"] and v["text"] and v["why"]
    assert bare.ctl_json("verdict", "info@example.org")["targets"] == ["alice@example.org"]
    assert re.search(r"^Verdict +no-user$", bare.ctl("verdict", "nobody@example.org"), re.M)
    complaint(bare, "verdict", "alice@example.org", "--size", "big", status=USAGE)


def test_a_verdict_that_cannot_be_told(bare):
    bare.add("alice@example.org")
    damage_profile(bare, "alice@example.org")
    done = bare.run("--json", "verdict", "alice@example.org")
    assert done.returncode == TEMPFAIL
    v = json.loads(done.stdout)
    assert (v["verdict"], v["smtp"]) == ("try-again", 451)
    assert "alice@example.org" in v["why"]


def test_settings(make_site):
    site = make_site(lmtp={"max_message": "7M"})
    changed = site.ctl("settings", "-n")
    assert re.search(r"^\tmax_message = 7M$", changed, re.M)
    assert "max_recipients" not in changed
    # What is printed can be read, to the same effect.
    everything = site.ctl("settings")
    site.conf_file.write_text(everything, encoding="utf-8")
    assert site.ctl("settings") == everything
    assert site.ctl("settings", "-n") == changed
    told = site.ctl_json("settings")
    assert told["lmtp"]["max_message"] == 7 << 20
    ours = {"root": str(site.root), "volumes": [], "trust_file_system": True}
    assert told["store"] | ours == told["store"]
    assert told["auth"]["plaintext_without_tls"] == "loopback"
    assert site.ctl_json("settings", "-n")["lmtp"]["max_message"] == 7 << 20
    assert "max_recipients" not in site.ctl_json("settings", "-n")["lmtp"]


# ---- check and recover -------------------------------------------------------------------------


def account_file(site, name, leaf):
    found = [os.path.join(d, leaf) for d, _, files in os.walk(site.root / "accounts")
             if os.path.basename(d) == name and leaf in files]
    assert len(found) == 1, found
    return found[0]


def damage_profile(site, name):
    path = account_file(site, name, "profile")
    with open(path, "r+b") as f:
        f.seek(-5, os.SEEK_END)
        f.write(b"xxxx")


def test_check_and_recover_of_a_sound_store(bare):
    bare.add("alice@example.org")
    assert bare.ctl("check") == "accounts 2, messages 0, octets 0: sound\n"
    assert bare.ctl_json("check", "--quick") == {"accounts": 2, "messages": 0, "octets": 0,
                                                 "findings": [], "found": 0, "repaired": 0,
                                                 "sound": True, "stopped": False}
    assert bare.ctl_json("recover") == {"writers": 0, "messages": 0, "added": 0, "removed": 0,
                                         "damaged": 0, "failed": 0, "resumed": 0}
    assert re.search(r"^Maildrop lines made again +0$", bare.ctl("recover"), re.M)


def test_check_says_what_is_damaged(bare):
    bare.add("alice@example.org")
    damage_profile(bare, "alice@example.org")
    done = bare.run("check")
    assert done.returncode == DATAERR and done.stderr == ""
    finding, totals = done.stdout.splitlines()
    assert re.match(r"I\d+: .*alice@example\.org", finding)
    assert totals.endswith("findings 1, repaired 0")
    told = bare.ctl_json("check", "--repair")
    assert told["sound"] is True
    assert [set(f) for f in told["findings"]] == [{"invariant", "what", "repaired"}]
    bare.assert_sound()


def test_what_cannot_be_mended_can_be_deleted(bare):
    name = "alice@example.org"
    bare.add(name)
    with open(account_file(bare, name, "profile"), "w", encoding="ascii") as f:
        f.write("nothing that tells who this is\n")
    told = json.loads(bare.run("--json", "check", "--repair").stdout)
    assert told["sound"] is False and "popstore delete --yes" in told["findings"][0]["what"]
    for verb in (["add", name], ["delete", name], ["delete", "a*", "--yes"]):
        done = bare.run(*verb)
        assert done.returncode != 0 and "profile" in done.stderr
    assert "--yes" in bare.run("delete", name).stderr
    bare.ctl("delete", name, "--yes")
    bare.add(name)
    bare.assert_sound()


def test_an_account_that_is_gone_comes_back_or_is_let_go(make_site):
    own_site = make_site(policy=None, socketmap=None, milter=None).start()
    for args in ((), ("--release-unowned",)):
        name = own_site.new_account()
        deliver(own_site, name, message("kept"))
        before = own_site.ctl_json("messages", name)
        own_site.restart()  # a checkpoint
        shutil.rmtree(os.path.dirname(account_file(own_site, name, "profile")))
        told = own_site.ctl_json("check", "--repair", *args)
        assert told["sound"] is True and name in told["findings"][0]["what"]
        own_site.assert_sound()
        if args:
            complaint(own_site, "show", name, status=NOUSER)
            continue
        assert own_site.ctl_json("messages", name) == before
        with pytest.raises(poplib.error_proto, match="AUTH"):
            Pop3(own_site, name)
        own_site.ctl("modify", name, "--flags", "nodisuser")
        assert len(fetch_all(own_site, name)) == 1
    complaint(own_site, "check", "--release-unowned", status=USAGE)


def test_a_damaged_account_does_not_hide_the_others(bare):
    for name in ("a@example.org", "b@example.org", "c@example.org"):
        bare.add(name)
    damage_profile(bare, "b@example.org")
    done = bare.run("--json", "list")
    assert [r["name"] for r in json.loads(done.stdout)] == ["a@example.org", "c@example.org"]
    assert done.returncode == TEMPFAIL and "b@example.org" in done.stderr
    assert "b@example.org" in complaint(bare, "show", "b@example.org", status=TEMPFAIL)


# ---- damaged records ---------------------------------------------------------------------------


def record(site, tree, name):
    path, = (site.root / tree).glob(f"*/*/{name}")
    return path


def cut(path):
    """Nothing proves what was in the rest of it."""
    path.write_bytes(path.read_bytes()[:-20])


def flip(path, at):
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0x10
    path.write_bytes(octets)


def found_by_check(site, *args, status=DATAERR):
    done = site.run("--json", "check", *args)
    assert done.returncode == status, done.stderr
    return [(f["what"], f["repaired"]) for f in json.loads(done.stdout)["findings"]]


def test_a_damaged_domain(bare):
    bare.add("alice@example.org")
    cut(record(bare, "domains", "example.org"))
    done = bare.run("--json", "domain", "list")
    assert [d["name"] for d in json.loads(done.stdout)] == ["example.net"]
    assert done.returncode == TEMPFAIL and "example.org is damaged" in done.stderr
    assert names(bare) == ["alice@example.org"]
    assert "'popstore domain add' writes it anew" in complaint(
        bare, "domain", "modify", "example.org", "--delimiters", "-", status=TEMPFAIL)
    assert "in use, by account alice@example.org" in complaint(
        bare, "domain", "delete", "example.org", status=DATAERR)
    assert "in use, by account alice@example.org" in complaint(
        bare, "domain", "add", "example.org", "--alias", "example.com", status=DATAERR)
    assert bare.run("verdict", "alice@example.org").returncode == TEMPFAIL
    assert bare.ctl_json("verdict", "alice@example.com")["smtp"] == 550
    said = [what for what, _ in found_by_check(bare, "--repair")]
    assert any("`popstore domain add example.org` writes it anew" in what for what in said)
    bare.ctl("domain", "add", "example.org")
    assert found_by_check(bare, status=OK) == []
    assert bare.run("verdict", "alice@example.org").returncode == OK
    cut(record(bare, "domains", "example.net"))
    bare.ctl("domain", "add", "example.net", "--alias", "example.org")
    assert bare.run("verdict", "alice@example.net").returncode == OK
    cut(record(bare, "domains", "example.net"))
    assert bare.ctl("domain", "delete", "example.net") == "example.net: deleted\n"


def test_a_damaged_forwarding(bare):
    bare.ctl("forward", "a@example.org", "x@y.example")
    bare.ctl("forward", "b@example.org", "x@y.example")
    cut(record(bare, "forwardings", "b@example.org"))
    done = bare.run("--json", "list", "--forwardings")
    assert [f["name"] for f in json.loads(done.stdout)] == ["a@example.org"]
    assert done.returncode == TEMPFAIL and "b@example.org is damaged" in done.stderr
    (what, repaired), = found_by_check(bare, "--repair")
    assert "`popstore forward b@example.org ADDRESS...`" in what and not repaired
    bare.ctl("forward", "b@example.org", "z@y.example")
    assert bare.ctl_json("show", "b@example.org")["targets"] == ["z@y.example"]
    cut(record(bare, "forwardings", "b@example.org"))
    assert bare.ctl("noforward", "b@example.org") == "b@example.org: no longer forwarded\n"
    assert found_by_check(bare, status=OK) == []


def test_a_damaged_secret(bare):
    bare.ctl("add", "alice@example.org", "--password-stdin", stdin="old\n")
    cut(record(bare, "secrets", "alice@example.org"))
    (what, repaired), = found_by_check(bare, "--repair")
    assert "`popstore passwd alice@example.org`" in what and not repaired
    done = bare.run("--json", "show", "alice@example.org")
    assert json.loads(done.stdout)["name"] == "alice@example.org"
    assert done.returncode == TEMPFAIL and "is damaged" in done.stderr
    bare.ctl("passwd", "alice@example.org", "--password-stdin", stdin="new\n")
    assert password_is(bare, "alice@example.org", "new")
    assert found_by_check(bare, status=OK) == []


def test_one_octet_is_mended(bare):
    bare.ctl("add", "alice@example.org", "--password-stdin", stdin="old\n")
    bare.ctl("forward", "b@example.org", "x@y.example")
    files = [bare.root / "popstore", bare.root / "popstore.copy",
             record(bare, "domains", "example.org"), record(bare, "domains", "example.net"),
             record(bare, "forwardings", "b@example.org"),
             record(bare, "secrets", "alice@example.org")]
    were = [path.read_bytes() for path in files]
    for path in files[1:]:
        flip(path, 25)
    assert len(found_by_check(bare)) >= len(files) - 1
    bare.run("check", "--repair")
    assert found_by_check(bare, status=OK) == []
    assert [path.read_bytes() for path in files] == were
    flip(files[0], 25)
    assert found_by_check(bare, "--repair", status=OK)[0][1]
    assert [path.read_bytes() for path in files] == were


@pytest.mark.parametrize("harm", [cut, os.unlink])
def test_a_damaged_writer(bare, harm):
    bare.add("alice@example.org")
    path, = (bare.root / "writers").glob("*[0-9]")
    harm(path)
    (what, repaired), = found_by_check(bare)
    assert "`popstore recover`" in what and not repaired
    assert bare.ctl_json("recover")["writers"] == 1
    assert found_by_check(bare, status=OK) == []
    harm(path)
    (what, repaired), = found_by_check(bare, "--repair", status=OK)
    assert what.startswith("writer 0: ") and repaired
    assert found_by_check(bare, status=OK) == []


# ---- with messages -----------------------------------------------------------------------------


def test_messages(make_site):
    own_site = make_site(policy=None, socketmap=None, milter=None).start()
    name = own_site.new_account(quota="1M")
    assert own_site.ctl_json("messages", name) == []
    assert own_site.ctl("messages", name) == ""
    for subject in ("one", "two"):
        deliver(own_site, name, message(subject))
    rows = own_site.ctl_json("messages", name)
    assert [r["number"] for r in rows] == [1, 2]
    assert all(re.fullmatch(r"[0-9a-v]{13}", r["id"]) for r in rows)
    assert [r["read"] for r in rows] == [False, False]
    shown = own_site.ctl_json("show", name)
    assert (shown["messages"], shown["octets"]) == (2, sum(r["octets"] for r in rows))
    got = fetch_all(own_site, name)
    assert [len(m) for m in got] == [r["octets"] for r in rows]
    assert [r["read"] for r in own_site.ctl_json("messages", name)] == [True, True]
    text = own_site.ctl("messages", name).splitlines()
    assert text[0].split() == ["NO", "ID", "SIZE", "ARRIVED", "READ"]
    assert text[1].split()[1] == rows[0]["id"] and text[1].endswith("yes")
    own_site.ctl("delete", name)
    assert own_site.message_files() == set()
    own_site.assert_sound()


# ---- hashes of other systems, recoverable passwords, passwords elsewhere ------------------------


HASHES = {  # of "correct horse"
    "crypt": "{CRYPT}abhfCpXqd4GrI",
    "sha512": "{SHA512-CRYPT}$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRN"
              "yzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    "bcrypt": "{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "ssha": "{SSHA}bvtffqkhrMbVQlFpJuYd8xvI101OYUNsNDU2Nw==",
    "md5": "{plain-md5}3cb4e732631f47e6eb961f34554b7cde",
}


def mechanisms(site, name):
    return site.ctl_json("show", name)["mechanisms"]


def test_hashes_of_other_systems(bare):
    assert bare.ctl("add", "crypt@example.org", "--hash-stdin", stdin=HASHES["crypt"] + "\n") == \
        "crypt@example.org: added\n"
    assert password_is(bare, "crypt@example.org", "correct horse")
    assert mechanisms(bare, "crypt@example.org") == ["PLAIN"]
    assert bare.ctl("passwd", "crypt@example.org", "--hash-stdin", stdin=HASHES["bcrypt"]) == \
        "crypt@example.org: password set\n"
    assert password_is(bare, "crypt@example.org", "correct horse")
    bare.ctl("passwd", "crypt@example.org", "--hash-stdin", stdin="{PLAIN}{SSHA}geheim\n")
    assert password_is(bare, "crypt@example.org", "{SSHA}geheim")
    assert mechanisms(bare, "crypt@example.org") == ["PLAIN"] + SCRAM
    bare.assert_sound()


@pytest.mark.parametrize("typed, says", [
    ("", "there was no line to read"), ("\n", "no scheme that is known"),
    ("correct horse\n", "no scheme that is known"), ("{NONE}x\n", "no scheme that is known"),
    ("{CRYPT}x\n", "what follows {CRYPT} is no such hash"),
    ("{CRYPT}$6$rounds=99999999$salt$" + "x" * 86, "costs too much"),
    ("{PLAIN}\n", "the password is empty"), ("{SHA}" + "A" * 400, "longer than 383 octets")])
def test_bad_hashes_change_nothing(bare, typed, says):
    bare.ctl("add", "alice@example.org", "--password-stdin", stdin="old\n")
    for args in (("passwd", "alice@example.org"), ("add", "bob@example.org")):
        said = complaint(bare, *args, "--hash-stdin", stdin=typed, status=DATAERR)
        assert says in said and "correct horse" not in said
    assert password_is(bare, "alice@example.org", "old")
    assert names(bare) == ["alice@example.org"]


def test_hashes_from_a_file(bare):
    lines = "".join(f"{name}@example.org\t{text}\n" for name, text in HASHES.items())
    done = bare.run("add", "--from", "-", "--hashes",
                    stdin=lines + "x@example.org\tgeheim\ny@example.org\t\n")
    assert done.stdout == "5 added, 2 refused\n" and done.returncode == DATAERR
    x, y = done.stderr.splitlines()
    assert "line 6: the hash begins with no scheme" in x and "geheim" not in x
    assert "line 7: the hash is empty" in y
    for name in ("crypt", "sha512", "bcrypt"):
        assert password_is(bare, f"{name}@example.org", "correct horse")
    bare.run("delete", "*", "--yes")
    # Without the switch it is a password, however it looks.
    bare.ctl("add", "--from", "-", stdin=lines)
    for name, text in HASHES.items():
        assert password_is(bare, f"{name}@example.org", text)
        assert not password_is(bare, f"{name}@example.org", "correct horse")


def test_users_with_hashes_of_other_systems_log_in(own_site):
    for name, text in HASHES.items():
        own_site.ctl("add", f"{name}@example.org", "--hash-stdin", stdin=text + "\n")
        assert fetch_all(own_site, f"{name}@example.org", password="correct horse") == []
        with pytest.raises(poplib.error_proto):
            Pop3(own_site, f"{name}@example.org", "incorrect horse")


def sealed(site):
    found = 0
    for path in secret_files(site):
        with open(path, encoding="utf-8") as f:
            found += "\nsealed " in f.read()
    return found


def test_recoverable_passwords(bare):
    for i in range(3):
        bare.add(f"user{i}@example.org", f"geheim {i}")
    assert mechanisms(bare, "user0@example.org") == ["PLAIN"] + SCRAM
    key = bare.root / "secrets" / "site-key"
    assert not key.exists()
    told = bare.ctl("domain", "modify", "example.org", "--recoverable", "yes")
    assert told.startswith("example.org: modified; ") and "can read its passwords" in told
    assert [d["recoverable"] for d in bare.ctl_json("domain", "list")] == [False, True]
    for i in range(3):
        bare.ctl("passwd", f"user{i}@example.org", "--password-stdin", stdin=f"geheim {i}\n")
    assert sealed(bare) == 3 and mechanisms(bare, "user0@example.org") == ["PLAIN"] + SCRAM + SEALED
    assert key.stat().st_mode & 0o777 == 0o600
    once = key.read_bytes()
    bare.add("user3@example.org", "geheim 3")
    assert sealed(bare) == 4 and key.read_bytes() == once
    for path in secret_files(bare):
        with open(path, encoding="utf-8") as f:
            assert "geheim" not in f.read()
    bare.assert_sound()
    # No more: nobody has to wait for a login, and nobody needs another password.
    assert bare.ctl("domain", "modify", "example.org", "--recoverable", "no") == \
        "example.org: modified; 4 passwords forgotten\n"
    assert sealed(bare) == 0
    assert password_is(bare, "user0@example.org", "geheim 0")
    assert mechanisms(bare, "user0@example.org") == ["PLAIN"] + SCRAM
    assert bare.ctl("domain", "modify", "example.org", "--recoverable", "no") == \
        "example.org: modified; 0 passwords forgotten\n"
    bare.assert_sound()


def test_only_the_domain_itself_is_recoverable(bare):
    assert "an alias has no passwords" in complaint(
        bare, "domain", "modify", "example.net", "--recoverable", "yes", status=USAGE)
    complaint(bare, "domain", "add", "example.edu", "--alias", "example.org", "--recoverable",
              "yes", status=USAGE)
    complaint(bare, "domain", "modify", "example.org", "--recoverable", "maybe", status=USAGE)
    bare.ctl("domain", "add", "example.com", "--recoverable", "yes")
    bare.add("a@example.com", "geheim")
    bare.add("a@example.org", "geheim")
    assert sealed(bare) == 1
    bare.ctl("domain", "modify", "example.com", "--delimiters", "-")  # leaves it as it is
    assert bare.ctl_json("domain", "list")[0]["recoverable"] is True
    bare.ctl("domain", "modify", "example.org", "--recoverable", "no")  # another domain's
    assert sealed(bare) == 1


def test_a_damaged_site_key(bare):
    bare.ctl("domain", "modify", "example.org", "--recoverable", "yes")
    bare.add("a@example.org", "geheim")
    key = bare.root / "secrets" / "site-key"
    whole = key.read_bytes()
    key.write_bytes(whole.replace(b"\nkey ", b"\nkez "))
    assert "site-key" in complaint(bare, "passwd", "a@example.org", "--password-stdin",
                                   stdin="neu\n", status=TEMPFAIL)
    assert password_is(bare, "a@example.org", "geheim")
    done = bare.run("check")
    assert done.returncode != OK and "site key" in done.stdout
    assert bare.run("check", "--repair").returncode == OK
    assert key.read_bytes() == whole
    bare.assert_sound()


def test_a_password_elsewhere(bare):
    bare.add("a@example.org", "geheim")
    bare.ctl("modify", "a@example.org", "--flags", "pwd_elsewhere")
    shown = bare.ctl_json("show", "a@example.org")
    assert (shown["flags"], shown["password_set"], shown["mechanisms"]) == \
        (["PWD_ELSEWHERE"], None, [])
    assert secret_files(bare) == []
    assert "kept elsewhere" in complaint(bare, "passwd", "a@example.org", "--password-stdin",
                                         stdin="neu\n", status=DATAERR)
    complaint(bare, "add", "b@example.org", "--flags", "pwd_elsewhere", "--password-stdin",
              stdin="pw\n", status=DATAERR)
    assert names(bare) == ["a@example.org"]
    bare.ctl("add", "b@example.org", "--flags", "pwd_elsewhere")
    assert bare.ctl("add", "--from", "-", "--flags", "pwd_elsewhere",
                    stdin="c@example.org\t\n") == "1 added, 0 refused\n"
    assert secret_files(bare) == []
    bare.ctl("modify", "a@example.org", "--flags", "nopwd_elsewhere")
    bare.ctl("passwd", "a@example.org", "--password-stdin", stdin="neu\n")
    assert password_is(bare, "a@example.org", "neu")


def test_a_password_expires(make_site):
    site = make_site(auth={"password_lifetime": "1h"})
    site.add("a@example.org", "geheim")
    assert site.ctl_json("show", "a@example.org")["password_expired"] is False
    path, = secret_files(site)
    rewrite(pathlib.Path(path), rb"^set \d+$", b"set %d" % ((time.time() - 3601) * 1000))
    assert site.ctl_json("show", "a@example.org")["password_expired"] is True
    assert re.search(r"^Expired +yes$", site.ctl("show", "a@example.org"), re.M)
    site.ctl("passwd", "a@example.org", "--password-stdin", stdin="geheim\n")
    assert site.ctl_json("show", "a@example.org")["password_expired"] is False


# ---- thousands from a file ---------------------------------------------------------------------


@place.not_twice
def test_two_thousand_accounts(bare):
    users = bare.dir / "users"
    users.write_text("".join(f"user{i:04}@example.org\tpass {i}\n" for i in range(2000)),
                     encoding="utf-8")
    begin = time.monotonic()
    done = bare.run("add", "--from", users, "--quota", "5M", timeout=300)
    print(f"2000 accounts in {time.monotonic() - begin:.1f} s")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "2000 added, 0 refused\n", "")
    rows = bare.ctl_json("list")
    assert [r["name"] for r in rows] == [f"user{i:04}@example.org" for i in range(2000)]
    assert {r["quota"] for r in rows} == {5 << 20}
    for i in (0, 999, 1999):
        assert password_is(bare, f"user{i:04}@example.org", f"pass {i}")
    assert not password_is(bare, "user0000@example.org", "pass 1")
    # All of it once more: every line says so, nothing changes.
    done = bare.run("--json", "add", "--from", users, timeout=300)
    told = json.loads(done.stdout)
    assert done.returncode == DATAERR and (told["added"], told["refused"]) == (0, 2000)
    assert told["errors"][1999] == {"line": 2000, "name": "user1999@example.org",
                                    "error": "account user1999@example.org exists already"}
    assert done.stderr.count("\n") == 2000


BAD_LINES = [
    (b"no tab here", "there is no TAB"),
    (b"noat\tpw", ""),
    (b"../../x@example.org\tpw", ""),
    (b"a\0b@example.org\tpw", "NUL"),
    (b"a@example.org\tp\0w", "NUL"),
    (b"a\x1b[2J@example.org\tpw", ""),
    (b"x" * 65 + b"@example.org\tpw", ""),
    (b"x" * 500 + b"@example.org\tpw", ""),
    (b"x" * 5000 + b"@example.org\tpw", "the line is longer than 1024 octets"),
    (b"\xff@example.org\tpw", ""),
    (b"default@example.org\tpw", ""),
    (b"good1@example.org\tagain", "exists already"),
    (b"GOOD1@EXAMPLE.ORG\tagain", "exists already"),
    (b"a@elsewhere.example\tpw", "there is no domain"),
    (b"a@example.net\tpw", "say a@example.org"),
    (b"info@example.org\tpw", "is a forwarding"),
    (b"a@example.org\t", "the password is empty"),
    (b"a@example.org\t" + b"p" * 257, "the password is longer than 256 octets"),
    (b"a@example.org\tp\tw", "control octet"),
    (b"\tpw", ""),
]


def test_bad_lines_are_reported_and_the_rest_is_added(bare):
    bare.ctl("forward", "info@example.org", "x@y.example")
    lines = [b"good1@example.org\tpw one"]
    lines += [line for line, _ in BAD_LINES]
    lines += [b"", b"good2@example.org\tpw two\r", b"good3@example.org\tpw three"]
    users = bare.dir / "users"
    users.write_bytes(b"\n".join(lines))  # the last one without its LF
    done = bare.run("--json", "add", "--from", users)
    told = json.loads(done.stdout)
    assert (told["added"], told["refused"]) == (3, len(BAD_LINES))
    assert [e["line"] for e in told["errors"]] == list(range(2, 2 + len(BAD_LINES)))
    for error, (line, says) in zip(told["errors"], BAD_LINES):
        assert says in error["error"], line
    stderr = done.stderr.splitlines()
    assert len(stderr) == len(BAD_LINES)
    assert all(re.match(rf"popstore: add: line {i}: ", s) for i, s in enumerate(stderr, 2))
    assert all(c.isprintable() or c == "\n" for c in done.stderr)
    assert done.returncode == DATAERR
    assert names(bare) == ["good1@example.org", "good2@example.org", "good3@example.org"]
    assert password_is(bare, "good1@example.org", "pw one")
    assert password_is(bare, "good2@example.org", "pw two")
    assert password_is(bare, "good3@example.org", "pw three")
    bare.assert_sound()


def test_add_from_standard_input(bare):
    assert bare.ctl("add", "--from", "-", stdin="a@example.org\tpw\n\n") == "1 added, 0 refused\n"
    assert bare.ctl("add", "--from", "-", stdin="") == "0 added, 0 refused\n"
    assert password_is(bare, "a@example.org", "pw")


def test_a_failing_store_stops_the_adding(bare):
    os.rename(bare.root / "secrets", bare.root / "gone")
    (bare.root / "secrets").write_text("in the way")
    done = bare.run("add", "--from", "-", stdin="x\tpw\na@example.org\tpw\nb@example.org\tpw\n")
    assert done.returncode == DATAERR  # the first complaint
    assert done.stdout == "0 added, 1 refused\n"
    x, rest = done.stderr.splitlines()
    assert x.startswith("popstore: add: line 1: ")
    assert rest.startswith("popstore: add: line 2 and all after it: password of a@example.org: ")
    assert names(bare) == []  # no account without the password that was asked for
    complaint(bare, "add", "c@example.org", "--password-stdin", stdin="pw\n", status=TEMPFAIL)
    assert names(bare) == []


def test_a_file_that_cannot_be_read(bare):
    done = bare.run("add", "--from", "/")
    assert done.returncode == TEMPFAIL and done.stdout == "0 added, 0 refused\n"
    assert done.stderr == "popstore: add: read the input: Is a directory\n"


# ---- what can go wrong before a verb runs ------------------------------------------------------


@pytest.mark.parametrize("args, says", [
    ([], "which verb?"), (["nonsense"], "no verb 'nonsense'"), (["Add", "a@b"], "no verb"),
    (["domain"], "domain what?"), (["domain", "nonsense"], "domain what?"),
    (["--nonsense", "list"], "before the verb"), (["-c"], "before the verb"),
    (["list", "a", "b"], "too many words"), (["show"], "something is missing"),
    (["forward", "a@example.org"], "something is missing"), (["init", "x"], "too many words"),
    (["list", "--nonsense"], "no switch --nonsense"), (["list", "--repair"], "does not belong"),
    (["check", "--repair=yes"], "takes no value"), (["verdict", "a@b", "--size"], "needs a value"),
    (["list", "--json", "--json"], "given twice"), (["--json", "help"], "does not belong"),
    (["add"], "which account?"), (["add", "a@example.org", "--from", "-"], "together"),
    (["add", "--from", "-", "--password-stdin"], "--from brings the passwords"),
    (["add", "--from", "-", "--hash-stdin"], "--from brings the passwords"),
    (["add", "a@example.org", "--hashes"], "say --hash-stdin"),
    (["add", "a@example.org", "--hash-stdin", "--password-stdin"], "together"),
    (["modify", "a@example.org"], "nothing to change"),
    (["domain", "modify", "example.org"], "nothing to change"),
    (["add", "a@example.org", "--quota", "much"], "--quota"),
    (["add", "a@example.org", "--quota", "-1"], "--quota"),
    (["add", "a@example.org", "--quota", "18446744073709551615"], "--quota"),
    (["add", "a@example.org", "--quota", "99999999T"], "--quota"),
    (["add", "a@example.org", "--overdraft", "none"], "--overdraft"),
    (["add", "a@example.org", "--flags", "nonsense"], "no flag 'nonsense'"),
    (["add", "a@example.org", "--flags", "dismail,,lockpwd"], "no flag ''"),
    (["add", "a@example.org", "--owner", "x" * 128], "at most 127 octets"),
    (["add", "a@example.org", "--owner", "two\nlines"], "one line"),
    (["add", "a@example.org", "--group", "g" * 64], "at most 63 octets"),
    (["passwd", "a@example.org"], "--password-stdin"),
    (["help", "nonsense"], "no verb 'nonsense'"),
])
def test_usage_errors(bare, args, says):
    if args[:1] == ["passwd"]:
        bare.add("a@example.org")
    assert says in complaint(bare, *args, status=USAGE)


@pytest.mark.parametrize("args, status", [
    (["show", "nobody@example.org"], NOUSER), (["passwd", "nobody@example.org"], NOUSER),
    (["messages", "nobody@example.org"], NOUSER), (["delete", "nobody@example.org"], NOUSER),
    (["delete", "nobody*", "--yes"], NOUSER), (["modify", "n*", "--quota=1", "--yes"], NOUSER),
    (["modify", "nobody@example.org", "--quota", "1M"], NOUSER),
    (["noforward", "nobody@example.org"], NOUSER),
    (["show", "a@elsewhere.example"], NOHOST), (["add", "a@elsewhere.example"], NOHOST),
    (["forward", "a@elsewhere.example", "b@example.org"], NOHOST),
    (["domain", "delete", "elsewhere.example"], NOHOST),
    (["domain", "modify", "elsewhere.example", "--delimiters", "-"], NOHOST),
    (["domain", "add", "x.example", "--alias", "elsewhere.example"], NOHOST),
    (["domain", "add", "x.example", "--alias", "example.net"], DATAERR),
    (["domain", "add", "example.org"], DATAERR), (["domain", "add", "EXAMPLE.org"], DATAERR),
    (["domain", "add", "../x"], DATAERR), (["domain", "add", "a b"], DATAERR),
    (["domain", "add", "x.example", "--delimiters", "@"], DATAERR),
    (["domain", "add", "x.example", "--delimiters", "+" * 8], USAGE),
    (["add", "alice@example.net"], DATAERR), (["show", "alice@example.net"], DATAERR),
    (["delete", "default@example.org"], DATAERR), (["passwd", "default@example.org"], DATAERR),
    (["add", "default@example.org"], DATAERR), (["show", "alice"], DATAERR),
    (["add", "--from", "/nonexistent/users"], NOINPUT),
])
def test_what_is_not_there_or_taken(bare, args, status):
    complaint(bare, *args, status=status)
    assert names(bare) == []


HOSTILE = ["../../x@example.org", "a/b@example.org",
           "/etc/passwd@example.org", "a\n@example.org", "a\x7f@example.org", "\x1b[2J@example.org",
           "a b@example.org", "a%00b@example.org", "a@b@example.org", "x" * 65 + "@example.org",
           "@example.org", "a@", "a@../..", "a@example.org/..", "a@" + "x" * 300,
           "b\u00fccher@example.org", "a@\u202eexample.org\x00"[:-1] + "\n", "\\@example.org",
           '"a"@example.org', "<a@example.org>", "*@example.org", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused_and_shown_harmless(bare, name):
    before = sorted(os.walk(bare.root / "accounts"))
    said = complaint(bare, "add", "--password-stdin", "--", name, status=DATAERR, stdin="pw\n")
    assert said.count("\n") == 1
    assert all(c.isprintable() for c in said.rstrip("\n")), said
    assert sorted(os.walk(bare.root / "accounts")) == before
    assert secret_files(bare) == []


def test_octets_that_are_no_utf8_are_shown_harmless(bare):
    done = subprocess.run([place.program("popstore"), "-c", bare.conf_file, "add",
                           b"a\xff\x9b2J@example.org"], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False)
    assert done.returncode == DATAERR
    assert all(0x20 <= c < 0x7f for c in done.stderr.rstrip(b"\n")), done.stderr


def test_odd_names_that_are_allowed(bare):
    odd = ["a.b", "-x", "a-b_c+d=e", "a~b", "o'neill", "a&b", "x" * 64, ".", "..", "...dots", "0"]
    for local in odd:
        bare.ctl("add", "--", f"{local}@example.org")
    assert sorted(names(bare)) == sorted(f"{local}@example.org" for local in odd)
    for local in odd:
        assert bare.ctl_json("show", "--", f"{local}@example.org")["name"] == \
            f"{local}@example.org"
    complaint(bare, "add", "--", "A.B@EXAMPLE.ORG", status=DATAERR)
    bare.assert_sound()


def test_utf8_names_where_they_are_switched_on(make_site):
    site = make_site(store={"utf8_names": True})
    site.add("bücher@example.org")
    assert names(site, "bü*") == ["bücher@example.org"]
    assert site.ctl("list").splitlines()[1].startswith("bücher@example.org  ")
    site.ctl("delete", "bücher@example.org")


# ---- configuration and store -------------------------------------------------------------------


def popstore(conf, *args, **kw):
    return subprocess.run([place.program("popstore"), "-c", str(conf), *args], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=DEADLINE, **kw)


def test_no_configuration(tmp_path):
    done = popstore(tmp_path / "none.conf", "list")
    assert done.returncode == CONFIG and str(tmp_path / "none.conf") in done.stderr


def test_unreadable_configuration(bare):
    place.need_root("only root can become somebody who may not read a file")
    bare.conf_file.chmod(0o600)
    nobody = pwd.getpwnam("nobody")
    done = popstore(bare.conf_file, "list", user=nobody.pw_uid, group=nobody.pw_gid,
                    extra_groups=[])
    assert done.returncode == NOPERM and "Permission denied" in done.stderr


def test_wrong_configuration(bare):
    bare.conf_file.write_text('store { rooot = "/x" }\n')
    said = complaint(bare, "list", status=CONFIG)
    assert f"{bare.conf_file}:1: " in said and "rooot" in said


def test_missing_store(make_site):
    site = make_site()
    site.conf["store"]["root"] = site.dir / "none"
    site.write_conf()
    assert str(site.dir / "none") in complaint(site, "list", status=TEMPFAIL)
    (site.dir / "none").mkdir()
    assert "popstore init" in complaint(site, "list", status=TEMPFAIL)


def test_store_of_another_version(bare):
    mark = bare.root / "popstore"
    newer, changed = re.subn(rb"^popstore-root 1\n", b"popstore-root 2\n", mark.read_bytes())
    assert changed == 1
    mark.write_bytes(with_sum(newer))
    said = complaint(bare, "list", status=TEMPFAIL)
    assert "has version 2, this program knows version 1" in said


def test_root_works_as_the_owner_of_the_store(bare):
    place.need_root("only root can work as somebody else")
    nobody = pwd.getpwnam("nobody")
    subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", bare.root], check=True)
    users = bare.dir / "users"
    users.write_text("many@example.org\tpw\n")
    users.chmod(0o600)  # root's own: opened before
    bare.conf_file.chmod(0o600)
    bare.add("alice@example.org")
    bare.ctl("add", "--from", users)
    bare.ctl("forward", "info@example.org", "alice@example.org")
    bare.ctl("domain", "add", "example.com")
    bare.ctl("modify", "alice@example.org", "--quota", "1M")
    bare.ctl("check", "--repair")
    for folder, folders, files in os.walk(bare.root):
        for leaf in folders + files:
            assert os.lstat(os.path.join(folder, leaf)).st_uid == nobody.pw_uid, (folder, leaf)


def test_output_that_cannot_be_written(bare):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([place.program("popstore"), "-c", bare.conf_file, "list", "--json"],
                              stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == IOERR and "write standard output" in done.stderr


# ---- passwords stay where they belong ----------------------------------------------------------


def test_a_password_is_never_an_argument_nor_printed_nor_stored(bare):
    secret = "Zaubertrank-4711"
    outputs = []
    for args, stdin in ((("add", "alice@example.org", "--password-stdin"), f"{secret}\n"),
                        (("add", "alice@example.org", "--password-stdin"), f"{secret}\n"),
                        (("passwd", "alice@example.org", "--password-stdin"), f"{secret}\n"),
                        (("add", "--from", "-"), f"bob@example.org\t{secret}\n"
                                                 f"bob@example.org\t{secret}\nx\t{secret}\n"
                                                 f"{secret}\n\t{secret}\n"),
                        (("show", "alice@example.org"), None), (("list",), None),
                        (("check",), None)):
        for json_too in ((), ("--json",)):
            done = bare.run(*json_too, *args, stdin=stdin)
            outputs.append(done.stdout + done.stderr)
    assert not any(secret in o for o in outputs[:6] + outputs[8:])
    for folder, _, files in os.walk(bare.root):
        for leaf in files:
            with open(os.path.join(folder, leaf), "rb") as f:
                assert secret.encode() not in f.read(), leaf
    # There is no switch that takes one: ps(1) and the shell's history would keep it.
    for verb in ("add", "passwd"):
        complaint(bare, verb, "x@example.org", "--password", secret, status=USAGE)
        complaint(bare, verb, "x@example.org", f"--password-stdin={secret}", status=USAGE)


# ---- on a terminal -----------------------------------------------------------------------------


class Terminal:
    """popstore(8) with a terminal for everything."""

    def __init__(self, site, *args):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Whoever runs the tests in the background ignores it, and that is inherited.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(place.program("popstore"),
                     ["popstore", "-c", str(site.conf_file), *map(str, args)])

    def read_until(self, pattern):
        """Waits for `pattern`, as long as something comes; None is the end.  Returns what came
        since the last call."""
        while True:
            found = pattern and re.search(pattern, self.text)
            if found:
                got, self.text = self.text[:found.end()], self.text[found.end():]
                return got
            if not select.select([self.fd], [], [], DEADLINE)[0]:
                os.kill(self.pid, signal.SIGKILL)  # its store is about to be removed
                os.waitpid(self.pid, 0)
                raise AssertionError(f"waited for {pattern!r}, got {self.text!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # EIO: the other side is closed
                data = b""
            if not data:
                assert pattern is None, f"wanted {pattern!r}, got {self.text!r}"
                got, self.text = self.text, ""
                return got
            self.text += data.decode("utf-8", "replace")

    def type(self, text):
        os.write(self.fd, text.encode())

    def status(self):
        rest = self.read_until(None)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), rest


def test_the_prompt_asks_twice_and_does_not_echo(bare):
    t = Terminal(bare, "add", "alice@example.org")
    t.read_until("Password: ")
    t.type("geheim\n")
    assert "geheim" not in t.read_until("The same again: ")
    t.type("geheim\n")
    status, rest = t.status()
    assert status == OK and "geheim" not in rest and "alice@example.org: added" in rest
    assert password_is(bare, "alice@example.org", "geheim")


def test_two_answers_that_differ(bare):
    bare.ctl("add", "alice@example.org", "--password-stdin", stdin="old\n")
    t = Terminal(bare, "passwd", "alice@example.org")
    t.read_until("Password: ")
    t.type("one\n")
    t.read_until("again: ")
    t.type("two\n")
    status, rest = t.status()
    assert status == DATAERR and "differ" in rest
    assert password_is(bare, "alice@example.org", "old")


def test_an_empty_answer_makes_no_password(bare):
    t = Terminal(bare, "add", "alice@example.org")
    t.read_until("Password: ")
    t.type("\n")
    status, rest = t.status()
    assert status == OK and "without a password" in rest
    t = Terminal(bare, "passwd", "alice@example.org")
    t.read_until("Password: ")
    t.type("\n")
    status, rest = t.status()
    assert status == DATAERR and "the password is empty" in rest


def test_an_interrupt_at_the_prompt_leaves_the_echo_on(bare):
    t = Terminal(bare, "passwd", bare.add("alice@example.org"))
    t.read_until("Password: ")
    assert not termios.tcgetattr(t.fd)[3] & termios.ECHO
    t.type("half a pass\x03")
    t.read_until(r"\n")
    assert termios.tcgetattr(t.fd)[3] & termios.ECHO
    assert t.status()[0] == -signal.SIGINT


def test_a_question_and_its_answers(bare):
    bare.add("alice@example.org")
    for answer in ("n\n", "\n", "\x04"):
        t = Terminal(bare, "delete", "al*")
        t.read_until(r"delete 1 account\? \[y/N\] ")
        t.type(answer)
        status, rest = t.status()
        assert status == DATAERR and "nothing was changed" in rest
    assert names(bare) == ["alice@example.org"]
    t = Terminal(bare, "delete", "al*")
    t.read_until(r"\[y/N\] ")
    t.type("y\n")
    assert t.status()[0] == OK
    assert names(bare) == []


def test_a_bar_on_a_terminal(make_site):
    """A hash that takes long enough for the bar to come: 30 of cost 7 are a second or two."""
    site = make_site(auth={"yescrypt_cost": 7})
    users = site.dir / "users"
    users.write_text("".join(f"u{i}@example.org\tpw\n" for i in range(30)))
    t = Terminal(site, "add", "--from", users)
    t.read_until(r"adding accounts  \[[#.]{24}\] +\d+%  \d+/30  \d+:\d\d")
    status, rest = t.status()
    assert status == OK and "100%  30/30" in rest and "30 added, 0 refused" in rest
