# SPDX-License-Identifier: ISC
"""calls - what programs did to a store, call by call, from a log of strace

`record()` runs a program under strace; `read()` gives what it and its children did below
some folders, in order, as tuples:

    ("mkdir", path)                 ("create", path)        ("unnamed", file)
    ("link", file or path, path)    ("rename", path, path)  ("unlink", path), ("rmdir", path)
    ("write", file or path, offset, octets)                 ("cut", file or path, size)
    ("sync", file or path, began)   ("syncfs", path, began)
    ("send", connection, octets)    ("exit", status)        ("mark", text)

A path is a string; a file that has no name (O_TMPFILE) is ("unnamed", n).  `began` is how many
tuples there were when a sync was called: what came later it need not have synced.
Left out is the trial that a start makes in a hidden directory (doc/STORE.md, section 14): nobody
reads what it leaves.  A call counts when it has returned, but what is sent when it is called: the peer may
have it then.  A call below the folders that this module does not know is an error.
"""

import os
import re
import subprocess

import pytest

from lib import place

# What can change a store, what makes it durable, and what promises it.
CHANGES = ("open", "openat", "creat", "mkdir", "mkdirat", "link", "linkat", "symlink",
           "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
           "write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "truncate",
           "fallocate", "copy_file_range", "sendfile", "mmap")
SYNCS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")
PROMISES = ("sendto", "sendmsg", "exit_group")

_LINE = re.compile(r"(\d+) +(?:(\w+)\((.*?)(?: <unfinished \.\.\.>|\) += (-?\d+|\?)(.*))"
                   r"|<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)(.*))$")
_FD = re.compile(r"(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)(?:<char [^>]*>)?>(\(deleted\))?")
_TRIAL = re.compile(r"/\.new\.probe\.")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


def record(argv, log, env=None, timeout=300):
    strace = place.tool("strace")
    calls = ",".join(CHANGES + SYNCS + PROMISES)
    done = subprocess.run(
        [strace, "-f", "-qq", "-y", "--seccomp-bpf", "-xx", "-s", str(1 << 20),
         "-e", "signal=none", "-e", f"trace={calls}", "-o", str(log), *map(str, argv)],
        env=dict(os.environ, **(env or {})), capture_output=True, text=True,
        timeout=timeout, check=False)
    if "Operation not permitted" in done.stderr and "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip().splitlines()[-1]}")
    return done


def _octets(escaped):
    return bytes.fromhex(escaped.replace("\\x", ""))


