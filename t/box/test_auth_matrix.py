# SPDX-License-Identifier: ISC
"""Every way to log in, of every kind of account, wherever its password is, on every channel

What has to come of it is said by the tables here, in the words of doc/AUTH.md, and not by
what the program offers.
"""

import base64
import collections
import concurrent.futures
import contextlib
import itertools

import pytest

from lib import certificate, place, sasl, sources
from lib.counts import count
from lib.record import rewrite
from lib.secure import SecureSite, capa
from lib.wire import Wire, connect

PROXY_ADDRESS = "127.0.0.2"
pytestmark = place.not_twice

RIGHT, WRONG = "sesame seed 7", "sesame seed 8"

# ---- the tables ----------------------------------------------------------------------------

# `proof`, what the other end has to know: a password that passes over the wire, which any
# source may judge; verifiers; the password itself; or a certificate.
Mechanism = collections.namedtuple("Mechanism", "name proof")
CLEAR, VERIFIERS, ITSELF, CERTIFICATE = "clear", "verifiers", "itself", "certificate"
MECHANISMS = [
    Mechanism("EXTERNAL", CERTIFICATE),
    Mechanism("SCRAM-SHA-512-PLUS", VERIFIERS),
    Mechanism("SCRAM-SHA-256-PLUS", VERIFIERS),
    Mechanism("SCRAM-SHA-1-PLUS", VERIFIERS),
    Mechanism("SCRAM-SHA-512", VERIFIERS),
    Mechanism("SCRAM-SHA-256", VERIFIERS),
    Mechanism("SCRAM-SHA-1", VERIFIERS),
    Mechanism("DIGEST-MD5", ITSELF),
    Mechanism("CRAM-MD5", ITSELF),
    Mechanism("APOP", ITSELF),
    Mechanism("PLAIN", CLEAR),
    Mechanism("LOGIN", CLEAR),
    Mechanism("PASS", CLEAR),
]
NO_SASL = ("APOP", "PASS")

# `by`: how it is from elsewhere; a client is on this machine otherwise.  `certificate`: it
# shows one.
Channel = collections.namedtuple("Channel", "tls by certificate")
PROXY = "PROXY TCP4 192.0.2.8 192.0.2.1 4712 110\r\n"
XCLIENT = "XCLIENT ADDR=192.0.2.8 PORT=4712"
CHANNELS = [
    Channel(None, None, False),
    Channel(None, PROXY, False),
    Channel("STLS", None, True),
    Channel("implicit", None, True),
    Channel("STLS", XCLIENT, False),
    Channel("implicit", PROXY, False),
]


def is_offered(mechanism, channel, plaintext, allowed):
    if mechanism.name not in allowed:
        return False
    if mechanism.proof == CLEAR:
        return bool(channel.tls) or (plaintext == "loopback" and not channel.by)
    if mechanism.proof == CERTIFICATE:
        return channel.certificate
    if mechanism.name.endswith("-PLUS"):
        return bool(channel.tls)
    # A challenge is in the greeting: one in clear counts no more under TLS, nor one that
    # another client was given.
    return mechanism.name != "APOP" or (channel.tls != "STLS" and channel.by != XCLIENT)


# A domain each.  `secret`: the rules ask it; `other`: what else they ask.  Where there is
# another source, it alone knows the passwords, but for the domain `both`.
Source = collections.namedtuple("Source", "name secret other recoverable keeps")
SOURCES = [
    Source("secret", True, None, False, True),
    Source("kept", True, None, True, True),
    Source("sasldb", True, "sasldb", True, False),
    Source("saslauthd", True, "saslauthd", True, False),
    Source("remote", True, "pop3", True, False),
    # All that there is could be used, if the rules asked it.
    Source("not-asked", False, "sasldb", True, True),
    Source("both", True, "sasldb", True, True),
]

OK, REFUSED, EXPIRED = "ok", "refused", "expired"
REPLIES = {REFUSED: b"-ERR [AUTH] name or password is wrong\r\n",
           EXPIRED: b"-ERR [AUTH] password has expired, change it first\r\n"}

# The state of an account: what becomes of a proof that is right.
STATES = {
    "good": OK, "wrong": REFUSED, "unknown": REFUSED, "disuser": REFUSED, "lockpwd": OK,
    "elsewhere": OK, "expired": EXPIRED, "template": REFUSED,
}
FLAGS = {"disuser": "disuser", "lockpwd": "lockpwd", "elsewhere": "pwd_elsewhere"}


def has_secret(source, state):
    return source.keeps and state not in ("unknown", "elsewhere", "template")


def is_proved(mechanism, source, state):
    """Whether anybody who is asked can say that the proof is right."""
    own = source.secret and has_secret(source, state)
    if mechanism.proof == CERTIFICATE:
        return True
    if mechanism.proof == CLEAR:
        return own or source.other is not None
    return own and (mechanism.proof == VERIFIERS or source.recoverable)


