# SPDX-License-Identifier: ISC
"""power - a popstore whose power can be cut, and what the rigs of power cuts share"""

import os
import signal
import subprocess

import pytest

from lib import place
from lib.mail import Lmtp, dot_stuffed, fetch_all, message
from lib.site import PASSWORD, Site
from lib.wire import Wire

LIE = place.BIN.parent / "t" / "crash" / "shim" / "lie.so"


class PowerSite(Site):
    """Its root is on the first disk, its messages on the others, if there are any.  No
    checkpoint comes by itself: recovery has everything to do."""

    def __init__(self, disk, *volumes):
        store = {"root": disk.path / "store", "checkpoint": "1h", "trust_file_system": False}
        if volumes:
            store["volumes"] = [d.path / "volume" for d in volumes]
        super().__init__("power", store=store, policy=None, socketmap=None, milter=None)
        self.disks = [disk, *volumes]

    def power_fails(self, running=()):
        """Everything stops where it is.  `running`: programs besides the services.

        The programs stop first, in whatever call they are: the kernel, which goes on, lets
        some of the syncs return 0 that ext4's shutdown overtakes, and who went on with that
        would act on a promise that nobody gave."""
        for process in running:
            process.send_signal(signal.SIGSTOP)
        if self.daemon is not None:
            self.daemon.freeze()
        for d in self.disks:
            d.cut()
        for process in running:
            process.kill()
            process.wait()
        if self.daemon is not None:
            daemon, self.daemon = self.daemon, None
            daemon.kill()
            daemon.assert_clean()
        for d in self.disks:
            d.power_up()

    def cut(self, running=()):
        self.power_fails(running)
        return self.start()


def fresh_directories(site):
    """As in a new minute: the next message makes its directories."""
    for volume in site.volumes():
        for d, _, _ in os.walk(os.path.join(volume, "messages"), topdown=False):
            if os.path.basename(d) != "messages":
                os.rmdir(d)
        subprocess.run([place.tool("sync"), "-f", volume], check=True)


# ---- clients -----------------------------------------------------------------------


def subject_of(content):
    return content.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode()


def subjects(site, name):
    return sorted(subject_of(m) for m in fetch_all(site, name))


BODY = b"x" * 70 + b"\r\n" * 40


def start_message(site, names, subject, bdat=False):
    """Sends a message and reads none of the answers to it."""
    lmtp = Lmtp(site.lmtp)
    lmtp.ask("MAIL FROM:<sender@example.com>")
    for name in names:
        assert lmtp.ask(f"RCPT TO:<{name}>").startswith("250")
    content = message(subject, BODY)
    if bdat:
        lmtp.wire.send(f"BDAT {len(content)} LAST\r\n".encode() + content)
    else:
        assert lmtp.ask("DATA").startswith("354")
        lmtp.wire.send(dot_stuffed(content))
    return lmtp.wire


def deliver(site, names, *texts):
    """All of it is over then: what comes after an answer is done before the next one."""
    with Lmtp(site.lmtp) as lmtp:
        for subject in texts:
            for answer in lmtp.send(names, message(subject, BODY)):
                assert answer.startswith("250"), answer
        lmtp.ask("QUIT")


def start_quit(site, name, commands=()):
    """A session that has sent QUIT and reads nothing of the answer."""
    wire = Wire(site.pop3)
    wire.line()
    for line in (f"USER {name}", f"PASS {PASSWORD}", *commands):
        assert wire.ask(line).startswith(b"+OK"), line
        if line.startswith("RETR"):
            wire.until(b"\r\n.\r\n")
    wire.send("QUIT\r\n")
    return wire


# ---- controls ----------------------------------------------------------------------


def no_sanitizer():
    if "asan" in str(place.BIN):
        pytest.skip("a preloaded library and the address sanitizer exclude each other")


def eatmydata():
    """An environment in which every sync does nothing."""
    no_sanitizer()
    library = next((p for p in ("/usr/lib/x86_64-linux-gnu/libeatmydata.so",
                                "/usr/lib/aarch64-linux-gnu/libeatmydata.so")
                    if os.path.exists(p)), None)
    if library is None:
        pytest.skip("libeatmydata1 is not installed")
    return {"LD_PRELOAD": library}


def lie(how, gate=None):
    """An environment in which one promise is broken, see t/crash/shim/lie.c."""
    no_sanitizer()
    assert LIE.exists(), f"{LIE} is not built: run make rigs"
    env = {"LD_PRELOAD": str(LIE), "POPSTORE_LIE": how}
    if gate is not None:
        env["POPSTORE_LIE_GATE"] = str(gate)
    return env
