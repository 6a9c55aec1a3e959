# SPDX-License-Identifier: ISC
"""Scripts that popstore-milter asks before the MTA takes a message: who is refused, who is
not even asked for the text, that the scripts see what they see at delivery, and that nothing
that goes wrong here stops mail.  Real MTAs are in test_mta.py."""

import re

import pytest

from lib.asking import Milter
from lib.mail import Lmtp, fetch_all, message
from lib.site import Site

REJECT = 'require "reject"; reject "%s";'
SCRIPTS = {
    "no": REJECT % "not by me",
    "never": 'require "ereject"; ereject "100% never, \\"Jörg\\"";',
    "spam": 'require "reject"; if header "subject" "spam" { reject "spam"; }',
    "gone": "discard;",
    "kept": "keep;",
    "broken": 'require "ihave"; error "told";',
    "both": 'require "reject"; keep; reject "both";',
    "long": REJECT % ("100% " * 200),
    "plain": None,
}
NO, NEVER = "550 5.7.1 not by me", '550 5.7.1 100% never, "J?rg"'
# Of message(): as far as nobody objects, and without a script.
WHOLE, NOTHING = "TLLLLLBE", "T"


def script(site, name, text):
    site.ctl("sieve", "put", name, "main", "-", stdin=text)
    site.ctl("sieve", "activate", name, "main")


def start(site):
    for name, text in SCRIPTS.items():
        site.add(f"{name}@example.org")
        if text is not None:
            script(site, f"{name}@example.org", text)
    site.ctl("forward", "team@example.org", "no@example.org", "never@example.org")
    site.ctl("forward", "mixed@example.org", "no@example.org", "plain@example.org")
    site.ctl("forward", "out@example.org", "no@example.org", "a@elsewhere.test")
    return site.start()


@pytest.fixture(scope="module")
def asked():
    s = Site("asked", policy=None, socketmap=None)
    try:
        start(s.init())
        yield s
        s.assert_sound()
        s.daemon.assert_no_errors()
    finally:
        s.end()


def offer(milter, names, content=None, sender="sender@example.com"):
    """The answer to the message, how far it came, and what RCPT said."""
    milter.mail(sender)
    rcpt = [milter.rcpt(f"<{n if '@' in n else n + '@example.org'}>") for n in names]
    return *milter.message(content or message()), rcpt


def ask(site, names, content=None, **kw):
    with Milter(site.milter, **kw) as milter:
        return offer(milter, names, content)[:2]


# ---- whom it depends on ----------------------------------------------------------------------

@pytest.mark.parametrize("names, answer, steps", [
    (["no"], NO, WHOLE),
    (["no+x", "NO"], NO, WHOLE),
    (["no", "never"], NO, WHOLE),
    (["never", "no"], NEVER, WHOLE),
    (["team", "never"], NO, WHOLE),
    (["long"], "550 5.7.1 " + ("100% " * 80).rstrip(), WHOLE),
    (["no", "spam"], "continue", WHOLE),
    (["no", "kept"], "continue", WHOLE),
    (["no", "gone"], "continue", WHOLE),
    (["broken"], "continue", WHOLE),
    (["both"], "continue", WHOLE),
    (["no", "plain"], "accept", NOTHING),
    (["plain"], "accept", NOTHING),
    (["mixed"], "accept", NOTHING),
    (["out"], "accept", NOTHING),
    (["no", "a@elsewhere.test"], "accept", NOTHING),
], ids=lambda v: "+".join(v) if isinstance(v, list) else "")
def test_all_have_to_refuse(asked, names, answer, steps):
    assert ask(asked, names) == (answer, steps)


def test_who_is_refused_at_rcpt_does_not_count(asked):
    with Milter(asked.milter) as milter:
        answer, _, rcpt = offer(milter, ["nobody", "no"])
        assert (rcpt[0][:9], rcpt[1], answer) == ("550 5.1.1", "continue", NO)


def test_a_script_sees_the_message(asked):
    assert ask(asked, ["spam", "no"], message("spam")) == ("550 5.7.1 spam", WHOLE)
    assert ask(asked, ["spam", "no"], message("ham")) == ("continue", WHOLE)


def test_each_message_of_a_connection_is_another_one(asked):
    with Milter(asked.milter) as milter:
        for _ in range(3):
            assert offer(milter, ["no"])[0] == NO
            assert offer(milter, ["plain"])[0] == "accept"
            assert offer(milter, ["no", "kept"])[0] == "continue"
            milter.mail()
            milter.rcpt("<plain@example.org>")
            milter.abort()
        # Another client of the same link.
        milter.mail()
        milter.rcpt("<plain@example.org>")
        milter.send(b"K")
        assert offer(milter, ["no"])[0] == NO
        assert offer(milter, ["spam"], message("spam"))[0] == "550 5.7.1 spam"


def test_a_refusal_is_logged(asked):
    mark = asked.daemon.mark()
    with Milter(asked.milter) as milter:
        milter.macros(b"M", i="4Zkq7x")
        offer(milter, ["team"], sender="Some.One@Example.COM")
    line = asked.daemon.wait_for("event=milter.message.refused .*qid=4Zkq7x", mark)
    assert " from=Some.One@example.com accounts=2 account=no@example.org " \
           'script=main line=1 text="not by me"' in line


