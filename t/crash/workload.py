# SPDX-License-Identifier: ISC
"""workload - every operation of the store, one after the other, with what each promises

    python3 t/crash/workload.py FOLDER     for strace: see calls.py

A step does one thing to a running site and says which facts are other ones after it.  A
fact is what t/crash/examine.c prints: a kind, a name, and a value.  Before the step the
old value holds, after its answer the new one, and in between either.  What the values
are is read from the records and message files and compared with what was asked for.
"""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "box"))

from lib import place  # noqa: E402
from lib.mail import Lmtp, Pop3, dot_stuffed, message  # noqa: E402
from lib.site import PASSWORD, Site  # noqa: E402

FLAGS = {"DISMAIL": 1, "DISUSER": 2, "LOCKPWD": 4}
NO_QUOTA = (1 << 64) - 1

# A long name makes long lines, so that few messages make a long history.
ALICE, BOB, CAROL, DAVE, ERIN = (f"{n}@example.org" for n in
                                 ("alice", "bob", "carol", "dave", "erin".ljust(64, "n")))

# What the answer is that a step waits for: the LMTP answers to a message, the answer to
# QUIT, the end of `popstore` with status 0.
LMTP, QUIT, EXIT = "lmtp", "quit", "exit"


class Step:
    def __init__(self, name, answer):
        self.name, self.answer = name, answer
        self.changes = []  # [[kind, name, ...], value]; value None: it is gone

    def as_json(self):
        return {"name": self.name, "answer": self.answer, "changes": self.changes}


