# SPDX-License-Identifier: ISC
"""What doc/STORE.md, section 13, says of each operation is what the programs do

Each table there has the steps of an operation, in their order.  The operation is run under
strace, and its system calls have to be these steps, no fewer, no more and in no other
order.  So the argument for durability is about this program.
"""

import re
import subprocess

import pytest

from lib import place
from lib.counts import count
from lib.mail import Lmtp, Pop3, deliver, message
from lib.record import rewrite
from lib.site import PASSWORD, Site
from lib.trace import Trace
from lib.wire import wait_until
from order import CALLS, Order

SECTION = (place.TREE / "doc/STORE.md").read_text().split("\n## 13. ")[1].split("\n## 14. ")[0]


def tables():
    """{name: [(step, the rest of its cell)]}, of tables that begin `| step `name` |`"""
    found = {}
    for block in re.split(r"\n\n", SECTION):
        if not (m := re.match(r"\| step `([a-z-]+)`", block)):
            continue
        rows = [re.match(r"\| `([^`]+)`([^|]*)", row) for row in block.splitlines()[2:]]
        found[m[1]] = [(row[1], row[2]) for row in rows]
    return found


def pattern_of(rows):
    """Of steps joined by ";".  What is done "for each" and ends "if no slot holds" goes
    round; what is done "if there are such" may be left out."""
    out, loop = "", []
    for step, rest in rows:
        word = re.escape(step) + ";"
        if loop or ("for each" in rest and any("if no slot holds" in r for _, r in rows)):
            loop.append(word)
            if "if no slot holds" in rest:
                out += "(?:" + "|".join(loop) + ")+"
                loop = []
        else:
            out += f"(?:{word})?" if "if there are such" in rest else word
    assert not loop
    return out


TABLES = tables()


def assert_order(name, steps, more=False):
    """`more`: what follows is another table's."""
    text = "".join(step + ";" for step in steps)
    fits = re.match if more else re.fullmatch
    assert fits(pattern_of(TABLES[name]), text), \
        f"{name}: doc/STORE.md says {[s for s, _ in TABLES[name]]}, seen is {steps}"
    count("operations whose steps are those of doc/STORE.md", 1)


# ---- running things ------------------------------------------------------------------


@pytest.fixture
def site():
    s = Site("order", store={"checkpoint": "1h"}, lmtp={"workers": 1}, pop3={"workers": 1},
             policy=None, socketmap=None, milter=None).init()
    yield s
    s.end()


RECORD = "create new in writers;write new;sync new;replace writer;sync writers"


def ctl(site, *args, stdin=None, but=RECORD):
    """The steps of one `popstore ...`, but for its writer's record at both ends."""
    trace = site.dir / "trace"
    subprocess.run([place.tool("strace"), "-f", "-y", "-s", "200", "-e",
                    "trace=" + ",".join(CALLS), "-o", trace, place.program("popstore"),
                    "-c", site.conf_file, *args], input=stdin, text=True, check=True,
                   capture_output=True)
    steps = ";".join(Order(trace, site.root).steps)
    return [s for s in steps.removeprefix(but).removesuffix(but).split(";") if s]


class Seen:
    steps = ()


class watching:
    """with watching(site, "popstore-lmtpd", folder) as seen: ...; then seen.steps"""

    def __init__(self, site, program):
        pid, = site.daemon.workers(program)
        self.trace, self.site, self.seen = Trace([pid], site.dir, CALLS), site, Seen()

    def __enter__(self):
        self.trace.__enter__()
        return self.seen

    def __exit__(self, *exc):
        self.trace.__exit__(*exc)
        self.seen.steps = Order(self.site.dir / "strace", self.site.root).steps


def warm(site, *names):
    """In this minute there was a message already, and its writer has ids."""
    for name in names:
        deliver(site, name, message("warm"))


def without_directories(steps):
    """Those that are made on the way, from above: another table's."""
    out = []
    for s in steps:
        made = re.match(r"(create|sync) (accounts|secrets|forwardings|domains)$", s)
        if not made:
            out.append(s)
        elif out and made[1] == "sync" and out[-1].startswith(("create ", "replace ", "remove ")):
            out.append(s)
    return out


# ---- mail ------------------------------------------------------------------------------


