# SPDX-License-Identifier: ISC
"""POP3 as a client sees it: RFC 1939, 2449 and 3206, and what a hostile one tries"""

from lib.site import PASSWORD
from lib.talk import Talker

# ---- before login ------------------------------------------------------------------


def test_capabilities_before_login(pop3):
    pop3.talk("""
        < +OK mx.example.org POP3 server ready
        > CAPA
        < +OK*
        < TOP
        < UIDL
        < PIPELINING
        < RESP-CODES
        < AUTH-RESP-CODE
        < EXPIRE NEVER
        < USER
        < .
        > QUIT
        < +OK*
        <eof
    """)


def test_a_login(pop3, account):
    pop3.talk(f"""
        < +OK*
        > USER {account}
        < +OK*
        # the password has a space in it
        > PASS {PASSWORD}
        < +OK 0 messages (0 octets)
        > CAPA
        < +OK*
        < ...
        < IMPLEMENTATION popstore-*
        < .
        > USER {account}
        < -ERR already logged in
        > QUIT
        < +OK*
        <eof
    """)


def test_a_login_by_another_spelling_of_the_name(pop3, account):
    pop3.talk(f"""
        < +OK*
        > uSER {account.upper()}
        < +OK*
        > pass {PASSWORD}
        < +OK 0 messages (0 octets)
        > quit
        < +OK*
        <eof
    """)


def test_every_refusal_reads_the_same(site, pop3, account):
    disabled = site.new_account(flags="disuser")
    for name, password in ((account, "wrong"), (account, PASSWORD.upper()),
                           ("nobody@example.org", PASSWORD), ("a@nowhere.example", PASSWORD),
                           ("default@example.org", PASSWORD), (disabled, PASSWORD),
                           ("../../etc/passwd", "x"), ("a/b", "x"), (".", "x"),
                           ("u@../d", "x"), ("u@d/..", "x"), ("x" * 240, "x"),
                           ("%n%n%s%x", "%n%n%n"), ("%{user}", "$(id)"),
                           (account, "x\tmaster_user=root\tskip_password_check=1")):
        pop3.talk(rf"""
            < +OK*
            > USER {name}
            < +OK and the password?
            > PASS {password}
            < -ERR [AUTH] name or password is wrong
            > STAT
            < -ERR log in first
            > QUIT
            < +OK*
            <eof
        """)


def test_three_tries_a_connection(site, way, account):
    Talker(site.pop3, way).talk("""
        < +OK*
    """ + 3 * f"""
        > USER {account}
        < +OK*
        > PASS wrong
        < -ERR [AUTH]*
    """ + f"""
        > USER {account}
        > PASS {PASSWORD}
        <eof
    """)


def test_other_ways_to_log_in_are_not_there(pop3):
    pop3.talk("""
        < +OK*
        > AUTH
        < -ERR unknown command
        > AUTH PLAIN AGEAYg==
        < -ERR unknown command
        > APOP a 0123456789abcdef0123456789abcdef
        < -ERR unknown command
        > STLS
        < -ERR unknown command
        > QUIT
        < +OK*
    """)


# ---- what is no command ---------------------------------------------------------------


def test_only_crlf_ends_a_line(pop3, account):
    pop3.talk(rf"""
        < +OK*
        > USER {account}\n\c
        < -ERR a line ends in CRLF*
        > USER a\rb
        < -ERR a line ends in CRLF*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK*
        > NOOP\nNOOP
        < -ERR a line ends in CRLF*
        < +OK
        > QUIT
        < +OK*
    """)


def test_a_nul_ends_it(pop3, account):
    pop3.talk(rf"""
        < +OK*
        > USER {account}
        < +OK*
        > PASS {PASSWORD}
        < +OK*
        > RETR 1\0 2
        < -ERR a NUL*
        <eof
    """)


def test_a_long_line_is_refused_once(pop3):
    pop3.talk(f"""
        < +OK*
        > USER {'x' * 248}
        < +OK*
        > USER {'x' * 249}
        < -ERR a command has at most 255 octets
        > USER {'x' * 100000}
        < -ERR a command has at most 255 octets
        > QUIT
        < +OK*
    """)


def test_ten_bad_commands_are_enough(pop3, account):
    pop3.talk("""
        < +OK*
    """ + 9 * """
        > XYZZY
        < -ERR unknown command
    """ + """
        > XYZZY
        < -ERR unknown command; too many errors, goodbye
        > QUIT
        <eof
    """)
