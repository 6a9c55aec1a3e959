# SPDX-License-Identifier: ISC
"""model - the shadow of a popstore: what each maildrop must hold, and what it may

The players (players.py) say what they are about to do before they do it, and what they
were answered; what they see in a maildrop is compared with the shadow at once.  A Copy
is a message in one maildrop:

    MUST    it was acknowledged, or was seen: it is there until somebody removes it
    MAY     nobody knows: the message was sent, or its removal asked for, and no answer
            came yet
    ASLEEP  it was in doubt and was not there; only a power cut can bring it back, by
            undoing what had not reached the disk
    NOT     never accepted, or removed for good

"""

import random
import re
import threading
from email.utils import formatdate

MUST, MAY, ASLEEP, NOT = "must", "may", "asleep", "not"


SERVICES = {"lmtp", "pop3", "verbs"}
# What check says of a file too many: a cut or a kill may leave it, and the repair takes it
# away (P4).
LEAKS = ("who removed it", "held for nobody", "an account that was deleted")


class Violation(AssertionError):
    """The store broke a promise."""


# ---- messages -----------------------------------------------------------------------

_LINES = (b"plain text", b".", b"..", b".dot", b"", b"From here on", b"x" * 700,
          "Grüße, naïve, 日本語".encode(), b"\xff\x80 latin", b"a:b", b"end ")
SIZES = (0, 1, 3, 30, 30, 300, 300, 3000)  # lines


HOST = "client.example.com"


def content_of(token):
    """The octets that are sent, the same whenever they are asked for: a retry is known by
    them.  A token ends in the second in which the MTA took the message."""
    rng, date = random.Random(token), formatdate(int(token.rsplit("-", 1)[1]))
    lines = [b"Received: from there.example.net (there.example.net [192.0.2.1])",
             f"\tby {HOST} (Postfix) with ESMTP id {token.replace('-', '')}".encode(),
             f"\tfor <list@example.com>; {date}".encode(),
             b"From: <sender@example.com>", b"Subject: " + token.encode(), b""]
    for _ in range(rng.choice(SIZES)):
        lines.append(rng.choice(_LINES) + b"%d" % rng.randrange(1000) * rng.randrange(9))
    return b"\r\n".join(lines) + b"\r\n"


_TOKEN = re.compile(rb"^Subject: (\S+)\r$", re.M)
_TRACE = re.compile(rb"Return-Path: <sender@example\.com>\r\n"
                    rb"Received: from " + re.escape(HOST.encode()) + rb" \([^)\r\n]*\)\r\n"
                    rb"\tby mx\.example\.org with LMTP id ([0-9a-v]{13});\r\n"
                    rb"\t[A-Z][a-z]{2}, [^\r\n]*\r\n")


def own_trace(name):
    return b"Delivered-To: " + name.encode() + b"\r\n"


class Message:
    """What a sender sends, once or, where an answer was lost, again.  The copies of one
    attempt share a file, and so their octets and their UIDL."""

    def __init__(self, token, number):
        self.token, self.number = token, number
        self.attempts = 1
        self.traces = {}  # what was put on top, by UIDL


class Copy:
    def __init__(self, message):
        self.message, self.state = message, MAY
        self.uidl, self.uidl_cuts = None, 0
        self.removing = False  # a QUIT is in doubt, not the delivery
        self.removed = False   # by its owner

    def octets(self, name):
        return own_trace(name) + self.message.traces[self.uidl] + \
            content_of(self.message.token)


class Account:
    def __init__(self, name, password):
        self.name = name
        self.exists = True             # None: nobody knows
        self.doubt = None              # after which verb
        self.life, self.version = 0, 0  # change with its existence, and with anything
        self.passwords, self.quotas = [password], [None]  # more than one: in doubt
        self.past = []                 # passwords that must not work any more
        self.copies = {}               # by token
        self.order, self.order_cuts = [], 0
        self.sessions = 0              # logins so far


# ---- all of it ----------------------------------------------------------------------


