# SPDX-License-Identifier: ISC
"""mta - real Postfix and real Sendmail, configured by conf-examples/ as shipped

Both run in the foreground with folders of their own, on 127.0.0.1 only, and need root
(Postfix changes users, Sendmail insists on being in a place that root owns).  Nothing
of an installed MTA is touched.  A test is an SMTP client from 127.0.0.5, which neither
of them trusts, so that it sees what a stranger sees.
"""

import contextlib
import re
import shutil
import smtplib
import subprocess
import sys

from . import place
from .daemon import Daemon
from .peer import Outside, Recorder
from .site import Site
from .wire import DEADLINE, free_port, wait_listening, wait_until

CLIENT = "127.0.0.5"
HOST = "mx.example.org"


def example(name, changes):
    """The text of conf-examples/NAME with changes between its marks "---- site" and
    "---- end of site", and nowhere else: what is tested is what is shipped."""
    out, inside, left = [], False, dict(changes)
    for line in (place.EXAMPLES / name).read_text(encoding="utf-8").splitlines(True):
        if "---- end of site" in line:
            inside = False
        elif "---- site" in line:
            inside = True
        elif inside and not line.lstrip().startswith(("#", "dnl #")):
            for old in changes:
                if old in line:
                    line = line.replace(old, changes[old])
                    left.pop(old, None)
        out.append(line)
    assert not inside, f"{name}: a site block has no end"
    assert not left, f"{name}: not in a site block: {list(left)}"
    return "".join(out)


class Mta:
    """What both have in common."""

    early = None  # "policy", "milter", "socketmap"

    def smtp(self):
        host, port = self.address.split(":")
        return smtplib.SMTP(host, int(port), local_hostname="client.example.com",
                            timeout=DEADLINE * 2, source_address=(CLIENT, 0))

    def send(self, recipients, content, sender="sender@example.com", options=()):
        """An SMTP transaction: {recipient: (code, text)}, and the good ones get it.
        Octets go through as they are."""
        with self.smtp() as smtp:
            smtp.ehlo()
            code, text = smtp.mail(sender, options)
            assert code == 250, text
            answers = {r: smtp.rcpt(r) for r in recipients}
            if any(code == 250 for code, _ in answers.values()):
                code, text = smtp.data(content)
                assert code == 250, text
            return answers

    def sendmail_script(self):
        """A sendmail(1) that submits to this instance."""
        raise NotImplementedError

    def queue(self):
        raise NotImplementedError

    def wait_queue_empty(self):
        wait_until("an empty queue", lambda: not self.queue(), DEADLINE * 2)

    def tail(self):
        raise NotImplementedError


POSTFIX_MAIN = """\
# Only what makes this instance private; the rest is conf-examples/postfix.
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file_prefixes = {dir}
maillog_file = {dir}/maillog
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1/32
myhostname = {host}
mydestination =
alias_maps =
local_recipient_maps =
default_database_type = hash
relayhost = [{outside.host}]:{outside.port}
# A test that has to wait for a retry waits a second.
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s

"""

POSTFIX_MASTER = """\
{smtp}    inet       n - n - -     smtpd
pickup    unix       n - n 60 1    pickup
cleanup   unix       n - n - 0     cleanup
qmgr      unix       n - n 1 1     qmgr
tlsmgr    unix       - - n 1000? 1 tlsmgr
rewrite   unix       - - n - -     trivial-rewrite
bounce    unix       - - n - 0     bounce
defer     unix       - - n - 0     bounce
trace     unix       - - n - 0     bounce
verify    unix       - - n - 1     verify
flush     unix       n - n 1000? 0 flush
proxymap  unix       - - n - -     proxymap
smtp      unix       - - n - -     smtp
relay     unix       - - n - -     smtp
lmtp      unix       - - n - -     lmtp
error     unix       - - n - -     error
retry     unix       - - n - -     error
discard   unix       - - n - -     discard
anvil     unix       - - n - 1     anvil
scache    unix       - - n - 1     scache
postlog   unix-dgram n - n - 1     postlogd
"""


def make_certificate(folder):
    """Of a day, for HOST: cert.pem and key.pem."""
    subprocess.run([place.tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
                    "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1"],
                   check=True, capture_output=True)
    (folder / "key.pem").chmod(0o600)
    return folder / "cert.pem"


