# SPDX-License-Identifier: ISC
"""world - a popstore, its players, and what happens to them; and the audit afterwards

A round is played by all players at once, until so many steps are done; somewhere in it
something dies.  Then whoever is left finishes, everything is started again, and the audit
demands that store and model agree.
"""

import json
import os
import random
import signal
import tempfile
import threading

from lib.wire import DEADLINE, wait_until
from model import MUST, SERVICES, Model
from players import Keeper, Player, Reader, Sender, Session, server_sockets


class Auditor(Player):
    """Looks at every maildrop while nobody else does anything."""

    def maildrop(self, a):
        def log_in():
            for password in a.passwords:
                session = Session(self, a.name)
                if session.login(password, quiet=True):
                    return session
                session.wire.close()
            return None

        # What a process held that has just died may be in use a moment longer.
        s = wait_until(f"the maildrop of {a.name}", log_in)
        for n in s.there():
            s.retr(n)
        for look in (s.stat, s.list_all, s.uidl_all):
            look()
        for n in self.rng.sample(s.there(), min(3, len(s.there()))):
            s.top(n, self.rng.choice((0, 1, 5, 10000)))
        s.quit()
        s.wire.close()

    def old_password(self, a):
        if not a.past:
            return
        s = Session(self, a.name)
        s.wire.line()
        s.ask(f"USER {a.name}")
        answer = s.ask(f"PASS {self.rng.choice(a.past)}")
        s.wire.close()
        self.model.expect(answer.startswith(b"-ERR [AUTH]"),
                          f"{a.name} has an old password: {answer}")


