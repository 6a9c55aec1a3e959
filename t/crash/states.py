# SPDX-License-Identifier: ISC
"""states - what a power cut may leave of a store, from the log of its calls

A model of a file system that promises as little as it may:

* A file is a row of blocks of 4 KB and a size.  Each has versions, one for each write;
  a cut leaves one of those since the last sync of the file, for each block and for the
  size apart from the others.  What is not there below the size is zeros.
* A directory is a row of names.  Each change of a name (made, linked, renamed, removed) is
  there after the cut or is not, apart from all others; a rename is one change.
* fsync and fdatasync of a file make its blocks and its size durable, fsync of a
  directory the changes of its names, syncfs everything in its file system.

One assumption, that of doc/STORE.md, section 14: fsync of a file also makes durable that it was
linked to its name before (`LINKED`).  It does not extend to the directories above.  Without it
(`STRICT`), POSIX to the letter, see test_calls.py for what would be lost.

Crash.states() gives the distinct states that a cut after some call may leave, all of them
while they are few, otherwise a choice: everything lost, everything there, each of the later
changes alone lost or there, each subset of the last ones, and a seeded random sample.
"""

import itertools
import random

LINKED, STRICT = "linked", "strict"

BLOCK = 4096


class File:
    def __init__(self):
        self.blocks = {}  # number -> [(call, octets)], the first is durable
        self.sizes = [(-1, 0)]
        self.changes = 0

    def write(self, call, at, data):
        self.changes += 1
        end = at + len(data)
        for number in range(at // BLOCK, (end + BLOCK - 1) // BLOCK):
            versions = self.blocks.setdefault(number, [(-1, b"")])
            old, start = versions[-1][1], number * BLOCK
            cut = slice(max(at - start, 0), min(end - start, BLOCK))
            piece = data[start + cut.start - at:start + cut.stop - at]
            new = old.ljust(cut.start, b"\0")[:cut.start] + piece + old[cut.stop:]
            versions.append((call, new))
        if end > self.sizes[-1][1]:
            self.sizes.append((call, end))

    def cut(self, call, size):
        self.changes += 1
        self.sizes.append((call, size))
        for number, versions in self.blocks.items():
            keep = max(0, size - number * BLOCK)
            if keep < len(versions[-1][1]):
                versions.append((call, versions[-1][1][:keep]))

    def sync(self, began):
        self.changes += 1
        for versions in itertools.chain(self.blocks.values(), (self.sizes,)):
            while len(versions) > 1 and versions[1][0] < began:
                del versions[0]

    def parts(self):
        """What a cut decides of: the size and each block that has versions."""
        out = [("size", len(self.sizes))] if len(self.sizes) > 1 else []
        return out + [(n, len(v)) for n, v in self.blocks.items() if len(v) > 1]

    def content(self, chosen):
        """`chosen` maps a part to its version; the latest of every other."""
        size = self.sizes[chosen.get("size", -1)][1]
        out = bytearray(size)
        for number, versions in self.blocks.items():
            data = versions[chosen.get(number, -1)][1]
            start = number * BLOCK
            if start < size:
                data = data[:size - start]
                out[start:start + len(data)] = data
        return bytes(out)


class Directory:
    def __init__(self, fs):
        self.fs = fs
        self.names = {}  # as every process sees them: name -> File or Directory
        self.durable = {}  # as of the last sync


class Change:
    """Of one name, or of two at once."""

    def __init__(self, call, bindings, links):
        self.call, self.links = call, links  # it gives a file its name
        self.bindings = bindings  # (directory, name) -> File, Directory or None


class Tree:
    """The folders of a store, each a file system of its own."""

    def __init__(self, folders, model=LINKED):
        self.model = model
        self.roots = {}
        for f in map(str, folders):
            self.roots[f] = Directory(f)
        self.files = {}  # of those without a name
        self.all_files = {}  # File -> where: fs, and the directories that name it
        self.pending = []  # changes of names that no sync has reached
        self.touched = []  # the last things that changed: (file, part) or Change

    # ---- what the program did ----------------------------------------------------

    def find(self, path):
        """(directory, name) of a path; (root, None) for a folder itself."""
        for folder, root in self.roots.items():
            if path == folder:
                return root, None
            if path.startswith(folder + "/"):
                *above, name = path[len(folder) + 1:].split("/")
                d = root
                for component in above:
                    d = d.names[component]
                return d, name
        raise KeyError(path)

    def object(self, path):
        if isinstance(path, tuple):
            return self.files[path]
        d, name = self.find(path)
        return d if name is None else d.names.get(name)

    def change(self, call, bindings, links=False):
        for (d, name), target in bindings.items():
            if target is None:
                d.names.pop(name, None)
            else:
                d.names[name] = target
        c = Change(call, bindings, links)
        self.pending.append(c)
        self.touched.append(c)

    def new_file(self, fs):
        f = File()
        self.all_files[f] = fs
        return f

    def apply(self, call, what):
        verb, *args = what
        getattr(self, "do_" + verb, lambda *_: None)(call, *args)

    def do_mkdir(self, call, path):
        if path in self.roots:
            return
        d, name = self.find(path)
        self.change(call, {(d, name): Directory(d.fs)})

    def do_create(self, call, path):
        d, name = self.find(path)
        if name not in d.names:
            self.change(call, {(d, name): self.new_file(d.fs)}, links=True)

    def do_unnamed(self, call, key):
        self.files[key] = self.new_file(None)

    def do_link(self, call, old, new):
        d, name = self.find(new)
        f = self.object(old)
        self.all_files[f] = d.fs
        self.change(call, {(d, name): f}, links=True)

    def do_rename(self, call, old, new):
        d1, n1 = self.find(old)
        d2, n2 = self.find(new)
        self.change(call, {(d1, n1): None, (d2, n2): d1.names[n1]})

    def do_unlink(self, call, path):
        self.change(call, {self.find(path): None})

    do_rmdir = do_unlink

    def do_write(self, call, path, at, data):
        f = self.object(path)
        if f is None:
            return  # replaced or removed meanwhile: nobody finds it again
        f.write(call, at, data)
        parts = {"size"} | set(range(at // BLOCK, (at + len(data)) // BLOCK + 1))
        self.touched += [(f, p) for p in sorted(parts, key=str)]

    def do_cut(self, call, path, size):
        f = self.object(path)
        if f is not None:
            f.cut(call, size)
            self.touched.append((f, "size"))

    # ---- what is durable ------------------------------------------------------------

    def pin(self, reached):
        """The changes that `reached` tells of are durable now; what was before them of
        the same names cannot come back."""
        kept = []
        for c in self.pending:
            if reached(c):
                for (d, name), target in c.bindings.items():
                    if target is None:
                        d.durable.pop(name, None)
                    else:
                        d.durable[name] = target
                    for earlier in kept:
                        earlier.bindings.pop((d, name), None)
            else:
                kept.append(c)
        self.pending = [c for c in kept if c.bindings]

    def do_sync(self, call, path, began):
        what = self.object(path)
        if isinstance(what, Directory):
            self.pin(lambda c: c.call < began and any(d is what for d, _ in c.bindings))
        elif what is not None:
            what.sync(began)
            if self.model == LINKED:
                self.pin(lambda c: c.call < began and c.links and
                         what in c.bindings.values())

    def do_syncfs(self, call, path, began):
        d, _ = self.find(path)
        for f, fs in self.all_files.items():
            if fs == d.fs:
                f.sync(began)
        self.pin(lambda c: c.call < began and any(x.fs == d.fs for x, _ in c.bindings))

    def load(self, state):
        """Begins with what Crash.states() gave, all of it durable."""
        below = {folder.rpartition("/")[2]: folder for folder in self.roots}
        for path in sorted(state):
            first, _, rest = path.partition("/")
            where = f"{below[first]}/{rest}"
            if rest and state[path] is None:
                self.do_mkdir(-1, where)
            elif rest:
                self.do_create(-1, where)
                self.object(where).write(-1, 0, state[path])
        self.all_durable()

    def all_durable(self):
        """A long time has passed."""
        for f in self.all_files:
            f.sync(float("inf"))
        self.pin(lambda c: True)
        self.touched.clear()


class Crash:
    """The states after the calls so far."""

    RECENT = 4  # each subset of the last changes
    ALONE = 10  # the last that are lost or there alone
    SMALL = 64  # all states where they are no more than these

    def __init__(self, tree, seed, sample):
        self.tree, self.sample = tree, sample
        self.random = random.Random(seed)
        self.contents = {}  # (file, versions) -> octets

    def choices(self):
        """[(file or Change, part, versions)], the least recent first."""
        out = [(c, None, 2) for c in self.tree.pending]
        live = {t for c in self.tree.pending for t in c.bindings.values()}
        stack = list(self.tree.roots.values())
        while stack:
            d = stack.pop()
            for t in itertools.chain(d.durable.values(), d.names.values()):
                if isinstance(t, Directory):
                    stack.append(t)
                else:
                    live.add(t)
        for f in live:
            if isinstance(f, File):
                out += [(f, part, n) for part, n in f.parts()]
        return out

    def vectors(self, choices):
        """Tuples of versions, one for each choice."""
        total = 1
        for _, _, n in choices:
            total *= n
            if total > self.SMALL:
                break
        if total <= self.SMALL:
            yield from itertools.product(*(range(n) for _, _, n in choices))
            return
        least, most = [0] * len(choices), [n - 1 for _, _, n in choices]
        yield tuple(least)
        yield tuple(most)
        recent = self.recent(choices, self.ALONE)
        others = [i for i in range(len(choices)) if i not in recent]
        for i in recent + self.random.sample(others, min(self.sample, len(others))):
            for base in least, most:
                for v in {0, choices[i][2] // 2, choices[i][2] - 2, choices[i][2] - 1}:
                    yield tuple(base[:i] + [v] + base[i + 1:])
        recent = recent[:self.RECENT]
        for versions in itertools.product((0, 1), repeat=len(recent)):
            for base in least, most:
                vector = list(base)
                for i, v in zip(recent, versions):
                    vector[i] = most[i] if v else 0
                yield tuple(vector)
        for _ in range(self.sample):
            yield tuple(self.random.randrange(n) for _, _, n in choices)

    def recent(self, choices, limit):
        where = {(id(what), part): i for i, (what, part, _) in enumerate(choices)}
        out = []
        for t in reversed(self.tree.touched):
            i = where.get((id(t), None) if isinstance(t, Change) else (id(t[0]), t[1]))
            if i is not None and i not in out:
                out.append(i)
                if len(out) == limit:
                    break
        return out

    def state(self, choices, vector):
        """{path below its folder's name: octets, or None for a directory}"""
        names, parts = {}, {}
        for (what, part, _), version in zip(choices, vector):
            if isinstance(what, File):
                parts.setdefault(what, {})[part] = version
            elif version:
                for binding, target in what.bindings.items():
                    names[binding] = target  # in order: the last one counts
        return self.walk(names, parts)

    def walk(self, names, parts):
        by_directory = {}
        for (d, name), target in names.items():
            by_directory.setdefault(d, {})[name] = target
        out = {}
        stack = [(folder.rpartition("/")[2], d) for folder, d in self.tree.roots.items()]
        while stack:
            path, d = stack.pop()
            out[path] = None
            entries = d.durable
            if d in by_directory:
                entries = {**entries, **by_directory[d]}
            for name, target in entries.items():
                if isinstance(target, Directory):
                    stack.append((f"{path}/{name}", target))
                elif target is not None:
                    out[f"{path}/{name}"] = self.content(target, parts.get(target, {}))
        return out

    def content(self, f, chosen):
        key = f, f.changes, tuple(chosen.items())
        if key not in self.contents:
            self.contents[key] = f.content(chosen)
        return self.contents[key]

    def states(self):
        """Distinct ones: (hash, state, choices, vector)."""
        choices, seen = self.choices(), set()
        for vector in self.vectors(choices):
            if vector in seen:
                continue
            seen.add(vector)
            state = self.state(choices, vector)
            digest = hash(frozenset(state.items()))
            if digest not in seen:
                seen.add(digest)
                yield digest, state, choices, vector
