# SPDX-License-Identifier: ISC
"""compare - the rows, on each ground, all servers in the same run and in turn

Repetition by repetition every server has its turn, so that what changes on the machine
meanwhile touches all of them.  Before a turn the disk is left to write what it still has."""

import os
import shutil
import time
from fnmatch import fnmatch
from statistics import median

from . import grounds, loads
from .cyrus import Cyrus
from .dovecot import DovecotMaildir, DovecotSdbox
from .filters import Filtering
from .popstore import Popstore
from .rows import CONTENTS, LOGINS, ROWS, TAKING, USERS
from .servers import PASSWORD, Canned, CannedLarge, Durable, Durable100

SERVERS = [Popstore, DovecotSdbox, DovecotMaildir, Cyrus]
ROOM = 4 << 30  # octets that a row may need


class Form:
    """How long and how often."""

    def __init__(self, is_long, seconds=None, times=None):
        self.is_long = is_long
        self.seconds, self.warmup = seconds or (3 if is_long else 2), 1
        self.times = times or 3


def say(text):
    print(text, flush=True)


def options_of(row, server, form):
    # Two threads, so that a client is never all that a processor can do.
    options = {"address": address_of(row, server), "name": server.user, "threads": 2,
               **row.options}
    if row.program == "pop3":
        options.update(password=PASSWORD, tls="yes" if row.tls else "no")
    if "count" not in options:
        options.update(seconds=form.seconds, warmup=form.warmup)
    return options


def address_of(row, server):
    if row.program == "verdict":
        return getattr(server, row.options["speak"])
    if row.program == "lmtp":
        return server.lmtp
    return server.pop3s if row.tls else server.pop3


def fill(server, part, octets, messages):
    """The same messages for all of a part, each sent once to many; the first alone, as two
    that make a mailbox at the same time are too much for Cyrus."""
    recipients = min(part[1], 100)
    for first in range(part[0], part[0] + part[1], recipients):
        for count, connections in ((1, 1), (messages - 1, 4)):
            if count:
                loads.run("lmtp", {"address": server.lmtp, "name": server.user,
                                   "octets": octets, "recipients": recipients, "count": count,
                                   "connections": connections, "first_user": first,
                                   "users": recipients})


def prepare(server, rows):
    """What the rows find: mailboxes that exist, and mail to be read."""
    parts = dict.fromkeys(row.part for row in rows if row.part in CONTENTS)
    if not parts:
        fill(server, TAKING, "1K", 1)
        return
    for part in parts:
        fill(server, part, *CONTENTS[part])
    # A first login may hash a password; that is not what is compared.
    loads.run("pop3", {"address": server.pop3, "name": server.user, "password": PASSWORD,
                       "users": LOGINS, "count": LOGINS, "connections": 4, "do": "stat"})


def check_slow(server):
    """On slow ground nothing is acknowledged in less than one sync takes."""
    done = loads.run("lmtp", {"address": server.lmtp, "name": server.user, "count": 10,
                              "first_user": TAKING[0], "users": 10})
    fastest = done["times"]["reply"]["p50_us"]
    if fastest < 1000 * grounds.SYNC_MS:
        raise SystemExit(f"{server.name} is not slowed down: it answers in {fastest} us")


def settle(ground):
    os.sync()
    time.sleep(0.5)
    if shutil.disk_usage(ground.dir).free < ROOM:
        raise SystemExit(f"no room in {ground.dir}")


def measure(row, server, form):
    """The program's lines: more than one where a fixed number is done too soon."""
    if isinstance(server, Durable):
        return [loads.run("durable", {"folder": server.folder(), "seconds": form.seconds,
                                      "appends": server.appends}, env=server.ground.env)]
    lines = [loads.run(row.program, options_of(row, server, form))]
    while "count" in row.options and not row.fill and sum(x["seconds"] for x in lines) < 1:
        lines.append(loads.run(row.program, options_of(row, server, form)))
    return lines


