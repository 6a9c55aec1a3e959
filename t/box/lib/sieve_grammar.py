# SPDX-License-Identifier: ISC
"""Scripts, messages and envelopes by chance: Case(seed) is the same each time.

Only what both popstore and Pigeonhole have is made, and nothing of what lib/sieve_known.py
says they do differently, for each of which that table has a case of its own.

What a script finds is told by what it does: each test adds a flag of its own to the keep, and
what variables hold at the end is the text of a notification.
"""

import base64
import quopri
import random

WORDS = ["alpha", "Beta", "gamma.delta", "list-17", "[dev]", "x*y", "a?b", "back\\slash", "Re:",
         "42", "007", "3.14", "-5", "Gr\u00fc\u00dfe", "\u65e5\u672c", "straße", "ALPHA", "b@d",
         "foo", "foobar", "barfoo", "  two  blanks", "comma,", "semi;colon", "(paren)", "quo\"te"]
LOCALS = ["alice", "Bob", "carol+news", "dave.smith", "owner-list", "postmaster", "x", "news+a+b"]
DOMAINS = ["example.com", "Example.ORG", "mail.example.net", "lists.example.com", "a.b"]
NAMES = ["", "Alice", '"Smith, Bob"', "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", '"a \\"b\\" c"', "Two Words"]
FIELDS = ["Subject", "X-Word", "X-List", "X-Number", "Comments", "List-Id", "X-None", "X-Empty",
          "X-Spam-Score", "X-Virus"]
ADDRESS_FIELDS = ["From", "To", "Cc", "Reply-To", "Sender", "Resent-To"]
ZONES = ["+0000", "-0500", "+0530", "+1300", "GMT", "EST", "-1130"]
PARTS = ["year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601",
         "std11", "zone", "weekday"]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Message:
    """Octets of a message."""

    def __init__(self, rng):
        self.rng = rng
        fields = self.header()
        kind, body = self.entity(0)
        self.octets = "".join(f"{f}\r\n" for f in fields).encode() + kind + b"\r\n" + body

    def one_of(self, *of):
        return self.rng.choice(of)

    def address(self):
        rng = self.rng
        spec = f"{rng.choice(LOCALS)}@{rng.choice(DOMAINS)}"
        name = rng.choice(NAMES)
        return f"{name} <{spec}>" if name else self.one_of(spec, f"<{spec}>", spec + " (note)")

    def addresses(self):
        some = ", ".join(self.address() for _ in range(self.rng.randint(1, 3)))
        return self.one_of(some, some, some, f"friends: {some};")

    def text(self):
        rng = self.rng
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 5))]
        out = []
        for word in words:
            if not word.isascii():
                b64 = base64.b64encode(word.encode()).decode()
                word = self.one_of(f"=?utf-8?b?{b64}?=",
                                   f"=?UTF-8?Q?{''.join(f'={o:02X}' for o in word.encode())}?=")
            out.append(word)
        return self.one_of(" ", " ", "\r\n ", " \r\n\t").join(out)

    def date(self):
        rng = self.rng
        day = rng.randint(1, 28)
        # The day of the week may be wrong, or missing.
        week = self.one_of("", "", f"{rng.choice(DAYS)}, ")
        return (f"{week}{day} {rng.choice(MONTHS)} {rng.randint(1990, 2037)} "
                f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02} "
                f"{rng.choice(ZONES)}")

    def header(self):
        rng = self.rng
        out = []
        for i in range(rng.randint(0, 3)):
            out.append(f"Received: from host{i}.example.net (host{i} [192.0.2.{i}])\r\n"
                       f"\tby mx.example.org; {self.date()}")
        for name in ADDRESS_FIELDS:
            if rng.random() < 0.6:
                out.append(f"{self.one_of(name, name.upper())}: {self.addresses()}")
        for name in FIELDS:
            for _ in range(self.one_of(0, 1, 1, 2, 3)):
                value = {"X-Empty": "", "X-Number": str(rng.randint(0, 120)),
                         "X-Spam-Score": self.one_of("2.5", "7 of 10", "0.0", "none"),
                         "X-Virus": self.one_of("clean", "infected")}.get(name)
                if name != "X-None":
                    out.append(f"{name}: {self.text() if value is None else value}")
        if rng.random() < 0.8:
            out.append(f"Date: {self.date()}")
        out.append("MIME-Version: 1.0")
        rng.shuffle(out)
        return out

    def lines(self):
        rng = self.rng
        return "".join(" ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 4))).strip()
                       + "\r\n" for _ in range(rng.randint(1, 4)))

    def leaf(self):
        text = self.lines().encode()
        kind = self.one_of("text/plain", "text/plain", "text/x-log", "application/octet-stream")
        extra = self.one_of("", f"; name=\"{self.one_of('a.txt', 'b.log', 'c d.bin')}\"")
        how = self.one_of("8bit", "quoted-printable", "base64")
        if how == "base64":
            text = base64.encodebytes(text).replace(b"\n", b"\r\n")
        elif how == "quoted-printable":
            text = quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        head = (f"Content-Type: {kind}; charset=utf-8{extra}\r\n"
                f"Content-Transfer-Encoding: {how}\r\n")
        if self.rng.random() < 0.4:
            head += f"Content-Disposition: {self.one_of('inline', 'attachment; filename=f.txt')}\r\n"
        return head.encode(), text

    def entity(self, depth):
        if depth > 2 or self.rng.random() < 0.5:
            return self.leaf()
        mark = f"mark{depth}"
        out = b""
        for _ in range(self.rng.randint(1, 3)):
            head, body = self.entity(depth + 1)
            out += f"--{mark}\r\n".encode() + head + b"\r\n" + body + b"\r\n"
        kind = self.one_of("mixed", "alternative")
        return (f'Content-Type: multipart/{kind}; boundary="{mark}"\r\n'.encode(),
                out + f"--{mark}--\r\n".encode())


