# SPDX-License-Identifier: ISC
"""order - what a program does to a store, in its order, in the words of doc/STORE.md

A step is a verb and a kind of object: "sync message", "name maildrop".  Steps that do not
matter for what is on the disk (reading, locking, looking) are left out.
"""

import re
from pathlib import Path

CALLS = ("openat", "pwrite64", "write", "sendto", "fsync", "fdatasync", "syncfs", "linkat",
         "renameat", "renameat2", "unlinkat", "mkdirat", "ftruncate", "close")

_H = "[0-9a-f]{2}"
# The first that fits names the object.
_KINDS = [(re.compile(p + "$"), kind) for p, kind in (
    (r"", "root"),
    (r"messages", "messages"),
    (r"messages/\d{8}", "day"),
    (r"messages/\d{8}/\d{4}", "minute"),
    (r"messages/\d{8}/\d{4}/[0-9a-v]{13}", "message"),
    (r"damaged/[0-9a-v]{13}(?:\.\d+)?", "damaged message"),
    (rf"accounts/{_H}/{_H}/[^/]+/maildrop", "maildrop"),
    (rf"accounts/{_H}/{_H}/[^/]+/profile", "profile"),
    (rf"accounts/{_H}/{_H}/[^/]+/deleted", "deleted"),
    (rf"accounts/{_H}/{_H}/[^/]+/session", "lease"),
    (rf"accounts/{_H}/{_H}/[^/]+", "account"),
    (r"secrets/site-key", "site key"),
    (rf"(account|domain|forwarding|secret)s/{_H}/{_H}/[^/.][^/]*", r"\1"),
    (rf"(account|domain|forwarding|secret)s(/{_H}){{0,2}}", r"\1s"),
    (r"writers/\d+", "writer"),
    (r"writers/\d+\.lease", "lease"),
    (r"writers", "writers"),
    (r"names\.lock|repair\.lease", "lease"),
    (r".*/\.new\.[^/]*", "new"),
)]


def whole_lines(text):
    """Calls that strace cut in two, because another thread's came between, in one line,
    where they ended."""
    begun = {}
    for line in text.splitlines():
        pid = line.split(" ")[0]
        if line.endswith(" <unfinished ...>"):
            begun[pid] = line.removesuffix(" <unfinished ...>")
        elif m := re.search(r"<\.\.\. [a-z0-9_]+ resumed>", line):
            yield begun.pop(pid, "") + line[m.end():]
        else:
            yield line


class Order:
    """Order(trace, root).steps of an strace -f -y file"""

    def __init__(self, trace, root):
        self.root, self.named, self.steps = str(root), {}, []
        for line in whole_lines(Path(trace).read_text(errors="replace")):
            m = re.match(r"(?:(\d+) +)?([a-z0-9_]+)\((.*)\) += (-?\d+)", line)
            if m and int(m[4]) >= 0:
                self._call(m[1], m[2], m[3])

    def kind(self, path):
        """None outside the store"""
        if path != self.root and not path.startswith(self.root + "/"):
            return None
        path = path[len(self.root) + 1:]
        for pattern, kind in _KINDS:
            if m := pattern.match(path):
                return m.expand(kind) if m.groups() else kind
        return path

    def _add(self, verb, kind, *more):
        if kind is None:
            return
        step = " ".join((verb, kind, *more))
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)

    def _path(self, dirfd, name):
        base = re.search(r"<(.*)>", dirfd)
        return name if name.startswith("/") or not base else \
            f"{base[1]}/{name}".removesuffix("/.")

    def _fd(self, pid, arg):
        """The kind of the object behind `7</path>`, by the name that it was given."""
        m = re.match(r"(\d+)<(.*)>(\(deleted\))?$", arg)
        if not m:
            return None
        if m[3] and re.search(r"/#\d+$", m[2]):
            return self.named.get((pid, m[1]), "new")
        return self.kind(m[2])

    def _call(self, pid, name, args):
        words = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"]|\d+<[^>]*>)+', args)
        words = [w.strip() for w in words]
        paths = [re.match(r'"(.*)"', w)[1] for w in words if w.startswith('"')]
        if name == "openat":
            if "O_TMPFILE" in args:
                self._add("create new in", self.kind(self._path(words[0], paths[0])))
            elif "O_CREAT" in args and "/.new." in paths[0]:
                directory = self._path(words[0], paths[0]).rpartition("/")[0]
                self._add("create new in", self.kind(directory))
        elif name == "linkat":
            to = self.kind(self._path(words[2], paths[1]))
            if m := re.search(r"/proc/self/fd/(\d+)", paths[0]):
                self.named[(pid, m[1])] = to
            self._add("name", to)
        elif name == "close":
            self.named.pop((pid, re.match(r"\d+", args)[0]), None)
        elif name in ("renameat", "renameat2"):
            old = self.kind(self._path(words[0], paths[0]))
            to = self.kind(self._path(words[2], paths[1]))
            self._add("replace" if old == "new" else "move to", to)
        elif name == "unlinkat":
            self._add("remove", self.kind(self._path(words[0], paths[0])))
        elif name == "mkdirat":
            self._add("create", self.kind(self._path(words[0], paths[0])))
        elif name in ("fsync", "fdatasync"):
            self._add("sync", self._fd(pid, words[0]))
        elif name == "syncfs":
            self._add("sync all of", self._fd(pid, words[0]))
        elif name == "ftruncate":
            self._add("cut", self._fd(pid, words[0]))
        elif name == "pwrite64":
            self._add("write", self._fd(pid, words[0]),
                      *(["octet"] if words[-2] == "1" else []))
        elif name in ("write", "sendto") and paths:
            if m := re.match(r"(250 2|\+OK)", paths[0]):
                self._add("answer", m[1].split()[0])
