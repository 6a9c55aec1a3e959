# SPDX-License-Identifier: ISC
"""judge - what was promised, and whether a store that came through a cut keeps it

`Promises` holds, for each fact (see workload.py), the values that are right now.  `Examiner`
drives t/crash/examine.c, which recovers, checks and prints a store.  `faults()` compares
the two; an empty list is a good state.
"""

import re
import subprocess

from lib import place
from lib.site import conf_text

# What `popstore check` may find after a cut, and then mends: what is held for nobody, the
# end of a line that nobody was promised, half of a deletion, and a domain without its
# template (doc/INVARIANTS.md).
_LEFT_BEHIND = re.compile(r"I7 message \w+ is still held for \S+, who removed it$"
                          r"|I7 message \w+ is held for \S+, an account that was deleted$"
                          r"|I9 message \w+ is held for nobody$"
                          r"|I5 maildrop of \S+ ends in a piece of a line$"
                          r"|I4 account \S+ was (added or )?deleted halfway$"
                          r"|I3 .*default")

_RECORD_DAMAGED = re.compile(r"(?:I2 (?:profile|secret) of \S+: |\S+ )?"
                             r"(?:accounts|secrets)/../../([^/ ]+)(?:/profile)? is damaged: ")

_FACTS = ("domain", "account", "secret", "message", "forwarding")


class Promises:
    def __init__(self):
        self.facts = {}  # fact -> set of right values; without it: None
        self.version = 0

    def copy(self):
        other = Promises()
        other.facts = {fact: set(values) for fact, values in self.facts.items()}
        other.version = self.version
        return other

    def begin(self, changes):
        for fact, value in changes:
            self.facts.setdefault(tuple(fact), {None}).add(value)
        self.version += bool(changes)

    def answered(self, changes):
        for fact, value in changes:
            self.facts[tuple(fact)] = {value}
        self.version += bool(changes)

    def faults(self, seen):
        """`seen`: what examine printed, as lines.  What was promised has to be so
        before a repair and after it."""
        at = seen.index("changed") if "changed" in seen else len(seen)
        last = next((i for i, line in enumerate(seen) if line.startswith("left ")), len(seen))
        bad = self._of_facts(seen[:min(at, last)]) + list(seen[last:])
        if at < len(seen):
            bad += [f"after the repair: {f}" for f in self._of_facts(seen[at + 1:last])]
        return bad

    def _of_facts(self, seen):
        found, bad = {}, []
        for line in seen:
            kind, _, rest = line.partition(" ")
            if kind in _FACTS:
                *fact, value = line.split(" ", 3 if kind == "message" else 2)
                if tuple(fact) in found:
                    bad.append(f"twice: {line}")
                found[tuple(fact)] = value
            elif kind == "trouble" and not self._under_way(rest):
                bad.append(line)
            elif kind == "finding" and not _LEFT_BEHIND.match(rest) and \
                    not self._under_way(rest):
                bad.append(line)
        for fact, values in self.facts.items():
            value = found.pop(fact, None)
            if value not in values:
                bad.append(f"{' '.join(fact)}: {value or 'is gone'}, promised: " +
                           " or ".join(v or "gone" for v in sorted(values, key=str)))
        bad += [f"never heard of: {' '.join(fact)} {value}" for fact, value in found.items()]
        return bad

    def _under_way(self, text):
        """Records of an account that `add --from` is making need not be whole before it
        has ended."""
        name = _RECORD_DAMAGED.match(text)
        return name is not None and \
            len(self.facts.get(("account", name[1]), ())) > 1 and \
            None in self.facts["account", name[1]]


class Examiner:
    """A folder, and the program that makes stores in it and looks at them.  `folders`
    are the names of the root and of the volumes in it."""

    def __init__(self, folder, conf, names, build=True):
        self.folder, self.blobs, self.out = folder, {}, []
        self.octets = 0
        stores = [folder / n for n in names]
        conf = {**conf, "store": {**conf["store"], "root": stores[0]}}
        if len(stores) > 1:
            conf["store"]["volumes"] = stores[1:]
        self.conf_file = folder.parent / f"{folder.name}.conf"
        self.conf_file.write_text(conf_text(conf), encoding="utf-8")
        program = place.BIN.parent / "t" / "crash" / "examine"
        assert program.exists(), f"{program} is not built: make rigs"
        self.process = subprocess.Popen(
            [program, self.conf_file, folder if build else "/"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0 or exc[0] is not None, "examine failed"

    def say(self, line):
        self.out.append(line.encode("utf-8", "surrogateescape") + b"\n")

    def blob(self, data):
        if data not in self.blobs:
            self.octets += len(data)
            self.blobs[data] = len(self.blobs)
            self.say(f"blob {self.blobs[data]} {len(data)}")
            self.out.append(data)
        return self.blobs[data]

    def flush(self):
        self.process.stdin.write(b"".join(self.out))
        self.process.stdin.flush()
        self.out.clear()

    def build(self, state):
        if self.octets > 256 << 20:
            self.say("forget")
            self.blobs.clear()
            self.octets = 0
        self.say("clear")
        for path in sorted(state):
            if state[path] is None:
                self.say(f"dir {path}")
            else:
                number = self.blob(state[path])
                self.say(f"file {path} {number}")

    def look(self, how="recover repair"):
        self.say(f"look {how}")
        self.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().decode("utf-8", "surrogateescape")
            assert line, f"examine ended with {self.process.wait(60)}"
            if line == "end\n":
                return lines
            lines.append(line.rstrip("\n"))
