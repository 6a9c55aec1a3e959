# SPDX-License-Identifier: ISC
"""What each process may do: as the kernel says, and as a stranger in its place finds out

Roles are rows of store/role.c.  The attacks are those of t/attack/roles.c, which enters a
role as the service does and then does what a stranger would.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib import place
from lib.mail import Lmtp, deliver, fetch_all, message
from lib.managesieve import Client
from lib.wire import DEADLINE, wait_until

NOBODY = 65534
SANITIZED = place.SANITIZED
CONFINED = ("lmtp", "pop3", "pop3-login", "sieve", "sieve-login", "poppassd", "authd", "policy",
            "milter")
KERNEL = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
LANDLOCK = KERNEL >= (5, 13)

# In the order of the columns: what each role gets.  E: EPERM, A: EACCES, S: the process
# ends with SIGSYS, -: it may.
COLUMNS = "lmtp pop3 pop3-login sieve sieve-login poppassd authd policy milter submit popstored".split()
ATTACKS = """
    read-secret        A A E A E E - A A - -
    write-secret       A A E A E E - A A - -
    read-message       - - E A E E A A A - -
    read-account       - - E - E E - - - - -
    write-account      - - E - E E A A A - -
    write-domain       A A E A E E A A A - -
    list-root          - - E - E E - A A - -
    write-mark         A A E A E E A A A - -
    read-passwd        A A E A E E - A A - -
    read-own-memory    A A E A E E A A A ? ?
    write-elsewhere    A A E A E E A A A - -
    write-tmp          A A E A E E A A A - -
    execute            S S S S S S S S S - -
    start-process      E E E E E E E E E - -
    run-new-code       E E E E E E - E E - -
    new-socket         E E E E E E - E E - -
    new-packet-socket  E E E E E E E E E E E
    connect-tcp        E E E E E E - E E - -
    bind-tcp           E E E E E E A E E - -
    connect-unix       E E E E E E - E E - -
    send-abstract      E E E E E E E E E - -
    trace-sibling      S S S S S S S S S E E
    read-sibling       S S S S S S S S S E E
    signal-sibling     E E E E E E E E E ? -
    own-signals        E E E E E E E E E - -
    mount              S S S S S S S S S E E
    bpf                S S S S S S S S S E E
    keys               E E E E E E E E E - -
    io-uring           S S S S S S S S S E E
    namespace          S S S S S S S S S E E
    become-root        E E E E E E E E E E -
    become-another     E E E E E E E E E E -
    leave-core         E E E E E E E E E E E
