# SPDX-License-Identifier: ISC
"""machine - on what the figures were made, and how much else ran there"""

import os
import platform
import re


def _first(path, pattern):
    with open(path, encoding="utf-8") as f:
        found = re.search(pattern, f.read(), re.M)
    return found[1].strip() if found else "?"


def describe():
    return {
        "processors": os.cpu_count(),
        "model": _first("/proc/cpuinfo", r"^model name\s*:(.*)$"),
        "memory_mb": int(_first("/proc/meminfo", r"^MemTotal:\s*(\d+)")) // 1024,
        "kernel": platform.release(),
        "system": _first("/etc/os-release", r'^PRETTY_NAME="(.*)"$'),
    }


class Noise:
    """How much of the processors was in use before anything was measured."""

    @staticmethod
    def _used():
        with open("/proc/stat", encoding="ascii") as f:
            fields = list(map(int, f.readline().split()[1:9]))
        return sum(fields) - fields[3] - fields[4], sum(fields)

    def __init__(self):
        self.begin = self._used()

    def share(self):
        used, total = (b - a for a, b in zip(self.begin, self._used()))
        return used / total if total else 0.0