class World:
    def __init__(self, site, seed):
        self.site, self.model = site, Model(seed)
        self.rng = random.Random(f"{seed}/world")
        self.tamper = lambda command, answer: answer  # for the controls
        self.retries = []
        self.round, self.count, self.over, self.failure = 0, 0, False, None
        self.news = threading.Condition()
        self.verbs, self.verbs_lock, self.kills_verbs = [], threading.Lock(), False
        self.kills, self.checkpoints = 0, 0
        self.events = {}

    def populate(self, fixed, volatile):
        names = [f"u{i}@example.org" for i in range(fixed)] + \
            [f"v{i}@example.org" for i in range(volatile)]
        self.site.add_many(names, "first-secret")
        for name in names:
            self.model.add(name, "first-secret")

    # ---- what the players ask for ---------------------------------------------------

    def playing(self):
        return not self.over

    def step(self):
        with self.news:
            self.count += 1
            self.model.steps += 1
            self.news.notify_all()

    def failed(self, e):
        with self.news:
            self.failure = self.failure or e
            self.over = True
            self.news.notify_all()

    def not_answered(self, token, names):
        with self.news:
            self.retries.append((token, names))

    def unanswered(self):
        """A message to be sent again, soon enough for it to be known again."""
        with self.news:
            while self.retries:
                token, names = self.retries.pop(0)
                if len(self.model.by_token) - self.model.by_token[token].number < 200:
                    return token, names
            return None

    # ---- a round --------------------------------------------------------------------

    def play(self, happening, steps):
        """`happening` is one of HAPPENINGS."""
        m = self.model
        self.round, self.count, self.over = self.round + 1, 0, False
        self.kills_verbs = happening == "kill verbs"
        m.tick(f"==== round {self.round}: {happening}")
        players = [Sender(self, f"s{i}") for i in range(3)] + \
            [Reader(self, f"r{i}") for i in range(3)] + [Keeper(self, "k")]
        for p in players:
            p.start()
        try:
            self._wait_steps(self.rng.randrange(steps))
            HAPPENINGS[happening](self)
            self._wait_steps(steps)
        finally:
            self.over = True
            for p in players:
                p.join(DEADLINE * 3)
            assert not any(p.is_alive() for p in players), "a player hangs"
        if self.failure is not None:
            raise self.failure
        if self.site.daemon is None:
            self.site.start()
        self.events[happening] = self.events.get(happening, 0) + 1
        self.audit()

    def _wait_steps(self, n):
        with self.news:
            self.news.wait_for(lambda: self.count >= n or self.over, DEADLINE * 3)

    # ---- what happens ---------------------------------------------------------------

    def _kill(self, program):
        pids = self.site.daemon.workers(program)
        for pid in self.rng.sample(pids, self.rng.randrange(1, len(pids) + 1)):
            self.model.tick(f"kill -9 {program}")
            os.kill(pid, signal.SIGKILL)
            self.kills += 1

    def kill_delivery(self):
        self.model.rough = {"lmtp"}
        self._kill("popstore-lmtpd")

    def kill_sessions(self):
        self.model.rough, self.model.leaks = {"pop3"}, True
        self._kill("popstore-pop3d")

    def kill_dispatcher(self):
        self.model.rough, self.model.leaks = {"lmtp", "pop3"}, True
        daemon, self.site.daemon = self.site.daemon, None
        self.model.tick("kill -9 popstored")
        os.kill(daemon.process.pid, signal.SIGKILL)
        self.kills += 1
        daemon.process.wait(DEADLINE)
        daemon.reader.join(DEADLINE)
        assert not daemon.reader.is_alive(), "services outlived popstored"
        self.over = True

    def kill_all(self):
        self.model.rough, self.model.leaks = SERVICES, True
        self.model.tick("kill -9 everything")
        self._end_verbs()
        self.site.kill()
        self.kills += 1
        self.over = True

    def _end_verbs(self):
        with self.verbs_lock:
            for p in self.verbs:
                p.kill()

    def stop(self):
        self.model.rough = {"lmtp", "pop3"}
        self.model.tick("SIGTERM")
        self.site.stop()
        self.over = True

    def reload(self):
        """POP3 sessions live through it; LMTP clients are taken leave of between commands."""
        self.model.rough = {"lmtp"}
        self.model.tick("SIGHUP")
        mark = self.site.daemon.mark()
        self.site.daemon.process.send_signal(signal.SIGHUP)
        self.site.daemon.wait_for("event=dispatch.ready", mark)

    def cut(self):
        self.model.rough, self.model.trouble = SERVICES, True
        self.model.tick("the power fails")
        with self.verbs_lock:
            running = list(self.verbs)
        self.site.power_fails(running)
        self.over = True
        self.model.power_failed()

    # ---- the audit ------------------------------------------------------------------

    def audit(self):
        """Store and model agree, now that nothing is under way."""
        m = self.model
        m.rough, m.trouble = set(), False
        wait_until("the services to finish", lambda: not server_sockets(
            self.site.lmtp, self.site.pop3), 60)
        m.tick("---- audit")
        auditor = Auditor(self, "audit")
        for a in m.accounts.values():
            self._settle(a)
            if a.exists:
                auditor.maildrop(a)
                auditor.old_password(a)
        self._forwarding()
        self._check()
        self.checkpoints += 1

    def _settle(self, a):
        """Ends all doubt about an account by a verb that nobody disturbs."""
        m = self.model
        shown = self.site.run("--json", "show", a.name)
        there = shown.returncode == 0
        m.expect(a.exists in (None, there), f"{a.name}: {shown.stdout}{shown.stderr}")
        if a.exists is None and there and a.doubt == "delete":
            a.exists = True
            m.changing(a, "still there")
        elif a.exists is None:
            if there:
                self.site.ctl("delete", a.name, "--yes")
            m.deleted(a)
            password = f"settled-secret-{m.now}"
            self.site.add(a.name, password)
            m.made(a, password)
        elif there:
            quota = json.loads(shown.stdout)["quota"]
            m.expect(quota in a.quotas, f"the quota of {a.name} is {quota}, not {a.quotas}")
        if a.exists and len(a.quotas) > 1:
            self.site.ctl("modify", a.name, "--quota", "none")
            a.quotas = [None]

    def _forwarding(self):
        m = self.model
        shown = self.site.run("--json", "show", m.forwarding)
        to = json.loads(shown.stdout)["targets"] if shown.returncode == 0 else None
        m.expect(to in m.targets, f"the forwarding is {to}, not {m.targets}")
        if len(m.targets) > 1:
            self.site.ctl("forward", m.forwarding, "u0@example.org")
            m.targets = [["u0@example.org"]]

    def _check(self):
        """Check judges only what the checkpoint has passed: of the messages that there are
        when something dies, old or new, a leak may come to light in a later round."""
        m = self.model
        done = self.site.run("--json", "check")
        found = [f"{f['invariant']} {f['what']}" for f in json.loads(done.stdout)["findings"]]
        m.expect(all(map(m.is_leak, found)), f"check: {found}")
        if found:
            self.site.ctl("check", "--repair")
            self.site.ctl("check")
        if m.leaks:
            m.may_leak |= set(m.by_uidl)
        m.leaks = False

    def end(self):
        """A clean end: no file but those that somebody holds."""
        self.site.stop()
        self._check()
        files = {os.path.basename(f) for f in self.site.message_files()}
        held = {c.uidl for a in self.model.accounts.values()
                for c in a.copies.values() if c.state == MUST}
        self.model.expect(files == held, f"files too many {sorted(files - held)}, "
                          f"too few {sorted(held - files)}")

    def write_log(self):
        """For who has to find out what happened."""
        fd, path = tempfile.mkstemp(prefix="popstore-model-", suffix=".log")
        with os.fdopen(fd, "w") as f:
            f.write("\n".join(self.model.log) + "\n\n---- services\n")
            f.write((self.site.dir / "log").read_text(errors="backslashreplace"))
        return path


HAPPENINGS = {
    "nothing": lambda world: None,
    "kill verbs": lambda world: None,
    "kill lmtpd": World.kill_delivery,
    "kill pop3d": World.kill_sessions,
    "kill popstored": World.kill_dispatcher,
    "kill everything": World.kill_all,
    "stop": World.stop,
    "reload": World.reload,
    "power cut": World.cut,
}
