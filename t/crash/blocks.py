# SPDX-License-Identifier: ISC
"""blocks - a file system on a disk that remembers every write and every flush

`BlockDisk` is that file system, mounted, on a loop device over t/crash/blocklog.c.
`read()` gives its log, and `Replay` the disks that a power cut can leave: all writes up to
some flush, and of the later ones, up to the cut, any: a disk may have written them
in any order or not at all, in pieces of 4 KB.  `Image` mounts such a disk,
which replays the journal of the file system.
"""

import os
import random
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib import place
from lib.wire import wait_until

FILE_SYSTEMS = ("ext4", "xfs", "btrfs")

PIECE = 4096

_SIZE = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 128 << 20}
_MKFS = {
    # Nothing is left to be initialized later, and nothing that need not be is written now.
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0", "-J", "size=4"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
    "btrfs": ("mkfs.btrfs", "-q", "-f", "-K"),
}


def _run(*argv):
    return subprocess.run([place.tool(argv[0]), *map(str, argv[1:])], check=True,
                          capture_output=True, text=True).stdout.strip()


def _wait_for_release(device, image):
    """Until nobody has the file system in a mount namespace any more; the device may be
    somebody else's then."""
    backing = Path("/sys/block", Path(device).name, "loop/backing_file")

    def released():
        try:
            return backing.read_text().strip() != str(image)
        except OSError:
            return True

    wait_until(f"{device} to be let go", released, 60)


