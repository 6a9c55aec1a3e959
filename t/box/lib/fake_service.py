# SPDX-License-Identifier: ISC
"""fake_service - a stand-in for any program that popstored starts

Says on standard error what it was given and what happens to it, and does what the
file $FAKE/<program> says (popstore-login is popstore-pop3d --login): "exit N" ends at once with that status, "wait" becomes ready
only after SIGUSR1.  Serves connections on the sockets it was handed with one line:
its program and process id.
"""

import os
import select
import signal
import socket
import sys


def say(text):
    os.write(2, f"fake {PROGRAM} {os.getpid()} {text}\n".encode())


def notify(state):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(state, os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))


def inherited():
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    names = os.environ["LISTEN_FDNAMES"].split(":")
    # The ends of channels and the key stay open, and nothing is done with them.
    return [socket.socket(fileno=3 + i) for i, name in enumerate(names) if "." not in name and name != "ticket"]


def serve(listeners, wake):
    while True:
        readable, _, _ = select.select([wake, *listeners], [], [])
        if wake in readable:
            if os.read(wake, 64).strip(bytes([signal.SIGUSR1])):
                return
            notify(b"READY=1")
            continue
        for listener in readable:
            try:
                peer, _ = listener.accept()
            except BlockingIOError:  # another worker was faster
                continue
            with peer:
                peer.sendall(f"{PROGRAM} {os.getpid()}\n".encode())


def main():
    # Before "start" is said: a test may signal whoever said it.
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end)
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(sig, lambda *_: None)
    listeners = inherited()
    names = os.environ.get("LISTEN_FDNAMES", "")
    say(f"start args={','.join(sys.argv[2:])} sockets={names} group={os.getpgid(0)}")
    try:
        with open(os.path.join(os.environ["FAKE"], PROGRAM), encoding="ascii") as f:
            todo = f.read().split()
    except FileNotFoundError:
        todo = []
    if todo[:1] == ["exit"]:
        sys.exit(int(todo[1]))
    if PROGRAM == "popstore":
        say("done")
        return
    if "wait" not in todo:
        notify(b"READY=1")
    serve(listeners, wake)
    say("stop")


PROGRAM = "popstore-login" if "--login" in sys.argv else sys.argv[1]
main()
