# SPDX-License-Identifier: ISC
"""popstore-milter, asked by OpenDKIM's miltertest and, where its text or a broken packet
matters, by a client of our own.  What scripts do is in test_milter_filter.py, that it agrees with the others on who may get what is in
test_verdict.py, that Sendmail and Postfix understand it in test_mta.py."""

import concurrent.futures
import os
import shutil
import struct
import subprocess

import pytest

from lib import place
from lib.asking import Milter
from lib.daemon import Daemon
from lib.wire import DEADLINE, Wire, wait_listening

# What we have no use for (libmilter's SMFIP_*): connect, helo, end of header, unknown
# commands.
LEFT_OUT = 0x01 | 0x02 | 0x40 | 0x100

# ---- by miltertest -------------------------------------------------------------------

SCRIPT = """
conn = mt.connect("inet:{port}@127.0.0.1")

function fail(why)
	mt.echo(why)
	error(why)
end
if conn == nil then fail("cannot connect") end
if mt.negotiate(conn, nil, nil, nil) ~= nil then fail("cannot negotiate") end
function expect(what, reply)
	local got = mt.getreply(conn)
	if got ~= reply then
		fail(what .. ": " .. string.char(got) .. " instead of " .. string.char(reply))
	end
end
function mail(...)
	if mt.mailfrom(conn, "<sender@example.com>", ...) ~= nil then fail("MAIL") end
	expect("MAIL", SMFIR_CONTINUE)
end
function rcpt(path, reply)
	if mt.rcptto(conn, path) ~= nil then fail(path) end
	expect(path, reply)
end

{body}
mt.disconnect(conn)
"""


