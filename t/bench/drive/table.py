# SPDX-License-Identifier: ISC
"""table - medians, spreads, ratios, and which targets are reached"""

from statistics import median

from . import servers
from .popstore import Popstore
from .rows import ROWS

PEERS = ("dovecot-sdbox", "dovecot-maildir", "cyrus")


def versions():
    return {"popstore": Popstore.version(None),
            "dovecot": servers.installed_version("dovecot-core"),
            "cyrus": servers.installed_version("cyrus-common")}


class Figures:
    """{(ground, row, server): samples}"""

    def __init__(self, samples):
        self.all = {}
        for s in samples:
            self.all.setdefault((s["ground"], s["row"], s["server"]), []).append(s)

    def values(self, ground, row, server, key="value"):
        return [s[key] for s in self.all.get((ground, row, server), [])
                if s.get(key) is not None]

    def median(self, ground, row, server, key="value"):
        values = self.values(ground, row, server, key)
        return median(values) if values else None

    def spread(self, ground, row, server):
        """Half of what lies between the smallest and the largest, of the median."""
        values = self.values(ground, row, server)
        return (max(values) - min(values)) / 2 / median(values) if values else None

    def best_peer(self, ground, row):
        found = [(self.median(ground, row, p), p) for p in PEERS]
        found = [x for x in found if x[0] is not None]
        return max(found) if found else (None, None)

    def ratio(self, ground, row):
        ours, (best, _) = self.median(ground, row, "popstore"), self.best_peer(ground, row)
        return ours / best if ours and best else None

    def of_limit(self, ground, row, limit):
        ours, bare = self.median(ground, row, "popstore"), self.median(ground, row, limit)
        return ours / bare if ours and bare else None

    def of_own(self, ground, row, other):
        """What popstore does in another form, of what it does by default."""
        ours, that = self.median(ground, row, "popstore"), self.median(ground, row, other)
        return that / ours if ours and that else None

    def grounds(self):
        return list(dict.fromkeys(g for g, _, _ in self.all))


def targets(results):
    """(what, goal, measured text, reached or None where it was not measured)"""
    f = Figures(results.get("compare", []))
    out = []

    def at_least(what, goal, got, form="{:.1f} x"):
        out.append((what, "at least " + form.format(goal),
                    form.format(got) if got is not None else "not measured",
                    got >= goal if got is not None else None))

    def at_most(what, goal, got, form):
        out.append((what, "at most " + form.format(goal),
                    form.format(got) if got is not None else "not measured",
                    got <= goal if got is not None else None))

    at_least("LMTP, 1 recipient, memory: against the best peer", 8, f.ratio("memory", "lmtp-1"))
    at_least("LMTP, 1 recipient, disk: against the best peer", 4, f.ratio("disk", "lmtp-1"))
    at_least("LMTP, 100 recipients, disk: against the best peer", 30,
             f.ratio("disk", "lmtp-r100"))
    for ground in ("disk", "memory"):
        at_least(f"POP3 login and STAT, {ground}: against the best peer", 4,
                 f.ratio(ground, "stat"))
        at_least(f"POP3 RETR of 8 KB, {ground}: against the best peer", 4,
                 f.ratio(ground, "retr"))
    for what, goal, row in (("RETR of 8 KB", 0.7, "retr"), ("login and STAT", 0.55, "stat")):
        at_least(f"POP3 {what}, memory: of the canned server", goal,
                 f.of_limit("memory", row, "canned"), "{:.0%}")
    for ground in ("disk", "memory"):
        at_least(f"LMTP with a filter of 30 rules, {ground}: of that without", 0.8,
                 f.of_own(ground, "lmtp-filters", "popstore-filters"), "{:.0%}")
    huge = f.median("memory", "stat-100000", "popstore", "p50_us")
    at_most("maildrop of 100,000: login and STAT, warm", 20, huge and huge / 1e3, "{:.1f} ms")
    at_least("verdicts inside the library, each core and second", 50000,
             f.median("memory", "inside", "popstore"), "{:,.0f}")
    # The short forms are smaller, and say nothing of these.
    idle = {(i["server"], i["tls"]): i["pss_kb"] / 1024 for i in results.get("idle", [])
            if i["sessions"] == 10000}
    at_most("10,000 idle sessions", 300, idle.get(("popstore", False)), "{:.0f} MB")
    at_most("10,000 idle sessions over TLS", 500, idle.get(("popstore", True)), "{:.0f} MB")
    million = results.get("million", {})
    if million.get("users") != 1_000_000:
        million = {}
    at_most("a million users: p99 of the login", 50,
            million.get("login_p99_ms"), "{:.1f} ms")
    at_most("a million users: p99 of the LMTP reply", 100,
            million.get("reply_p99_ms"), "{:.1f} ms")
    return out


def number(x, form="{:,.0f}"):
    return form.format(x) if x is not None else "-"


def rows_of(results, ground):
    """Cells of the table of one ground: what, unit, each server's median and spread, ratio."""
    f = Figures(results.get("compare", []))
    for row in ROWS:
        if f.median(ground, row.name, "popstore") is None:
            continue
        bare = f.median(ground, row.name, row.limit)
        yield [row.what, row.unit] + [
            number(f.median(ground, row.name, s)) for s in ("popstore",) + PEERS] + [
            number(bare), number(f.ratio(ground, row.name), "{:.1f}"),
            number(f.spread(ground, row.name, "popstore"), "{:.0%}")]


HEAD = ["", "", "popstore", *PEERS, "bare limit", "ratio", "±"]


def text(results):
    """For the terminal."""
    out = []
    for ground in Figures(results.get("compare", [])).grounds():
        lines = [HEAD] + list(rows_of(results, ground))
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
        out.append(f"\n{ground}: medians; ratio to the best peer")
        for line in lines:
            out.append("  ".join(c.ljust(w) if i < 2 else c.rjust(w)
                                 for i, (c, w) in enumerate(zip(line, widths))).rstrip())
    out.append("\ntargets")
    for what, goal, got, reached in targets(results):
        word = {True: "reached", False: "NOT reached", None: "-"}[reached]
        out.append(f"  {what:55} {goal:>20} {got:>14}  {word}")
    return "\n".join(out)
