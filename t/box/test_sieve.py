# SPDX-License-Identifier: ISC
"""popstore sieve: checks and runs scripts, and runs the tests in t/sieve."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from lib.place import BIN

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = sorted((ROOT / "t/sieve").glob("*.svtest"))
MESSAGE = "From: a@example.com\r\nTo: b@example.com\r\nSubject: hello\r\n\r\nbody\r\n"


def sieve(*words, stdin=None):
    return subprocess.run([f"{BIN}/popstore", "sieve", *words], input=stdin, text=True,
                          capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("path", SUITE, ids=[p.stem for p in SUITE])
def test_suite(path):
    done = sieve("test", "--json", str(path))
    assert done.stderr == ""
    tests = json.loads(done.stdout)
    assert [t for t in tests if t["failure"] is not None] == []
    assert len(tests) > 0 and done.returncode == 0


def test_suite_is_large():
    done = sieve("test", *map(str, SUITE))
    passed = int(done.stdout.split()[-4])
    assert passed >= 620


@pytest.mark.parametrize("body,says", [
    ('test "x" { test_fail "told"; }', "x: failed, line 2: told"),
    ('test "x" { error "told"; }', "x: failed, line 2: error: told"),
])
def test_a_test_can_fail(tmp_path, body, says):
    path = tmp_path / "x.svtest"
    path.write_text('require ["vnd.dovecot.testsuite", "ihave"];\n' + body)
    done = sieve("test", str(path))
    assert says in done.stdout and done.stdout.endswith("0 passed, 1 failed\n")
    assert done.returncode == os.EX_DATAERR


def test_check_names_all_errors(tmp_path):
    path = tmp_path / "x.sieve"
    path.write_text('keep;\nfoo;\nif true { bar "x"; }\n')
    done = sieve("check", str(path))
    assert f"{path}:2:1: there is no command 'foo'" in done.stderr
    assert f"{path}:3:11: there is no command 'bar'" in done.stderr
    assert done.returncode == os.EX_DATAERR


def test_check_takes_a_sound_script(tmp_path):
    path = tmp_path / "x.sieve"
    path.write_text("keep;\n")
    done = sieve("check", str(path))
    assert (done.stdout, done.returncode) == (f"{path}: sound\n", 0)


def test_run_prints_actions(tmp_path):
    path = tmp_path / "x.sieve"
    path.write_text('require ["fileinto", "envelope"];\n'
                    'if envelope "from" "x@example.net" { fileinto "X"; }\n')
    done = sieve("run", "--sender", "x@example.net", str(path), "-", stdin=MESSAGE)
    assert (done.stdout, done.returncode) == ('fileinto "X"\n', 0)
    done = sieve("run", str(path), "-", stdin=MESSAGE)
    assert (done.stdout, done.returncode) == ("implicit keep\n", 0)


def test_run_keeps_where_a_script_fails(tmp_path):
    path = tmp_path / "x.sieve"
    path.write_text('require "ihave";\ndiscard;\nerror "no";\n')
    done = sieve("run", "--json", str(path), "-", stdin=MESSAGE)
    assert json.loads(done.stdout)["actions"] == ["implicit keep"]
    assert f"{path}:3: error: no" in done.stderr
    assert done.returncode == os.EX_DATAERR


def test_run_includes_what_stands_beside_the_script(tmp_path):
    (tmp_path / "global").mkdir()
    (tmp_path / "a.sieve").write_text('require "fileinto"; fileinto "A";')
    (tmp_path / "global" / "b.sieve").write_text('require "fileinto"; fileinto "B";')
    path = tmp_path / "x.sieve"
    path.write_text('require "include"; include "a"; include :global "b"; '
                    'include :optional "c";')
    done = sieve("run", str(path), "-", stdin=MESSAGE)
    assert (done.stdout, done.stderr) == ('fileinto "A"\nfileinto "B"\n', "")


@pytest.mark.parametrize("make", [
    lambda p: p.mkdir(),
    lambda p: os.mkfifo(p),
    lambda p: p.symlink_to("/dev/zero"),
], ids=["directory", "fifo", "device"])
def test_a_script_is_a_regular_file(tmp_path, make):
    path = tmp_path / "x.sieve"
    make(path)
    done = sieve("check", str(path))
    assert "no regular file" in done.stderr and done.returncode != 0


def test_json_names_places(tmp_path):
    path = tmp_path / "x.sieve"
    path.write_text("keep")
    done = sieve("check", "--json", str(path))
    assert done.stdout == "" and f"{path}:1:5:" in done.stderr


def instructions(what, times):
    """What the rig needs to do it that often, by valgrind, which counts the same each time."""
    rig = BIN.parent / "t/bench/sieve_speed"
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           rig, what, str(times)], capture_output=True, text=True,
                          timeout=300, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


@pytest.mark.skipif(BIN.parent.name == "asan", reason="sanitizers count, too")
@pytest.mark.parametrize("what,most", [("compile", 800_000), ("all", 200_000),
                                       ("run", 130_000)])
def test_thirty_rules_on_fifty_kilobytes(what, most):
    """The message is looked at once, and headers once for all recipients."""
    assert (instructions(what, 21) - instructions(what, 1)) / 20 < most
