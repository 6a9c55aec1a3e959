# SPDX-License-Identifier: ISC
"""record - records of the store, changed by hand (doc/STORE.md, section 3)"""

import ctypes
import re


def checksum(text):
    """As the store writes it, by libxxhash itself."""
    xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    xxh3.restype, xxh3.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
    return b"%016x" % xxh3(text, len(text))


def with_sum(record):
    """The record with the checksum that it should have."""
    text = re.sub(rb"sum [0-9a-f]{16}\n$", b"", record)
    return text + b"sum " + checksum(text) + b"\n"


def rewrite(path, pattern, to):
    """One line of the record at `path`, as a regular expression has it."""
    text, n = re.subn(pattern, to, path.read_bytes(), flags=re.M)
    assert n == 1, f"{path} has no {pattern}"
    path.write_bytes(with_sum(text))
