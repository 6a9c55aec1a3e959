# SPDX-License-Identifier: ISC
"""processes - what a server and all its children have used of processor and memory"""

import os

TICK = os.sysconf("SC_CLK_TCK")


def _stats():
    """pid -> fields of /proc/<pid>/stat behind the name"""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                yield int(entry), f.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue


def tree(root):
    """Process ids of `root` and of what it started, and so on."""
    parents = {pid: int(fields[1]) for pid, fields in _stats()}
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def processor_s(root):
    """Of all of them, the children included that have ended."""
    pids = tree(root)
    return sum(sum(map(int, fields[11:15])) for pid, fields in _stats() if pid in pids) / TICK


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