@pytest.fixture
def miltertest(site):
    if shutil.which("miltertest") is None:
        pytest.skip("miltertest is not there: apt-get install miltertest")
    folder = place.scratch("miltertest")

    def run(body):
        script = folder / "script.lua"
        script.write_text(SCRIPT.format(port=site.milter.split(":")[1], body=body))
        done = subprocess.run(["miltertest", "-s", script], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    yield run
    place.discard(folder)


def test_miltertest_can_fail(miltertest, account):
    with pytest.raises(AssertionError, match="instead of"):
        miltertest(f'mail()\nrcpt("<{account}>", SMFIR_REPLYCODE)')


def test_one_refusal_does_not_touch_the_others(miltertest, site, account):
    off = site.new_account(flags="dismail")
    miltertest(f"""
        mail()
        rcpt("<{account}>", SMFIR_CONTINUE)
        rcpt("<nobody-{account}>", SMFIR_REPLYCODE)
        rcpt("<{account}>", SMFIR_CONTINUE)
        rcpt("<{off}>", SMFIR_REPLYCODE)
        rcpt("<x@elsewhere.test>", SMFIR_CONTINUE)
        mt.data(conn)
        expect("DATA", SMFIR_ACCEPT)
    """)


def test_nothing_but_envelope_and_text_is_asked_for(miltertest):
    miltertest("""
        for _, option in pairs({SMFIP_NOCONNECT, SMFIP_NOHELO, SMFIP_NOEOH,
                                SMFIP_NOUNKNOWN}) do
                if not mt.test_option(conn, option) then fail("asks for too much") end
        end
        for _, option in pairs({SMFIP_NOMAIL, SMFIP_NORCPT, SMFIP_NODATA, SMFIP_NOBODY,
                                SMFIP_NOHDRS}) do
                if mt.test_option(conn, option) then fail("asks for too little") end
        end
        for _, action in pairs({SMFIF_ADDHDRS, SMFIF_CHGBODY, SMFIF_ADDRCPT, SMFIF_DELRCPT,
                                SMFIF_CHGHDRS, SMFIF_QUARANTINE}) do
                if mt.test_action(conn, action) then fail("would change mail") end
        end
    """)


def test_the_size_belongs_to_one_transaction(miltertest, site):
    small = site.new_account(quota="10K", overdraft="0")
    miltertest(f"""
        mail("SIZE=20000")
        rcpt("<{small}>", SMFIR_REPLYCODE)
        -- the next transaction, without an abort in between
        mail()
        rcpt("<{small}>", SMFIR_CONTINUE)
        mail("BODY=8BITMIME", "SIZE=20000")
        rcpt("<{small}>", SMFIR_REPLYCODE)
        mt.abort(conn)
        mail("SIZE=10000")
        rcpt("<{small}>", SMFIR_CONTINUE)
        mt.data(conn)
        expect("DATA", SMFIR_ACCEPT)
        mail()
        rcpt("<{small}>", SMFIR_CONTINUE)
    """)


# ---- by a client of our own ------------------------------------------------------------


def test_the_reply_has_code_and_text(site, account):
    with Milter(site.milter) as milter:
        milter.mail()
        assert milter.rcpt(f"<nobody-{account}>") == "550 5.1.1 no such user here"
        assert milter.rcpt(f"<{account}>", "NOTIFY=NEVER", "ORCPT=rfc822;x") == "continue"
        assert milter.rcpt(account) == "continue"  # without brackets
        assert milter.rcpt(f"<{account}") == "553 5.1.3 the address is not well formed"


@pytest.mark.parametrize("version, steps", [(6, 0x1fffff), (6, 0x30), (6, 0x7f), (2, 0x7f),
                                            (4, 0x3ff), (99, 0x1fffff)])
def test_only_what_the_mta_offers_is_used(site, account, version, steps):
    with Milter(site.milter, version=version, actions=0, steps=steps) as milter:
        assert milter.actions == 0
        assert milter.steps & ~steps == 0
        if steps == Milter.ALL_STEPS:
            assert milter.steps & LEFT_OUT == LEFT_OUT
        # An MTA that cannot leave them out sends all of them.
        for command, data, bit in ((b"C", b"client\0" + b"4\0\x19192.0.2.7\0", 0x01),
                                   (b"H", b"client\0", 0x02)):
            if not milter.steps & bit:
                milter.send(command, data)
                assert milter.answer() == "continue"
        assert milter.mail() == "continue"
        assert milter.rcpt(f"<nobody-{account}>")[:4] == "550 "
        assert milter.rcpt(f"<{account}>") == "continue"
        # Nobody has a script: nothing more is wanted of the message.
        answer, steps = milter.message(b"Subject: x\r\n\r\nHello.\r\n")
        assert (answer, len(steps)) == ("accept", 1)


def test_nothing_is_left_of_an_aborted_transaction(site, account):
    small = site.new_account(quota="10K", overdraft="0")
    nobody = f"<nobody-{account}>"
    with Milter(site.milter) as milter:
        for stop_after in ("negotiate", "mail", "good", "bad"):
            if stop_after != "negotiate":
                milter.mail("s@example.com", "SIZE=20000")
            if stop_after == "good":
                assert milter.rcpt(f"<{account}>") == "continue"
            if stop_after == "bad":
                assert milter.rcpt(nobody)[:3] == "550"
            milter.abort()
            milter.mail()
            assert milter.rcpt(f"<{small}>") == "continue"
            assert milter.rcpt(nobody)[:3] == "550"
            milter.abort()
        # QUIT_NC: the same link, another SMTP client
        milter.mail("s@example.com", "SIZE=20000")
        milter.send(b"K")
        milter.mail()
        assert milter.rcpt(f"<{small}>") == "continue"


def test_the_queue_id_is_logged(site, account):
    since = site.daemon.mark()
    with Milter(site.milter) as milter:
        milter.macros(b"M", i="4Zkq7x")
        milter.mail()
        milter.rcpt(f"<nobody-{account}>")
    line = site.daemon.wait_for("event=milter.recipient.refused", since)
    assert "qid=4Zkq7x" in line and f"rcpt=nobody-{account}" in line


@pytest.mark.parametrize("packet", [
    struct.pack(">I", 0), struct.pack(">I", 0x7fffffff) + b"O",
    struct.pack(">I", 0xffffffff) + b"O", struct.pack(">I", 5) + b"Oxyzw",
    struct.pack(">I", 1) + b"M", struct.pack(">I", 3) + b"Rab",
    struct.pack(">I", 4) + b"DMab", b"GET / HTTP/1.1\r\n\r\n"],
    ids=["empty", "2G", "4G", "short O", "M without words", "R without NUL",
         "D without NUL", "HTTP"])
@pytest.mark.parametrize("negotiated", (False, True))
def test_broken_packets_end_their_connection_only(site, account, packet, negotiated):
    with Milter(site.milter) as milter:
        wire = milter.wire if negotiated else Wire(site.milter)
        try:
            wire.send(packet)
            wire.half_close()
            wire.rest()
        except OSError:
            pass  # closed with some of it unread
        wire.close()
    with Milter(site.milter) as milter:
        milter.mail()
        assert milter.rcpt(f"<{account}>") == "continue"


def test_many_connections_at_once(site, account):
    def ask(_):
        with Milter(site.milter) as milter:
            milter.mail()
            return {milter.rcpt(f"<{account}>") for _ in range(20)}

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set().union(*pool.map(ask, range(64))) == {"continue"}


# ---- the program alone -------------------------------------------------------------------


@pytest.fixture
def alone(make_site):
    """popstore-milter on a Unix socket, with nobody above it."""
    daemons = []

    def start(listen=None):
        site = make_site(lmtp=None, pop3=None, policy=None, socketmap=None)
        site.socket = str(site.dir / "milter.sock")
        site.conf["milter"]["listen"] = listen or [f"unix:{site.socket}"]
        site.write_conf()
        site.milterd = Daemon([place.program("popstore-milter"), "-c", site.conf_file],
                              site.dir / "log")
        daemons.append(site.milterd)
        return site

    yield start
    for d in daemons:
        if d.running():
            d.kill()


def test_a_socket_that_a_dead_one_left_is_replaced(alone):
    site = alone()
    for end in ("kill", "stop"):
        site.milterd.start()
        wait_listening(site.socket, site.milterd.running)
        assert os.stat(site.socket).st_mode & 0o777 == 0o666
        with Milter(site.socket) as milter:
            assert milter.mail() == "continue"
        getattr(site.milterd, end)()


def status_of(site):
    site.milterd.start()
    site.milterd.process.wait(DEADLINE)
    site.milterd.wait_for("event=milter.start.failed")
    return site.milterd.process.returncode


def test_a_living_ones_socket_is_left_alone(alone):
    site = alone()
    site.milterd.start()
    wait_listening(site.socket, site.milterd.running)
    second = alone()
    second.conf["milter"]["listen"] = [f"unix:{site.socket}"]
    second.write_conf()
    assert status_of(second) == os.EX_TEMPFAIL
    with Milter(site.socket) as milter:
        assert milter.mail() == "continue"
    site.milterd.stop()


def test_a_file_in_the_way_is_left_alone(alone):
    site = alone()
    with open(site.socket, "w", encoding="ascii") as f:
        f.write("mine\n")
    assert status_of(site) == os.EX_CONFIG
    with open(site.socket, encoding="ascii") as f:
        assert f.read() == "mine\n"


@pytest.mark.parametrize("listen", (["inet:1@127.0.0.1", "inet:2@127.0.0.1"], ["nonsense:x"]))
def test_a_bad_address_is_an_error_of_the_configuration(alone, listen):
    assert status_of(alone(listen)) == os.EX_CONFIG
