# SPDX-License-Identifier: ISC
"""counts - what a rig has gone through, for the summary of ./check and doc/DURABILITY.md"""

import os


def count(what, n):
    """n more of `what`, for example "power cuts, LMTP, ext4"."""
    print(f"{n} {what}")
    path = os.environ.get("POPSTORE_COUNTS")
    if path:
        with open(path, "a") as f:
            f.write(f"{what}\t{n}\n")