class Script:
    """Text of a script."""

    def __init__(self, rng, size, mark="t"):
        self.rng = rng
        self.mark = mark  # of its flags
        self.included = {}
        self.needs = set()
        self.flags = 0
        self.loops = 0
        self.looping = False
        self.edits = 0
        self.notes = 0
        self.whole = False  # a test looks at more than the header
        self.variables = rng.random() < 0.6
        if self.variables:
            self.needs.add("variables")
        self.actions = 0
        self.final = False
        body = self.block(size, 0)
        if self.variables and mark == "t":
            body += self.tell()
        self.needs.add("imap4flags")
        self.text = f"require [{', '.join(quoted(n) for n in sorted(self.needs))}];\n" + body

    def one_of(self, *of):
        return self.rng.choice(of)

    def need(self, *names):
        self.needs.update(names)

    # ---- strings ----

    def word(self):
        return self.rng.choice(WORDS)

    def string(self):
        """A literal, or one with variables in it."""
        text = self.word()
        if self.variables and self.rng.random() < 0.3:
            text = self.one_of("${v%d}", "a${v%d}b", "${V%d}", "${%d}", "x${%d}") \
                % self.rng.randint(0, 3)
        if self.rng.random() < 0.05:
            self.need("encoded-character")
            text = self.one_of("${hex:41 6c}pha", "${unicode:e9}t", "${unicode:00df}", "${hex:zz}")
        if self.rng.random() < 0.04:
            return f"text: # a comment\n{text}\n..dot\n.\n"
        return quoted(text)

    def strings(self, make):
        return self.one_of(make(), "[" + ", ".join(make() for _ in range(
            self.rng.randint(1, 3))) + "]")

    def pattern(self):
        rng = self.rng
        pieces = []
        for _ in range(rng.randint(1, 4)):
            pieces += [self.one_of("", "*", "*", "?" if "*" in pieces else "*"),
                       self.one_of("alpha", "foo", "a", "\\*", "e", ".", "list", "bar", "@")]
        pieces.append(self.one_of("", "*", "*"))
        return quoted("".join(pieces))

    def regex(self):
        return quoted(self.one_of(
            "^(.*)a(.*)$", "[0-9]+", "^[a-z]*$", "b{1,2}", "(foo|alpha)", "^.?o+", "list-([0-9]*)",
            "\\[(.*)\\]", "[[:alpha:]]+", "x\\*y", "^$", "([a-z])([a-z]*)", "(a)?b"))

    # ---- what tests have in common ----

    def match(self, numbers=False):
        """Tags, and who makes the keys."""
        rng = self.rng
        kind = rng.choice(["is", "contains", "matches", "matches", "regex", "value", "count"])
        comparator = self.one_of("", "", "i;octet", "i;ascii-casemap")
        make = {"matches": self.pattern, "regex": self.regex}.get(kind, self.string)
        tags = f":{kind}"
        if kind == "regex":
            self.need("regex")
        if kind in ("value", "count"):
            self.need("relational")
            tags += f' "{rng.choice(["gt", "ge", "lt", "le", "eq", "ne"])}"'
            if kind == "count" or numbers or rng.random() < 0.5:
                comparator = "i;ascii-numeric"
                def make():
                    return quoted(str(rng.randint(0, 5)))
        if kind == "value" and comparator != "i;ascii-numeric":
            comparator = "i;octet"
        if numbers and kind == "is" and rng.random() < 0.5:
            comparator = "i;ascii-numeric"
        if comparator == "i;ascii-numeric":
            self.need("comparator-i;ascii-numeric")
        if comparator:
            tags = self.one_of(f'{tags} :comparator "{comparator}"',
                               f':comparator "{comparator}" {tags}')
        return tags, make

    def index(self, tags=""):
        if self.rng.random() > 0.15 or "count" in tags:
            return ""
        self.need("index")
        return f" :index {self.rng.randint(1, 3)}" + self.one_of("", " :last")

    def names(self, of):
        return self.strings(lambda: quoted(self.one_of(str, str.lower, str.upper)(
            self.rng.choice(of))))

    def part(self, tags):
        part = self.one_of("", ":all", ":localpart", ":domain", ":user", ":detail")
        if part in (":user", ":detail"):
            if "count" in tags:
                return ""
            self.need("subaddress")
        return part

    # ---- tests ----

    def test_header(self):
        tags, make = self.match(numbers=self.rng.random() < 0.2)
        names = [f for f in FIELDS if f != "X-Empty" or "numeric" not in tags]
        return f"header{self.index(tags)} {tags} {self.names(names)} {self.strings(make)}"

    def test_address(self):
        tags, make = self.match()
        if make == self.string:
            make = self.an_address
        return f"address{self.index(tags)} {self.part(tags)} {tags} {self.names(ADDRESS_FIELDS)} " \
               f"{self.strings(make)}"

    def an_address(self):
        return quoted(self.one_of(
            self.rng.choice(LOCALS), self.rng.choice(DOMAINS),
            f"{self.rng.choice(LOCALS)}@{self.rng.choice(DOMAINS)}", "news", "example", "@", ""))

    def test_envelope(self):
        self.need("envelope")
        tags, make = self.match()
        if make == self.string:
            make = self.an_address
        return f"envelope {self.part(tags)} {tags} {self.names(['from', 'to'])} {self.strings(make)}"

    def test_exists(self):
        return f"exists {self.names(FIELDS + ADDRESS_FIELDS)}"

    def test_size(self):
        if "editheader" in self.needs:
            return self.test_exists()
        self.whole = True
        return f"size {self.one_of(':over', ':under')} {self.one_of('0', '100', '1K', '2k', '1M')}"

    def test_body(self):
        self.need("body")
        tags, make = self.match()
        if "count" in tags or "regex" in tags or "value" in tags:
            tags, make = ":contains", self.string
        raw = ':content "text"' if "editheader" in self.needs else ":raw"
        self.whole = self.whole or raw == ":raw"
        how = self.one_of(raw, ':content "text"', ':content "text/plain"', ':content ""',
                          ':content ["application", "text/x-log"]')
        return f"body {how} {tags} {self.strings(make)}"

    def test_date(self):
        self.need("date")
        tags, make = self.match(numbers=True)
        zone = self.one_of("", ":originalzone", f':zone "{self.one_of("+0100", "-0430", "+0000")}"')
        part = self.rng.choice(PARTS)
        if not zone:
            zone = ":originalzone"
        return f"date {zone} {tags} \"{self.one_of('date', 'received')}\" " \
               f"\"{part}\" {self.strings(make)}"

    def test_currentdate(self):
        self.need("date", "relational")
        return f'currentdate :zone "+0000" :value "{self.one_of("ge", "lt")}" "year" "2000"'

    def test_string(self):
        if not self.variables:
            return self.test_header()
        tags, make = self.match()
        if "comparator" not in tags:
            tags += ' :comparator "i;ascii-casemap"'
        return f"string {tags} {self.strings(self.string)} {self.strings(make)}"

    def test_flag(self):
        self.need("imap4flags")
        tags, make = self.match()
        if "regex" in tags:
            tags, make = ":is", self.string
        if make == self.string:
            def make():
                return quoted(self.one_of("\\Seen", "f1", "f2", "red", "\\deleted", "f3"))
        return f"hasflag {tags} {self.strings(make)}"

    def test_scanner(self):
        self.need("relational", "comparator-i;ascii-numeric")
        name = self.one_of("spamtest", "virustest")
        percent = ""
        if name == "spamtest" and self.rng.random() < 0.3 and "spamtest" not in self.needs:
            name, percent = "spamtest", ":percent"
            self.need("spamtestplus")
        elif not (name == "spamtest" and "spamtestplus" in self.needs):
            self.need(name)
        return f'{name} {percent} :value "{self.one_of("ge", "lt", "eq")}" ' \
               f':comparator "i;ascii-numeric" "{self.rng.randint(0, 10)}"'

    def test_mime(self):
        self.need("mime")
        any_child = "" if self.looping else self.one_of("", ":anychild")
        tags, make = self.match()
        option = self.one_of("", ":type", ":subtype", ":contenttype",
                             ':param ["charset", "name", "filename"]')
        if ":param" in option and (make != self.string or "value" in tags):
            tags, make = self.one_of(":is", ":contains"), self.string
        field = self.one_of("Content-Type", "Content-Disposition") if option \
            else self.one_of("Content-Type", "X-Word", "Content-Transfer-Encoding")
        if make == self.string:
            def make():
                return quoted(self.one_of("text", "plain", "text/plain", "multipart", "utf-8",
                                          "mixed", "a.txt", "f.txt", "base64"))
        if self.rng.random() < 0.2:
            return f'exists :mime {any_child} {quoted(field)}'
        return f"header :mime {any_child} {option} {tags} {quoted(field)} {self.strings(make)}"

    def test_known(self):
        kind = self.one_of("ihave", "environment", "notify", "duplicate")
        if kind == "duplicate":
            self.need("duplicate")
            self.notes += 1
            return f'duplicate :uniqueid "{self.notes}"' if not self.looping else "exists \"X\""
        if kind == "ihave":
            self.need("ihave")
            return "ihave " + self.strings(lambda: quoted(self.one_of(
                "fileinto", "no-such-thing", "relational", "body", "copy")))
        if kind == "environment":
            self.need("environment")
            return 'environment :contains "nothing" ""'
        self.need("enotify")
        return f'valid_notify_method {self.strings(self.uri)}'

    def uri(self):
        return quoted(self.one_of("mailto:a@example.com", "mailto:b@example.org?subject=x",
                                  "xmpp:a@example.com", "mailto:a%40b@example.com"))

    def test(self, depth=0):
        rng = self.rng
        if depth < 3 and rng.random() < 0.25:
            kind = self.one_of("not", "anyof", "allof")
            if kind == "not":
                return f"not {self.test(depth + 1)}"
            return f"{kind}(" + ", ".join(self.test(depth + 1) for _ in range(
                rng.randint(1, 3))) + ")"
        make = rng.choices(
            [self.test_header, self.test_address, self.test_envelope, self.test_exists,
             self.test_size, self.test_body, self.test_date, self.test_string, self.test_flag,
             self.test_scanner, self.test_mime, self.test_known, self.test_currentdate],
            [8, 6, 3, 1, 1, 3, 3, 4, 2, 1, 3, 1, 1])[0]
        return make()

    # ---- commands ----

    def flag(self):
        """What tells that this place was reached."""
        self.flags += 1
        return f'addflag "{self.mark}{self.flags}";\n'

    def take(self):
        """What the last match left."""
        if not self.variables or self.rng.random() < 0.5:
            return ""
        return f'set "v{self.rng.randint(0, 3)}" "{self.one_of("${1}", "${0}", "${1}-${2}", "${3}")}";\n'

    def command_if(self, depth):
        test = self.one_of("true", "false") if self.rng.random() < 0.04 else self.test()
        out = f"if {test} {{\n{self.take()}{self.flag()}{self.block(self.one_of(0, 0, 1, 2), depth)}}}\n"
        if self.rng.random() < 0.3:
            out += f"elsif {self.test()} {{\n{self.take()}{self.flag()}}}\n"
        if self.rng.random() < 0.3:
            out += f"else {{\n{self.flag()}}}\n"
        return out

    def command_set(self, _depth):
        if not self.variables:
            return "# nothing\n"
        how = self.rng.sample([self.one_of(":lower", ":upper"),
                               self.one_of(":lowerfirst", ":upperfirst"), ":quotewildcard",
                               ":length"], self.one_of(0, 0, 1, 2))
        # They do these in another order: lib/sieve_known.py
        i = self.rng.randint(0, 3)
        value = self.string().replace(f"{{v{i}}}", "{v}").replace(f"{{V{i}}}", "{v}")
        return f'set {" ".join(how)} "v{i}" {value};\n'

    def command_flag(self, _depth):
        self.need("imap4flags")
        some = self.strings(lambda: quoted(self.one_of("\\Seen", "red", "f1", "f2 f3",
                                                       "\\Flagged")))
        return f'{self.one_of("addflag", "removeflag", "addflag", "setflag")} {some};\n'

    def command_header(self, _depth):
        if self.whole:
            return "/* none */\n"
        self.need("editheader")
        self.edits += 1
        if self.rng.random() < 0.6:
            return f'addheader {self.one_of("", ":last")} ' \
                   f'"{self.one_of("X-Word", "X-New", "Comments")}" {quoted(self.word().strip())};\n'
        if self.rng.random() < 0.5:
            return f'deleteheader{self.index()} "{self.one_of("X-Word", "X-List", "Comments")}";\n'
        tags = self.one_of(":contains", ":is", ":matches")
        return f'deleteheader {tags} "{self.one_of("X-Word", "X-List")}" ' \
               f'{self.strings(self.pattern if tags == ":matches" else self.string)};\n'

    def command_loop(self, depth):
        if depth > 1 or self.loops > 1 or self.looping:
            return "/* nothing */\n"
        self.loops += 1
        self.need("mime", "foreverypart")
        self.looping = True
        inner = self.command_if(depth + 1)
        if self.variables and self.rng.random() < 0.5:
            self.need("extracttext")
            inner += 'if header :mime :type "Content-Type" "text" { extracttext ' \
                     f'{self.one_of("", ":upper", ":length")} "v{self.rng.randint(0, 3)}"; }}\n'
        if self.rng.random() < 0.3:
            inner += f'if {self.test_mime()} {{ {self.flag()} break; }}\n'
        self.looping = False
        return f"foreverypart {{\n{inner}}}\n"

    def command_include(self, _depth):
        if self.looping or len(self.included) > 2:
            return ""
        self.need("include")
        if self.mark != "t":
            return "return;\n"
        name = f"inner{len(self.included)}"
        where = self.one_of(":personal", ":global", "")
        inner = Script(self.rng, 2, mark=name)
        self.included[("global/" if where == ":global" else "") + name] = inner.text
        return f'include {where} {self.one_of(":once", ":optional", "")} "{name}";\n'

    def folder(self):
        return quoted(self.one_of("A", "B", "INBOX", "Lists/dev", "Gr\u00fc\u00dfe", "a b"))

    def command_action(self, _depth):
        self.actions += 1
        if self.actions > 6 or self.looping:
            return "/* enough */\n"
        kind = self.rng.choices(
            ["fileinto", "copy", "keep", "flagged", "redirect", "redirect copy", "discard",
             "notify", "vacation", "reject", "stop"],
            [4, 3, 2, 3, 1, 1, 1, 1, 1, 1, 1])[0]
        if kind in ("fileinto", "copy", "flagged"):
            self.need("fileinto")
        if "copy" in kind:
            self.need("copy")
        if kind == "fileinto" and self.rng.random() < 0.2:
            self.need("mailbox")
            return f"fileinto :create {self.folder()};\n"
        if kind == "flagged":
            self.need("imap4flags")
            return f'{self.one_of("keep", "fileinto")} :flags ["red", "f{self.rng.randint(1, 3)}"] ' \
                .replace("keep :", "fileinto :") + self.folder() + ";\n"
        if kind.startswith("redirect"):
            return f'redirect {":copy" if "copy" in kind else ""} ' \
                   f'"{"copy" if "copy" in kind else "sole"}{self.one_of(1, 2)}@example.com";\n'
        if kind == "notify":
            self.need("enotify")
            self.notes += 1
            return f'notify :importance "{self.one_of(1, 2, 3)}" :message {quoted(self.word())} ' \
                   f'"mailto:{self.mark}{self.notes}@example.com";\n'
        if kind in ("vacation", "reject"):
            if self.final:
                return self.command_if(3)
            self.final = True
            self.need(kind)
            if kind == "reject":
                return f"reject {quoted(self.word())};\n"
            time = f":days {self.rng.randint(1, 9)}"
            if self.rng.random() < 0.3:
                self.need("vacation-seconds")
                time = f":seconds {self.rng.randint(86400, 900000)}"
            return f'vacation {time} ' \
                   f':subject {quoted(self.word().strip())} ' \
                   f'{self.one_of("", ":addresses " + quoted("me@example.com"))} ' \
                   f'{quoted(self.word())};\n'
        return {"fileinto": f"fileinto {self.folder()};\n",
                "copy": f"fileinto :copy \"Copies/{self.actions}\";\n"}.get(kind, kind + ";\n")

    def block(self, size, depth):
        if depth > 3:
            return ""
        out = ""
        for _ in range(size):
            make = self.rng.choices(
                [self.command_if, self.command_set, self.command_flag, self.command_header,
                 self.command_loop, self.command_action, self.command_include],
                [24, 6, 4, 2, 2, 4, 1])[0]
            out += make(depth + 1)
        return out

    def tell(self):
        """What variables hold at the end."""
        self.need("enotify")
        held = "".join(f"<${{v{i}}}>" for i in range(4))
        return f'notify :message "held {held}" "mailto:told@example.com";\n'


class Case:
    """A script, a message and an envelope."""

    def __init__(self, seed, size=12):
        rng = random.Random(f"sieve {seed}")
        self.seed = seed
        self.sender = rng.choice(["sender@example.net", "Owner-List@lists.example.com",
                                  "news+a@example.com"])
        self.recipient = rng.choice(["recipient@example.com", "me+folder@example.org"])
        self.message = Message(rng).octets
        script = Script(rng, rng.randint(3, size))
        self.script, self.included = script.text, script.included
