# SPDX-License-Identifier: ISC
"""popstore sieve put, get, list, activate, deactivate, delete: scripts that accounts keep."""

import json
import os

import pytest

KEEP = "keep;\n"
REJECT = 'require "reject";\nreject "no";\n'


@pytest.fixture
def bare(make_site):
    site = make_site(sieve={"max_scripts": 2, "max_script_size": 2000})
    site.add("alice@example.org")
    return site


def refused(site, *words, stdin=None, status=os.EX_DATAERR):
    done = site.run("sieve", *words, stdin=stdin)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    return done.stderr


def put(site, script, text):
    site.ctl("sieve", "put", "alice@example.org", script, "-", stdin=text)


def scripts(site):
    return {row["script"]: row["active"]
            for row in site.ctl_json("sieve", "list", "alice@example.org")}


def test_a_life(bare):
    assert scripts(bare) == {}
    put(bare, "main", KEEP)
    put(bare, "\u00e4 / ../x", REJECT)
    assert scripts(bare) == {"main": False, "\u00e4 / ../x": False}
    assert bare.ctl("sieve", "get", "alice@example.org", "main") == KEEP
    got = bare.ctl_json("sieve", "get", "alice@example.org", "\u00e4 / ../x")
    assert got == {"name": "\u00e4 / ../x", "text": REJECT}
    done = bare.ctl_json("sieve", "activate", "alice@example.org", "main")
    assert done == {"name": "alice@example.org", "done": "activated"}
    assert scripts(bare) == {"main": True, "\u00e4 / ../x": False}
    assert "is the active script" in refused(bare, "delete", "alice@example.org", "main")
    bare.ctl("modify", "alice@example.org", "--quota", "1M")
    assert scripts(bare)["main"]
    bare.ctl("sieve", "deactivate", "alice@example.org")
    bare.ctl("sieve", "delete", "alice@example.org", "main")
    assert scripts(bare) == {"\u00e4 / ../x": False}
    bare.assert_sound()


def test_another_name(bare):
    put(bare, "main", KEEP)
    put(bare, "other", REJECT)
    bare.ctl("sieve", "activate", "alice@example.org", "main")
    done = bare.ctl_json("sieve", "rename", "alice@example.org", "main", "../new")
    assert done == {"name": "alice@example.org", "done": "renamed"}
    assert scripts(bare) == {"../new": True, "other": False}
    assert bare.ctl("sieve", "get", "alice@example.org", "../new") == KEEP
    assert "is there" in refused(bare, "rename", "alice@example.org", "other", "../new")
    assert "there is no script" in refused(bare, "rename", "alice@example.org", "main", "x")
    assert scripts(bare) == {"../new": True, "other": False}
    bare.assert_sound()


def test_a_script_with_errors_is_not_kept(bare):
    put(bare, "main", KEEP)
    said = refused(bare, "put", "alice@example.org", "main", "-",
                   stdin='keep;\nfoo;\nif true { bar "x"; }\n')
    assert "-:2:1: there is no command 'foo'" in said
    assert "-:3:11: there is no command 'bar'" in said
    assert bare.ctl("sieve", "get", "alice@example.org", "main") == KEEP


@pytest.mark.parametrize("text,says", [
    ('require "include"; include "x";', "include"),
    ('require "editheader"; addheader "X" "x";', "editheader"),
])
def test_what_is_not_done_at_delivery_is_not_kept(bare, text, says):
    assert says in refused(bare, "put", "alice@example.org", "main", "-", stdin=text)
    assert scripts(bare) == {}


def test_limits(bare):
    put(bare, "1", "#" * 1999 + "\n")
    assert "2000 octets" in refused(bare, "put", "alice@example.org", "2", "-",
                                    stdin="#" * 2000 + "\n")
    put(bare, "2", KEEP)
    assert "has 2 scripts" in refused(bare, "put", "alice@example.org", "3", "-", stdin=KEEP)
    put(bare, "2", REJECT)


def test_who_is_not_there(bare):
    refused(bare, "list", "nobody@example.org", status=os.EX_NOUSER)
    refused(bare, "put", "nobody@example.org", "x", "-", stdin=KEEP, status=os.EX_NOUSER)
    refused(bare, "get", "alice@example.org", "x")
    refused(bare, "activate", "alice@example.org", "x")
    refused(bare, "activate", "alice@example.org", "", status=os.EX_USAGE)


def test_go_with_their_account(bare):
    put(bare, "main", KEEP)
    bare.ctl("sieve", "activate", "alice@example.org", "main")
    bare.ctl("delete", "alice@example.org", "--yes")
    bare.add("alice@example.org")
    assert scripts(bare) == {}
    bare.assert_sound()


def test_check_names_what_is_damaged(bare):
    put(bare, "main", KEEP)
    bare.ctl("sieve", "activate", "alice@example.org", "main")
    (path,) = bare.root.glob("accounts/*/*/alice@example.org/sieve/*")
    path.write_bytes(path.read_bytes() + b"discard;\n")
    done = bare.run("check", "--json")
    assert [f["invariant"] for f in json.loads(done.stdout)["findings"]] == ["I19"]
    assert "is damaged" in refused(bare, "get", "alice@example.org", "main",
                                   status=os.EX_TEMPFAIL)
    put(bare, "main", KEEP)
    bare.assert_sound()