def expected(mechanism, source, state):
    if not is_proved(mechanism, source, state):
        return REFUSED
    own = source.secret and has_secret(source, state)
    # Who came in without that password need not change it.
    if state == "expired" and (mechanism.proof == CERTIFICATE or not own):
        return OK
    return STATES[state]


def name_of(source, state):
    return ("default" if state == "template" else state) + f"@{source.name}.example"


# ---- the site ------------------------------------------------------------------------------

ALL = [m.name for m in MECHANISMS]
# Without rules: what needs no recoverable secret.
USUAL = [m.name for m in MECHANISMS if m.proof != ITSELF]


def rules(urls):
    return [f"domain {s.name}.example  sources " +
            ",".join(["secret"] * s.secret + ([urls[s.other]] if s.other else [])) +
            f"  mechanisms {','.join(ALL)}" for s in SOURCES]


def add_accounts(site):
    for source in SOURCES:
        site.ctl("domain", "add", f"{source.name}.example",
                 *(("--recoverable", "yes") if source.recoverable else ()))
        for state in STATES:
            name = name_of(source, state)
            flags = ("--flags", FLAGS[state]) if state in FLAGS else ()
            if state in ("unknown", "template"):
                continue
            if has_secret(source, state):
                site.ctl("add", name, "--password-stdin", *flags, stdin=RIGHT + "\n")
            else:
                site.ctl("add", name, *flags)
            if state == "expired" and has_secret(source, state):
                record, = (site.root / "secrets").rglob(name)
                rewrite(record, rb"^set \d+$", b"set 1500000000000")


@pytest.fixture(scope="module")
def others():
    """The settings for sources that know everybody's password."""
    place.need_root("Dovecot")
    users = {name_of(s, state): RIGHT for s in SOURCES if s.other for state in STATES}
    folder = place.scratch("matrix")
    with sources.Dovecot(users) as dovecot, \
            sources.Saslauthd("rimap", "-r", "-O",
                              f"127.0.0.1/{dovecot.ports['imap']}") as saslauthd:
        file = sources.sasldb(folder, {n: p for n, p in users.items()
                                       if "@saslauthd." not in n and "@remote." not in n})
        yield {"saslauthd": saslauthd.socket, "sasl_options": [f"sasldb_path {file}"],
               "rules": rules({"sasldb": "sasldb", "saslauthd": "saslauthd",
                               "pop3": dovecot.url("pop3")})}
    place.discard(folder)


class Party:
    """A site, and clients of it."""

    def __init__(self, site, plaintext, allowed, tried):
        self.site, self.plaintext, self.allowed = site, plaintext, allowed
        self.sources = tried
        self.end_point = certificate.end_point(site.mail[0])
        self.contexts = {None: certificate.client()}
        self.certify()

    def certify(self):
        for i, (source, state) in enumerate(itertools.product(self.sources, STATES)):
            name = name_of(source, state)
            pair = certificate.issue(self.site.dir, f"client{i}", f"/CN={name}", self.site.ca)
            self.contexts[name] = certificate.client()
            self.contexts[name].load_cert_chain(*pair)

    @contextlib.contextmanager
    def connect(self, channel, shown=None):
        """(connection, greeting)"""
        context = self.contexts[shown if channel.certificate else None]
        port = self.site.pop3s if channel.tls == "implicit" else self.site.pop3
        source = PROXY_ADDRESS if channel.by == PROXY else "127.0.0.1"
        with Wire(connect(port, source=source)) as wire:
            if channel.by == PROXY:
                wire.send(PROXY)
            if channel.tls == "implicit":
                wire.start_tls(context)
            greeting = wire.line()
            assert greeting.startswith(b"+OK")
            if channel.by == XCLIENT:
                assert wire.ask(XCLIENT).startswith(b"+OK")
            if channel.tls == "STLS":
                assert wire.ask("STLS").startswith(b"+OK")
                wire.start_tls(context)
            yield wire, greeting


@contextlib.contextmanager
def party(plaintext, allowed, tried, **auth):
    site = SecureSite(lmtp=None, policy=None, socketmap=None, milter=None,
                      pop3={"xclient_networks": ["127.0.0.1"],
                            "proxy_networks": [PROXY_ADDRESS]},
                      auth={"plaintext_without_tls": plaintext, "certificate_name": "subject-cn",
                            "trusted_networks": ["192.0.2.0/24"], "password_lifetime": "300d",
                            "user_delay": 0,  # each is refused by many mechanisms here
                            **auth})
    try:
        site.ca = certificate.make_authority(site.dir, "ca")
        site.conf["tls"]["client_ca"] = [str(site.ca[0])]
        site.init()
        add_accounts(site)
        yield Party(site.start(), plaintext, allowed, tried)
        site.assert_sound()
        site.daemon.assert_no_errors()
    finally:
        site.end()


