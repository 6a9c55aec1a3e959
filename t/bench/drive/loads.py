# SPDX-License-Identifier: ISC
"""loads - runs a program of t/bench, and has what it printed"""

import json
import subprocess

from .grounds import PROGRAMS

LONGEST_S = 1800


def command(program, options):
    return [PROGRAMS / program, *(f"{k}={v}" for k, v in options.items())]


def run(program, options, may_fail=False):
    """The JSON line of a program; its errors end the benchmark, as wrong answers are no
    figures."""
    done = subprocess.run(command(program, options), text=True, capture_output=True,
                          timeout=LONGEST_S, check=False)
    if not done.stdout or (done.returncode != 0 and not may_fail):
        raise SystemExit(f"{' '.join(map(str, done.args))}: status {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
