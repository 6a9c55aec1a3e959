# SPDX-License-Identifier: ISC
"""The crash rigs stand on the harness of the black-box tests (t/box/lib)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "box"))

import pytest  # noqa: E402

from disk import FILE_SYSTEMS, Disk  # noqa: E402
from power import PowerSite  # noqa: E402


@pytest.fixture
def make_disk():
    made = []

    def make(kind, options=""):
        made.append(Disk(kind, options))
        return made[-1]

    yield make
    for d in made:
        d.end()


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request, make_disk):
    return make_disk(request.param)


@pytest.fixture
def make_power_site_on(make_disk):
    """make(names, root's disk, volumes' disks...): a running store with these accounts."""
    # It ends before the disks do.
    del make_disk
    made = []

    def make(names, *disks, env=None):
        site = PowerSite(*disks)
        made.append(site)
        site.init()
        if names:
            site.add_many(names)
        return site.start(env=env)

    yield make
    for site in made:
        site.end()


@pytest.fixture
def make_power_site(disk, make_power_site_on):
    """The same on the one disk of the test."""
    return lambda names, env=None: make_power_site_on(names, disk, env=env)
