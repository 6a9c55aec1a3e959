# SPDX-License-Identifier: ISC
"""popstore status: the services, the volumes, the writers, and what needs attention"""

import json
import os
import signal

import pytest

from lib.mail import deliver
from lib.wire import wait_until

UNAVAILABLE = 69


@pytest.fixture
def status_site(make_site):
    site = make_site(store={"checkpoint": "1h"}, lmtp={"workers": 2},
                     pop3={"workers": 1, "login_workers": 1})
    site.add("alice@example.org")
    return site


def services(status):
    return [(s["service"], s["state"], s["restarts"]) for s in status["services"]]


RUNNING = [("authd", "ready", 0), ("lmtp", "ready", 0), ("lmtp", "ready", 0),
           ("milter", "ready", 0), ("policy", "ready", 0), ("pop3", "ready", 0),
           ("pop3-login", "ready", 0), ("popstored", "running", 0), ("submit", "ready", 0)]


def test_while_nothing_runs(status_site):
    status = status_site.ctl_json("status")
    assert status["services"] == [] and status["writers"] == []
    assert status["attention"] == []
    assert status_site.ctl("status").endswith("all is well\n")
    root, = [v for v in status["volumes"] if v["volume"] == "root"]
    assert root["path"] == str(status_site.root)
    assert root["state"] == "ok" and root["mail"] and root["free"] > 0


def test_services_and_writers(status_site):
    status_site.start()
    assert services(status_site.ctl_json("status")) == RUNNING
    deliver(status_site, "alice@example.org")
    status = status_site.ctl_json("status")
    writer, = status["writers"]
    assert writer["state"] == "working" and writer["checkpoint"].startswith("20")
    assert status["attention"] == []
    pids = {s["pid"] for s in status["services"]}
    assert pids == set(status_site.daemon.processes())
    status_site.stop()
    status = status_site.ctl_json("status")
    assert status["services"] == [] and status["writers"] == []


def test_a_process_that_was_started_again(status_site):
    status_site.start()
    victim = status_site.daemon.workers("popstore-pop3d")[0]
    os.kill(victim, signal.SIGKILL)
    again = [s if s[0] != "pop3" else ("pop3", "ready", 1) for s in RUNNING]
    wait_until("a new process", lambda: services(
        json.loads(status_site.run("--json", "status").stdout)) == again)


def test_when_all_was_killed(status_site):
    status_site.start()
    deliver(status_site, "alice@example.org")
    status_site.kill()
    status = status_site.ctl_json("status", status=UNAVAILABLE)
    assert services(status) == [("popstored", "gone", 0)]
    assert [w["state"] for w in status["writers"]] == ["dead"]
    assert len(status["attention"]) == 1 and "popstored is gone" in status["attention"][0]
    assert "attention: popstored is gone" in status_site.ctl("status", status=UNAVAILABLE)
    status_site.start()
    assert services(status_site.ctl_json("status")) == RUNNING


def test_a_volume_that_stopped(status_site):
    """As a process leaves it that met a failed sync; t/fault/test_sync.py has the rest."""
    (status_site.root / "stopped").mkdir()
    (status_site.root / "stopped" / "0").write_text("")
    status = status_site.ctl_json("status", status=UNAVAILABLE)
    volume, = [v for v in status["volumes"] if v["volume"] == "0"]
    assert volume["state"] == "stopped" and not volume["mail"]
    attention, = status["attention"]
    assert str(status_site.root) in attention and "restart popstored" in attention
    status_site.start()
    assert services(status_site.ctl_json("status")) == RUNNING


@pytest.mark.parametrize("left", [b"", bytes(300), b"popstore-services 1\nstate run"])
def test_what_a_power_cut_leaves_of_its_file(status_site, left):
    """It is never synced, and after a power cut an operator asks how the disks are."""
    (status_site.root / "services").write_bytes(left)
    status = status_site.ctl_json("status", status=UNAVAILABLE)
    assert {v["volume"] for v in status["volumes"]} == {"root", "0"}
    assert services(status) == [("popstored", "gone", 0)]
    assert ["popstored is gone" in text for text in status["attention"]] == [True]
    status_site.start()
    assert services(status_site.ctl_json("status")) == RUNNING


def test_without_its_file_all_else_goes_on(status_site):
    (status_site.root / "services").mkdir()
    (status_site.root / "services" / "in the way").write_text("")
    status_site.start()
    status_site.daemon.wait_for("event=dispatch.roster.failed level=warn")
    deliver(status_site, "alice@example.org")


def test_damaged_files_of_no_weight(status_site):
    """That there is one counts, and not what is in it."""
    stopped = status_site.root / "stopped"
    stopped.mkdir()
    for text in (b"", b"nonsense\n", bytes(100), b"popstore-stopped 1\nwhy x\n"):
        (stopped / "root").write_bytes(text)
        (status_site.root / "services").write_bytes(text)
        done = status_site.run("--json", "status")
        assert done.returncode == UNAVAILABLE and done.stderr == ""
        status = json.loads(done.stdout)
        root, = [v for v in status["volumes"] if v["volume"] == "root"]
        assert root["state"] == "stopped"
        assert any("takes no mail" in line for line in status["attention"])
    status_site.ctl("recover", "--resume")
    assert not (stopped / "root").exists()


def test_a_writer_whose_record_is_damaged(status_site):
    record, = (status_site.root / "writers").glob("*[0-9]")
    for harm in (lambda: record.write_bytes(b"nonsense\n"), record.unlink):
        harm()
        status = json.loads(status_site.run("--json", "status").stdout)
        writer, = status["writers"]
        assert writer["state"] == "dead"
        assert any("see `popstore recover`" in line for line in status["attention"])


def test_a_tree_that_was_lost(status_site):
    status_site.start()
    (status_site.root / "secrets").rename(status_site.root / "away")
    status = status_site.ctl_json("status", status=UNAVAILABLE)
    attention, = status["attention"]
    assert "store/secrets is lost" in attention
    (status_site.root / "away").rename(status_site.root / "secrets")
    assert status_site.ctl_json("status")["attention"] == []
