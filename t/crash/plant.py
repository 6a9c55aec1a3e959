# SPDX-License-Identifier: ISC
"""plant - changes a store behind its back, with all checksums right

Written from doc/STORE.md: what popstore cannot notice, the model has to.
"""

import ctypes
import os

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)


def _sum(octets, seed=0):
    return b"%016x" % _xxhash.XXH3_64bits_withSeed(octets, len(octets), seed)


def _id(text):
    """13 digits of base32hex, most significant first."""
    n = 0
    for digit in text.decode():
        n = n << 5 | "0123456789abcdefghijklmnopqrstuv".index(digit)
    return n


class Maildrop:
    """An account's list, as its added lines: [volume, slot, size, ..., trace], by id."""

    def __init__(self, site, name):
        self.path, = site.root.glob(f"accounts/*/*/{name}/maildrop")
        header, *lines = self.path.read_bytes().splitlines()
        self.header, self.uid = header, _id(header.split(b" ")[2])
        self.lines = []
        for line in lines:
            _, event, uidl, *rest = line.split(b" ")
            assert event in (b"+", b"r"), "only what is still there"
            if event == b"+":
                self.lines.append([uidl, *rest[:-3]])

    def write(self):
        octets, out = 0, self.header + b"\n"
        for number, (uidl, *rest) in enumerate(self.lines, 1):
            octets += int(rest[2])
            line = b"%d + %s %s %d %d" % (number, uidl, b" ".join(rest), number, octets)
            out += line + b" " + _sum(line, self.uid) + b"\n"
        self.path.write_bytes(out)


class MessageFile:
    def __init__(self, site, uidl):
        self.path, = (p for v in site.volumes() for p in v.glob(f"messages/*/*/{uidl}"))
        octets = self.path.read_bytes()
        self.body_at = int(octets.split(b"\n", 1)[0].split(b" ")[2])
        self.head, rest = octets[:self.body_at].split(b"head-sum ", 1)
        self.slots, self.body = rest.split(b"\n", 1)[1], octets[self.body_at:]

    def set(self, key, value):
        at = self.head.index(b"\n" + key + b" ") + len(key) + 2
        self.head = self.head[:at] + value + self.head[self.head.index(b"\n", at):]

    def write(self, uidl=None):
        if uidl is not None:
            self.set(b"id", uidl.encode())
        self.set(b"body-sum", _sum(self.body))
        self.path.write_bytes(self.head + b"head-sum " + _sum(self.head) + b"\n" + self.slots +
                              self.body)
        if uidl is not None:
            os.rename(self.path, self.path.with_name(uidl))


def change_uidl(site, name, uidl, to):
    """Of a message with one recipient."""
    MessageFile(site, uidl).write(to)
    m = Maildrop(site, name)
    for line in m.lines:
        if line[0] == uidl.encode():
            line[0] = to.encode()
    m.write()


def removed_line(site, name, index):
    """The line that a QUIT appends which removes the message."""
    m = Maildrop(site, name)
    sizes = [int(line[3]) for line in m.lines]
    number = len(m.path.read_bytes().splitlines())
    line = b"%d - %s - %d %d" % (number, m.lines[index][0], len(sizes) - 1,
                                 sum(sizes) - sizes[index])
    return line + b" " + _sum(line, m.uid) + b"\n"
