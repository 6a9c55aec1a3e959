# SPDX-License-Identifier: ISC
"""idle - what sessions take that are logged in and wait

The memory of all processes of a server together (PSS: what processes share counts once), with
the sessions, and with none.  The kernel's sockets are not in it, for any of the servers."""

import json
import subprocess
import time

from . import grounds, loads
from .dovecot import DovecotSdbox
from .popstore import Popstore
from .servers import PASSWORD

class Site(Popstore):
    settings = {"auth": {"yescrypt_cost": 1}}


# A peer has a process for each session: as many as the machine can bear.
SESSIONS = {"popstore": 10000, "dovecot-sdbox": 500}
LOGINS_PER_S = 300
READY_S = 300


def wait_quiet(server):
    """Nothing was used for a while: what was to be freed is free."""
    used = server.processor_s()
    for _ in range(60):
        time.sleep(1)
        before, used = used, server.processor_s()
        if used - before < 0.02:
            return
    raise SystemExit(f"{server.name} does not come to rest")


def held(server, sessions, tls, first=0):
    """The program that holds the sessions, once all are logged in."""
    options = {"address": server.pop3s if tls else server.pop3, "name": server.user,
               "password": PASSWORD, "users": sessions, "first_user": first,
               "connections": sessions, "hold": "yes", "tls": "yes" if tls else "no", "rate": LOGINS_PER_S}
    process = subprocess.Popen(loads.command("pop3", options), stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if json.loads(line) != {"held": sessions}:
        raise SystemExit(f"sessions were lost: {line}")
    return process


def measure(cls, tls, form):
    sessions = SESSIONS[cls.name] if form.is_long else SESSIONS[cls.name] // 10
    ground = grounds.make("memory")
    server = cls(ground, sessions)
    server.connections = sessions + 100
    try:
        server.prepare()
        server.start()
        # A first login hashes a password; here all are remembered.
        loads.run("pop3", {"address": server.pop3s if tls else server.pop3,
                           "name": server.user, "password": PASSWORD, "users": sessions,
                           "connections": 8, "count": sessions,
                           "tls": "yes" if tls else "no"})
        wait_quiet(server)
        empty = server.pss_kb()
        clients = held(server, sessions, tls)
        wait_quiet(server)
        full = server.pss_kb()
        clients.terminate()
        clients.communicate(timeout=READY_S)
    finally:
        server.stop()
        ground.end()
    return {"server": cls.name, "tls": tls, "sessions": sessions, "pss_kb": full,
            "pss_kb_empty": empty, "kb_each": (full - empty) / sessions}


def run(form):
    return [measure(cls, tls, form) for cls in (Site, DovecotSdbox)
            for tls in (False, True)]