class BlockDisk:
    def __init__(self, kind):
        place.need_root("loop mounts")
        if not os.path.exists("/dev/fuse"):
            pytest.skip("no /dev/fuse here")
        program = place.BIN.parent / "t" / "crash" / "blocklog"
        assert program.exists(), f"{program} is not built: make rigs"
        self.kind, self.dir = kind, place.scratch(f"blocks-{kind}")
        self.fuse, self.path, self.log_file = (self.dir / n for n in ("fuse", "mnt", "log"))
        self.device, self.mounted, self.program = None, False, None
        self.fuse.mkdir()
        self.path.mkdir()
        try:
            self.program = subprocess.Popen([program, self.fuse, str(_SIZE[kind]),
                                             self.log_file], stderr=subprocess.PIPE)
            wait_until("blocklog to be mounted", lambda: self.program.poll() is not None or
                       (self.fuse / "disk").exists())
            if self.program.poll() is not None:
                pytest.skip(f"no FUSE mounts here: {self.program.stderr.read().decode()[-200:]}")
            self.begin()
        except BaseException:
            self.end()
            raise

    def begin(self):
        _run(*_MKFS[self.kind], self.fuse / "disk")
        try:
            self.device = _run("losetup", "-f", "--show", self.fuse / "disk")
            _run("mount", "-t", self.kind, self.device, self.path)
        except subprocess.CalledProcessError as e:
            pytest.skip(f"no loop mounts of {self.kind} here: {e.stderr.strip()}")
        self.mounted = True

    def mark(self, text):
        """Between the writes so far and those to come."""
        fd = os.open(self.fuse / "mark", os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def sync(self):
        _run("sync", "-f", self.path)

    def close(self):
        """The log is whole after that."""
        if self.mounted:
            _run("umount", self.path)
            self.mounted = False
        if self.device is not None:
            device, self.device = self.device, None
            _run("losetup", "-d", device)
            _wait_for_release(device, self.fuse / "disk")
        if self.program is not None:
            program, self.program = self.program, None
            if program.poll() is None:
                _run("fusermount3", "-u", self.fuse)
            assert program.wait(60) == 0, program.stderr.read()
            program.stderr.close()

    def log(self):
        self.close()
        return read(self.log_file)

    def end(self):
        try:
            self.close()
        finally:
            place.discard(self.dir)


def read(path):
    """[("W", offset, octets) or ("F",) or ("M", text)], in order."""
    out = []
    with open(path, "rb") as f:
        while head := f.read(17):
            kind, at, n = head[:1].decode(), *struct.unpack("=QQ", head[1:])
            data = f.read(n)
            assert len(data) == n, f"{path} is cut short"
            out.append(("W", at, data) if kind == "W" else
                       ("M", data.decode()) if kind == "M" else ("F",))
    return out


class NotMounted(Exception):
    """What was on the disk is no file system any more."""


class Image:
    """A sparse file made of pieces, again and again."""

    def __init__(self, kind, folder):
        self.kind, self.size = kind, _SIZE[kind]
        self.path, self.mountpoint = folder / "image", folder / "mnt"
        self.mountpoint.mkdir()

    def write(self, pieces):
        with open(self.path, "wb", buffering=0) as f:
            f.truncate(self.size)
            for number in sorted(pieces):
                os.pwrite(f.fileno(), pieces[number], number * PIECE)

    @contextmanager
    def mounted(self):
        """Read and write: its journal is replayed."""
        try:
            _run("mount", "-t", self.kind, "-o", "loop", self.path, self.mountpoint)
        except subprocess.CalledProcessError as e:
            raise NotMounted(e.stderr.strip()) from e
        try:
            yield self.mountpoint
        finally:
            device = _run("findmnt", "-n", "-o", "SOURCE", self.mountpoint)
            _run("umount", self.mountpoint)
            _wait_for_release(device, self.path)


@contextmanager
def image_of(kind):
    """In memory."""
    folder = Path(tempfile.mkdtemp(prefix="popstore-blocks-", dir="/dev/shm"))
    try:
        yield Image(kind, folder)
    finally:
        place.discard(folder)


def _pieces_of(write):
    """(number of the piece, offset in it, octets)"""
    _, at, data = write
    done = 0
    while done < len(data):
        number, start = divmod(at + done, PIECE)
        n = min(PIECE - start, len(data) - done)
        yield number, start, data[done:done + n]
        done += n


def _put(pieces, number, start, data):
    if len(data) < PIECE:
        old = pieces.get(number, bytes(PIECE))
        data = old[:start] + data + old[start + len(data):]
    if data.count(0) == PIECE:
        pieces.pop(number, None)
    else:
        pieces[number] = data


class Replay:
    """Goes from flush to flush.  `marked` is told of each mark when the cut comes after it."""

    def __init__(self, log, seed):
        self.log, self.random = log, random.Random(seed)

    def intervals(self, begin):
        """Lists of what happened from one flush to the next, behind the mark `begin`, where
        anything did; what was before is `base`."""
        start = self.log.index(("M", begin))
        base, now = {}, []
        for entry in self.log[:start]:
            if entry[0] == "W":
                for piece in _pieces_of(entry):
                    _put(base, *piece)
        for entry in self.log[start + 1:]:
            if entry[0] == "F":
                if now:
                    yield base, now
                for write in now:
                    if write[0] == "W":
                        for piece in _pieces_of(write):
                            _put(base, *piece)
                now = []
            else:
                now.append(entry)
        if now:
            yield base, now

    def count(self, begin):
        """How many intervals() gives."""
        kinds = "".join(e[0] for e in self.log[self.log.index(("M", begin)) + 1:])
        return sum(1 for interval in kinds.split("F") if interval)

    def none(self, base, interval):
        """The cut comes just before the flush, and nothing behind the last one is there."""
        return dict(base), [e[1] for e in interval if e[0] == "M"]

    def some(self, base, interval):
        """Any of the writes up to any moment; or of their pieces."""
        up_to = interval[:self.random.randint(0, len(interval))]
        share = self.random.choice((0.2, 0.5, 0.8, 0.95))
        torn = self.random.random() < 0.5
        lots = [self.random.random() < share for _ in up_to]
        return self._made(base, up_to,
                          lambda i: self.random.random() < share if torn else lots[i])

    @staticmethod
    def _made(base, interval, kept):
        pieces = dict(base)
        for i, entry in enumerate(interval):
            if entry[0] == "W":
                for piece in _pieces_of(entry):
                    if kept(i):
                        _put(pieces, *piece)
        return pieces, [e[1] for e in interval if e[0] == "M"]
