# SPDX-License-Identifier: ISC
"""conf-examples/systemd: units that systemd itself finds nothing wrong with

systemd is not what runs this machine's tests, so it cannot be asked to start them;
what popstored does with its sockets and notices is in test_dispatch.py.
"""

import re
import shutil
import subprocess

import pytest

from lib import place

UNITS = sorted((place.EXAMPLES / "systemd").glob("*.*"))
EXEC = "/usr/local/sbin/popstored -c /etc/popstore/popstore.conf"
SCRUB = "/usr/local/sbin/popstore -c /etc/popstore/popstore.conf "

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                reason="systemd-analyze is not installed (systemd)")


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
    yield folder
    place.discard(folder)


def analyze(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def complaints(units):
    return analyze("verify", "--man=no", *units.iterdir()).stdout


def test_the_units_are_well_formed(units):
    assert len(UNITS) == 5
    assert complaints(units) == ""


@pytest.mark.parametrize("old, new", [("KillMode=mixed", "KillMode=mixde"),
                                      ("ProtectClock", "ProtectClokc"),
                                      ("ExecStart=", "ExecStart=/nowhere")])
def test_it_would_complain(units, old, new):
    service = units / "popstored.service"
    text = service.read_text(encoding="utf-8")
    assert old in text
    service.write_text(text.replace(old, new), encoding="utf-8")
    assert "popstored.service" in complaints(units)


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
