# SPDX-License-Identifier: ISC
"""Choices of doc/THREATS.md, "Open or closed", that no other test makes."""

import os
import poplib
import time

import pytest

from lib.mail import Pop3


def session_file(site, name):
    return next(os.path.join(d, "session") for d, _, _ in os.walk(site.root / "accounts")
                if d.endswith("/" + name))


def test_a_last_login_in_the_future_keeps_nobody_out(make_site):
    """LOGIN-DELAY fails open: a clock that was set back is no reason to lock anybody out."""
    site = make_site(pop3={"login_delay": "1h"}).start()
    name = site.new_account()
    Pop3(site, name).quit()
    with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
        Pop3(site, name)
    os.utime(session_file(site, name), (time.time() + 7200,) * 2)
    Pop3(site, name).quit()
