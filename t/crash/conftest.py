# SPDX-License-Identifier: ISC
"""The crash rigs stand on the harness of the black-box tests (t/box/lib)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "box"))

import pytest  # noqa: E402

from disk import FILE_SYSTEMS, Disk  # noqa: E402


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request):
    d = Disk(request.param)
    try:
        yield d
    finally:
        d.end()
