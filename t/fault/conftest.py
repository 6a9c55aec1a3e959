# SPDX-License-Identifier: ISC
"""The fault rigs stand on the harness of the black-box tests (t/box/lib)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "box"))

import pytest  # noqa: E402

from lib.site import Site  # noqa: E402


@pytest.fixture
def make_site():
    """make_site(lmtp={"workers": 1}): made, not started, with delivery and POP3 alone if
    nothing else is asked for."""
    made = []

    def make(**sections):
        for other in ("milter", "policy", "socketmap"):
            sections.setdefault(other, None)
        made.append(Site("fault", **sections))
        return made[-1].init()

    yield make
    for site in made:
        site.end()
