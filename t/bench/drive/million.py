# SPDX-License-Identifier: ISC
"""million - a million POP3 users at once, on the disk

Each polls every five minutes, in turn, and fetches and deletes what it finds; each gets a
message an hour: 3,333 sessions and 278 deliveries a second, at fixed times, whatever the
server does (an open loop), so that every stall counts for all it kept waiting.

Passwords are remembered before the run (auth.cache_entries), as after the first five minutes
of a site's day: every account logs in once, unmeasured.  That takes a hash each; to have it
done in minutes the hashes are of the least cost (auth.yescrypt_cost = 1)."""

import os
import subprocess
import time

from . import grounds, loads
from .popstore import Popstore
from .servers import PASSWORD

LONG = {"users": 1_000_000, "seconds": 600}
SHORT = {"users": 20_000, "seconds": 20}
SESSIONS_PER_S, DELIVERIES_PER_S = 3333, 278


class Site(Popstore):
    connections = 4000
    settings = {"auth": {"yescrypt_cost": 1, "cache_entries": 1_200_000, "cache_time": "24h",
                         "max_connections": 8000}}


def start(program, options):
    return subprocess.Popen(loads.command(program, options), stdout=subprocess.PIPE, text=True)


def both(server, size):
    """Sessions and deliveries at the same time: (pop3's line, lmtp's)"""
    common = {"name": server.user, "users": size["users"], "seconds": size["seconds"],
              "warmup": 10, "threads": 2}
    clients = [
        start("pop3", {"address": server.pop3, "password": PASSWORD, "do": "stat,retr,dele",
                       "rate": SESSIONS_PER_S, "connections": 2000, **common}),
        start("lmtp", {"address": server.lmtp, "order": "random", "rate": DELIVERIES_PER_S,
                       "connections": 100, "octets": "8K", **common})]
    return [loads.result(c.args, c.communicate()[0], c.returncode, may_fail=True)
            for c in clients]


def run(form):
    size = LONG if form.is_long else SHORT
    ground = grounds.make("disk")
    server = Site(ground, size["users"])
    try:
        begin = time.monotonic()
        server.prepare()
        made_s = time.monotonic() - begin
        server.start()
        begin = time.monotonic()
        loads.run("pop3", {"address": server.pop3, "name": server.user, "password": PASSWORD,
                           "users": size["users"], "count": size["users"],
                           "connections": 50, "do": ""})
        warmed_s = time.monotonic() - begin
        os.sync()
        cpu = server.processor_s()
        pop3, lmtp = both(server, size)
        cpu = server.processor_s() - cpu
        pss = server.pss_kb()
        server.stop()
        begin = time.monotonic()
        server.checked()
        checked_s = time.monotonic() - begin
    finally:
        server.stop()
        ground.end()
    return {**size, "made_s": made_s, "warmed_s": warmed_s, "checked_s": checked_s,
            "pss_mb": pss / 1024, "server_cpus": cpu / (size["seconds"] + 10),
            "client_cpus": pop3["client_cpu_share"] + lmtp["client_cpu_share"],
            "errors": pop3["errors"] + lmtp["errors"],
            "login_p99_ms": pop3["times"]["login"]["p99_us"] / 1e3,
            "reply_p99_ms": lmtp["times"]["turn"]["p99_us"] / 1e3,
            "pop3": pop3, "lmtp": lmtp}