class Model:
    def __init__(self, seed):
        self.seed = seed
        self.lock = threading.RLock()
        self.now = 0
        self.accounts, self.by_uidl, self.by_token = {}, {}, {}
        self.cuts = 0
        self.exchanged = 0     # copies that took the UIDL of another attempt
        self.forwarding, self.targets = "f@example.org", [None]  # more than one: in doubt
        self.rough = set()     # of SERVICES: whose connections may break, or verbs die
        # The power is failing: every call may answer EIO, and what is answered now is no
        # promise.  A real cut answers nothing, but ext4's shutdown lets an fdatasync that
        # it overtakes return 0.
        self.trouble = False
        self.leaks = False     # something died in the middle: a file too many is allowed
        self.may_leak = set()  # UIDLs of what there was when something died
        self.steps, self.log = 0, []

    def tick(self, what):
        with self.lock:
            self.now += 1
            self.log.append(f"{self.now} {what}")
            return self.now

    def wrong(self, what):
        self.tick(f"VIOLATION {what}")
        raise Violation(what)

    def expect(self, condition, what):
        if not condition:
            self.wrong(what)

    def add(self, name, password):
        with self.lock:
            self.accounts[name] = Account(name, password)

    # ---- delivery -------------------------------------------------------------------

    def sending(self, token, names):
        """Just before the last octet of the message goes out.  A retry is no new copy where
        there is one, or was one that its owner removed."""
        with self.lock:
            m = self.by_token.get(token)
            if m is None:
                m = self.by_token[token] = Message(token, len(self.by_token))
            else:
                m.attempts += 1
            self.tick(f"send {token} {names}, attempt {m.attempts}")
            for name in names:
                copies = self.accounts[name].copies
                copy = copies.get(token)
                if copy is None or (copy.state == NOT and not copy.removed):
                    copies[token] = Copy(m)
                elif copy.state == ASLEEP:
                    copy.state = MAY
            return m

    def _uidl_names(self, m, uidl):
        other = self.by_uidl.setdefault(uidl, m)
        self.expect(other is m, f"UIDL {uidl} names {other.token} and {m.token}")

    def _uidl_is(self, name, copy, uidl):
        m = copy.message
        if copy.uidl not in (None, uidl):
            # doc/STORE.md, section 16: two attempts, and a cut took the line of the first.
            self.expect(m.attempts > 1 and self.cuts > copy.uidl_cuts,
                        f"{m.token} of {name} was {copy.uidl} and is now {uidl}")
            self.exchanged += 1
            self.tick(f"EXCHANGED {m.token} of {name} was {copy.uidl} and is now {uidl}")
        if copy.uidl != uidl:
            copy.uidl, copy.uidl_cuts = uidl, self.cuts
        if m.attempts == 1:
            shared = {c.uidl for a in self.accounts.values()
                      for c in (a.copies.get(m.token),) if c and c.uidl}
            self.expect(shared == {uidl}, f"{m.token} is {shared}")

    def stored(self, m, name, uidl):
        """250 for this recipient.  A retry is answered like the first attempt, but it names
        a file of its own, which may have gone again."""
        with self.lock:
            copy = self.accounts[name].copies[m.token]
            self._uidl_names(m, uidl)
            if m.attempts == 1 and copy.state != NOT:
                self._uidl_is(name, copy, uidl)
            if copy.state == MAY and not copy.removing and not self.trouble:
                copy.state = MUST

    def refused(self, m, name, certain):
        """Not certain: the answer was 451, and the disk may have it after all.  Another
        attempt may still be under way."""
        with self.lock:
            copy = self.accounts[name].copies[m.token]
            certain = certain and m.attempts == 1
            self.expect(copy.state != MUST or not certain,
                        f"{m.token} was refused for {name}, where it had been seen")
            if copy.state == MAY and certain:
                copy.state = ASLEEP

    # ---- a maildrop as a session sees it --------------------------------------------

    def before_login(self, name):
        """To be handed to listed(): what is there for certain now."""
        with self.lock:
            a = self.accounts[name]
            return a.life, {t for t, c in a.copies.items() if c.state == MUST}

    def logged_in(self, name):
        """The number of the session."""
        with self.lock:
            self.accounts[name].sessions += 1
            return self.accounts[name].sessions

    def identify(self, name, uidl, octets):
        """The token of a message nobody knows the UIDL of, by its octets."""
        found = _TOKEN.search(octets)
        self.expect(found, f"{name} has {uidl}, which nobody ever sent: {octets[:300]!r}")
        token = found[1].decode()
        with self.lock:
            m = self.by_token.get(token)
            self.expect(m, f"{name} has {uidl}, {token}, which was never sent to the end")
            self._uidl_names(m, uidl)
        return token

    def listed(self, name, session, known, tokens, uidls, quiet):
        """`tokens` is what the maildrop holds, in its order.  quiet: nothing is under
        way any more, so what is not there does not come.  False: the process of this
        session has died, and somebody else may have been at the maildrop since."""
        life, must = known
        with self.lock:
            a = self.accounts[name]
            if a.sessions != session or (self.rough and a.life != life):
                return False
            self.tick(f"list {name} {tokens}")
            self.expect(len(tokens) == len(set(tokens)), f"{name} has one twice: {tokens}")
            if a.life == life:
                lost = {t for t in must - set(tokens) if a.copies[t].state == MUST}
                self.expect(not lost, f"{name} has lost {sorted(lost)}")
            for token, uidl in zip(tokens, uidls):
                copy = a.copies.get(token)
                self.expect(copy, f"{name} has {token}, which was not sent there")
                self.expect(copy.state in (MUST, MAY),
                            f"{name} has {token}, which must not be there ({copy.state})")
                self._uidl_is(name, copy, uidl)
                copy.state, copy.removing = MUST, False
            for token, copy in a.copies.items():
                if copy.state == MAY and token not in tokens and (quiet or copy.removing):
                    copy.state = ASLEEP
            self._ordered(a, tokens)
            return True

    def _ordered(self, a, tokens):
        """What was seen in an order stays in it, and new ones come behind; a power cut
        may take lines, and recovery puts them at the end."""
        if a.order_cuts == self.cuts:
            old = [t for t in a.order if t in tokens]
            self.expect(tokens[:len(old)] == old,
                        f"{a.name} changed its order from {old} to {tokens}")
        a.order, a.order_cuts = list(tokens), self.cuts

    def received(self, name, token, octets):
        """A RETR, as it came."""
        with self.lock:
            copy = self.accounts[name].copies[token]
            traces, uidl = copy.message.traces, copy.uidl
            if uidl not in traces:
                trace = octets[len(own_trace(name)):len(octets) - len(content_of(token))]
                found = _TRACE.fullmatch(trace)
                self.expect(found and found[1].decode() == uidl,
                            f"{token} of {name} begins with {trace!r}")
                traces[uidl] = trace
            self.expect(octets == copy.octets(name), f"{token} of {name} has other octets")

    def known_octets(self, name, token):
        """None where nobody has read a copy of that file yet."""
        with self.lock:
            copy = self.accounts[name].copies[token]
            return copy.octets(name) if copy.uidl in copy.message.traces else None

    # ---- removal --------------------------------------------------------------------

    def removing(self, name, tokens):
        """Just before QUIT goes out."""
        with self.lock:
            self.tick(f"quit {name} removes {tokens}")
            for token in tokens:
                copy = self.accounts[name].copies[token]
                if copy.state == MUST:
                    copy.state, copy.removing = MAY, True

    def removed(self, name, tokens):
        """+OK."""
        with self.lock:
            self.tick(f"quit {name} done")
            for token in tokens:
                copy = self.accounts[name].copies[token]
                self.expect(copy.state != MUST, f"{name} has {token}, which it removed")
                if not self.trouble:
                    copy.state, copy.removed = NOT, True

    # ---- accounts -------------------------------------------------------------------

    def changing(self, a, what):
        """A verb begins or has ended that changes, makes or deletes this account."""
        with self.lock:
            a.version += 1
            self.tick(f"{what} {a.name}")

    def deleted(self, a):
        """And all its messages with it.  One that is on its way carries the incarnation
        that it was meant for, so it does not come to another."""
        with self.lock:
            for copy in a.copies.values():
                copy.state, copy.removed = NOT, False
            a.exists, a.order = False, []
            a.life += 1
            self.changing(a, "deleted")

    def made(self, a, password):
        with self.lock:
            a.past += a.passwords
            a.exists, a.passwords, a.quotas = True, [password], [None]
            a.life += 1
            self.changing(a, "made")

    # ---- what happens to everybody --------------------------------------------------

    def power_failed(self):
        with self.lock:
            self.cuts += 1
            self.leaks = True
            self.tick("POWER CUT")
            for a in self.accounts.values():
                for copy in a.copies.values():
                    if copy.state == ASLEEP:
                        copy.state = MAY

    def is_leak(self, finding):
        """A file too many, where one may be: something died in this round, or did so before
        and the message was there already."""
        return any(leak in finding for leak in LEAKS) and \
            (self.leaks or any(uidl in finding for uidl in self.may_leak))

    def counts(self):
        """How many copies are in which state."""
        out = {}
        for a in self.accounts.values():
            for copy in a.copies.values():
                out[copy.state] = out.get(copy.state, 0) + 1
        return out
