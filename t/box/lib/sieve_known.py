# SPDX-License-Identifier: ISC
"""What popstore and Pigeonhole 0.5.19 do differently, and which paragraph we go by.

lib/sieve_grammar.py makes none of these, so that any other difference shows; each is tried by
itself instead, and fails when one of the two changes its mind.
"""

KEEP = ("store", "INBOX", ())
YES = ("store", "yes", ())
PLAIN = "Subject: x\r\n\r\nbody\r\n"


class Known:
    """A script, a message, and what comes of them."""

    sender, recipient = "sender@example.net", "recipient@example.com"
    included = {}

    def __init__(self, name, why, needs, script, ours, theirs, message=PLAIN):
        self.name, self.why, self.ours, self.theirs = name, why, ours, theirs
        self.script = f"require [{', '.join(chr(34) + n + chr(34) for n in needs.split())}];\n{script}\n"
        self.message = message.encode()


def test(name, why, needs, script, ours, message=PLAIN):
    """A test that only one of them finds true."""
    yes = [YES] if ours else [KEEP]
    no = [KEEP] if ours else [YES]
    return Known(name, why, "fileinto " + needs, f'if {script} {{ fileinto "yes"; }}', yes, no, message)


def part(kind, text):
    return f"Content-Type: {kind}; charset=utf-8\r\n\r\n{text}\r\n"


EXTRACT = 'foreverypart { extracttext %s "x"; } notify :message "<${x}>" "mailto:a@example.com";'

