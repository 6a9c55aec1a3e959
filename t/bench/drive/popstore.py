# SPDX-License-Identifier: ISC
"""popstore - ours, with its defaults but for the numbers of connections"""

import subprocess

from lib import place
from lib.site import conf_text

from . import grounds
from .servers import PASSWORD, Server


class Popstore(Server):
    name = "popstore"
    connections = 1000  # by POP3
    settings = {}

    def prepare(self):
        self.lmtp, self.pop3, self.pop3s = self.address(), self.address(), self.address()
        self.policy, self.socketmap = self.address(), self.address()
        self.milter = self.address()
        host, port = self.milter.split(":")
        certificate, key = self.certificate
        conf = {
            "hostname": "mx.example.org",
            # tmpfs is not fit for mail, nor is every scratch disk; here they shall do.
            "store": {"root": self.dir / "store", "trust_file_system": True},
            "lmtp": {"listen": [self.lmtp], "max_connections": 1000},
            "pop3": {"listen": [self.pop3], "tls_listen": [self.pop3s],
                     "max_connections": self.connections,
                     "max_login_connections": min(self.connections, 10000)},
            "policy": {"listen": [self.policy]},
            "socketmap": {"listen": [self.socketmap]},
            "milter": {"listen": [f"inet:{port}@{host}"]},
            "tls": {"certificate": [certificate], "key": [key]},
            "auth": {},
            "log": {"to": "stderr", "level": "info"},
        }
        for section, values in self.settings.items():
            conf[section].update(values)
        self.conf = self.dir / "popstore.conf"
        self.conf.write_text(conf_text(conf))
        self.ctl("init")
        self.ctl("domain", "add", "example.org")
        if self.users:
            self.add(self.users)

    def add(self, users, first=0):
        subprocess.run([grounds.PROGRAMS / "people", f"conf={self.conf}", f"users={users}",
                        f"first_user={first}", f"password={PASSWORD}"], check=True,
                       stdout=subprocess.DEVNULL)

    def set_passwords(self, users):
        """Of accounts that were made without."""
        for i in range(users):
            self.ctl("passwd", f"user{i}@example.org", "--password-stdin",
                     stdin=PASSWORD + "\n")

    def ctl(self, *args, stdin=None):
        done = subprocess.run([place.program("popstore"), "-c", self.conf, *args], text=True,
                              input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"popstore {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def command(self):
        return [place.program("popstored"), "-c", self.conf]

    def is_ready(self):
        """popstored says so when it has recovered what a crash left, and all services run."""
        with open(self.log, "rb") as log:
            log.seek(self.log_begin)
            return b"\nready\n" in b"\n" + log.read()

    def version(self):
        done = subprocess.run(["git", "-C", place.TREE, "describe", "--always", "--dirty"],
                              text=True, capture_output=True, check=False)
        return done.stdout.strip() or "not from git"

    def checked(self):
        self.ctl("check")
