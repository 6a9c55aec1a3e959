# SPDX-License-Identifier: ISC
"""popstored: start, restart, reload and stop

The programs it runs are stand-ins here (lib/fake_service.py), so that each of them
can fail on demand; the whole suite runs under popstored with the real ones.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lib import place
from lib.daemon import Daemon
from lib.site import conf_text
from lib.wire import DEADLINE, Wire, connect, free_port, wait_until

PROGRAMS = ("popstore", "popstore-lmtpd", "popstore-pop3d", "popstore-policyd",
            "popstore-milter", "popstore-authd", "popstore-submitd")
FAKE = Path(__file__).parent / "lib" / "fake_service.py"


class Dispatch:
    """popstored in a folder of its own, with stand-ins beside it."""

    def __init__(self):
        self.dir = place.scratch("dispatch")
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        shutil.copy(place.program("popstored"), self.bin)
        for name in PROGRAMS:
            self.install(name)
        self.conf_file = self.dir / "popstore.conf"
        self.lmtp = f"127.0.0.1:{free_port()}"
        self.pop3 = str(self.dir / "pop3")
        self.conf = {"lmtp": {"listen": [self.lmtp], "workers": 2},
                     "pop3": {"listen": [self.pop3], "workers": 1, "login_workers": 1},
                     "log": {"level": "debug"}}
        self.daemon = None
        # As systemd listens for what popstored says about itself.
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.dir / "notify"))
        self.notify.settimeout(DEADLINE)

    def install(self, name):
        script = self.bin / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} {name} "$@"\n',
                          encoding="ascii")
        script.chmod(0o755)

    def will(self, program, what):
        """From now on `program` does `what` (lib/fake_service.py) when started."""
        (self.dir / program).write_text(what, encoding="ascii")

    def write_conf(self):
        self.conf_file.write_text(conf_text(self.conf), encoding="utf-8")

    def launch(self, prefix=()):
        self.write_conf()
        self.daemon = Daemon([self.bin / "popstored", "-c", self.conf_file],
                             self.dir / "log", prefix=prefix,
                             env={"FAKE": str(self.dir),
                                  "NOTIFY_SOCKET": str(self.dir / "notify")}).start()
        return self

    def start(self, prefix=()):
        self.launch(prefix).daemon.wait_for("^ready$")
        return self

    def fails(self, prefix=()):
        """Starts it; the exit status and what it printed."""
        self.launch(prefix)
        status = self.daemon.process.wait(DEADLINE)
        self.daemon._wait_closed()
        log, self.daemon = self.daemon.log, None
        return status, log

    def reload(self):
        self.write_conf()
        mark = self.daemon.mark()
        self.daemon.process.send_signal(signal.SIGHUP)
        return mark

    def started(self, program, since=0):
        """Process ids of `program`, as it said itself."""
        with self.daemon.news:
            lines = self.daemon.lines[since:]
        return [int(m[1]) for line in lines
                if (m := re.match(rf"fake {program} (\d+) start", line))]

    def told(self):
        return self.notify.recv(1024).decode()

    def end(self):
        try:
            if self.daemon is not None:
                self.daemon.stop()
        finally:
            self.notify.close()
            place.discard(self.dir)


@pytest.fixture
def dispatch():
    d = Dispatch()
    try:
        yield d
    finally:
        d.end()


def who(address):
    """Program and process id that serve there."""
    with Wire(address) as w:
        program, pid = w.line().decode().split()
        return program, int(pid)


def answer(address):
    return who(address)[0]


# ---- start ---------------------------------------------------------------------------

def test_recovers_then_starts_what_listens_then_is_ready(dispatch):
    dispatch.start()
    lines = dispatch.daemon.lines
    events = [line for line in lines if line.startswith("fake ") or line == "ready"]
    conf = dispatch.conf_file
    assert re.match(rf"fake popstore \d+ start args=-c,{conf},recover,--resume ", events[0])
    assert re.match(r"fake popstore \d+ done", events[1])
    assert sorted(re.sub(r"\d+ (start args=\S+ sockets=\S*) .*", r"\1", e)
                  for e in events[2:8]) == [
        f"fake popstore-authd start args=-c,{conf} sockets=auth.take:ticket",
        f"fake popstore-lmtpd start args=-c,{conf} sockets=lmtp:submit.give",
        f"fake popstore-lmtpd start args=-c,{conf} sockets=lmtp:submit.give",
        f"fake popstore-login start args=-c,{conf},--login "
        "sockets=pop3:session.give:auth.give",
        f"fake popstore-pop3d start args=-c,{conf} sockets=session.take:ticket",
        f"fake popstore-submitd start args=-c,{conf} sockets=submit.take"]
    assert events[8:] == ["ready"]
    assert dispatch.told() == "READY=1"
    assert answer(dispatch.lmtp) == "popstore-lmtpd"
    assert answer(dispatch.pop3) == "popstore-login"


def test_one_program_serves_policy_and_socketmap(dispatch):
    policy, socketmap = (f"127.0.0.1:{free_port()}" for _ in range(2))
    dispatch.conf["policy"] = {"listen": [policy, str(dispatch.dir / "policy")]}
    dispatch.conf["socketmap"] = {"listen": [socketmap]}
    dispatch.conf["milter"] = {"listen": ["inet:1@127.0.0.1"]}
    dispatch.start()
    dispatch.daemon.wait_for("popstore-policyd .* sockets=policy:policy:socketmap ")
    dispatch.daemon.wait_for("popstore-milter .* sockets= ")  # binds itself
    assert answer(policy) == answer(socketmap) == "popstore-policyd"


def test_ready_waits_for_the_last_one(dispatch):
    dispatch.will("popstore-pop3d", "wait")
    dispatch.launch()
    for program, n in (("popstore-lmtpd", 2), ("popstore-pop3d", 1)):
        wait_until(program, lambda p=program, n=n: len(dispatch.started(p)) == n)
    for _ in range(2):
        dispatch.daemon.wait_for("event=dispatch.worker.ready")
    assert "ready" not in dispatch.daemon.lines
    os.kill(dispatch.started("popstore-pop3d")[0], signal.SIGUSR1)
    dispatch.daemon.wait_for("^ready$")


@pytest.mark.parametrize("program", PROGRAMS[:3])
def test_a_start_is_all_or_nothing(dispatch, program):
    dispatch.will(program, "exit 69")
    status, log = dispatch.fails()
    assert status == 69
    assert re.search(r"event=dispatch.ended level=error .*status=69.*then=.give up", log)
    assert "\nready" not in log


def test_a_missing_program(dispatch):
    (dispatch.bin / "popstore-lmtpd").unlink()
    status, log = dispatch.fails()
    assert status == os.EX_OSFILE
    assert re.search("event=dispatch.exec.failed .*popstore-lmtpd: No such file", log)


# ---- what cannot be started --------------------------------------------------------------

def sentence(log):
    said = [line for line in log.splitlines() if line.startswith("popstored: ")]
    assert len(said) == 1, log
    return said[0]


def test_bad_configuration_names_the_line(dispatch):
    dispatch.conf["lmtp"]["wrokers"] = 3
    status, log = dispatch.fails()
    assert status == os.EX_CONFIG
    assert f"{dispatch.conf_file}:4: " in sentence(log) and "wrokers" in sentence(log)


def test_nothing_to_run(dispatch):
    dispatch.conf = {}
    status, log = dispatch.fails()
    assert status == os.EX_CONFIG
    assert "no service has an address to listen on" in sentence(log)


def test_what_is_no_address(dispatch):
    dispatch.conf["lmtp"]["listen"] = ["localhost:24"]
    status, log = dispatch.fails()
    assert status == os.EX_CONFIG
    assert '"localhost:24" is no address' in sentence(log)


def test_occupied_port(dispatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "127.0.0.1:%d" % other.getsockname()[1]
        dispatch.conf["lmtp"]["listen"] = [address]
        status, log = dispatch.fails()
    assert status == os.EX_TEMPFAIL
    assert sentence(log) == \
        f"popstored: lmtp: listen on {address}: Address already in use"
    assert "fake" not in log


def test_missing_directory_of_a_unix_socket(dispatch):
    dispatch.conf["pop3"]["listen"] = [str(dispatch.dir / "no" / "socket")]
    status, log = dispatch.fails()
    assert status == os.EX_TEMPFAIL
    assert "No such file or directory" in sentence(log)


@pytest.mark.parametrize("args", [["-x"], ["-c"], ["extra"]])
def test_wrong_use(args):
    done = subprocess.run([place.program("popstored"), *args], capture_output=True,
                          text=True, timeout=DEADLINE, check=False)
    assert done.returncode == os.EX_USAGE
    assert "usage: popstored [-c file]" in done.stderr


# ---- privileges ----------------------------------------------------------------------

def as_nobody(*capabilities):
    caps = ",".join(["-all", *("+" + c for c in capabilities)])
    return [place.tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
            f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}"]


def effective(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^CapEff:\s*(\w+)", status, re.M)[1], 16)


def low_port(dispatch):
    place.need_root("to become another user")
    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text() == "0\n":
        pytest.skip("every user may bind every port here")
    dispatch.lmtp = "127.0.0.42:24"
    dispatch.conf = {"lmtp": {"listen": [dispatch.lmtp]}}


def test_services_do_not_inherit_what_a_low_port_takes(dispatch):
    low_port(dispatch)
    dispatch.start(prefix=as_nobody("net_bind_service"))
    assert effective(dispatch.daemon.process.pid) == 1 << 10
    program, pid = who(dispatch.lmtp)
    assert (program, effective(pid)) == ("popstore-lmtpd", 0)


def test_low_port_without_permission(dispatch):
    low_port(dispatch)
    status, log = dispatch.fails(prefix=as_nobody())
    assert status == os.EX_NOPERM
    assert sentence(log) == \
        "popstored: lmtp: listen on 127.0.0.42:24: Permission denied"


# ---- restart -------------------------------------------------------------------------

def test_a_killed_worker_is_replaced_and_clients_wait(dispatch):
    dispatch.start()
    mark = dispatch.daemon.mark()
    for pid in dispatch.started("popstore-lmtpd"):
        os.kill(pid, signal.SIGKILL)
    assert answer(dispatch.lmtp) == "popstore-lmtpd"  # refused by nobody
    wait_until("both again", lambda: len(dispatch.started("popstore-lmtpd", mark)) == 2)
    dispatch.daemon.wait_for("dispatch.ended .*service=lmtp .*signal=9 then=restart "
                             "after_ms=100$", mark)
    dispatch.daemon.wait_for("fake popstore .*,recover", mark)
    assert dispatch.daemon.log.count("\nready") == 1


def test_a_killed_reader_needs_no_recovery(dispatch):
    dispatch.start()
    mark = dispatch.daemon.mark()
    for pause in (100, 200):
        os.kill(who(dispatch.pop3)[1], signal.SIGKILL)
        dispatch.daemon.wait_for(f"service=pop3-login .*after_ms={pause}$", mark)
    assert answer(dispatch.pop3) == "popstore-login"
    assert not dispatch.started("popstore", mark)


def test_children_die_with_popstored(dispatch):
    dispatch.start()
    daemon, dispatch.daemon = dispatch.daemon, None
    daemon.process.kill()
    daemon.process.wait(DEADLINE)
    daemon._wait_closed()  # the log ends with the last process that holds it
    assert daemon.log.count(" stop") == 6


# ---- reload --------------------------------------------------------------------------

def test_reload_replaces_the_workers(dispatch):
    dispatch.start()
    old = dispatch.started("popstore-lmtpd") + dispatch.started("popstore-pop3d")
    assert dispatch.told() == "READY=1"
    dispatch.conf["lmtp"]["workers"] = 3
    mark = dispatch.reload()
    assert dispatch.told().startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert dispatch.told() == "READY=1"
    for pid in old:
        dispatch.daemon.wait_for(rf"fake \S+ {pid} stop", mark)
    assert len(dispatch.started("popstore-lmtpd", mark)) == 3
    assert len(dispatch.started("popstore-pop3d", mark)) == 1
    assert dispatch.daemon.log.count("\nready") == 1


def test_no_connection_is_refused_while_reloading(dispatch):
    dispatch.start()
    done, answers, failures = threading.Event(), set(), []

    def logins():
        return [a for a in list(answers) if a.startswith(b"popstore-login")]

    def clients(address):
        while not done.is_set():
            try:
                with Wire(address) as w:
                    answers.add(w.line())
            except OSError as e:
                failures.append(e)

    threads = [threading.Thread(target=clients, args=(a,))
               for a in (dispatch.lmtp, dispatch.pop3)]
    for t in threads:
        t.start()
    try:
        for _ in range(3):
            before, mark = len(logins()), dispatch.reload()
            dispatch.daemon.wait_for("event=dispatch.ready", mark)
            wait_until("an answer of a new process", lambda n=before: failures or
                       len(logins()) > n)
    finally:
        done.set()
        for t in threads:
            t.join()
    assert not failures
    assert b"" not in answers


def test_reload_binds_and_unbinds(dispatch):
    dispatch.start()
    old, dispatch.lmtp = dispatch.lmtp, f"127.0.0.1:{free_port()}"
    pids = dispatch.started("popstore-lmtpd") + dispatch.started("popstore-pop3d")
    dispatch.conf["lmtp"]["listen"] = [dispatch.lmtp]
    del dispatch.conf["pop3"]
    mark = dispatch.reload()
    dispatch.daemon.wait_for("event=dispatch.ready", mark)
    assert answer(dispatch.lmtp) == "popstore-lmtpd"
    for pid in pids:
        dispatch.daemon.wait_for(rf"dispatch.ended level=debug .*pid={pid} ", mark)
    for gone in old, dispatch.pop3:
        with pytest.raises(ConnectionRefusedError):
            connect(gone)


@pytest.mark.parametrize("break_it, why", [
    (lambda d: d.conf.update(nonsense={"a": 1}), "nonsense"),
    (lambda d: d.conf["lmtp"].update(listen=["127.0.0.1:99999"]), "is no address"),
    (lambda d: d.conf.clear(), "no service has an address"),
])
def test_a_bad_reload_changes_nothing(dispatch, break_it, why):
    dispatch.start()
    assert dispatch.told() == "READY=1"
    old = dispatch.started("popstore-lmtpd")
    break_it(dispatch)
    mark = dispatch.reload()
    line = dispatch.daemon.wait_for("event=dispatch.reload.refused level=error", mark)
    assert why in line
    assert dispatch.told().startswith("RELOADING=1")
    assert dispatch.told() == "READY=1"
    assert answer(dispatch.lmtp) == "popstore-lmtpd"
    assert not dispatch.started("popstore-lmtpd", mark)
    assert all(Path(f"/proc/{pid}").exists() for pid in old)


def test_new_workers_that_fail_leave_the_old_ones(dispatch):
    dispatch.start()
    old = dispatch.started("popstore-login")[0]
    dispatch.will("popstore-login", "exit 70")
    mark = dispatch.reload()
    dispatch.daemon.wait_for("service=pop3-login .*status=70 .*then=restart after_ms=200", mark)
    assert who(dispatch.pop3) == ("popstore-login", old)
    (dispatch.dir / "popstore-login").unlink()
    mark = dispatch.reload()
    dispatch.daemon.wait_for("event=dispatch.ready", mark)
    dispatch.daemon.wait_for(f"fake popstore-login {old} stop", mark)


# ---- stop ----------------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_order(dispatch, sig):
    dispatch.conf["milter"] = {"listen": ["inet:1@127.0.0.1"]}
    dispatch.conf["policy"] = {"listen": [str(dispatch.dir / "policy")]}
    dispatch.start()
    daemon, dispatch.daemon = dispatch.daemon, None
    daemon.stop(sig)
    stops = [line.split()[1] for line in daemon.lines if line.endswith(" stop")]
    assert sorted(stops[:4]) == ["popstore-lmtpd"] * 2 + ["popstore-milter",
                                                         "popstore-policyd"]
    assert sorted(stops[4:7]) == ["popstore-login", "popstore-pop3d", "popstore-submitd"]
    assert stops[7:] == ["popstore-authd"]
    assert dispatch.told() == "READY=1"
    assert dispatch.told() == "STOPPING=1"


def test_ctrl_c_reaches_popstored_alone(dispatch):
    """A terminal sends SIGINT to the whole foreground group."""
    dispatch.start()
    groups = {line.rsplit("group=", 1)[1] for line in dispatch.daemon.lines
              if "group=" in line}
    assert str(os.getpgid(dispatch.daemon.process.pid)) not in groups
    assert len(groups) == 7


def test_stop_before_ready(dispatch):
    dispatch.will("popstore-pop3d", "wait")
    dispatch.launch()
    wait_until("all of them", lambda: len(dispatch.started("popstore-.+")) == 6)
    daemon, dispatch.daemon = dispatch.daemon, None
    daemon.stop()


# ---- sockets from systemd -----------------------------------------------------------------

SYSTEMD = """
import os, socket, sys
host, port = sys.argv[1].split(":")
listener = socket.create_server((host, int(port)))
os.set_inheritable(listener.fileno(), True)
assert os.dup2(listener.fileno(), 3) == 3
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="lmtp")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_sockets_handed_down_by_systemd(dispatch):
    handed = f"127.0.0.1:{free_port()}"
    dispatch.start(prefix=[sys.executable, "-c", SYSTEMD, handed])
    assert answer(handed) == "popstore-lmtpd"
    assert answer(dispatch.pop3) == "popstore-login"
    with pytest.raises(ConnectionRefusedError):
        connect(dispatch.lmtp)
    mark = dispatch.reload()
    dispatch.daemon.wait_for("event=dispatch.ready", mark)
    assert answer(handed) == "popstore-lmtpd"
