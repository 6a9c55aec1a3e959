# SPDX-License-Identifier: ISC
"""conf-examples/systemd: units that systemd itself finds nothing wrong with

systemd need not be what runs the machine of the tests, so it is not asked to start them; its
systemd-socket-activate starts popstored with the sockets of the units.
"""

import re
import shutil
import subprocess

import pytest

from lib import place
from lib.daemon import Daemon
from lib.mail import deliver, fetch_all
from lib.secure import SecureSite, tls_first
from lib.site import PASSWORD
from lib.wire import wait_listening

UNITS = sorted((place.EXAMPLES / "systemd").glob("*.*"))
EXEC = "/usr/local/sbin/popstored -c /etc/popstore/popstore.conf"
SCRUB = "/usr/local/sbin/popstore -c /etc/popstore/popstore.conf "

pytestmark = [place.not_twice,
              pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                 reason="systemd-analyze is not installed (systemd)")]


@pytest.fixture
def units():
    """Copies of the units that start the popstored under test."""
    folder = place.scratch("systemd")
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (folder / unit.name).write_text(
            text.replace(EXEC, f"{place.program('popstored')} -c /dev/null")
            .replace(SCRUB, f"{place.program('popstore')} -c /dev/null "),
            encoding="utf-8")
    drop_in(folder)
    yield folder
    place.discard(folder)


def drop_in(folder):
    """The service as root starts it, in a folder of its own."""
    place_of_it = folder / "root/popstored.service.d"
    place_of_it.mkdir(parents=True)
    shutil.copy(folder / "popstored.service", folder / "root")
    (folder / "popstored-root.conf").rename(place_of_it / "root.conf")


def analyze(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def complaints(units):
    return analyze("verify", "--man=no", *units.glob("*.service"), *units.glob("*.socket"),
                   *units.glob("*.timer")).stdout


def test_the_units_are_well_formed(units):
    assert len(UNITS) == 7
    assert complaints(units) == ""
    assert complaints(units / "root") == ""


def test_started_as_root_the_store_stays_whose_it_is(units):
    """systemd hands the directories of a service to its user."""
    text = (units / "root/popstored.service.d/root.conf").read_text(encoding="utf-8")
    assert "\nUser=root\n" in text and "\nStateDirectory=\n" in text
    assert "\nReadWritePaths=/var/lib/popstore\n" in text


@pytest.mark.parametrize("old, new", [("KillMode=mixed", "KillMode=mixde"),
                                      ("ProtectClock", "ProtectClokc"),
                                      ("ExecStart=", "ExecStart=/nowhere")])
def test_it_would_complain(units, old, new):
    service = units / "popstored.service"
    text = service.read_text(encoding="utf-8")
    assert old in text
    service.write_text(text.replace(old, new), encoding="utf-8")
    assert "popstored.service" in complaints(units)


def test_it_would_complain_of_the_drop_in(units):
    file = units / "root/popstored.service.d/root.conf"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("NoNewPrivileges=no", "NoNewPrivileges=noo"), encoding="utf-8")
    assert "root.conf" in complaints(units / "root")


def test_sockets_have_the_names_that_popstored_looks_for(units):
    for socket in units.glob("*.socket"):
        section = socket.stem.removeprefix("popstored-")
        text = socket.read_text(encoding="utf-8")
        assert f"\nFileDescriptorName={section}\n" in text
        assert "\nService=popstored.service\n" in text


@pytest.mark.parametrize("service", ["popstored.service", "popstore-scrub.service"])
def test_the_service_is_confined(units, service):
    """systemd's own measure, from 0 (confined) to 10."""
    done = analyze("security", "--offline=true", "--threshold=25", units / service)
    assert done.returncode == 0, done.stdout


def test_a_store_is_scrubbed_by_the_command_of_the_unit(own_site):
    text = (place.EXAMPLES / "systemd/popstore-scrub.service").read_text(encoding="utf-8")
    command, = re.findall(rf"^ExecStart={re.escape(SCRUB)}(.*)$", text, re.M)
    assert own_site.ctl(*command.split()).endswith("sound\n")


# ---- popstored, with the sockets of the units -------------------------------------------------

NOBODY, GAMES = 65534, 5
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
             "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]


def start(site, prefix):
    """By systemd-socket-activate, with the first connection, at the addresses of the site."""
    at = {"lmtp": site.lmtp_socket, "pop3": site.pop3, "pop3s": site.pop3s}
    names = [re.search(r"^FileDescriptorName=(.*)$", unit.read_text(encoding="utf-8"), re.M)[1]
             for unit in UNITS if unit.suffix == ".socket"]
    assert sorted(names) == sorted(at)
    site.daemon = Daemon(
        [*prefix, "systemd-socket-activate", *(f"--listen={at[name]}" for name in names),
         f"--fdname={':'.join(names)}", place.program("popstored"), "-c", site.conf_file],
        site.dir / "log").start()
    wait_listening(site.pop3, site.daemon.running)
    site.daemon.wait_for("^ready$")


def users(site):
    rows = site.ctl_json("status", status=None)["services"]
    uids = {}
    for row in rows:
        with open(f"/proc/{row['pid']}/status", encoding="ascii") as f:
            uids[row["service"]] = int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M)[1])
    return uids


@pytest.mark.parametrize("as_root", [True, False])
def test_activated_by_its_sockets(monkeypatch, as_root):
    place.need_root("to be several users")
    site = SecureSite(pop3={"login_user": "games"}, policy=None, socketmap=None, milter=None)
    try:
        site.init()
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}",
                        *([site.root] if as_root else [site.dir])], check=True)
        if not as_root:
            shutil.copytree(place.BIN, site.dir / "bin")
            monkeypatch.setattr(place, "BIN", site.dir / "bin")
        start(site, (() if as_root else AS_NOBODY))
        name = site.new_account()
        deliver(site, name)
        assert len(fetch_all(site, name)) == 1
        with tls_first(site) as wire:
            assert wire.ask(f"USER {name}").startswith(b"+OK")
            assert wire.ask(f"PASS {PASSWORD}").startswith(b"+OK 1 ")
        got = users(site)
        assert {"authd", "lmtp", "pop3", "pop3-login", "submit", "popstored"} == set(got)
        for service, uid in got.items():
            want = {"popstored": 0, "pop3-login": GAMES}.get(service, NOBODY)
            assert uid == (want if as_root else NOBODY), service
        if not place.SANITIZED:
            assert "role.incomplete" not in site.daemon.log
        site.ctl("status", "--privileges")
    finally:
        site.end()
