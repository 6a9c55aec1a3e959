# SPDX-License-Identifier: ISC
"""daemon - a program in the foreground, its log, and how it ended"""

import os
import re
import signal
import subprocess
import threading
import time

from .wire import DEADLINE, wait_until

# What a sanitizer, a broken promise of ours (must()) or libc prints when it finds something,
# and what popstored says of a worker that crashed (SIGILL, ABRT, BUS, FPE, SEGV, SYS).
FINDING = re.compile(r"ERROR: \w*Sanitizer|runtime error:|SUMMARY: \w*Sanitizer"
                     r"|event=broken\.promise|stack smashing|free\(\): |malloc\(\): "
                     r"|event=dispatch\.ended .*signal=(4|6|7|8|11|31)\b")


class Daemon:
    """Standard error is the log.  A thread keeps it, so that a test can wait for a
    line; the end of the log is the end of the last process that held it."""

    def __init__(self, argv, log, env=None, prefix=()):
        self.argv, self.log_file = [str(a) for a in argv], log
        self.prefix = [str(a) for a in prefix]  # strace and the like
        self.env = dict(os.environ, **(env or {}))
        self.lines, self.closed = [], False
        self.news = threading.Condition()
        self.process = None

    def start(self):
        self.lines, self.closed = [], False
        self.process = subprocess.Popen(self.prefix + self.argv, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=self.env, start_new_session=True)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,),
                                       daemon=True)
        self.reader.start()
        return self

    def _read(self, pipe):
        with open(self.log_file, "ab", buffering=0) as log:
            for raw in pipe:
                log.write(raw)
                with self.news:
                    self.lines.append(raw.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self.news.notify_all()
        with self.news:
            self.closed = True
            self.news.notify_all()

    @property
    def log(self):
        with self.news:
            return "\n".join(self.lines)

    def mark(self):
        """For wait_for(): only lines after this moment."""
        with self.news:
            return len(self.lines)

    def wait_for(self, pattern, since=0, deadline=DEADLINE):
        """The first line of the log that the regular expression finds."""
        pattern, end = re.compile(pattern), time.monotonic() + deadline
        with self.news:
            while True:
                for line in self.lines[since:]:
                    if pattern.search(line):
                        return line
                since = len(self.lines)
                left = end - time.monotonic()
                assert not self.closed, f"ended without /{pattern.pattern}/:\n{self.tail()}"
                assert left > 0, f"no /{pattern.pattern}/ in {deadline} s:\n{self.tail()}"
                self.news.wait(left)

    def tail(self, n=40):
        return "\n".join(self.lines[-n:])

    def running(self):
        return self.process is not None and self.process.poll() is None

    def processes(self):
        """Process ids of the whole session: the program and what it started."""
        return [p for p, sid, _ in _all_processes() if sid == self.process.pid]

    def workers(self, program):
        """Process ids of this session that run `program` (up to 15 characters)."""
        return [p for p, sid, comm in _all_processes()
                if sid == self.process.pid and comm == program[:15]]

    def _signal_all(self, sig):
        """popstored last: a service that sees it die would end cleanly, if it has a moment
        left before its own stop reaches all its threads."""
        for pid in sorted(self.processes(), key=lambda p: p == self.process.pid):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def freeze(self):
        """Nothing goes on behind the system call that it is in."""
        self._signal_all(signal.SIGSTOP)

    def kill(self):
        """kill -9 for everything at once, as a crash of all our processes."""
        self.freeze()
        self._signal_all(signal.SIGKILL)
        self.process.wait(DEADLINE)
        self._wait_closed()

    def stop(self, sig=signal.SIGTERM, status=0):
        """Asks it to end; it has to end well, with all its children, and to have
        nothing bad in its log."""
        if self.process is None:
            return
        ended_itself = self.process.poll() is not None
        if not ended_itself:
            self.process.send_signal(sig)
        try:
            rc = self.process.wait(DEADLINE + 40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"does not stop:\n{self.tail()}") from None
        self._wait_closed()
        self.process = None
        assert not ended_itself, f"had ended by itself with {rc}:\n{self.tail()}"
        assert rc == status, f"ended with {rc}:\n{self.tail()}"
        self.assert_clean()

    def assert_no_errors(self):
        """Nothing that an admin would have to look at: where a test breaks nothing."""
        bad = [line for line in self.lines if " level=error " in line]
        assert not bad, "errors in the log:\n" + "\n".join(bad)

    def _wait_closed(self):
        self.reader.join(DEADLINE)
        if self.reader.is_alive():
            left = self.processes()
            raise AssertionError(f"processes {left} outlived their parent")

    def assert_clean(self):
        bad = [line for line in self.lines if FINDING.search(line)]
        assert not bad, "found in the log:\n" + "\n".join(bad) + "\n----\n" + self.tail(80)


def halt(pid):
    """SIGSTOP, and until all its threads stand still, which they do one after the other."""
    def states():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as f:
                yield f.read().rpartition(")")[2].split()[0]

    os.kill(pid, signal.SIGSTOP)
    wait_until(f"process {pid} to stand still", lambda: set(states()) == {"T"})


def _all_processes():
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                stat = f.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        comm = stat[stat.index("(") + 1:stat.rindex(")")]
        fields = stat[stat.rindex(")") + 2:].split()
        if fields[0] != "Z":
            yield int(entry), int(fields[3]), comm