def test_what_is_negotiated_is_what_is_used(asked):
    with Milter(asked.milter) as milter:
        assert milter.actions == 0
        assert not milter.steps & (milter.NO_BODY | milter.NO_HEADERS | milter.NO_DATA)
        assert milter.steps & milter.LEADING_BLANK
    # Those who know less: no DATA, no leading blanks.
    for version, steps in ((2, 0x7f), (4, 0x3ff), (6, 0x3ff)):
        whole = WHOLE if version >= 4 else WHOLE[1:]
        for names, answer in ((["no"], NO), (["no", "kept"], "continue")):
            assert ask(asked, names, version=version, steps=steps) == (answer, whole)
        assert ask(asked, ["plain"], version=version, steps=steps) == ("accept", whole[:1])


# ---- the same as at delivery -------------------------------------------------------------------

CONTENT = (b"Subject:   blanks and\r\n\ttabs \r\nX-Folded:\r\n one\r\n two\r\nX-None:x\r\n"
           b"X-Empty:\r\nTo: <eyes@example.org>\r\nX-8: \xe4\r\n"
           b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n.\r\n..\r\n.dot\r\n"
           b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe  \r\n--b--\r\n\r\n")
TESTS = [
    'header :is "subject" "blanks and\ttabs"', 'header "x-folded" "one two"',
    'header "x-none" "x"', 'header "x-empty" ""', 'header :contains "x-8" "\ufffd"',
    'header "return-path" "<s@example.com>"', 'exists "received"', 'exists "delivered-to"',
    'header :contains "received" "mx.example.org"', 'date "received" "year" "1999"',
    'address :localpart "to" "eyes"', 'envelope "from" "s@example.com"',
    'envelope :detail "to" "detail"', 'size :over 400', 'size :over 4K',
    'body :raw :contains "\r\n.\r\n"', 'body :raw :contains "\r\n..\r\n"',
    'body :raw :contains "\r\n...\r\n"', 'body :raw :contains "\r\n.dot"',
    'body :text :contains "Hello"', 'body :text :contains "<p>"', 'body :text :contains "Grüße  "',
    'body :content "text/plain" :is "Grüße  "', 'body :raw :matches "*--b--\r\n\r\n"',
    'body :raw :matches "*--b--\r\n\r\n\r\n"', 'body :raw :contains "Subject"',
]


def test_milter_and_delivery_agree(asked):
    name = asked.new_account("eyes")
    rcpt = name.replace("@", "+detail@")
    said = {}
    takes_off_the_blank = Milter.ALL_STEPS & ~Milter.LEADING_BLANK
    with Milter(asked.milter, steps=takes_off_the_blank) as loose, \
            Milter(asked.milter) as exact, Lmtp(asked.lmtp_socket) as lmtp:
        for test in TESTS:
            script(asked, name, 'require ["reject", "body", "envelope", "subaddress", "date"];\n'
                                f'if {test} {{ reject "seen"; }}')
            (at_delivery,) = lmtp.send([rcpt], CONTENT, sender="s@example.com")
            said[test] = at_delivery == "550 5.7.1 seen"
            assert said[test] or at_delivery.startswith("250"), at_delivery
            for milter in (loose, exact):
                answer = offer(milter, [rcpt], CONTENT, "s@example.com")[0]
                assert answer == ("550 5.7.1 seen" if said[test] else "continue"), test
    # Both answers are there, or nothing was shown.
    assert set(said.values()) == {True, False}
    assert said['header "x-folded" "one two"'] and said['body :raw :contains "\r\n..\r\n"']


@pytest.mark.parametrize("refused", ("reject", "discard"))
def test_when_some_refuse_the_delivery_agent_does(make_site, refused):
    site = start(make_site(sieve={"refused": refused}))
    assert ask(site, ["no", "kept"]) == ("continue", WHOLE)
    mark = site.daemon.mark()
    with Lmtp(site.lmtp_socket) as lmtp:
        no, kept, team = lmtp.send([f"{n}@example.org" for n in ("no", "kept", "team")], message())
    assert kept.endswith("stored")
    if refused == "reject":
        assert (no, team) == (NO, NO)
    else:
        assert no.startswith("250 2.0.0 ") and no.endswith(" accepted") and team[4:] == no[4:]
        site.daemon.wait_for(r"lmtp\.recipient\.discarded .*account=no@example.org .*script=main "
                             "line=1", mark)
    assert [len(fetch_all(site, f"{n}@example.org")) for n in ("no", "never", "kept")] == [0, 0, 1]
    site.assert_sound()


def test_keep_and_reject_keep_with_a_line_in_the_log(asked):
    with Lmtp(asked.lmtp_socket) as lmtp:
        (answer,) = lmtp.send(["both@example.org"], message())
    assert answer.endswith("stored")
    one = f"id={answer.split()[2]} "
    asked.daemon.wait_for(r"event=lmtp\.message .*" + one)
    lines = [x for x in asked.daemon.lines if "event=lmtp.filter.failed" in x and one in x]
    assert len(lines) == 1 and "exclude each other" in lines[0]
    assert len(fetch_all(asked, "both@example.org", delete=True)) == 1


# ---- nothing here stops mail -------------------------------------------------------------------

def unfiltered(site, mark, why):
    line = site.daemon.wait_for("event=milter.message.unfiltered", mark)
    assert re.search(why, line), line


def test_what_is_too_large_passes(asked):
    mark = asked.daemon.mark()
    line = b"x" * 70 + b"\r\n"
    fits = message(body=line * (8_000_000 // 72))
    assert ask(asked, ["no"], fits)[0] == NO
    answer, steps = ask(asked, ["no"], message(body=line * (8_500_000 // 72)))
    assert answer == "accept" and steps.endswith("B")
    unfiltered(asked, mark, "too large")
    assert ask(asked, ["no"]) == (NO, WHOLE)


def test_what_takes_too_long_passes(make_site, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text('require ["variables", "reject"];\nset "a" "' + "a" * 4000 + '";\n'
                    + 'if string :matches "${a}${a}${a}${a}" "*aab*aab" { stop; }\n' * 300
                    + 'reject "slow";\n')
    site = make_site(milter={"filter_timeout": "1s"}, sieve={"default_script": str(slow)})
    names = site.add_many(site.new_name("slow") for _ in range(90))
    site.start()
    # One is slow, and has the time; ninety are too many for a second.
    assert ask(site, names[:1]) == ("550 5.7.1 slow", WHOLE)
    mark = site.daemon.mark()
    assert ask(site, names) == ("continue", WHOLE)
    unfiltered(site, mark, "accounts=90 .*too long")
    assert len([x for x in site.daemon.lines if "milter.message.unfiltered" in x]) == 1
    # Nobody waits for whoever took too long.
    assert ask(site, names[:1]) == ("550 5.7.1 slow", WHOLE)


def test_more_accounts_than_are_asked_pass(make_site, tmp_path):
    default = tmp_path / "default"
    default.write_text(REJECT % "no")
    site = make_site(sieve={"default_script": str(default)})
    names = site.add_many(site.new_name("many") for _ in range(101))
    site.start()
    assert ask(site, names[:100]) == ("550 5.7.1 no", WHOLE)
    mark = site.daemon.mark()
    assert ask(site, names) == ("accept", NOTHING)
    unfiltered(site, mark, "too many recipients")


def test_a_script_that_is_lost_passes(own_site):
    name = own_site.new_account("lost")
    script(own_site, name, REJECT % "no")
    assert ask(own_site, [name]) == ("550 5.7.1 no", WHOLE)
    (path,) = own_site.root.glob(f"accounts/*/*/{name}/sieve/*")
    path.unlink()
    assert ask(own_site, [name]) == ("continue", WHOLE)
    path.mkdir()
    mark = own_site.daemon.mark()
    assert ask(own_site, [name]) == ("continue", WHOLE)
    unfiltered(own_site, mark, "err=")
    path.rmdir()


def test_a_change_counts_for_the_next_message(own_site):
    name = own_site.new_account("change")
    with Milter(own_site.milter) as milter:
        for text, answer in (("keep;", "continue"), (REJECT % "no", "550 5.7.1 no"),
                             (REJECT % "yes", "550 5.7.1 yes")):
            script(own_site, name, text)
            assert offer(milter, [name])[0] == answer
        own_site.ctl("sieve", "deactivate", name)
        assert offer(milter, [name])[0] == "accept"


# ---- the site --------------------------------------------------------------------------------

def test_scripts_of_the_site_are_asked_for_everybody(make_site, tmp_path):
    before = tmp_path / "before"
    before.write_text('require "reject"; if header "subject" "virus" { reject "virus"; }\n')
    site = make_site(sieve={"before": [str(before)]})
    name = site.new_account()
    site.start()
    assert ask(site, [name], message("virus")) == ("550 5.7.1 virus", WHOLE)
    assert ask(site, [name]) == ("continue", WHOLE)


def test_a_script_of_the_site_with_errors_ends_the_start(make_site, tmp_path):
    path = tmp_path / "before"
    path.write_text("keep;\nfoo;\n")
    site = make_site(lmtp=None, pop3=None, policy=None, socketmap=None, sieve={"before": [str(path)]})
    with pytest.raises(AssertionError):
        site.start()
    assert f"{path}:2:1: there is no command 'foo'" in (site.dir / "log").read_text()


def test_it_can_be_switched_off(make_site):
    site = start(make_site(milter={"filter": False}))
    with Milter(site.milter) as milter:
        left_out = milter.NO_BODY | milter.NO_HEADERS | milter.NO_DATA
        assert milter.steps & left_out == left_out
        assert offer(milter, ["no"])[:2] == ("continue", "E")
    with Lmtp(site.lmtp_socket) as lmtp:
        assert lmtp.send(["no@example.org"], message()) == [NO]
