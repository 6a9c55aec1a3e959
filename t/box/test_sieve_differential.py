# SPDX-License-Identifier: ISC
"""popstore's Sieve beside Pigeonhole's: scripts and messages by chance, and the same actions.

    POPSTORE_LONG=1             tens of thousands of scripts
    POPSTORE_SIEVE_SEED=n       begins there: a failure says which one it was

lib/sieve_grammar.py makes them, lib/sieve_known.py has what is different and why.
"""

import json
import os
import subprocess

import pytest

from lib.counts import count
from lib.place import BIN, not_twice
from lib.sieve_grammar import Case
from lib.sieve_known import KNOWN, ONLY_OURS
from lib.sieve_peer import Peers

LONG = bool(os.environ.get("POPSTORE_LONG"))
BEGIN = int(os.environ.get("POPSTORE_SIEVE_SEED", "1"))
SCRIPTS = 30_000 if LONG else 500
EACH = 50


@pytest.fixture
def peers():
    with Peers() as both:
        yield both


def difference(peers, case):
    """"" where both do the same, or where sieve-test itself dies."""
    peers.put(case)
    theirs, they_said = peers.theirs(case)
    if "Panic" in they_said:
        return None
    ours, we_said = peers.ours(case)
    if ours == theirs:
        return ""
    return (f"popstore:   {ours} {we_said}\nsieve-test: {theirs} {they_said}\n"
            f"{case.script}\n{case.included}\n{case.message.decode()}")


@not_twice
@pytest.mark.parametrize("begin", range(BEGIN, BEGIN + SCRIPTS, EACH))
def test_scripts_by_chance(peers, begin):
    died = 0
    for seed in range(begin, begin + EACH):
        found = difference(peers, Case(seed))
        died += found is None
        assert not found, f"POPSTORE_SIEVE_SEED={seed}: {found}"
    assert died <= EACH / 10
    count("scripts that popstore and Pigeonhole ran alike", EACH - died)


@not_twice
@pytest.mark.parametrize("known", KNOWN, ids=[k.name for k in KNOWN])
def test_known_difference(peers, known):
    peers.put(known)
    ours, we_said = peers.ours(known)
    theirs, they_said = peers.theirs(known)
    assert ours == known.ours, we_said
    assert theirs == known.theirs, they_said


@not_twice
@pytest.mark.parametrize("extension", ONLY_OURS)
def test_what_pigeonhole_has_not(peers, extension):
    """So that a later one is tried too."""
    case = Case(1)
    case.script, case.included = f'require "{extension}";\nkeep;\n', {}
    peers.put(case)
    assert peers.ours(case)[0] == [("store", "INBOX", ())]
    assert peers.theirs(case)[0] is None


# ---- what a scanner's field says (RFC 5235) ---------------------------------------------------

SCANNER = """\
  sieve_spamtest_status_type = score
  sieve_spamtest_status_header = X-Spam: ([-0-9.]+)
  sieve_spamtest_max_value = %s
  sieve_virustest_status_type = score
  sieve_virustest_status_header = X-Spam: ([-0-9.]+)
  sieve_virustest_max_value = %s
"""
TESTS = ["spamtest", "spamtest :percent", "virustest"]


def our_values(tmp_path, value, most):
    """What each of TESTS is, by our own test vocabulary."""
    path = tmp_path / "x.svtest"
    path.write_text('require ["vnd.dovecot.testsuite", "spamtestplus", "virustest", "variables"];\n'
                    f'test_set "message" "X-Spam: {value}\r\n\r\n";\n' + "".join(
                        f'test_config_set "sieve_{what}_status_type" "score";\n'
                        f'test_config_set "sieve_{what}_status_header" "X-Spam: ([-0-9.]+)";\n'
                        f'test_config_set "sieve_{what}_max_value" "{most}";\n'
                        for what in ("spamtest", "virustest")) + "".join(
                            f'test "{t}" {{ if {t} :matches "*" {{ test_fail "${{1}}"; }} }}\n'
                            for t in TESTS))
    done = subprocess.run([f"{BIN}/popstore", "sieve", "test", "--json", path],
                          capture_output=True, text=True, timeout=60, check=False)
    return [t["failure"].rpartition(": ")[2] for t in json.loads(done.stdout)]


class Values:
    """A script that tells what each of TESTS is."""

    sender, recipient, included = "a@example.net", "b@example.com", {}

    def __init__(self, value):
        self.message = f"X-Spam: {value}\r\n\r\n".encode()
        self.script = ('require ["spamtestplus", "virustest", "variables", "enotify"];\n' + "".join(
            f'if {t} :matches "*" {{ set "v{i}" "${{1}}"; }}\n' for i, t in enumerate(TESTS))
            + 'notify :message "${v0} ${v1} ${v2}" "mailto:a@example.com";\n')


@not_twice
@pytest.mark.parametrize("most", ["5", "10", "12.5"])
def test_the_spread_of_a_score(tmp_path, most):
    with Peers(SCANNER % (most, most)) as peers:
        for value in ["-3", "0", "0.04", "0.1", "0.6", "1", "2.5", "4.9", "5", "9.99", "10", "13"]:
            case = Values(value)
            peers.put(case)
            theirs = peers.theirs(case)[0][0][2].split()
            assert our_values(tmp_path, value, most) == theirs, (value, most)
