# SPDX-License-Identifier: ISC
"""filters - popstore, and a script of 30 rules of its own for each user that gets mail"""

from concurrent.futures import ThreadPoolExecutor

from .popstore import Popstore
from .rows import TAKING

TESTS = [
    'header :contains "subject" "number {0} of"',
    'header :matches ["from", "sender"] "*list-{0}@*"',
    'header :is "x-mailer" "Mailer {0}"',
    'address :is ["from", "to", "cc"] "user{0}@example.com"',
    'address :domain :is "from" ["a{0}.example.com", "b.example.com"]',
    'exists ["x-header-{0}", "x-other"]',
    "size :over 1{0}M",
    'anyof (header :contains "list-id" "group-{0}.", header :is "precedence" "bulk")',
    'allof (header :contains "to" "user", header :contains "subject" ["letter", "{0}x"])',
    'address :localpart :matches ["to", "cc"] ["root-{0}*", "postmaster*"]',
]


def script(rules=30):
    """None of its rules is true: all of them are tried."""
    return 'require "reject";\n' + "els".join(
        f'if {TESTS[i % len(TESTS)].format(f"{i:02}")} {{\n\treject "rule {i}";\n}}\n'
        for i in range(rules))


def give(server, i):
    user = f"user{i}@example.org"
    server.ctl("sieve", "put", user, "main", "-", stdin=script())
    server.ctl("sieve", "activate", user, "main")


class Filtering(Popstore):
    name = "popstore-filters"

    def prepare(self):
        super().prepare()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: give(self, i), range(TAKING[0], sum(TAKING))))