"""
WORDS = {"E": "EPERM", "A": "EACCES", "S": "SIGSYS", "-": "done"}


def expected(role):
    column = COLUMNS.index(role) + 1
    rows = (line.split() for line in ATTACKS.strip().splitlines())
    want = {row[0]: WORDS.get(row[column]) for row in rows}
    if role == "authd" and KERNEL < (6, 7):
        want["bind-tcp"] = "done"  # Landlock knows no TCP yet
    if role == "authd" and KERNEL < (6, 12):
        want["send-abstract"] = "done"  # nor abstract sockets
    return want


@pytest.fixture(scope="module")
def rig():
    """t/attack/roles, and where every user may run it."""
    path = place.BIN.parent / "t/attack/roles"
    assert path.exists(), f"{path} is not built: make rigs"
    folder = place.scratch("roles")
    shutil.copy(path, folder / "roles")
    yield folder / "roles"
    place.discard(folder)


def chown(path):
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(path)], check=True)


@pytest.fixture
def stage(make_site):
    """A store that belongs to an ordinary user, with something of each kind to be had."""
    place.need_root("to make a store that belongs to somebody else")
    site = make_site()
    site.conf["sieve"] = {"listen": [site.sieve]}
    site.write_conf()
    for tree in ("secrets", "messages", "accounts"):
        folder = site.root / tree
        folder.mkdir(exist_ok=True)
        (folder / "probe").write_text("x")
    (site.root / "domains" / "probe").write_text("x")
    site.open = site.dir / "open"
    site.open.mkdir()
    site.open.chmod(0o777)
    chown(site.root)
    return site


def attack(rig, site, role, prefix=()):
    done = subprocess.run([*prefix, rig, site.conf_file, role, site.open], text=True,
                          capture_output=True, timeout=DEADLINE * 3, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def as_nobody():
    return [place.tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            "--inh-caps=-all", "--ambient-caps=-all"]


def compare(got, want):
    assert set(got) == set(want)
    wrong = {name: (got[name], outcome) for name, outcome in want.items()
             if outcome is not None and got[name] != outcome}
    assert not wrong, f"got, wanted: {wrong}"


# What is no matter of the role but of its user; root's is not asked.
needs_filter = pytest.mark.skipif(SANITIZED, reason="no system calls are filtered with ASan")
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")


def test_control_without_a_role_all_of_it_works(rig, stage):
    got = attack(rig, stage, "none")
    assert {name for name, outcome in got.items() if outcome != "done"} == set()
    assert set(got) == set(expected("lmtp"))


@needs_filter
@needs_landlock
@pytest.mark.parametrize("role", CONFINED)
def test_a_stranger_in_a_service_started_by_root(rig, stage, role):
    compare(attack(rig, stage, role), expected(role))


@needs_filter
@needs_landlock
@pytest.mark.parametrize("role", CONFINED)
def test_a_stranger_in_a_service_started_by_its_user(rig, stage, role):
    compare(attack(rig, stage, role, as_nobody()), expected(role))


@pytest.mark.parametrize("role", ["submit", "popstored"])
def test_who_starts_programs_has_nothing_that_it_does_not_need(rig, stage, role):
    want = expected(role)
    if SANITIZED or role == "submit":
        # It has the filter of popstored, which is not there in this rig.
        for name in ("io-uring", "namespace", "mount", "bpf", "read-sibling",
                     "trace-sibling"):
            want[name] = None
    compare(attack(rig, stage, role), want)


@needs_filter
@needs_landlock
def test_a_store_that_belongs_to_root_is_confined_as_well(rig, stage):
    subprocess.run(["chown", "-R", "0:0", str(stage.root)], check=True)
    want = expected("lmtp")
    compare(attack(rig, stage, "lmtp"), want)


# ---- as the kernel has it ---------------------------------------------------------------

def status(pid):
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def services(site):
    rows = site.ctl_json("status", status=None)["services"]
    return [(row["service"], row["pid"]) for row in rows]


def assert_confined(pid, uid, bounding):
    s = status(pid)
    assert s["Uid"].split() == [str(uid)] * 4 and s["Gid"].split() == [str(uid)] * 4
    assert s["Groups"].strip() == ""
    assert s["NoNewPrivs"] == "1"
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(s[kind], 16) == 0, kind
    if bounding:
        assert int(s["CapBnd"], 16) == 0
    if not SANITIZED:
        assert s["Seccomp"] == "2"
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    assert Path(f"/proc/{pid}/status").stat().st_uid == 0  # it cannot be looked into


def assert_all(site, uid, bounding):
    seen = set()
    for service, pid in services(site):
        seen.add(service)
        if service not in ("popstored", "submit"):
            assert_confined(pid, uid, bounding)
        elif service == "submit":
            s = status(pid)
            assert s["Uid"].split() == [str(uid)] * 4
            assert s["NoNewPrivs"] == "0" and int(s["CapEff"], 16) == 0
    assert {"lmtp", "pop3", "sieve", "sieve-login", "policy", "milter", "submit",
            "popstored"} <= seen


@pytest.fixture
def by_root(stage):
    return stage.start()


@pytest.fixture
def by_user(stage, monkeypatch):
    """Programs where every user may run them."""
    shutil.copytree(place.BIN, stage.dir / "bin")
    monkeypatch.setattr(place, "BIN", stage.dir / "bin")
    chown(stage.dir)
    return stage.start(prefix=as_nobody())


def test_started_by_root(by_root):
    assert_all(by_root, NOBODY, True)
    pid = dict(services(by_root))["popstored"]
    s = status(pid)
    # chown, dac_override, fowner, kill, setgid, setuid, setpcap, net_bind_service
    assert int(s["CapEff"], 16) == int(s["CapBnd"], 16) == 0x5eb
    name = by_root.new_account()
    deliver(by_root, name)
    assert len(fetch_all(by_root, name)) == 1
    by_root.ctl("status", "--privileges")


def test_started_by_its_user(by_user):
    assert_all(by_user, NOBODY, False)
    name = by_user.new_account()
    deliver(by_user, name)
    assert len(fetch_all(by_user, name)) == 1
    by_user.ctl("status", "--privileges")
    by_user.daemon.assert_no_errors()


def test_status_shows_it(by_root):
    rows = by_root.ctl_json("status", "--privileges")["privileges"]
    lmtp = [row for row in rows if row["service"] == "lmtp"][0]
    assert lmtp["user"] == "nobody" and lmtp["groups"] == ""
    assert lmtp["no_new_privs"] is True
    assert (lmtp["landlock"] > 0) == LANDLOCK
    assert lmtp["capabilities"] == lmtp["bounding"] == lmtp["ambient"] == "0"
    assert lmtp["core_limit"] == "0" and lmtp["hidden"] == "yes"
    assert int(lmtp["sockets"]) >= 2
    assert "privileges" not in by_root.ctl_json("status")


def test_status_finds_one_that_gave_nothing_up(stage, monkeypatch):
    """A policy server that is ready, and has entered no role."""
    folder = stage.dir / "bin"
    shutil.copytree(place.BIN, folder)
    fake = Path(__file__).parent / "lib" / "fake_service.py"
    (folder / "popstore-policyd").write_text(
        f'#!/bin/sh\nFAKE=/ exec {sys.executable} {fake} popstore-policyd "$@"\n')
    monkeypatch.setattr(place, "BIN", folder)
    stage.start()
    said = stage.ctl("status", "--privileges", status=69)
    pid = dict(services(stage))["policy"]
    for what in ("runs as another user", "no_new_privs", "Landlock", "has capabilities"):
        assert re.search(rf"attention: policy \(process {pid}\) .*{re.escape(what)}", said)
    assert not re.search(r"attention: (lmtp|pop3|milter|submit|popstored) ", said)


# ---- nothing that is needed was forgotten ----------------------------------------------------

REFUSED = re.compile(r" = -1 (EPERM|EACCES)|--- SIGSYS|\+\+\+ killed")


def use_scripts(site, name):
    with Client(site.sieve) as c:
        c.log_in(name)
        assert c.put("a", "keep;").word == "OK"
        c.ok('SETACTIVE "a"')
        c.ok('RENAMESCRIPT "a" "b"')
        assert c.get("b") == "keep;"
        c.ok("UNAUTHENTICATE")
        c.log_in(name)
        assert c.scripts() == {"b": True}
        c.ok('SETACTIVE ""')
        c.ok('DELETESCRIPT "b"')
        c.log_out()


@needs_filter
def test_a_day_without_a_refusal(stage):
    """Start, mail, forwarding, scripts, reload, reading, deleting, crash and stop, under strace."""
    program = stage.dir / "sendmail"
    program.write_text("#!/bin/sh\ncat > /dev/null\n")
    program.chmod(0o755)
    stage.conf["sendmail"] = program
    stage.write_conf()
    out = stage.dir / "strace"
    stage.start(prefix=[place.tool("strace"), "-f", "-qq", "-y", "-o", out, "-e",
                        "signal=SIGSYS"])
    name = stage.new_account()
    stage.ctl("forward", f"far@{stage.domains[0]}", "x@far.example")
    for _ in range(2):
        with Lmtp(stage.lmtp_socket) as lmtp:
            assert lmtp.send([name, f"far@{stage.domains[0]}"], message("m"))[1] \
                .startswith("250")
        stage.ctl("verdict", name)
        use_scripts(stage, name)
        mark = stage.daemon.mark()
        popstored = dict(services(stage))["popstored"]
        os.kill(popstored, 1)
        stage.daemon.wait_for("event=dispatch.reload ", mark)
        stage.daemon.wait_for("event=dispatch.ready ", mark)
    assert len(fetch_all(stage, name, delete=True)) == 2
    wait_until("all are ready", lambda: all(
        row["state"] in ("ready", "running") for row in
        stage.ctl_json("status", status=None)["services"]))
    daemon, stage.daemon = stage.daemon, None
    os.kill(popstored, 15)
    assert daemon.process.wait(DEADLINE + 40) == 0
    daemon.assert_clean()
    refused = [line for line in out.read_text(errors="replace").splitlines()
               # That root cannot be had again is tried by the services themselves.
               if REFUSED.search(line) and "uid" not in line]
    assert not refused, "\n".join(refused[:20])