def send(site, names):
    """The steps between the final dot and the last answer."""
    with Lmtp(site.lmtp) as lmtp:
        lmtp.ask("MAIL FROM:<sender@example.com>")
        for name in names:
            assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
        with watching(site, "popstore-lmtpd") as seen:
            for answer in lmtp.data(message("order"), len(names)):
                assert answer.startswith("250")
            # Answered, so the call that sent the last answer is over, and seen whole.
            lmtp.ask("NOOP")
    return seen.steps


@pytest.mark.parametrize("recipients", [1, 20])
def test_deliver(site, recipients):
    names = site.add_many(f"user{i}@example.org" for i in range(recipients))
    site.start()
    warm(site, names[0])
    steps = send(site, names)
    if "create minute" in steps:  # it has just begun
        steps = send(site, names)
    assert_order("deliver", steps)


def test_first_of_a_minute(site):
    name = site.new_account()
    site.start()
    warm(site, name)
    before = site.message_files()
    pop3 = Pop3(site, name)
    pop3.dele(1)
    pop3.quit()
    assert not site.message_files() & before
    subprocess.run(["rm", "-r", *site.root.glob("messages/2*")], check=True)
    steps = send(site, [name])
    made = [s for s in steps if s.split(" ", 1)[1] in ("day", "messages", "minute")]
    assert_order("minute", made)
    assert_order("deliver", [s for s in steps if s not in made])


def session(site, name, *, read=(), remove=()):
    """The steps of a QUIT."""
    pop3 = Pop3(site, name)
    for n in read:
        pop3.retr(n)
    for n in remove:
        pop3.dele(n)
    with watching(site, "popstore-pop3d") as seen:
        pop3.sock.sendall(b"QUIT\r\n")
        # To the end, so that strace has seen the answer, too.
        assert pop3.file.read().startswith(b"+OK")
    pop3.close()
    return seen.steps


def test_read_marks(site):
    name = site.new_account()
    site.start()
    warm(site, name)
    assert_order("read", session(site, name, read=[1]))


@pytest.mark.parametrize("holders", [1, 2])
def test_quit(site, holders):
    names = site.add_many(f"user{i}@example.org" for i in range(holders))
    site.start()
    for i in range(3):
        deliver(site, names, message(f"number {i}"))
    assert_order("quit", session(site, names[0], remove=[1, 2, 3]))


def test_compact(site):
    """With tombstones that are kept, for there was no checkpoint, and with such as are
    forgotten."""
    name = site.new_account()
    site.start()
    for forgets in (False, True):
        with Lmtp(site.lmtp) as lmtp:
            for i in range(90):
                lmtp.send([name], message(f"number {forgets} {i}"))
        steps = session(site, name, remove=range(1, 91))
        at = steps.index("create new in account")
        if forgets:
            at = steps.index("sync all of root")
        behind = max(i for i, s in enumerate(steps[:at]) if s.endswith("message")) + 1
        assert ("sync all of root" in steps) == forgets
        assert steps[-1] == "answer +OK"
        assert_order("compact", steps[behind:-1])
        site.restart()  # a checkpoint