# Where Cyrus SASL finds our plug-in beside its own; installed, it is among them.
SASL_PATH = f"{place.BIN.parent}/lib/sasl2:/usr/lib/x86_64-linux-gnu/sasl2"


class Postfix(Mta):
    """With `auth`, SMTP AUTH asks the two sockets of the site (site.auth, site.saslauthd)."""

    def __init__(self, site, early, extra="", relay=Recorder, auth=False):
        self.early, self.extra, self.auth = early, extra, auth
        self.dir = place.scratch("postfix")
        self.address = f"127.0.0.1:{free_port()}"
        self.recorder = relay(site.lmtp)
        self.outside = Outside()
        self.site = site

    def _configure(self):
        etc = self.dir / "etc"
        early = {"policy": {"127.0.0.1:10040": self.site.policy},
                 "milter": {"127.0.0.1:8891": self.site.milter},
                 "socketmap": {"127.0.0.1:10041": self.site.socketmap}}[self.early]
        for folder in ("etc", "queue", "data"):
            (self.dir / folder).mkdir()
        shutil.chown(self.dir / "data", "postfix")
        (etc / "main.cf").write_text(
            POSTFIX_MAIN.format(dir=self.dir, host=HOST, outside=self.outside)
            + example("postfix/10-delivery.cf", {"127.0.0.1:24": self.recorder.address})
            + example(f"postfix/20-{self.early}.cf", early) + self._configure_auth(etc)
            + self.extra, encoding="utf-8")
        (etc / "master.cf").write_text(POSTFIX_MASTER.format(smtp=self.address),
                                       encoding="utf-8")

    def _configure_auth(self, etc):
        if not self.auth:
            return ""
        (etc / "sasl").mkdir()
        (etc / "sasl" / "smtpd.conf").write_text(example("postfix/sasl/smtpd.conf", {
            "/popstore/saslauthd": self.site.saslauthd,
            "/popstore/auth": self.site.auth}), encoding="utf-8")
        self.certificate = make_certificate(self.dir)
        return example("postfix/30-smtp-auth.cf", {
            "/etc/popstore/mail.pem": str(self.certificate),
            "/etc/popstore/mail.key": str(self.dir / "key.pem")}) + \
            f"import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE " \
            f"POSTLOG_HOSTNAME SASL_PATH={SASL_PATH}\n"

    def postfix(self, *args):
        return subprocess.run([place.tool("postfix"), "-c", self.dir / "etc", *args],
                              check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)

    def start(self):
        self._configure()
        self.daemon = Daemon([place.tool("postfix"), "-c", self.dir / "etc", "start-fg"],
                             self.dir / "log").start()
        try:
            wait_listening(self.address, self.daemon.running)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.tail()}") from None
        return self

    def stop(self):
        try:
            self.postfix("stop")
            self.daemon.process.wait(DEADLINE * 2)
        finally:
            self.recorder.close()
            self.outside.close()
            if self.daemon.running():
                self.daemon.kill()
            place.discard(self.dir)

    def sendmail_script(self):
        return ("#!/bin/sh\n"
                f"exec {place.tool('sendmail')} -C {self.dir / 'etc'} \"$@\"\n")

    def queue(self):
        return [p for q in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")
                for p in (self.dir / "queue" / q).rglob("*") if p.is_file()]

    def tail(self):
        return "\n".join(self._maillog()[-40:]) + "\n" + self.daemon.tail()

    def _maillog(self):
        path = self.dir / "maillog"
        return path.read_text(encoding="utf-8", errors="replace").splitlines() \
            if path.exists() else []

    def warnings(self):
        """What it complains about, without what the machine causes (no NIS, no names for
        the addresses) and what a table has to do about a full mailbox."""
        return [line for line in self._maillog()
                if re.search(r" (warning|error|fatal|panic): ", line)
                and not re.search(r"NIS domain name not set|does not resolve to address"
                                  r"|mailbox is full|lookup error for \"full", line)]


