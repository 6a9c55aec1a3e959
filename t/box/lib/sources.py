# SPDX-License-Identifier: ISC
"""sources - who else knows who one is: real Dovecot, saslauthd, sasldb, slapd and Kerberos

Users are a dictionary, {"carol@example.org": "her secret 1"}.
"""

import os
import shutil
import subprocess

from . import certificate, place
from .daemon import Daemon
from .wire import DEADLINE, free_port, wait_listening, wait_until

DOVECOT = """protocols = pop3 imap
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
ssl = yes
ssl_cert = <{dir}/localhost.pem
ssl_key = <{dir}/localhost.key
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%u
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {pop3s}
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
  }}
}}
service auth {{
  unix_listener auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={dir}/mail/%u
}}
"""


class Dovecot:
    """POP3 and IMAP, with TLS and without; `.ports` by protocol, `.ca` is its certificate.
    It makes nobody wait who is wrong."""

    def __init__(self, users):
        self.dir = place.scratch("dovecot")
        self.ports = {name: free_port() for name in ("pop3", "pop3s", "imap", "imaps")}
        self.ca, _ = certificate.make(self.dir, "localhost", "localhost", "127.0.0.1", rsa=True)
        self._write("users", "".join(f"{u}:{{PLAIN}}{p}::::::\n" for u, p in users.items()))
        self._write("conf", DOVECOT.format(dir=self.dir, **self.ports))
        (self.dir / "mail").mkdir()
        os.chown(self.dir / "mail", 65534, 65534)
        self.daemon = Daemon([place.tool("dovecot"), "-F", "-c", self.dir / "conf"],
                             self.dir / "out")

    def _write(self, name, text):
        (self.dir / name).write_text(text, encoding="utf-8")

    def __enter__(self):
        self.daemon.start()
        for port in self.ports.values():
            wait_listening(f"127.0.0.1:{port}", self.daemon.running)
        return self

    def __exit__(self, *exc):
        self.kill()
        place.discard(self.dir)

    def kill(self):
        if self.daemon.process is not None:
            self.daemon.kill()

    def url(self, protocol, options=""):
        return f"{protocol}://127.0.0.1:{self.ports[protocol]}{options.format(ca=self.ca)}"


class Saslauthd:
    """Its socket is `.socket`.  `etc` are files that it finds in /etc, and nobody else does:
    {"pam.d/smtp": "auth required pam_unix.so\\n"}, or {"sasldb2": path}."""

    def __init__(self, mechanism, *arguments, etc=None):
        self.dir = place.scratch("saslauthd")
        self.socket = self.dir / "mux"
        self.daemon = Daemon([place.tool("saslauthd"), "-d", "-n", "2", "-m", self.dir,
                              "-a", mechanism, *arguments], self.dir / "log",
                             prefix=self._with(etc or {}))

    def _with(self, etc):
        if not etc:
            return []
        folder = self.dir / "etc"
        for name, content in etc.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                (folder / name).write_text(content, encoding="utf-8")
            else:
                shutil.copyfile(content, folder / name)
        return [place.tool("unshare"), "-m", "sh", "-c",
                f"mount -t overlay -o lowerdir={folder}:/etc overlay /etc && exec \"$@\"", "sh"]

    def __enter__(self):
        self.daemon.start()
        wait_until("saslauthd", self.socket.exists)
        return self

    def __exit__(self, *exc):
        self.kill()
        place.discard(self.dir)

    def kill(self):
        self.daemon.kill()


