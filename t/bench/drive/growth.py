# SPDX-License-Identifier: ISC
"""growth - how the cost of a thing grows with what is there: popstore alone, on the disk

accounts     10^3 to 10^6: a login with STAT, a delivery, a verdict
maildrop     10 to 10^5 messages in one maildrop: a login with STAT, UIDL, a delivery to it
store        10^3 to 10^7 messages in the store, by synthesis (t/crash/many.c): a login, a
             delivery, a start after a crash
recipients   1 to 1,000 of a message: the message, and each of its deliveries

A point is the median time of one such thing with nothing else going on, and where it says
so the processor's time."""

import subprocess
import time
from fnmatch import fnmatch

from lib import place

from . import grounds, loads
from .popstore import Popstore
from .servers import PASSWORD


class Site(Popstore):
    settings = {"auth": {"yescrypt_cost": 1}}


def powers(first, last):
    return [10 ** n for n in range(first, last + 1)]


def pop3(server, do, users, first=0, count=200):
    options = {"address": server.pop3, "name": server.user, "password": PASSWORD, "do": do,
               "users": users, "first_user": first, "count": count}
    loads.run("pop3", options)  # passwords are remembered, files are in memory
    return loads.run("pop3", options)


def lmtp(server, users, first=0, count=300, recipients=1, octets="8K"):
    return loads.run("lmtp", {"address": server.lmtp, "name": server.user, "users": users,
                              "first_user": first, "count": count, "octets": octets,
                              "recipients": recipients})


def median_us(line, which):
    return line["times"][which]["p50_us"]


class Curves:
    def __init__(self):
        self.points = []

    def add(self, curve, n, figure, value, unit="us"):
        self.points.append({"curve": curve, "n": n, "figure": figure, "value": value,
                            "unit": unit})
        print(f"  {curve} {n:>9}  {figure:28} {value:12.1f} {unit}", flush=True)


def grow_accounts(curves, last):
    ground = grounds.make("disk")
    server = Site(ground, 1000)
    try:
        server.prepare()
        for n in powers(3, last):
            if n > server.users:
                server.add(n - server.users, server.users)
                server.users = n
            server.start()
            sample = {"users": 200, "first": n - 200}
            curves.add("accounts", n, "login and STAT",
                       median_us(pop3(server, "stat", **sample), "login"))
            curves.add("accounts", n, "delivery", median_us(lmtp(server, **sample), "turn"))
            server.stop()
            inside = loads.run("inside", {"conf": server.conf, "users": n, "count": 20000})
            curves.add("accounts", n, "verdict, processor",
                       1e6 / inside["turns_per_core_s"])
    finally:
        server.stop()
        ground.end()


def grow_maildrop(curves, last):
    ground = grounds.make("disk")
    server = Site(ground, 10)
    try:
        server.prepare()
        server.start()
        for user, n in enumerate(powers(1, last)):
            loads.run("lmtp", {"address": server.lmtp, "name": server.user, "users": 1,
                               "first_user": user, "count": n, "octets": "1K",
                               "connections": 8})
            curves.add("maildrop", n, "login and STAT",
                       median_us(pop3(server, "stat", 1, user, count=50), "login"))
            curves.add("maildrop", n, "UIDL",
                       median_us(pop3(server, "stat,uidl", 1, user, count=50), "uidl"))
            curves.add("maildrop", n, "delivery", median_us(lmtp(server, 1, user), "turn"))
    finally:
        server.stop()
        ground.end()


def restart_s(server):
    """All its processes killed at once, with the store as it is; until it is ready again."""
    server.kill()
    begin = time.monotonic()
    server.start()
    return time.monotonic() - begin


def grow_store(curves, last):
    for n in powers(3, last):
        ground = grounds.make("disk")
        server = Site(ground, 0)
        accounts = max(10, n // 100)
        try:
            server.prepare()
            subprocess.run([place.BIN.parent / "t/crash/many", server.conf, str(n),
                            str(accounts), "28", "example.org"], check=True)
            server.users = accounts
            server.set_passwords(10)
            server.start()
            curves.add("store", n, "login and STAT",
                       median_us(pop3(server, "stat", 10), "login"))
            curves.add("store", n, "delivery", median_us(lmtp(server, 10), "turn"))
            curves.add("store", n, "start after kill -9", restart_s(server) * 1e6)
        finally:
            server.stop()
            ground.end()


def grow_recipients(curves, last):
    ground = grounds.make("disk")
    server = Site(ground, 1000)
    try:
        server.prepare()
        server.start()
        lmtp(server, 1000, count=10, recipients=1000, octets="1K")
        for n in powers(0, last):
            cpu = server.processor_s()
            done = lmtp(server, 1000, count=300, recipients=n)
            cpu = server.processor_s() - cpu
            curves.add("recipients", n, "message", median_us(done, "turn"))
            curves.add("recipients", n, "recipient, processor",
                       cpu * 1e6 / (done["turns"] * n))
    finally:
        server.stop()
        ground.end()


# Each with its last power of ten, in the long form and in the short one.
CURVES = {"recipients": (grow_recipients, 3, 3), "maildrop": (grow_maildrop, 5, 3),
          "accounts": (grow_accounts, 6, 4), "store": (grow_store, 7, 4)}


def run(form, patterns, keep):
    """Gives the points of a curve to `keep` when it is done; of those whose names one of
    the patterns fits, or of all."""
    for name, (grow, long, short) in CURVES.items():
        if not patterns or any(fnmatch(name, p) for p in patterns):
            curves = Curves()
            grow(curves, long if form.is_long else short)
            keep(curves.points)