# Sendmail and Postfix exclude each other as packages, so it is unpacked, not installed;
# with it the libraries and the m4 that a bare system lacks.
SUBMIT = """#!{python}
# -i -f SENDER -- RCPT...
import smtplib, sys
host, port = "{address}".rsplit(":", 1)
sender, recipients = sys.argv[3].strip("<>"), sys.argv[sys.argv.index("--") + 1:]
message = sys.stdin.buffer.read().replace(b"\\n", b"\\r\\n")
with smtplib.SMTP(host, int(port)) as smtp:
    smtp.sendmail(sender, recipients, message, ["BODY=8BITMIME"])
"""

SENDMAIL_PACKAGES = ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libwrap0",
                     "libnsl2", "libtirpc3", "libdb5.3", "libldap-2.5-0", "libsasl2-2"]
SENDMAIL_PARTS = ["usr/bin/m4", "usr/lib", "usr/libexec/sendmail/sendmail", "usr/share/sendmail/cf"]


def sendmail_tree():
    """The folder with Sendmail's files; filled once, kept with the build."""
    tree = place.TREE / "build" / "sendmail"
    if (tree / "done").exists():
        return tree
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    get = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *SENDMAIL_PACKAGES]
    if subprocess.run(get, cwd=tree, check=False, capture_output=True).returncode != 0:
        subprocess.run(["apt-get", "-q", "update"], check=True, capture_output=True)
        subprocess.run(get, cwd=tree, check=True, capture_output=True)
    # Of all that, the program, what it loads, and the .cf tree.
    for package in tree.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, tree / "all"], check=True)
        package.unlink()
    for part in SENDMAIL_PARTS:
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        (tree / "all" / part).rename(tree / part)
    shutil.rmtree(tree / "all")
    # What is unpacked elsewhere has to find itself, and a program with the set-gid bit
    # would ignore LD_LIBRARY_PATH.
    ostype = tree / "usr/share/sendmail/cf/ostype/debian.m4"
    ostype.write_text(ostype.read_text().replace("`/usr/share/sendmail",
                                                 f"`{tree}/usr/share/sendmail"))
    (tree / "usr/libexec/sendmail/sendmail").chmod(0o755)
    (tree / "done").touch()
    return tree


