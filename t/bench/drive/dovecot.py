# SPDX-License-Identifier: ISC
"""dovecot - Dovecot 2.3: lmtp and pop3, sdbox or Maildir

Tuned as its documentation says for many users: login processes are kept (service_count=0),
and so are processes after a session, which by default end with it."""

import os
import pwd

from .servers import PASSWORD, Server, installed_version, tool

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {log}
protocols = lmtp pop3
listen = 127.0.0.1
import_environment = LD_PRELOAD POPSTORE_SYNC_MS
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 64M
mail_fsync = optimized
mail_location = {location}
mail_max_userip_connections = 0
first_valid_uid = {uid}
first_valid_gid = {gid}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%2.256Hu/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
  process_min_avail = 4
  process_limit = {processes}
  service_count = 0
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
  service_count = 0
  process_min_avail = 2
  client_limit = {processes}
}}
service pop3 {{
  service_count = {reuse}
  process_min_avail = 4
  process_limit = {processes}
}}
service auth {{
  client_limit = 30000
}}
service anvil {{
  client_limit = 30000
}}
"""


class Dovecot(Server):
    location = None
    processes = 2000
    reuse = 1000

    def prepare(self):
        self.lmtp, self.pop3, self.pop3s = self.address(), self.address(), self.address()
        owner = pwd.getpwnam("mail")
        mail = self.dir / "mail"
        mail.mkdir(mode=0o700)
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        certificate, key = self.certificate
        port = [a.split(":")[1] for a in (self.lmtp, self.pop3, self.pop3s)]
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(CONF.format(
            dir=self.dir, log=self.log, certificate=certificate, key=key, uid=owner.pw_uid,
            gid=owner.pw_gid, location=self.location, lmtp=port[0], pop3=port[1],
            pop3s=port[2], processes=self.processes, reuse=self.reuse))
        (self.dir / "passwd").write_text("".join(
            f"user{i}@example.org:{PASSWORD}\n" for i in range(self.users)))

    def command(self):
        return [tool("dovecot"), "-F", "-c", self.conf]

    def version(self):
        return installed_version("dovecot-lmtpd")


class DovecotSdbox(Dovecot):
    name = "dovecot-sdbox"
    location = "sdbox:~/sdbox"


class DovecotMaildir(Dovecot):
    name = "dovecot-maildir"
    location = "maildir:~/Maildir"