def test_quit_on_a_full_disk():
    place.need_root("a small file system is mounted")
    s = Site("order-full", lmtp={"workers": 1}, pop3={"workers": 1}, policy=None,
             socketmap=None, milter=None)
    s.root.mkdir()
    subprocess.run([place.tool("mount"), "-t", "tmpfs", "-o", "size=1m", "popstore-box",
                    s.root], check=True)
    try:
        name = s.init().new_account()
        s.start()
        # The removed lines need a block more.
        with Lmtp(s.lmtp) as lmtp:
            for i in range(45):
                lmtp.send([name], message(f"number {i}"))
        with open(s.root / "fill", "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 512)
        steps = session(s, name, remove=range(1, 46))
        assert "write maildrop octet" in steps, steps
        at = steps.index("write maildrop octet")
        assert_order("quit-full", steps[at:], more=True)
        assert steps[at + 2] == "write message octet"
    finally:
        if s.daemon is not None:
            s.daemon.kill()
            s.daemon = None
        subprocess.run([place.tool("umount"), "--lazy", s.root], check=True)
        s.end()


# ---- records -----------------------------------------------------------------------------


def test_verbs(site):
    for name in ("one@example.org", "two@example.org"):
        steps = ctl(site, "add", name, "--password-stdin", stdin=PASSWORD + "\n")
    assert_order("add", without_directories(steps))
    assert_order("passwd", ctl(site, "passwd", name, "--password-stdin", stdin=PASSWORD + "\n"))
    assert_order("modify", ctl(site, "modify", name, "--quota", "1M"))
    ctl(site, "forward", "sales@example.org", name)
    assert_order("forward", ctl(site, "forward", "sales@example.org", "one@example.org"))
    assert_order("noforward", ctl(site, "noforward", "sales@example.org"))


def test_the_first_recoverable_password(site):
    """The site key's table, and then that of any other one."""
    name = site.add("one@example.org", PASSWORD)
    site.ctl("domain", "modify", "example.org", "--recoverable", "yes")
    steps = ctl(site, "passwd", name, "--password-stdin", stdin=PASSWORD + "\n")
    n = len(TABLES["site-key"])
    assert_order("site-key", steps[:n])
    assert_order("passwd", steps[n:])
    steps = ctl(site, "domain", "modify", "example.org", "--recoverable", "no")
    record = [s.replace("forwarding", "domain") for s, _ in TABLES["forward"]]
    assert steps[:len(record)] == record
    assert_order("passwd", steps[len(record):])


def test_domains(site):
    """Two tables each, one after the other."""
    account = [s for s, _ in TABLES["add"]]
    account = account[:account.index("create new in secrets")]
    record = [s.replace("forwarding", "domain") for s, _ in TABLES["forward"]]
    steps = without_directories(ctl(site, "domain", "add", "example.com"))
    # The account takes its uid from a writer.
    steps = [s for s in steps if "writer" not in s]
    at = steps.index("sync domains") + 1
    assert steps[:at] == record
    assert steps[steps.index("create account"):] == account
    steps = ctl(site, "domain", "delete", "example.com")
    assert steps[:2] == ["move to deleted", "sync account"]
    assert steps[-2:] == ["remove domain", "sync domains"]
    count("operations whose steps are those of doc/STORE.md", 2)


def test_delete(site):
    names = site.add_many(["one@example.org", "two@example.org"])
    site.start()
    warm(site, names[0])
    deliver(site, names, message("for both"))
    site.stop()
    assert_order("delete", ctl(site, "delete", names[0]))


# ---- checkpoint and recovery ---------------------------------------------------------------


def test_checkpoint(site):
    name = site.new_account()
    site.conf["store"]["checkpoint"] = "1s"
    site.write_conf()
    site.start()
    warm(site, name)
    pid, = site.daemon.workers("popstore-lmtpd")
    with Trace([pid], site.dir, CALLS):
        deliver(site, name, message("before a checkpoint"))
        wait_until("a checkpoint", lambda: re.search(
            r"syncfs\(.*\n(.*\n)*.*fsync\(\d+<[^>]*/writers>\) = 0",
            (site.dir / "strace").read_text(errors="replace")))
    steps = Order(site.dir / "strace", site.root).steps
    assert_order("checkpoint", steps[steps.index("sync all of root"):], more=True)


def test_recover(site):
    """A line that a power cut took, and a slot of an account that was deleted."""
    kept, lost = site.add_many(["kept@example.org", "lost@example.org"])
    site.start()
    for name in (kept, lost):
        deliver(site, name, message("new"))
    site.kill()
    # What a cut leaves; the writers live on another mount now, as the next boot is.
    next(site.root.glob(f"accounts/*/*/{kept}/maildrop")).unlink()
    profile = next(site.root.glob(f"accounts/*/*/{lost}/profile"))
    profile.rename(profile.with_name("deleted"))
    for writer in site.root.glob("writers/*[0-9]"):
        rewrite(writer, rb"^mount .*$", b"mount ")
    assert_order("recover", ctl(site, "recover", but=""))
    assert len(site.ctl_json("messages", kept)) == 1
    assert site.ctl_json("recover")["messages"] == 0


def test_control_a_step_more_or_less_or_moved_is_seen():
    steps = [s for s, _ in TABLES["deliver"]]
    assert_order("deliver", steps)
    for wrong in (steps[:-1], [*steps, "sync maildrop"], [s for s in steps if s != "sync message"],
                  [*steps[:2], steps[3], steps[2], *steps[4:]]):
        with pytest.raises(AssertionError, match="doc/STORE.md says"):
            assert_order("deliver", wrong)