class Sendmail(Mta):
    early = "milter"

    def __init__(self, site, relay=Recorder, auth=False, extra=""):
        self.auth, self.extra = auth, extra
        # Sendmail refuses Unix sockets below a directory that all may write, as /tmp.
        self.dir = place.scratch("sendmail", "/run")
        self.address = f"127.0.0.1:{free_port()}"
        self.recorder = relay(site.lmtp_socket, str(self.dir / "lmtp"))
        self.outside = Outside()
        self.site = site

    def _configure(self, tree):
        host, port = self.address.split(":")
        cf = tree / "usr/share/sendmail/cf"
        mc = self.dir / "popstore.mc"
        text = example("sendmail/popstore.mc", {
            "/run/popstore/lmtp": self.recorder.address,
            "unix:/run/popstore/milter": self.site.conf["milter"]["listen"][0],
            # With it, what only a test needs: the rest of the world on this machine.
            "Addr=0.0.0.0, Port=25')dnl": f"""Addr={host}, Port={port}')dnl
define(`SMART_HOST', `[{self.outside.host}]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {self.outside.port}')dnl"""})
        mc.write_text(text.replace("MAILER(`smtp')dnl", self._configure_auth()
                                   + self.extra + "MAILER(`smtp')dnl"), encoding="utf-8")
        made = subprocess.run([tree / "usr/bin/m4", f"-D_CF_DIR_={cf}/", cf / "m4/cf.m4", mc],
                              check=True, capture_output=True)
        assert made.stderr == b"", made.stderr.decode()
        (self.dir / "sendmail.cf").write_bytes(made.stdout)
        (self.dir / "queue").mkdir(mode=0o700)
        # No DNS here: names come from a file of our own.
        (self.dir / "switch").write_text("hosts files\naliases files\n")
        (self.dir / "hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {HOST}\n"
                                        f"192.0.2.1 example.com\n192.0.2.2 example.org\n")

    def _configure_auth(self):
        if not self.auth:
            return ""
        (self.dir / "sasl").mkdir()
        (self.dir / "sasl" / "Sendmail.conf").write_text(example("sendmail/Sendmail.conf", {
            "/run/popstore/smtp/saslauthd": self.site.saslauthd,
            "/run/popstore/smtp/auth": self.site.auth}), encoding="utf-8")
        self.certificate = make_certificate(self.dir)
        # Sendmail keeps nothing of the environment but what is set by lines with E.
        return example("sendmail/smtp-auth.mc", {
            "/etc/popstore/mail.pem": str(self.certificate),
            "/etc/popstore/mail.key": str(self.dir / "key.pem"),
            "/etc/ssl/certs/ca-certificates.crt": str(self.certificate)}) + f"""\
LOCAL_CONFIG
ESASL_PATH={SASL_PATH}
ESASL_CONF_PATH={self.dir / "sasl"}
"""

    def start(self):
        tree = sendmail_tree()
        self._configure(tree)
        options = {"QueueDirectory": "queue", "PidFile": "pid", "ServiceSwitchFile": "switch",
                   "HostsFile": "hosts", "AliasFile": None, "StatusFile": None,
                   "HostStatusDirectory": None, "HelpFile": None}
        (libraries,) = (tree / "usr/lib").glob("*-linux-gnu*")
        # Without a dot in the machine's name it sleeps a minute first, so it gets a name
        # of its own.
        self.argv = ["env", f"LD_LIBRARY_PATH={libraries}",
                     "unshare", "--uts", "sh", "-c", f"hostname {HOST} && exec \"$@\"", "sh",
                     tree / "usr/libexec/sendmail/sendmail", "-C", self.dir / "sendmail.cf"]
        self.argv += [f"-O{k}={self.dir / v if v else ''}" for k, v in options.items()]
        # A loaded machine is no reason to deliver later, or to refuse connections.
        self.argv += ["-OQueueLA=10000", "-ORefuseLA=10000"]
        self.daemon = Daemon(self.argv + ["-bD", "-q1s", "-X", self.dir / "traffic"],
                             self.dir / "log").start()
        try:
            wait_listening(self.address, self.daemon.running)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.tail()}") from None
        return self

    def sendmail_script(self):
        """By SMTP: the program itself would have to be run where it finds its files,
        which takes rights that popstored leaves to nobody."""
        return SUBMIT.format(python=sys.executable, address=self.address)

    def stop(self):
        try:
            self.daemon.process.terminate()
            self.daemon.process.wait(DEADLINE)
        finally:
            self.recorder.close()
            self.outside.close()
            self.daemon.kill()
            place.discard(self.dir)

    def queue(self):
        return list((self.dir / "queue").iterdir())

    def tail(self):
        traffic = self.dir / "traffic"
        text = traffic.read_text(encoding="utf-8", errors="replace") if traffic.exists() else ""
        return "\n".join(text.splitlines()[-40:]) + "\n" + self.daemon.tail()

    def warnings(self):
        return []


# How an MTA can ask popstore, and which.
KINDS = {
    "postfix-policy": lambda site, **kw: Postfix(site, "policy", **kw),
    "postfix-milter": lambda site, **kw: Postfix(site, "milter", **kw),
    "postfix-socketmap": lambda site, **kw: Postfix(site, "socketmap", **kw),
    "sendmail-milter": Sendmail,
}


@contextlib.contextmanager
def behind(kind, **sections):
    """The popstore behind an MTA of KINDS, to be made and started; in order at its end."""
    # Sendmail refuses Unix sockets below a directory that all may write, as /tmp.
    sockets = place.scratch("milter", "/run")
    site = Site("mx", **sections)
    try:
        site.conf["sendmail"] = site.dir / "sendmail"
        if kind == "sendmail-milter":
            site.conf["milter"]["listen"] = [f"unix:{sockets}/milter"]
        yield site
        site.assert_sound()
        site.daemon.assert_no_errors()
    finally:
        site.end()
        place.discard(sockets)


@contextlib.contextmanager
def running(kind, site):
    """The MTA, and its sendmail(1) for the site."""
    mta = KINDS[kind](site)
    try:
        mta.start()
        script = site.dir / "sendmail"
        script.write_text(mta.sendmail_script())
        script.chmod(0o755)
        yield mta
    finally:
        mta.stop()


@contextlib.contextmanager
def telling_the_log(request):
    """A test that fails says what the MTA logged."""
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before and "mta" in request.fixturenames:
        print(request.getfixturevalue("mta").tail())
