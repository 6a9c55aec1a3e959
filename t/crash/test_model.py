# SPDX-License-Identifier: ISC
"""Random clients against a shadow of every maildrop (P1, P2, P4, P6)

Three LMTP clients, three POP3 clients and verbs of popstore(8), all at once on a few
accounts, while processes are killed, services are stopped and reloaded, and the power is
cut.  After each round the audit (world.py) demands that store and model (model.py) agree.

    POPSTORE_SEED=n            the seed; without, a new one, which is printed
    POPSTORE_MODEL_SECONDS=n   how long on each medium; POPSTORE_LONG=1 is 20 minutes
"""

import os
import random
import time

import pytest

from lib import place
from lib.counts import count
from lib.site import Site
from power import PowerSite
from world import HAPPENINGS, World

SECONDS = int(os.environ.get("POPSTORE_MODEL_SECONDS",
                             1200 if os.environ.get("POPSTORE_LONG") else 14))
SEED = int(os.environ.get("POPSTORE_SEED", random.randrange(1 << 32)))


@pytest.fixture(params=["tmpfs", "ext4", "xfs", "ext4+xfs"])
def medium(request):
    return request.param


@pytest.fixture
def site(medium, make_disk):
    if medium == "tmpfs":
        root = place.scratch("model", under="/dev/shm")
        s = Site("model", store={"root": root / "store"}, policy=None, socketmap=None,
                 milter=None)
    else:
        s = PowerSite(*(make_disk(kind) for kind in medium.split("+")))
        root = None
    s.conf["store"]["checkpoint"] = "1s"
    s.conf["lmtp"]["delivered_to"] = True
    try:
        yield s.init()
    finally:
        s.end()
        if root is not None:
            place.discard(root)


def test_store_and_model_agree(site, medium):
    happenings = [h for h in HAPPENINGS if h != "power cut" or medium != "tmpfs"]
    if medium != "tmpfs":
        happenings += ["power cut"] * 5
    world = World(site, f"{SEED}/{medium}")
    print(f"POPSTORE_SEED={SEED} {medium}")
    world.populate(fixed=5, volatile=2)
    site.start()
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            world.play(world.rng.choice(happenings), world.rng.choice((50, 150, 400)))
        world.end()
    except BaseException:
        print("\n".join(world.model.log[-60:]))
        print(f"POPSTORE_SEED={SEED} {medium}, round {world.round}: the log is "
              f"{world.write_log()}")
        raise
    count(f"model steps, {medium}", world.model.steps)
    count(f"model checkpoints, {medium}", world.checkpoints)
    count(f"model kill -9, {medium}", world.kills)
    count(f"model power cuts, {medium}", world.model.cuts)
    count(f"model UIDLs exchanged between two attempts by a cut, {medium}",
          world.model.exchanged)
    print(world.events, world.model.counts())