def sample(row, server, form, ground, repetition):
    if row.fill and server.lmtp:
        loads.run("lmtp", {"address": server.lmtp, "name": server.user, **row.fill})
    settle(ground)
    before = server.processor_s()
    lines = measure(row, server, form)
    used = server.processor_s() - before
    seconds = sum(x["seconds"] for x in lines)
    n = row.each * sum(x["times"].get(row.counted, {"n": 0})["n"] if row.counted else x["turns"]
                       for x in lines)
    if n == 0:
        raise SystemExit(f"{server.name} has not done one {row.name} in {seconds} s")
    times = lines[-1]["times"].get(row.time, lines[-1]["times"].get("turn", {}))
    # The processor's time is that of all turns, also in the warm-up.
    whole_s = seconds + (0 if "count" in row.options else form.warmup)
    return {
        "ground": ground.name, "row": row.name, "server": server.name,
        "repetition": repetition, "value": n / seconds, "unit": row.unit,
        "p50_us": times.get("p50_us"), "p99_us": times.get("p99_us"),
        "server_cpu_us": used * 1e6 / (n / seconds * whole_s),
        "client_cpu_us": sum(x["client_cpu_us"] * x["turns"] for x in lines) / n,
        "load": os.getloadavg()[0],
    }


class Forgetful(Popstore):
    """Remembers no password."""

    settings = {"auth": {"cache_time": 0}}


LIMITS = (Canned, CannedLarge, Durable, Durable100)


def servers_of(group, rows, chosen):
    if group == "verdicts":
        return [Popstore]
    if group == "hashed":
        return [Forgetful]
    if group == "filters":
        return [Popstore, Filtering]
    limits = {row.limit for row in rows}
    return [s for s in SERVERS if s.name in chosen] + [s for s in LIMITS if s.name in limits]


def takes_part(row, server):
    if isinstance(server, LIMITS):
        return row.limit == server.name
    return row.only is None or server.name in row.only


def run_group(group, rows, ground, form, chosen, samples):
    say(f"== {ground.name}: {group}")
    servers = [cls(ground, USERS) for cls in servers_of(group, rows, chosen)]
    for server in servers:
        server.logins = LOGINS if group == "pop3" else 0
    try:
        for server in servers:
            server.prepare()
            server.start()
            if server.lmtp:
                prepare(server, rows)
                if ground.slow:
                    check_slow(server)
        for row in rows:
            for repetition in range(form.times):
                for server in servers:
                    if takes_part(row, server):
                        samples.append(sample(row, server, form, ground, repetition))
            show(row, ground, samples)
    finally:
        for server in servers:
            server.stop()
    for server in servers:
        server.checked()


def verdicts_inside(ground, form, samples):
    server = Popstore(ground, USERS)
    server.prepare()
    for repetition in range(form.times):
        done = loads.run("inside", {"conf": server.conf, "users": USERS,
                                    "seconds": form.seconds})
        samples.append({"ground": ground.name, "row": "inside", "server": "popstore",
                        "repetition": repetition, "value": done["turns_per_core_s"],
                        "unit": "verdicts/s", "load": os.getloadavg()[0]})


def show(row, ground, samples):
    values = {}
    for s in samples:
        if s["row"] == row.name and s["ground"] == ground.name:
            values.setdefault(s["server"], []).append(s["value"])
    say(f"  {row.name:14} " + "  ".join(
        f"{server} {median(v):.0f}" for server, v in values.items()))


def run(ground_names, form, chosen, patterns, keep):
    """Gives the samples of a group to `keep`, as dictionaries, when it is done; of rows whose
    names one of the patterns fits, or of all."""
    for name in ground_names:
        rows = [r for r in ROWS if name in r.grounds and (form.is_long or r.short or patterns) and
                (not patterns or any(fnmatch(r.name, p) for p in patterns))]
        for group in dict.fromkeys(r.group for r in rows):
            samples, ground = [], grounds.make(name)
            try:
                run_group(group, [r for r in rows if r.group == group], ground, form, chosen,
                          samples)
            finally:
                ground.end()
            keep(samples)
        if name == "memory" and not patterns:
            samples, ground = [], grounds.make(name)
            try:
                verdicts_inside(ground, form, samples)
            finally:
                ground.end()
            keep(samples)
