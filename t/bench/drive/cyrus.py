# SPDX-License-Identifier: ISC
"""cyrus - Cyrus 3.6: lmtpd with singleinstancestore, and pop3d

Debian lets one POP3 server be installed, so that cyrus-pop3d is fetched and unpacked under
build/, and its one program run from there; cyrus-common has all the rest.

Nothing listens to its syslog here, so that its log costs it next to nothing; mailboxes are
made by the first message."""

import os
import pwd
import subprocess

from lib import place

from .servers import PASSWORD, Server, installed_version, tool

MASTER = "/usr/sbin/cyrmaster"

POP3D_PACKAGE = "cyrus-pop3d"
UNPACKED = place.TREE / "build" / "peers"

IMAPD = """\
configdirectory: {dir}/conf
partition-default: {dir}/spool
defaultpartition: default
proc_path: {dir}/conf/proc
mboxname_lockpath: {dir}/conf/lock
servername: mx.example.org
admins: cyrus
singleinstancestore: 1
duplicatesuppression: 0
autocreate_quota: 0
autocreate_post: 1
hashimapspool: 1
allowplaintext: 1
popminpoll: 0
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
tls_server_cert: {certificate}
tls_server_key: {key}
maxmessagesize: 0
"""

SERVICES = """\
START {{
  recover cmd="ctl_cyrusdb -C {conf} -r"
}}
SERVICES {{
  lmtp cmd="lmtpd -C {conf} -a" listen="{lmtp}" prefork=4 maxchild={processes}
  pop3 cmd="{pop3d} -C {conf}" listen="{pop3}" prefork=8 maxchild={processes}
  pop3s cmd="{pop3d} -C {conf} -s" listen="{pop3s}" prefork=8 maxchild={processes}
}}
EVENTS {{
  checkpoint cmd="ctl_cyrusdb -C {conf} -c" period=30
}}
"""


def pop3d():
    program = UNPACKED / "usr/lib/cyrus/bin/pop3d"
    if not program.exists():
        UNPACKED.mkdir(parents=True, exist_ok=True)
        subprocess.run([tool("apt-get"), "-qq", "download", POP3D_PACKAGE], cwd=UNPACKED,
                       check=True)
        (archive,) = UNPACKED.glob("*.deb")
        files = subprocess.run([tool("dpkg-deb"), "--fsys-tarfile", archive], check=True,
                               capture_output=True).stdout
        subprocess.run([tool("tar"), "-x", "-C", UNPACKED,
                        f"./{program.relative_to(UNPACKED)}"], input=files, check=True)
    return program


class Cyrus(Server):
    name = "cyrus"
    user = "user%"
    processes = 1000

    def prepare(self):
        self.lmtp, self.pop3, self.pop3s = self.address(), self.address(), self.address()
        self.owner = pwd.getpwnam("cyrus")
        certificate, key = self.certificate
        for folder in ("conf", "spool", "conf/proc", "conf/lock", "conf/db", "conf/socket"):
            (self.dir / folder).mkdir()
        self.conf = self.dir / "imapd.conf"
        self.conf.write_text(IMAPD.format(dir=self.dir, certificate=certificate, key=key))
        self.services = self.dir / "cyrus.conf"
        self.services.write_text(SERVICES.format(
            conf=self.conf, lmtp=self.lmtp, pop3=self.pop3, pop3s=self.pop3s,
            pop3d=pop3d(), processes=self.processes))
        self.add_passwords()
        for folder, folders, files in os.walk(self.dir):
            for entry in [".", *folders, *files]:
                os.chown(os.path.join(folder, entry), self.owner.pw_uid, self.owner.pw_gid)

    def add_passwords(self):
        for i in range(self.logins):
            subprocess.run([tool("saslpasswd2"), "-p", "-c", "-f", self.dir / "sasldb2", "-u",
                            "mx.example.org", f"user{i}"], input=PASSWORD, text=True,
                           check=True)

    def command(self):
        return [MASTER, "-D", "-C", self.conf, "-M", self.services, "-p", self.dir / "pid"]

    def version(self):
        return installed_version("cyrus-common")