def log_in(wire, greeting, mechanism, name, password, end_point):
    """The last answer."""
    if mechanism.name == "PASS":
        answer = wire.ask(f"USER {name}")
        return wire.ask(f"PASS {password}") if answer.startswith(b"+OK") else answer
    if mechanism.name == "APOP":
        challenge = greeting.decode().split()[-1]
        return wire.ask(f"APOP {name} {sasl.apop_digest(challenge, password)}")
    return exchange(wire, mechanism.name, client(mechanism.name, name, password, end_point))


def client(mechanism, name, password, end_point):
    if mechanism.startswith("SCRAM-"):
        plus = mechanism.endswith("-PLUS")
        bound = (b"p=tls-server-end-point,,", end_point) if plus else ()
        hash_name = mechanism.removesuffix("-PLUS").removeprefix("SCRAM-").replace("-", "").lower()
        return sasl.scram(name, password, hash_name, *bound)
    if mechanism == "EXTERNAL":
        # What a certificate can have wrong is who it is to be good for.
        return sasl.external("" if password == RIGHT else "good@secret.example")
    return {"PLAIN": sasl.plain, "LOGIN": sasl.login, "CRAM-MD5": sasl.cram_md5,
            "DIGEST-MD5": sasl.digest_md5}[mechanism](name, password)


def exchange(wire, mechanism, talk):
    """RFC 5034, with the first response in the command where there is one."""
    first = next(talk)
    answer = wire.ask(f"AUTH {mechanism}" +
                      ("" if first is None else " " + (sasl.b64(first) or "=")))
    while answer.startswith(b"+ "):
        answer = wire.ask(sasl.b64(talk.send(base64.b64decode(answer[2:]))))
    return answer


# ---- the tests -----------------------------------------------------------------------------


def offers(party_, channel):
    with party_.connect(channel, name_of(party_.sources[0], "good")) as (wire, _):
        lines = capa(wire)
    listed = [line.split()[1:] for line in lines if line.startswith("SASL ")]
    said = set(itertools.chain(*listed))
    if "USER" in lines:
        said.add("PASS")
    return said


PARTIES = {
    # plaintext_without_tls, the mechanisms that may be used, and the domains to try; with
    # the rules of `others`, or without any
    "loopback": ("loopback", ALL, SOURCES, True),
    "never": ("never", ALL, SOURCES[1:3], True),
    "usual": ("loopback", USUAL, SOURCES[:2], False),
}


@pytest.fixture(scope="module", params=PARTIES)
def any_party(request, others):
    plaintext, allowed, tried, has_rules = PARTIES[request.param]
    with party(plaintext, allowed, tried, **(others if has_rules else {})) as p:
        yield p


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_the_offer(any_party, channel):
    want = {m.name for m in MECHANISMS
            if is_offered(m, channel, any_party.plaintext, any_party.allowed)}
    assert offers(any_party, channel) == want - {"APOP"}  # CAPA does not tell of that


def outcome(party_, channel, source, state, mechanism):
    """None, or what is wrong with it."""
    name, password = name_of(source, state), WRONG if state == "wrong" else RIGHT
    offered = is_offered(mechanism, channel, party_.plaintext, party_.allowed)
    want = expected(mechanism, source, state) if offered else "not offered"
    with party_.connect(channel, name) as (wire, greeting):
        answer = log_in(wire, greeting, mechanism, name, password, party_.end_point)
        if want == OK:
            good = answer.startswith(b"+OK 0 ") and wire.ask("QUIT").startswith(b"+OK") \
                and wire.rest() == b""
        elif offered:
            good = answer == REPLIES[want]
        else:
            good = answer.startswith(b"-ERR") and answer not in REPLIES.values()
    return None if good else f"{channel}, {name}, {mechanism.name}: {answer}, not {want}"


def of_account(party_, source, state):
    """A list of what outcome() says; one maildrop, so one after the other.  What is not
    offered to one user is not offered to the others."""
    return [outcome(party_, channel, source, state, m)
            for channel, m in itertools.product(CHANNELS, MECHANISMS)
            if state == "good" or is_offered(m, channel, party_.plaintext, party_.allowed)]


def test_every_combination(any_party):
    accounts = list(itertools.product(any_party.sources, STATES))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = list(itertools.chain(*pool.map(lambda a: of_account(any_party, *a), accounts)))
    wrong = [line for line in said if line]
    count("ways to log in: mechanism, source, channel, account", len(said))
    assert not wrong, f"{len(wrong)} of {len(said)}:\n" + "\n".join(wrong[:60])
