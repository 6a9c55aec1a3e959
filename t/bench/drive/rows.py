# SPDX-License-Identifier: ISC
"""rows - what is compared: one row of the table each

Users have their parts, so that no row changes what another reads:

  SMALL     10 messages of 8 KB each
  LARGE     2 messages of 10 MB each
  THOUSAND  1,000 messages of 1 KB each
  HUGE      100,000 messages of 1 KB, one user, in a group of its own, as it takes long to fill
  DELETING  filled anew before each run of the row that deletes
  TAKING    get what the LMTP rows deliver, and never log in"""

from dataclasses import dataclass

SMALL, LARGE, THOUSAND, DELETING, HUGE = (0, 100), (100, 4), (104, 8), (112, 20), (132, 1)
LOGINS = 133
GROUPS = {LARGE: "large", HUGE: "huge"}
TAKING = (200, 1000)
USERS = 1200


def of(part):
    return {"first_user": part[0], "users": part[1]}


@dataclass
class Row:
    name: str
    what: str              # for the table
    group: str
    program: str           # of t/bench
    options: dict
    unit: str
    each: int = 1          # of the unit in a turn
    time: str = "turn"     # which of the times is shown
    counted: str = None    # a time whose number is the figure; None: turns
    fill: dict = None      # LMTP before each run
    short: bool = False    # also in the short form
    grounds: tuple = ("disk", "memory", "slow")
    limit: str = None      # the bare limit that stands beside it
    tls: bool = False
    only: tuple = None     # servers
    part: tuple = None     # of the users, whose mail is read


BOTH = ("disk", "memory")


def lmtp(name, what, group, recipients=1, octets="8K", connections=10, short=False,
         grounds=("disk", "memory", "slow"), limit=None, only=None, **more):
    return Row(name, what, group, "lmtp",
               {"recipients": recipients, "octets": octets, "connections": connections,
                **of(TAKING), **more},
               "deliveries/s", each=recipients, time="reply", short=short, grounds=grounds,
               limit=limit, only=only)


# What only reads finds its files in memory, on the disk too: most rows are there on one ground.
def pop3(name, what, part, do, connections, unit="sessions/s", counted=None, time="login",
         short=False, grounds=("memory",), limit=None, tls=False, fill=None, **more):
    return Row(name, what, GROUPS.get(part, "pop3"), "pop3",
               {"do": do, "connections": connections, **of(part), **more}, unit, time=time,
               counted=counted, short=short, grounds=grounds, limit=limit, tls=tls, fill=fill,
               part=part)


ROWS = [
    lmtp("lmtp-1", "LMTP, 1 recipient, 8 KB, 10 connections", "recipients", short=True,
         limit="durable-1"),
    lmtp("lmtp-r10", "LMTP, 10 recipients", "recipients", recipients=10),
    lmtp("lmtp-r100", "LMTP, 100 recipients", "recipients", recipients=100, short=True,
         limit="durable-100", count=60),
    lmtp("lmtp-r1000", "LMTP, 1,000 recipients", "recipients", recipients=1000,
         connections=4, count=12),
    lmtp("lmtp-1k", "LMTP, 1 recipient, 1 KB", "sizes", octets="1K", grounds=BOTH),
    lmtp("lmtp-100k", "LMTP, 1 recipient, 100 KB", "sizes", octets="100K", count=500, grounds=BOTH),
    lmtp("lmtp-10m", "LMTP, 1 recipient, 10 MB", "sizes", octets="10M", connections=4,
         count=24, grounds=BOTH),
    lmtp("lmtp-filters", "LMTP, 1 recipient, 8 KB, a filter of 30 rules each", "filters",
         short=True, grounds=BOTH, only=("popstore", "popstore-filters")),
    lmtp("lmtp-c1", "LMTP, 1 connection", "connections", connections=1),
    lmtp("lmtp-c50", "LMTP, 50 connections", "connections", connections=50),
    lmtp("lmtp-c500", "LMTP, 500 connections", "connections", connections=500),

    pop3("stat", "POP3 login and STAT", SMALL, "stat", 50, short=True, limit="canned",
         grounds=BOTH),
    pop3("stat-tls", "POP3 login and STAT over TLS", SMALL, "stat", 50, tls=True),
    pop3("uidl-10", "POP3 login and UIDL of 10", SMALL, "stat,uidl", 50, grounds=BOTH),
    pop3("uidl-1000", "POP3 login and UIDL of 1,000", THOUSAND, "stat,uidl", 8),
    pop3("stat-100000", "POP3 login and STAT of 100,000", HUGE, "stat", 1),
    pop3("uidl-100000", "POP3 login and UIDL of 100,000", HUGE, "stat,uidl", 1,
         time="turn"),
    pop3("top", "POP3 TOP n 0", SMALL, "stat,top", 50, unit="messages/s", counted="top",
         time="top", repeat=10),
    pop3("retr", "POP3 RETR of 8 KB", SMALL, "stat,retr", 50, unit="messages/s",
         counted="retr", time="retr", repeat=20, short=True, limit="canned", grounds=BOTH),
    pop3("retr-tls", "POP3 RETR of 8 KB over TLS", SMALL, "stat,retr", 50, unit="messages/s",
         counted="retr", time="retr", repeat=20, tls=True),
    pop3("retr-10m", "POP3 RETR of 10 MB", LARGE, "stat,retr", 4, unit="messages/s",
         counted="retr", time="retr", repeat=4, limit="canned-10M"),
    pop3("retr-10m-tls", "POP3 RETR of 10 MB over TLS", LARGE, "stat,retr", 4, unit="messages/s",
         counted="retr", time="retr", repeat=4, tls=True),
    pop3("dele", "POP3 DELE of all 100, and QUIT", DELETING, "stat,dele", 20, grounds=BOTH,
         unit="messages/s", counted="dele", time="quit", count=20,
         fill={"octets": "1K", "recipients": 20, "count": 100, **of(DELETING)}),

    Row("login-hashed", "POP3 login, its password hashed each time", "hashed", "pop3",
        {"do": "", "connections": 8, **of(SMALL)}, "sessions/s", time="login",
        grounds=("memory",), only=("popstore",), part=SMALL),

    Row("policy", "verdicts: policy protocol", "verdicts", "verdict",
        {"speak": "policy", "connections": 16, **of(TAKING)}, "verdicts/s",
        grounds=("memory",), only=("popstore",)),
    Row("socketmap", "verdicts: socketmap", "verdicts", "verdict",
        {"speak": "socketmap", "connections": 16, **of(TAKING)}, "verdicts/s",
        grounds=("memory",), only=("popstore",)),
    Row("milter", "verdicts: milter", "verdicts", "verdict",
        {"speak": "milter", "connections": 16, **of(TAKING)}, "verdicts/s",
        grounds=("memory",), only=("popstore",)),
]

# What is there before the first POP3 row: octets and number of messages.
CONTENTS = {SMALL: ("8K", 10), LARGE: ("10M", 2), THOUSAND: ("1K", 1000), HUGE: ("1K", 100000)}
