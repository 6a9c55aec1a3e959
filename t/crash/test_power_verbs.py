# SPDX-License-Identifier: ISC
"""The power is cut when a verb of popstore(8) has ended well: what it said is so

Each verb is a row: what must be there before, the verb, and what must be true after the
cut.  While the services run and while they do not.
"""

import os
import poplib
import subprocess

import pytest

from lib.counts import count
from lib.mail import Pop3
from lib.site import PASSWORD
from power import deliver, eatmydata, lie, subjects

A, B = "a@example.org", "b@example.org"
NEW = "another-secret"


def logs_in(site, name, password):
    try:
        Pop3(site, name, password).quit()
    except poplib.error_proto as e:
        assert "[AUTH]" in str(e), e
        return False
    return True


def is_there(site, name):
    return site.run("show", name).returncode == 0


def shows(site, name, **what):
    shown = site.ctl_json("show", name)
    return {k: shown[k] for k in what} == what


def nothing(site):
    del site


def domains(site):
    return {d["name"]: d for d in site.ctl_json("domain", "list")}


# name: (before, verb, its standard input, what holds afterwards)
VERBS = {
    "passwd": (
        nothing, ["passwd", A, "--password-stdin"], NEW + "\n",
        lambda s: logs_in(s, A, NEW) and not logs_in(s, A, PASSWORD)),
    "modify quota": (
        nothing, ["modify", A, "--quota", "12345"], None,
        lambda s: shows(s, A, quota=12345)),
    "modify flags": (
        nothing, ["modify", A, "--flags", "disuser"], None,
        lambda s: not logs_in(s, A, PASSWORD)),
    "modify two by a pattern": (
        nothing, ["modify", "?@example.org", "--owner", "Nobody", "--yes"], None,
        lambda s: shows(s, A, owner="Nobody") and shows(s, B, owner="Nobody")),
    "add": (
        nothing, ["add", "new@example.org", "--password-stdin"], NEW + "\n",
        lambda s: logs_in(s, "new@example.org", NEW)),
    "add many": (
        nothing, ["add", "--from", "-"], "".join(f"n{i}@example.org\t{NEW}\n" for i in range(30)),
        lambda s: all(logs_in(s, f"n{i}@example.org", NEW) for i in range(30))),
    "delete": (
        lambda s: deliver(s, [A, B], "shared"), ["delete", A, "--yes"], None,
        lambda s: not is_there(s, A) and subjects(s, B) == ["shared"]),
    "forward": (
        nothing, ["forward", "f@example.org", A, "x@example.com"], None,
        lambda s: shows(s, "f@example.org", targets=[A, "x@example.com"])),
    "forward again": (
        lambda s: s.ctl("forward", "f@example.org", A), ["forward", "f@example.org", B], None,
        lambda s: shows(s, "f@example.org", targets=[B])),
    "noforward": (
        lambda s: s.ctl("forward", "f@example.org", A), ["noforward", "f@example.org"], None,
        lambda s: not is_there(s, "f@example.org")),
    "domain add": (
        nothing, ["domain", "add", "example.edu"], None,
        lambda s: s.add("c@example.edu") and logs_in(s, "c@example.edu", PASSWORD)),
    "domain add alias": (
        nothing, ["domain", "add", "example.edu", "--alias", "example.org"], None,
        lambda s: logs_in(s, "a@example.edu", PASSWORD)),
    "domain modify": (
        nothing, ["domain", "modify", "example.org", "--delimiters", "-"], None,
        lambda s: domains(s)["example.org"]["delimiters"] == "-"),
    "domain delete": (
        lambda s: s.ctl("domain", "add", "example.edu"), ["domain", "delete", "example.edu"], None,
        lambda s: "example.edu" not in domains(s)),
}


def still(holds, site):
    try:
        return holds(site)
    except (AssertionError, KeyError, poplib.error_proto) as e:
        print(e)
        return False


def forgotten(make_power_site_on, disk, stop, env=None):
    """The verbs after which it is not so; each on a store of its own."""
    wrong = []
    for name, (before, verb, stdin, holds) in VERBS.items():
        site = make_power_site_on([A, B], disk)
        before(site)
        if stop:
            site.stop()
        subprocess.run(site.command(*verb), input=stdin, text=True, check=True,
                       env=dict(os.environ, **(env or {})), stdout=subprocess.DEVNULL)
        site.cut()
        if not still(holds, site):
            wrong.append(name)
        site.run("check", "--repair")  # what a cut may leave of a deletion
        if env is None:
            site.assert_sound()
        site.stop()
        subprocess.run(["rm", "-rf", site.root], check=True)
    return wrong


@pytest.mark.parametrize("services", ["running", "stopped"])
def test_a_verb_that_ended_well(make_power_site_on, disk, services):
    assert forgotten(make_power_site_on, disk, services == "stopped") == []
    count(f"power cuts, verbs of popstore, {disk.kind}", disk.cuts)


def test_init(make_power_site_on, disk):
    """A new store, and one that gets another volume."""
    site = make_power_site_on([A], disk)
    site.stop()
    subprocess.run(["rm", "-rf", site.root], check=True)
    site.ctl("init")
    site.cut()
    site.ctl("domain", "add", "example.org")
    site.add(A)
    deliver(site, [A], "first")
    site.stop()
    site.conf["store"]["volumes"] = [disk.path / "volume"]
    site.write_conf()
    site.ctl("init")
    site.cut()
    deliver(site, [A], "second")
    assert subjects(site, A) == ["first", "second"]
    site.assert_sound()
    count(f"power cuts, verbs of popstore, {disk.kind}", disk.cuts)


# ---- controls --------------------------------------------------------------------------


def test_control_a_sync_that_lies(make_power_site_on, disk):
    assert forgotten(make_power_site_on, disk, True, eatmydata()) == list(VERBS)


def test_control_the_sync_of_directories_left_out(make_power_site_on, disk):
    """Bites on both file systems wherever a name is replaced or removed.  What is made
    new is synced by its own descriptor (or by syncfs), and that takes its name along; and
    so does the syncfs of a deletion that lets go of messages."""
    spared = ["add", "add many", "domain add", "delete"]
    bitten = forgotten(make_power_site_on, disk, True, lie("directories"))
    assert bitten == [verb for verb in VERBS if verb not in spared]