class _Reader:
    def __init__(self, folders):
        self.folders = [os.fspath(f) for f in folders]
        self.calls, self.unfinished = [], {}
        self.unnamed, self.n_unnamed = {}, 0  # path that strace shows -> file
        self.fds = {}  # (thread, number) -> where that thread saw it last

    def inside(self, path):
        return not _TRIAL.search(path) and \
            any(path == f or path.startswith(f + "/") for f in self.folders)

    # ---- arguments -----------------------------------------------------------------

    def fd(self, pid, text):
        """(number, path, whether it still has a name) of the first descriptor."""
        m = _FD.match(text)
        if m is None:
            return None, "", False
        path = _octets(m[2]).decode("utf-8", "surrogateescape")
        self.fds[pid, m[1]] = path, m[3] is None
        return m[1], path, m[3] is None

    def file(self, path, named):
        """What a descriptor stands for; None: a file that nobody can find any more."""
        if named:
            return path
        return self.unnamed.get(path)

    def paths(self, pid, args):
        """The absolute paths of the arguments, each below the descriptor before it."""
        out = []
        for m in re.finditer(r'(?:(?:(?:-?\d+|AT_FDCWD)<(?P<dir>(?:\\x[0-9a-f]{2})*)>, )?)'
                             r'"(?P<path>(?:\\x[0-9a-f]{2})*)"', args):
            path = _octets(m["path"]).decode("utf-8", "surrogateescape")
            if m["dir"]:
                path = os.path.join(_octets(m["dir"]).decode("utf-8", "surrogateescape"), path)
            out.append(os.path.normpath(path))
        return out

    # ---- calls -----------------------------------------------------------------------

    def add(self, *call):
        self.calls.append(call)

    def line(self, text):
        m = _LINE.match(text)
        if m is None:
            # "???" is of a thread that ended before strace could see what it called: it
            # has done nothing.
            if "--- SIG" in text or "+++ " in text or "???" in text:
                return
            raise ValueError(f"strace said: {text[:200]}")
        pid = m[1]
        if m[6]:  # resumed
            name, args, began = self.unfinished.pop(pid)
            assert name == m[6], text[:200]
            args, result, rest = args + m[7], m[8], m[9]
        else:
            name, args, result, rest = m[2], m[3], m[4], m[5]
            began = len(self.calls)
            if name in PROMISES:
                self.promise(pid, name, args)
            if result is None:
                self.unfinished[pid] = name, args, began
                return
        if result != "?" and not result.startswith("-"):
            self.call(pid, name, args, int(result), result + rest, began)

    def promise(self, pid, name, args):
        if name == "exit_group":
            self.add("exit", int(args))
            return
        _, socket, _ = self.fd(pid, args)
        data = b"".join(_octets(s[1]) for s in _STRING.finditer(args.split(", {sa_family")[0]))
        if socket.startswith(("TCP:", "socket:")):
            self.add("send", socket, data)

    def call(self, pid, name, args, result, returned, began):
        handler = getattr(self, "do_" + name, None)
        if handler is not None:
            handler(pid, args, result, returned, began)
        elif name not in PROMISES and any(map(self.inside, self.paths(pid, args))):
            raise ValueError(f"{name}({args[:200]}) is not modelled")
        elif name not in PROMISES and self.inside(self.fd(pid, args)[1]):
            raise ValueError(f"{name} on {self.fd(pid, args)[1]} is not modelled")

    def do_openat(self, pid, args, _result, returned, _began):
        _, path, named = self.fd(pid, returned)
        if not self.inside(path):
            return
        if "O_TMPFILE" in args:
            self.n_unnamed += 1
            self.unnamed[path] = "unnamed", self.n_unnamed
            self.add("unnamed", self.unnamed[path])
        elif "O_CREAT" in args and named:
            self.add("create", path)
        if "O_TRUNC" in args or "O_APPEND" in args:
            raise ValueError(f"openat({args[:200]}) is not modelled")

    def do_mkdirat(self, pid, args, *_):
        path = self.paths(pid, args)[0]
        if self.inside(path):
            self.add("mkdir", path)

    do_mkdir = do_mkdirat

    def do_linkat(self, pid, args, *_):
        old, new = self.paths(pid, args)
        if not self.inside(new):
            return
        if old.startswith("/proc/self/fd/"):
            old = self.file(*self.fds[pid, old.rpartition("/")[2]])
        self.add("link", old, new)

    def do_renameat2(self, pid, args, *_):
        old, new = self.paths(pid, args)
        if self.inside(new) or self.inside(old):
            self.add("rename", old, new)

    do_renameat = do_rename = do_renameat2

    def do_unlinkat(self, pid, args, *_):
        path = self.paths(pid, args)[0]
        if self.inside(path):
            self.add("rmdir" if "AT_REMOVEDIR" in args else "unlink", path)

    do_unlink = do_unlinkat

    def do_rmdir(self, pid, args, *_):
        if self.inside(self.paths(pid, args)[0]):
            self.add("rmdir", self.paths(pid, args)[0])

    def do_pwrite64(self, pid, args, result, _returned, _began):
        _, path, named = self.fd(pid, args)
        if not self.inside(path):
            return
        m = _STRING.search(args)
        assert m[2] is None, "strace cut a write short"
        file = self.file(path, named)
        if file is not None:
            self.add("write", file, int(args.rpartition(", ")[2]), _octets(m[1])[:result])

    def do_write(self, pid, args, _result, _returned, _began):
        _, path, _ = self.fd(pid, args)
        if path.endswith("/marks"):
            for mark in _octets(_STRING.search(args)[1]).decode().splitlines():
                self.add("mark", mark)
        elif self.inside(path):
            raise ValueError(f"write on {path} is not modelled")

    def do_ftruncate(self, pid, args, *_):
        _, path, named = self.fd(pid, args)
        file = self.file(path, named) if self.inside(path) else None
        if file is not None:
            self.add("cut", file, int(args.rpartition(", ")[2]))

    def do_fsync(self, pid, args, _result, _returned, began):
        _, path, named = self.fd(pid, args)
        file = self.file(path, named) if self.inside(path) else None
        if file is not None:
            self.add("sync", file, began)

    do_fdatasync = do_fsync

    def do_syncfs(self, pid, args, _result, _returned, began):
        _, path, _ = self.fd(pid, args)
        if self.inside(path):
            self.add("syncfs", path, began)

    def do_sendfile(self, pid, args, *_):
        _, path, _ = self.fd(pid, args)
        if self.inside(path):
            raise ValueError(f"sendfile to {path} is not modelled")

    def do_mmap(self, pid, args, *_):
        m = _FD.search(args)
        if m and "PROT_WRITE" in args and "MAP_SHARED" in args and \
                self.inside(_octets(m[2]).decode("utf-8", "surrogateescape")):
            raise ValueError(f"mmap({args[:200]}) is not modelled")


def read(log, folders):
    reader = _Reader(folders)
    with open(log, encoding="utf-8", errors="surrogateescape") as f:
        for text in f:
            reader.line(text.rstrip("\n"))
    return reader.calls