KNOWN = [
    test("a question mark before the first star", "RFC 5228 section 2.7.1: '?' is any one character",
         "variables", 'string :matches :comparator "i;octet" "barfoo" "b?z*"', False),
    test("a star, a question mark and a star", "RFC 5228 section 2.7.1: '*' is none or more",
         "variables", 'string :matches :comparator "i;octet" "x" "*?*"', True),
    test("two stars at the end", "RFC 5228 section 2.7.1",
         "variables", 'string :matches :comparator "i;octet" "29" "?.**"', False),
    test("the comparator that is not named", "RFC 5228 section 2.7.3: it is i;ascii-casemap",
         "variables", 'string :matches "ALPHA" "a*"', True),
    test("the order of i;ascii-casemap", "RFC 4790 section 9.2.1: letters become upper case, and "
         "so stand before '_'", "variables relational",
         'string :value "lt" :comparator "i;ascii-casemap" "a" "_"', True),
    test("an empty string and another that is no number", "RFC 4790 section 9.1.1: both are "
         "positive infinity, and equal", "variables comparator-i;ascii-numeric",
         'header :is :comparator "i;ascii-numeric" "x-empty" "foo"', True,
         "X-Empty: \r\n\r\nbody\r\n"),
    test("a group without members", "RFC 5322 section 3.4: it has no address", "",
         'address :matches "to" "*"', False, "To: nobody: ;\r\n\r\nbody\r\n"),
    test("how many details", "RFC 5233 section 4: without a separator there is none",
         "envelope subaddress relational comparator-i;ascii-numeric",
         'envelope :detail :count "eq" :comparator "i;ascii-numeric" "from" "0"', True),
    test("how many fields :index leaves", "RFC 5260 section 6: one, if it is there; all names "
         "are counted in their order", "index relational comparator-i;ascii-numeric",
         'header :index 3 :count "eq" :comparator "i;ascii-numeric" ["x", "y", "X"] "1"', True,
         "X: 1\r\nY: 2\r\n\r\nbody\r\n"),
    test("a date by :index", "RFC 5260 section 6: there is no second one", "date index",
         'date :index 2 :originalzone "received" "year" "2026"', False,
         "Received: a; Mon, 6 Jun 2026 14:00:49 -0500\r\n\r\nbody\r\n"),
    test("a parameter that is not there", "RFC 5703 section 4.1: only parameters that were found "
         "are tested", "mime relational",
         'header :mime :param "name" :value "lt" :comparator "i;octet" "content-type" "a"', False,
         part("text/plain", "x")),
    test("how many children", "RFC 5703 section 4.1: the part and all below it",
         "mime foreverypart imap4flags relational comparator-i;ascii-numeric",
         'true { foreverypart { if header :mime :anychild :count "eq" :comparator "i;ascii-numeric" '
         '"content-type" "3" { fileinto "yes"; stop; } } } if false', False,
         'Content-Type: multipart/mixed; boundary="a"\r\n\r\n--a\r\n'
         'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + part("text/plain", "x")
         + '--b\r\nContent-Type: multipart/mixed; boundary="c"\r\n\r\n--c\r\n'
         + part("text/plain", "y") + "--c--\r\n--b\r\n" + part("text/plain", "z")
         + "--b--\r\n--a\r\n" + part("text/plain", "w") + "--a--\r\n"),
    test("whether a spam test was done", "RFC 5235 section 3.1: :count is 0 if not",
         "spamtestplus relational comparator-i;ascii-numeric",
         'spamtest :count "eq" :comparator "i;ascii-numeric" "0"', True),
    test("variables that ihave asks for", "RFC 5463 section 4: it is true for whatever there is",
         "ihave", 'ihave "variables"', True),
    test("two addresses of a mailto URI", "RFC 6068 section 2: they are parted by a comma",
         "enotify", 'valid_notify_method "mailto:a@example.com,b@example.org"', True),
    test("what the environment is", "RFC 5183 section 4.1: an item that is not known matches "
         "nothing; our run is no phase of a delivery", "environment",
         'environment :is "phase" "post"', False),
    test("the size after a header was added", "RFC 5228 section 5.9: that of the message",
         "editheader", 'not true {} addheader "X-Long" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; '
         'if size :over 40', False),
    test("the body after a field was deleted", "RFC 5173 section 5.1: what is behind the header",
         "body editheader", 'not true {} deleteheader :index 1 "X-List"; '
         'if body :raw :contains "text"', True,
         "Cc: a@example.com\r\nX-List: y\r\n\r\ntext\r\n"),
    test("blanks around a field that was added", "RFC 5228 section 5.7: they are passed over",
         "editheader", 'not true {} addheader "X-Word" "  two"; if header "x-word" "two"', True),
    Known("a variable from itself", "RFC 5229 section 4: the value is made before it is set",
          "variables enotify",
          'set "x" "a"; set "x" "${x}"; notify :message "<${x}>" "mailto:a@example.com";',
          [("notify", "2", "<a>"), KEEP], [("notify", "2", "<>"), KEEP]),
    Known("what a test in an anyof matched that has a constant in it", "RFC 5229 section 3.2: "
          "match variables are those of the last test that matched", "variables enotify",
          'if anyof(string :matches :comparator "i;octet" "abc" "a*", true) '
          '{ set "x" "${1}"; } notify :message "<${x}>" "mailto:a@example.com";',
          [("notify", "2", "<bc>"), KEEP], [("notify", "2", "<>"), KEEP]),
    Known("text of a part that is none", "RFC 5703 section 7: of textual parts",
          "variables foreverypart mime extracttext enotify", EXTRACT % "",
          [("notify", "2", "<>"), KEEP], [("notify", "2", "<data >"), KEEP],
          part("application/octet-stream", "data")),
    Known("how much text", "RFC 5703 section 7: :first counts characters",
          "variables foreverypart mime extracttext enotify", EXTRACT % ":first 5",
          [("notify", "2", "<äöüßé>"), KEEP], [("notify", "2", "<äö\ufffd>"), KEEP],
          part("text/plain", "äöüßéx")),
    Known("extracttext without variables", "RFC 5703 section 7: where it is used it sets one; "
          "to require it is no error", "foreverypart mime extracttext", "keep;", [KEEP], None),
    Known("a copy and then the same without", "RFC 3894 section 3: the second cancels the "
          "implicit keep", "fileinto copy", 'fileinto :copy "A"; fileinto "A";',
          [("store", "A", ())], [("store", "A", ()), KEEP]),
    Known("a redirected copy and then the same without", "RFC 3894 section 3", "copy",
          'redirect :copy "a@example.com"; redirect "a@example.com";',
          [("redirect", "a@example.com")], [("redirect", "a@example.com"), KEEP]),
    Known("a copy to where a keep goes", "RFC 5228 section 2.10.3: a message is put into a "
          "mailbox once", "fileinto copy", 'fileinto :copy "INBOX"; keep;', [KEEP], [KEEP, KEEP]),
    Known("two notifications to one address", "RFC 5435 section 3: each notify sends one",
          "enotify", 'notify :message "a" "mailto:a@example.com"; '
          'notify :message "b" "mailto:a@example.com";',
          [("notify", "2", "a"), ("notify", "2", "b"), KEEP], [("notify", "2", "a"), KEEP]),
    Known("blanks around a subject", "RFC 5322 section 2.2: they are no part of a field's value",
          "vacation", 'vacation :subject "  gone" "away";',
          [("vacation", "604800", "gone", "away"), KEEP],
          [("vacation", "604800", "  gone", "away"), KEEP]),
    Known("one duplicate test twice", "RFC 7352 section 3: a test, and no failure",
          "duplicate", 'if duplicate :uniqueid "x" { discard; } if duplicate :uniqueid "x" { discard; }',
          [KEEP], [("failed",)]),
]

# What Debian's Pigeonhole has not; t/sieve has their tests.
ONLY_OURS = ["ereject", "special-use", "fcc", "extlists", "redirect-dsn", "redirect-deliverby",
             "comparator-i;unicode-casemap"]
