# SPDX-License-Identifier: ISC
"""Fixtures of the black-box tests.

    site       a running popstore, one for the whole run: tests make accounts of their
               own in it (account, site.new_account()) and damage nothing
    own_site   a running popstore for this test alone: stop it, kill it, break it
    make_site  the same with settings: make_site(lmtp={"max_message": 1000}); made, not
               started
    account    a new account of `site`; the password is lib.site.PASSWORD
    lmtp, pop3, policy_talk, socketmap_talk
               .talk(dialogue) on `site`; such a test runs in all ways of lib/talk.py
    way        the way itself, for a Talker of one's own

Programs come from build/bin, or from POPSTORE_BIN (the asan flavour); POPSTORE_KEEP=1
keeps the scratch folders.
"""

import os

import pytest

from lib import place
from lib.site import Site
from lib.talk import WAYS, Talker

# Leaks are found at exit; strace and friends switch it off, as ptrace excludes it.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1")
os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
# What tools print must not depend on who runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ["TZ"] = "UTC"


def pytest_sessionfinish():
    place.finish_discarding()


@pytest.fixture(scope="session")
def site():
    s = Site("shared", domains=("example.org", "example.com"))
    try:
        s.init()
        s.ctl("domain", "add", "example.net", "--alias", "example.org")
        s.start()
        yield s
        s.assert_sound()
        s.daemon.assert_no_errors()
    finally:
        s.end()


@pytest.fixture
def make_site():
    made = []

    def make(**sections):
        made.append(Site("own", **sections))
        return made[-1].init()

    yield make
    failures = []
    for s in made:
        try:
            s.end()
        except AssertionError as e:
            failures.append(str(e))
    assert not failures, "\n".join(failures)


@pytest.fixture
def own_site(make_site):
    return make_site().start()


@pytest.fixture
def account(site):
    return site.new_account()


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def lmtp(site, way):
    return Talker(site.lmtp, way)


@pytest.fixture
def pop3(site, way):
    return Talker(site.pop3, way)


@pytest.fixture
def policy_talk(site, way):
    return Talker(site.policy, way)


@pytest.fixture
def socketmap_talk(site, way):
    return Talker(site.socketmap, way)
