# SPDX-License-Identifier: ISC
"""counts - what the machine's speed cannot change: system calls, instructions, allocations

System calls are those of the daemons, seen by strace; those by which threads wait for one
another are left out, and reads from a socket that find nothing yet, which tell who of the two
ends was faster.  Instructions and allocations are those of the session code under
callgrind (t/bench/lib/hot.h).  Each is the difference between many and few of a thing, so
that what comes once is in none."""

import re
import subprocess

from lib import place
from lib.trace import SYNCS, Trace

from . import filters, grounds, idle, loads, processes
from .popstore import Popstore
from .servers import PASSWORD, Canned

WAITING = {"epoll_wait", "epoll_pwait", "futex", "restart_syscall", "clock_nanosleep"}
FEW, MANY = 50, 150
USERS = 400


class Site(Popstore):
    """One worker of each service, and no checkpoint while somebody counts."""

    settings = {"store": {"checkpoint": 3600}, "lmtp": {"workers": 1},
                "pop3": {"workers": 1, "login_workers": 1}, "auth": {"yescrypt_cost": 1}}

    def pids(self, *programs):
        found = []
        for pid in processes.tree(self.process.pid):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                if f.read().strip() in [p[:15] for p in programs]:
                    found.append(pid)
        return found


# ---- system calls -------------------------------------------------------------------------


def lmtp(server, count, recipients=1):
    return lambda: loads.run("lmtp", {"address": server.lmtp, "name": server.user,
                                      "users": USERS, "count": count,
                                      "recipients": recipients})


def pop3(server, count, do="", repeat=1):
    return lambda: loads.run("pop3", {"address": server.pop3, "name": server.user, "do": do,
                                      "password": PASSWORD, "users": 1, "count": count,
                                      "repeat": repeat})


def calls(server, programs, work):
    """How many system calls the programs make meanwhile, and how many of these sync."""
    with Trace(server.pids(*programs), server.dir) as trace:
        work()
    names = [name for name, line in trace.calls
             if name not in WAITING and not (name == "recvfrom" and "EAGAIN" in line)]
    return len(names), len(trace.named(*SYNCS))


def difference(server, programs, few, many, n):
    (a, _), (b, _) = calls(server, programs, few), calls(server, programs, many)
    return (b - a) / n


def verdicts(server, count):
    return lambda: loads.run("verdict", {"address": server.policy, "name": server.user,
                                         "users": USERS, "count": count})


LMTP, SESSION, POLICY = ("popstore-lmtpd",), ("popstore-pop3d",), ("popstore-policyd",)
LOGIN = ("popstore-login", "popstore-pop3d", "popstore-authd")


def system_calls(server):
    lmtp(server, 5)()
    pop3(server, 5)()
    _, syncs_1 = calls(server, LMTP, lmtp(server, MANY))
    _, syncs_100 = calls(server, LMTP, lmtp(server, FEW, 100))
    yield "syncs of a message for 1 recipient", syncs_1 / MANY
    yield "syncs of a message for 100 recipients", syncs_100 / FEW
    n = MANY - FEW
    yield "system calls of a delivery", difference(
        server, LMTP, lmtp(server, FEW), lmtp(server, MANY), n)
    yield "system calls of each further recipient", difference(
        server, LMTP, lmtp(server, 10, 1), lmtp(server, 10, 101), 10 * 100)
    yield "system calls of a verdict", difference(
        server, POLICY, verdicts(server, FEW), verdicts(server, MANY), n)
    yield "system calls of a session", difference(
        server, LOGIN, pop3(server, FEW), pop3(server, MANY), n)
    messages = pop3(server, 1, "stat,retr")()["times"]["retr"]["n"]
    yield "system calls of a RETR", difference(
        server, SESSION, pop3(server, 1, "stat,retr", 1), pop3(server, 1, "stat,retr", 11),
        messages * 10)