SLAPD = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/pid
authz-policy to
authz-regexp "^uid=([^,@]+)(@example.org)?(,cn=[^,]+)*,cn=auth$" "uid=$1,dc=example,dc=org"
password-hash {{CLEARTEXT}}
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw admin
directory {dir}/db
"""
# `proxy` may look up the passwords of others, for ldapdb.
LDIF = """dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: uid=proxy,dc=example,dc=org
objectClass: account
objectClass: simpleSecurityObject
uid: proxy
userPassword: proxy-secret
authzTo: dn.regex:^uid=[^,]*,dc=example,dc=org$
"""
LDIF_USER = """
dn: uid={name},dc=example,dc=org
objectClass: account
objectClass: simpleSecurityObject
uid: {name}
userPassword: {password}
"""


class Slapd:
    """LDAP; users by their local part.  `.ldapdb` are the options of that plug-in."""

    def __init__(self, users):
        self.dir = place.scratch("slapd")
        (self.dir / "db").mkdir()
        conf = self.dir / "conf"
        conf.write_text(SLAPD.format(dir=self.dir), encoding="utf-8")
        ldif = LDIF + "".join(LDIF_USER.format(name=n, password=p) for n, p in users.items())
        subprocess.run([place.tool("slapadd"), "-f", conf], input=ldif, text=True, check=True,
                       timeout=DEADLINE)
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"ldap://{self.address}"
        self.ldapdb = [f"ldapdb_uri {self.url}", "ldapdb_id proxy", "ldapdb_pw proxy-secret",
                       "ldapdb_mech SCRAM-SHA-256"]
        self.daemon = Daemon([place.tool("slapd"), "-f", conf, "-h", f"{self.url}/", "-d", "0"],
                             self.dir / "log")

    def __enter__(self):
        self.daemon.start()
        wait_listening(self.address, self.daemon.running)
        return self

    def __exit__(self, *exc):
        self.kill()
        place.discard(self.dir)

    def kill(self):
        if self.daemon.process is not None:
            self.daemon.kill()


def sasldb(folder, users):
    """The file, for the option sasldb_path."""
    file = folder / "sasldb2"
    for name, password in users.items():
        user, realm = name.split("@")
        subprocess.run([place.tool("saslpasswd2"), "-p", "-c", "-f", file, "-u", realm, user],
                       input=password, text=True, check=True, timeout=DEADLINE)
    return file


KRB5 = """[libdefaults]
 default_realm = EXAMPLE.ORG
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 EXAMPLE.ORG = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 .example.org = EXAMPLE.ORG
 localhost = EXAMPLE.ORG
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
"""
KDC = """[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 EXAMPLE.ORG = {{
  database_name = {dir}/principal
  key_stash_file = {dir}/stash
  acl_file = {dir}/acl
 }}
"""


class Kdc:
    """Kerberos, of alice, nobody and one service: `.keytab` for the server, which needs
    `.server_env`, and `.env` for clients."""

    def __init__(self, service):
        self.dir, self.port = place.scratch("kdc"), free_port()
        for name, text in (("krb5.conf", KRB5), ("kdc.conf", KDC)):
            (self.dir / name).write_text(text.format(dir=self.dir, port=self.port),
                                         encoding="utf-8")
        self.server_env = {"KRB5_CONFIG": str(self.dir / "krb5.conf")}
        self.env = dict(os.environ, **self.server_env,
                        KRB5_KDC_PROFILE=str(self.dir / "kdc.conf"),
                        KRB5CCNAME=f"FILE:{self.dir}/tickets")
        self.keytab = self.dir / "keytab"
        self._run("kdb5_util", "create", "-s", "-r", "EXAMPLE.ORG", "-P", "master")
        for line in ("addprinc -pw her-secret alice", "addprinc -pw her-secret nobody",
                     f"addprinc -randkey {service}", f"ktadd -k {self.keytab} {service}"):
            self._run("kadmin.local", "-r", "EXAMPLE.ORG", "-q", line)
        self.daemon = Daemon([place.tool("krb5kdc"), "-n", "-P", self.dir / "pid"],
                             self.dir / "log", env=self.env)

    def _run(self, *argv, stdin=""):
        subprocess.run([place.tool(argv[0]), *argv[1:]], env=self.env, input=stdin, text=True,
                       check=True, timeout=DEADLINE, capture_output=True)

    def kinit(self, name):
        self._run("kinit", name, stdin="her-secret\n")

    def __enter__(self):
        self.daemon.start()
        wait_listening(f"127.0.0.1:{self.port}", self.daemon.running)
        return self

    def __exit__(self, *exc):
        self.daemon.kill()
        place.discard(self.dir)
