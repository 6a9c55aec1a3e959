# SPDX-License-Identifier: ISC
"""Runs a script by popstore and by Pigeonhole's sieve-test, and gives what each does in one form.

An action is a tuple of words; flags are compared without regard to case and order (RFC 3501).
"""

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

from lib.place import BIN

CONFIGURATION = """\
protocols =
log_path = /dev/stderr
mail_location = maildir:{home}/mail
mail_home = {home}
mail_uid = {uid}
mail_gid = {gid}
plugin {{
  sieve_extensions = +editheader +spamtest +spamtestplus +virustest +vacation-seconds
  sieve_max_redirects = 4
  sieve = file:{home};active={home}/x.sieve
  sieve_global = {home}/global
{more}}}
"""


# What sieve-test says of every script: that it cannot keep what it compiled, and that it has ended.
USUAL = ("svbin", "final result: success", "checked duplicate")


class Peers:
    """A folder where both find script and message."""

    def __init__(self, more=""):
        # The script interpreter does not run as root, and so has to get to its files.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="popstore-sieve-"))
        self.home.chmod(0o755)
        (self.home / "global").mkdir(mode=0o755)
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        (self.home / "conf").write_text(CONFIGURATION.format(
            home=self.home, uid=user.pw_uid, gid=user.pw_gid, more=more))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def put(self, case):
        (self.home / "x.sieve").write_text(case.script)
        (self.home / "message").write_bytes(case.message)
        for name, text in case.included.items():
            (self.home / f"{name}.sieve").write_text(text)

    def run(self, words):
        return subprocess.run(words, cwd=self.home, capture_output=True, timeout=300, check=False)

    def ours(self, case):
        """Actions, what was said."""
        done = self.run([f"{BIN}/popstore", "sieve", "run", "--json", "--sender", case.sender,
                         "--recipient", case.recipient, "x.sieve", "message"])
        said = done.stderr.decode()
        if not done.stdout:
            return None, said
        answer = json.loads(done.stdout)
        if answer["failure"]:
            return [("failed",)], said
        return [a for a in map(our_action, answer["actions"]) if a], said

    def theirs(self, case):
        done = self.run(["sieve-test", "-c", "conf", "-C", "-f", case.sender, "-a", case.recipient,
                         "-r", case.recipient, "x.sieve", "message"])
        said = "".join(x + "\n" for x in done.stderr.decode().split("\n")
                       if not any(usual in x for usual in USUAL)).strip()
        if "failed to compile" in said:
            return None, said
        if "final result:" in said or done.returncode != 0:
            return [("failed",)], said
        return their_actions(done.stdout.decode("utf-8", "replace")), said


def flags(words):
    return tuple(sorted({w.lower() for w in words}))


def one_line(text):
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()


# ---- popstore ----

TOKEN = re.compile(r'"(?P<string>(?:[^"\\]|\\.)*)"|:(?P<tag>[a-z]+)|(?P<sign>[\[\],])|(?P<word>[^\s"\[\],]+)')
ALONE = ("copy", "mime", "create", "last", "bytrace")


def unquoted(string):
    return re.sub(r"\\(.)", lambda m: {"r": "\r", "n": "\n"}.get(m[1], m[1]), string)


def our_action(line):
    """What sieve_print() prints: None for an edit, which shows in what tests find later."""
    line = line.removeprefix("implicit ").partition(" (not sent:")[0]
    name, _, rest = line.partition(" ")
    args, tag = {}, ""
    for token in TOKEN.finditer(rest):
        if token["tag"]:
            tag = "" if token["tag"] in ALONE else token["tag"]
            args.setdefault(token["tag"], [])
        elif token["sign"]:
            tag = "" if token["sign"] == "]" else tag
        else:
            value = token["word"] if token["string"] is None else unquoted(token["string"])
            args.setdefault(tag, []).append(value)
            tag = tag if tag == "flags" else ""
    return ACTIONS[name](lambda of: (args.get(of) or [""])[0], flags(args.get("flags", [])))


ACTIONS = {
    "addheader": lambda a, f: None,
    "deleteheader": lambda a, f: None,
    "keep": lambda a, f: ("store", "INBOX", f),
    "fileinto": lambda a, f: ("store", a(""), f),
    "discard": lambda a, f: ("discard",),
    "redirect": lambda a, f: ("redirect", a("")),
    "reject": lambda a, f: ("reject", one_line(a(""))),
    "vacation": lambda a, f: ("vacation", a("seconds"), a("subject"), one_line(a(""))),
    "notify": lambda a, f: ("notify", a("importance"), one_line(a("message"))),
}


# ---- Pigeonhole ----

def their_actions(text):
    """Both lists: what was asked for, and what happens implicitly."""
    text = text.partition("Performed actions:")[2]
    out = []
    for piece in re.split(r"^ \* ", text, flags=re.M)[1:]:
        piece = piece.partition("\nImplicit keep:")[0]
        if not piece.startswith("track duplicate"):
            out.append(their_action(piece))
    return out


def their_action(piece):
    first, _, rest = piece.partition("\n")
    if first.startswith("store message in folder: "):
        found = re.search(r"\+ add IMAP flags: (.*)", rest)
        return ("store", first.partition(": ")[2], flags(found[1].split()) if found else ())
    if first.startswith("discard"):
        return ("discard",)
    if first.startswith("redirect message to: "):
        return ("redirect", first.partition("<")[2].rstrip(">"))
    if first.startswith("reject message with reason: "):
        return ("reject", one_line(piece.partition(": ")[2].rstrip()))
    if first.startswith("send vacation message"):
        subject = re.search(r"=> subject : (.*)", rest)
        reason = re.search(r"START MESSAGE\n(.*)\nEND MESSAGE", rest, re.S)
        return ("vacation", re.search(r"=> seconds : (\d+)", rest)[1],
                subject[1] if subject else "", one_line(reason[1]))
    if first.startswith("send notification"):
        subject = re.search(r"=> subject      : (.*?)\n(?=    => )", rest, re.S)
        return ("notify", re.search(r"=> importance   : (\d)", rest)[1],
                one_line(subject[1]) if subject else "")
    return ("?", piece)