# ---- memory ---------------------------------------------------------------------------------


def memory(server):
    """Of each further idle session in a session process, between 100 and 300.  What a login
    process keeps depends on how many clients it had at the same moment: t/bench/run idle
    measures that, over ten thousand."""
    clients, sizes = [], []
    for first, sessions in ((0, 100), (100, 200)):
        clients.append(idle.held(server, sessions, False, first))
        idle.wait_quiet(server)
        sizes.append(processes.pss_kb(server.pids(*SESSION)))
    for client in clients:
        client.terminate()
        client.communicate(timeout=60)
    yield "KB of an idle session", (sizes[1] - sizes[0]) / 200


# ---- instructions ---------------------------------------------------------------------------

ALLOCATE = re.compile(r"^(malloc|calloc|realloc|aligned_alloc|posix_memalign)$")


def callgrind(server, program, function, count):
    """(instructions, allocations) within the function."""
    out = server.dir / "callgrind"
    process = subprocess.Popen(
        [place.tool("valgrind"), "-q", "--tool=callgrind", f"--toggle-collect={function}",
         f"--callgrind-out-file={out}.%p", grounds.PROGRAMS / program, f"conf={server.conf}",
         f"count={count}"], stderr=subprocess.PIPE, text=True)
    _, complaints = process.communicate(timeout=300)
    if process.returncode != 0:
        raise SystemExit(f"{program}: {complaints[-2000:]}")
    path = out.with_name(f"{out.name}.{process.pid}")
    return read_callgrind(path.read_text(encoding="utf-8", errors="replace"))


def read_callgrind(text):
    """The format is that of callgrind: `fn=(id) name` the first time, then `fn=(id)`, `cfn=`
    in the same way for what it calls, and `calls=N` for the line that follows.  An allocation
    for which realloc() calls malloc() is one."""
    names, at, allocations = {}, {}, 0
    for line in text.splitlines():
        if found := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line):
            if found[3]:
                names[found[2]] = re.sub(r"'\d+$", "", found[3])
            at[found[1]] = names[found[2]]
        elif found := re.match(r"calls=(\d+)", line):
            if ALLOCATE.match(at["cfn"]) and not ALLOCATE.match(at["fn"]):
                allocations += int(found[1])
    return int(re.search(r"^totals: (\d+)", text, re.M)[1]), allocations


def instructions(server):
    for what, program, function in (("delivery", "hot_delivery", "channel_session"),
                                    ("RETR", "hot_retr", "session_step"),
                                    ("filtered delivery", "hot_delivery", "channel_session")):
        if what.startswith("filtered"):
            filters.give(server, 0)
        few = callgrind(server, program, function, FEW)
        many = callgrind(server, program, function, MANY)
        for i, unit in enumerate(("instructions", "allocations")):
            yield f"{unit} of a {what}", (many[i] - few[i]) / (MANY - FEW)


class Lying(Canned):
    name = "lying"

    def command(self):
        return [*super().command(), "corrupt=yes"]


def check_control(ground):
    """The control of all that compares messages: one wrong octet is noticed."""
    for cls, errors in ((Canned, 0), (Lying, 1)):
        server = cls(ground, 1)
        server.messages = 1
        try:
            server.prepare()
            server.start()
            line = loads.run("pop3", {"address": server.pop3, "do": "stat,retr", "count": 1},
                             may_fail=True)
        finally:
            server.stop()
        if line["errors"] != errors:
            raise SystemExit(f"the generator found {line['errors']} errors in the messages of "
                             f"the {cls.name} server")


def run():
    """{figure: value}"""
    ground = grounds.make("memory")
    server = Site(ground, USERS)
    figures = {}
    try:
        check_control(ground)
        server.prepare()
        server.start()
        for part in (memory, system_calls):
            figures.update(part(server))
        server.stop()
        figures.update(instructions(server))
    finally:
        server.stop()
        ground.end()
    return figures
