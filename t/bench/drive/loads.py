# SPDX-License-Identifier: ISC
"""loads - runs a program of t/bench, and has what it printed"""

import json
import os
import subprocess

from .grounds import PROGRAMS

LONGEST_S = 1800


def command(program, options):
    return [PROGRAMS / program, *(f"{k}={v}" for k, v in options.items())]


def result(argv, printed, status, may_fail=False):
    """The JSON line of a program; its errors end the benchmark, as wrong answers are no
    figures."""
    if not printed or (status != 0 and not may_fail):
        raise SystemExit(f"{' '.join(map(str, argv))}: status {status}\n{printed}")
    return json.loads(printed.splitlines()[-1])


def run(program, options, env=None, may_fail=False):
    done = subprocess.run(command(program, options), text=True, stdout=subprocess.PIPE,
                          timeout=LONGEST_S, check=False, env={**os.environ, **(env or {})})
    return result(done.args, done.stdout, done.returncode, may_fail)
