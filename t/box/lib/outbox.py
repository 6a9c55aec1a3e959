# SPDX-License-Identifier: ISC
"""outbox - a script in the place of sendmail(1)"""

import json
import sys

SENDMAIL = """#!{python}
# Writes down what it was given; the file `status` next to it says how it ends.
import json, os, sys
where = os.path.dirname(os.path.abspath(__file__))
body = sys.stdin.buffer.read()
with open(os.path.join(where, "mailed"), "a") as f:
    f.write(json.dumps({{"args": sys.argv[1:], "body": body.decode("latin-1")}}) + "\\n")
status = open(os.path.join(where, "status")).read()
if status != "0":
    print("not today", file=sys.stderr)
sys.exit(int(status))
"""


class Outbox:
    """A sendmail(1): what it was given, and how it ends."""

    def __init__(self, where):
        self.program, self.status = where / "sendmail", where / "status"
        self.mailed_file = where / "mailed"
        self.program.write_text(SENDMAIL.format(python=sys.executable))
        self.program.chmod(0o755)
        self.will(0)

    def will(self, status):
        self.status.write_text(str(status))
        self.mailed_file.write_text("")

    def mailed(self):
        return [json.loads(line) for line in self.mailed_file.read_text().splitlines()]


def rcpts(run):
    args = run["args"]
    return args[args.index("--") + 1:]


def sender(run):
    args = run["args"]
    return args[args.index("-f") + 1].strip("<>")
