# SPDX-License-Identifier: ISC
"""site - a whole popstore for a test: configuration, store, services, `popstore`"""

import itertools
import json
import os
import subprocess
import time
from pathlib import Path

from . import place
from .daemon import Daemon
from .wire import DEADLINE, free_port

PASSWORD = "sesam-öffne-dich 7"

# The cheapest hash that crypt_gensalt(3) makes: tests log in thousands of times.
FAST = {"auth": {"yescrypt_cost": 1}}

_numbers = itertools.count(1)


def _value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (list, tuple)):
        return "{" + ", ".join(_value(x) for x in v) + "}"
    if isinstance(v, int):
        return str(v)
    return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"'


def conf_text(conf):
    """popstore.conf from a dictionary of sections (and of plain settings)."""
    out = []
    for name, value in conf.items():
        if isinstance(value, dict):
            body = "".join(f"\t{k} = {_value(v)}\n" for k, v in value.items())
            out.append(f"{name} {{\n{body}}}\n")
        else:
            out.append(f"{name} = {_value(value)}\n")
    return "".join(out)


class Site:
    """Settings are given as sections: Site(lmtp={"max_message": 1000}).  A section
    set to None is left out, and so is its service."""

    def __init__(self, name="site", domains=("example.org",), **sections):
        self.dir = place.scratch(name)
        self.conf_file = self.dir / "popstore.conf"
        self.domains = domains
        self.lmtp = f"127.0.0.1:{free_port()}"
        self.lmtp_socket = str(self.dir / "lmtp")
        self.pop3 = f"127.0.0.1:{free_port()}"
        self.policy = f"127.0.0.1:{free_port()}"
        self.socketmap = f"127.0.0.1:{free_port()}"
        self.milter = f"127.0.0.1:{free_port()}"
        self.poppassd = f"127.0.0.1:{free_port()}"
        # For other programs; in the configuration of who asks for them.
        self.auth = str(self.dir / "auth")
        self.saslauthd = str(self.dir / "saslauthd")
        self.sieve = f"127.0.0.1:{free_port()}"
        host, port = self.milter.split(":")
        self.milter_conf = f"inet:{port}@{host}"
        self.conf = {
            "hostname": "mx.example.org",
            # The scratch folder may be in memory, or anywhere.
            "store": {"root": self.dir / "store", "trust_file_system": True},
            "lmtp": {"listen": [self.lmtp, self.lmtp_socket]},
            "pop3": {"listen": [self.pop3]},
            "policy": {"listen": [self.policy]},
            "socketmap": {"listen": [self.socketmap]},
            "milter": {"listen": [self.milter_conf]},
            "auth": dict(FAST["auth"]),
            "log": {"to": "stderr", "level": "info"},
        }
        for section, value in sections.items():
            if value is None:
                del self.conf[section]
            elif isinstance(value, dict):
                self.conf.setdefault(section, {}).update(value)
            else:
                self.conf[section] = value
        self.root = self.conf["store"]["root"]
        self.daemon = None

    def write_conf(self):
        self.conf_file.write_text(conf_text(self.conf), encoding="utf-8")

    # ---- life -------------------------------------------------------------------

    def init(self):
        self.write_conf()
        self.ctl("init")
        for domain in self.domains:
            self.ctl("domain", "add", domain)
        return self

    def start(self, prefix=(), env=None):
        self.daemon = Daemon([place.program("popstored"), "-c", self.conf_file],
                             self.dir / "log", prefix=prefix, env=env).start()
        try:
            self.daemon.wait_for(r"^ready$")
        except AssertionError:
            daemon, self.daemon = self.daemon, None
            daemon.kill()
            raise
        return self

    def stop(self):
        if self.daemon is not None:
            daemon, self.daemon = self.daemon, None
            daemon.stop()

    def kill(self):
        """Every process of ours dies at this instant."""
        self.daemon.kill()
        self.daemon.assert_clean()
        self.daemon = None

    def restart(self):
        self.stop()
        return self.start()

    def end(self):
        """For fixtures: stops what runs, and the folder goes away also when that
        was not a clean end."""
        try:
            self.stop()
        finally:
            place.discard(self.dir)

    # ---- popstore(8) ------------------------------------------------------------

    def command(self, *args):
        """`popstore ...`, as an argument vector."""
        return [place.program("popstore"), "-c", str(self.conf_file), *map(str, args)]

    def run(self, *args, stdin=None, timeout=DEADLINE * 3):
        """`popstore ...` with whatever outcome: a subprocess.CompletedProcess, text."""
        done = subprocess.run(self.command(*args), input=stdin, text=True,
                              capture_output=True, timeout=timeout, check=False)
        assert "Sanitizer" not in done.stderr and "runtime error:" not in done.stderr, \
            done.stderr
        return done

    def ctl(self, *args, stdin=None, status=0):
        """`popstore ...` that has to end with `status` (None: whatever); what it printed."""
        done = self.run(*args, stdin=stdin)
        assert status is None or done.returncode == status, \
            f"popstore {' '.join(map(str, args))}: status {done.returncode}\n" \
            f"{done.stdout}{done.stderr}"
        return done.stdout

    def ctl_json(self, *args, stdin=None, status=0):
        return json.loads(self.ctl("--json", *args, stdin=stdin, status=status))

    def add(self, name, password=PASSWORD, **switches):
        """An account; switches as quota="1M", flags="dismail"."""
        args = [x for k, v in switches.items() for x in (f"--{k}", v)]
        self.ctl("add", name, "--password-stdin", *args, stdin=password + "\n")
        return name

    def add_many(self, names, password=PASSWORD):
        names = list(names)
        self.ctl("add", "--from", "-",
                 stdin="".join(f"{name}\t{password}\n" for name in names))
        return names

    def new_name(self, local="user", domain=None):
        """A name no other test has."""
        return f"{local}{next(_numbers)}@{domain or self.domains[0]}"

    def new_account(self, local="user", **switches):
        return self.add(self.new_name(local), **switches)

    # ---- what is on the disk -----------------------------------------------------

    def volumes(self):
        return self.conf["store"].get("volumes") or [self.root]

    def wait_for_stamps(self):
        """Until no account has a profile or secret that is too young to be known by a stamp,
        and is read each time (STAMP_AGE_MS of store/storage_posix.c, in file times, which may
        lag behind the clock by a tick)."""
        for leaf in Path(self.root).glob("accounts/*/*/*/[ps]*"):
            time.sleep(max(0, leaf.stat().st_ctime + 2.1 - time.time()))

    def message_files(self):
        """The paths of all message files, as a set."""
        return {os.path.join(d, f) for v in self.volumes()
                for d, _, files in os.walk(os.path.join(v, "messages")) for f in files}

    def assert_sound(self):
        """`popstore check` finds nothing."""
        self.ctl("check")