class Workload:
    """`mark` writes a line where the recorder sees it, between what the store does."""

    def __init__(self, site, mark):
        self.site, self.mark, self.steps = site, mark, []
        self.held = {}  # account -> ids, oldest first
        self.passwords = {}  # that are not PASSWORD

    @contextmanager
    def step(self, name, answer=None):
        number, s = len(self.steps), Step(name, answer)
        self.steps.append(s)
        self.mark(f"begin {number}")
        yield s
        self.mark(f"end {number}")

    # ---- what is on the disk ------------------------------------------------------

    def record(self, tree, name, leaf=""):
        """The fields of a record, as they stand."""
        path, = Path(self.site.root, tree).glob(f"*/*/{name}/{leaf}" if leaf else f"*/*/{name}")
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        return dict(line.partition(" ")[::2] for line in lines)

    def account_fact(self, name, **asked):
        r = self.record("accounts", name, "profile")
        for key, value in asked.items():
            assert r[key] == value, f"{name} has {key} {r[key]}, not {value}"
        flags = sum(FLAGS[f] for f in r["flags"].split(",") if f)
        quota = NO_QUOTA if r["quota"] == "none" else int(r["quota"])
        return [["account", name], f"{r['uid']} {flags} {quota} {r['overdraft']}"]

    def secret_fact(self, name):
        r = self.record("secrets", name)
        return [["secret", name], f"{r['uid']} {r['hash']}"]

    def message_facts(self, names, id_, content):
        path, = (p for p in self.site.message_files() if p.endswith("/" + id_))
        data = Path(path).read_bytes()
        head = dict(line.partition(b" ")[::2] for line in data[:400].split(b"\n"))
        assert data.endswith(dot_stuffed(content)), f"{path} is not what was sent"
        facts = []
        for name in names:
            size = int(head[b"size"]) + len(f"Delivered-To: {name}\r\n")
            facts.append([["message", name, id_],
                          f"{size} {int(head[b'stored'])} {head[b'body-sum'].decode()}"])
        return facts

    # ---- steps ----------------------------------------------------------------------

    def start(self, name="start", **how):
        with self.step(name):
            self.site.start(**how)

    def stop(self):
        with self.step("clean shutdown, with a checkpoint"):
            self.site.stop()

    def kill(self):
        """All processes of ours die; what the next start finds is not lost."""
        with self.step("kill -9"):
            self.site.kill()

    def ctl(self, name, *args, stdin=None):
        with self.step(name, EXIT) as s:
            self.site.ctl(*args, stdin=stdin)
        return s

    def deliver(self, name, recipients, octets=200):
        n = sum(map(len, self.held.values()))
        # Lines of 70 octets, and one that begins with a dot.
        content = message(f"{n}", b".x\r\n" + (b"%d" % n * 70)[:70].ljust(70) + b"\r\n")
        content += (b"y" * 70 + b"\r\n") * (octets // 72)
        with Lmtp(self.site.lmtp) as lmtp:
            with self.step(name, LMTP) as s:
                answers = lmtp.send(recipients, content)
                for a in answers:
                    assert a.startswith("250 2.0.0 ") and a.endswith(" stored"), answers
                id_ = answers[0].split()[2]
                s.changes += self.message_facts(recipients, id_, content)
        for r in recipients:
            self.held.setdefault(r, []).append(id_)

    def session(self, name, account, retrieve=(), delete=()):
        """Numbers count from 0, oldest first."""
        pop3 = Pop3(self.site, account, self.passwords.get(account, PASSWORD))
        ids = [u.decode().split()[1] for u in pop3.uidl()[1]]
        assert ids == self.held[account], f"UIDLs of {account}: {ids}"
        for n in retrieve:
            pop3.retr(n + 1)
        for n in delete:
            pop3.dele(n + 1)
        with self.step(name, QUIT) as s:
            s.changes += [[["message", account, ids[n]], None] for n in delete]
            pop3.quit()
        self.held[account] = [i for n, i in enumerate(ids) if n not in set(delete)]

    def add(self, name, account):
        s = self.ctl(name, "add", account, "--password-stdin", stdin=PASSWORD + "\n")
        s.changes += [self.account_fact(account, flags="", quota="none"),
                      self.secret_fact(account)]

    def add_many(self, name, accounts):
        s = self.ctl(name, "add", "--from", "-",
                     stdin="".join(f"{a}\t{PASSWORD}\n" for a in accounts))
        for account in accounts:
            s.changes += [self.account_fact(account, flags="", quota="none"),
                          self.secret_fact(account)]

    def delete(self, name, account):
        s = self.ctl(name, "delete", account)
        s.changes += [[["account", account], None], [["secret", account], None]]
        s.changes += [[["message", account, i], None] for i in self.held.pop(account, [])]

    def passwd(self, name, account, password):
        s = self.ctl(name, "passwd", account, "--password-stdin", stdin=password + "\n")
        s.changes.append(self.secret_fact(account))
        Pop3(self.site, account, password).quit()
        self.passwords[account] = password

    def modify(self, name, account, switches, **asked):
        s = self.ctl(name, "modify", account, *switches)
        s.changes.append(self.account_fact(account, **asked))

    def forward(self, name, forwarding, targets):
        s = self.ctl(name, "forward", forwarding, *targets)
        s.changes.append([["forwarding", forwarding], " ".join(targets)])

    def noforward(self, name, forwarding):
        self.ctl(name, "noforward", forwarding).changes.append(
            [["forwarding", forwarding], None])

    def domain(self, name, domain, alias_of=None):
        self.ctl(name, "domain", "add", domain,
                 *(["--alias", alias_of] if alias_of else [])).changes.append(
            [["domain", domain], alias_of or "-"])

    def no_domain(self, name, domain):
        self.ctl(name, "domain", "delete", domain).changes.append([["domain", domain], None])

    # ---- the whole ------------------------------------------------------------------

    def prepare(self):
        """What is there before the first cut: four accounts."""
        self.site.init()
        self.site.add_many([ALICE, BOB, CAROL, ERIN])
        with self.step("what was there before") as s:
            s.changes.append([["domain", "example.org"], "-"])
            for name in (ALICE, BOB, CAROL, ERIN):
                s.changes += [self.account_fact(name), self.secret_fact(name)]

    def compact(self, messages):
        """A maildrop of which most is history is written anew.  How the history came to
        be is no news: the mark `pause` says so."""
        self.mark("pause")
        for _ in range(messages):
            self.deliver("one for a long history", [ERIN])
        self.mark("go on")
        self.session("compaction", ERIN, delete=range(messages - 2))

    def everything(self, **how):
        """All operations; the first message makes the directories of its minute."""
        self.start(**how)
        self.deliver("deliver to one", [ALICE])
        self.deliver("deliver to many", [ALICE, BOB, CAROL])
        self.deliver("deliver many blocks", [BOB], octets=9000)
        self.session("read mark", ALICE, retrieve=[0])
        self.deliver("deliver behind a read mark", [ALICE])
        self.session("delete, not the last recipient", ALICE, delete=[1])
        self.session("delete, the last recipient", BOB, retrieve=[1], delete=[1])
        self.passwd("password change", CAROL, "another 1")
        self.modify("profile change", BOB, ["--quota", "50M", "--flags", "lockpwd"],
                    quota=str(50 << 20), flags="LOCKPWD")
        self.forward("forward", "sales@example.org", [ALICE])
        self.forward("forward elsewhere", "sales@example.org", [BOB, "x@example.com"])
        self.noforward("noforward", "sales@example.org")
        self.add("add an account", DAVE)
        self.deliver("deliver to the new account", [DAVE, CAROL])
        self.delete("delete an account", DAVE)
        self.add("add it again", DAVE)
        self.deliver("deliver to it again", [DAVE])
        self.add_many("add many accounts", [f"{n}@example.org" for n in ("frank", "grace")])
        self.domain("add a domain", "example.com")
        self.domain("add an alias domain", "example.net", "example.org")
        self.no_domain("delete an alias domain", "example.net")
        self.no_domain("delete a domain", "example.com")
        self.compact(36)
        self.kill()
        self.start("recovery after kill -9", **how)
        self.deliver("deliver after recovery", [CAROL, BOB])
        self.stop()
        self.start("start after a clean end", **how)
        self.session("delete across a checkpoint", CAROL, delete=[0, 1])
        self.deliver("deliver once more", [ALICE])
        self.stop()

    def as_json(self):
        return json.dumps([s.as_json() for s in self.steps], indent=1)


def main(folder):
    """Makes FOLDER/site.json: where the site is and what it promised, beside what strace
    writes.  Everything stays for the caller, who removes it."""
    folder = Path(folder)
    marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    site = Site("calls", milter=None, policy=None, socketmap=None,
                lmtp={"workers": 1, "delivered_to": True}, pop3={"workers": 1})
    site.conf["store"].update(checkpoint="10m",
                              volumes=[site.dir / "vol1", site.dir / "vol2"])
    work = Workload(site, lambda text: os.write(marks, text.encode() + b"\n"))
    try:
        work.prepare()
        work.mark("record")
        work.everything()
    finally:
        site.stop()
        (folder / "site.json").write_text(json.dumps(
            {"dir": str(site.dir), "steps": [s.as_json() for s in work.steps]}))


if __name__ == "__main__":
    main(sys.argv[1])
