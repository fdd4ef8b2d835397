# SPDX-License-Identifier: ISC
"""Callers that end at any byte but behind the last one: nothing is sent, nothing is left.

usage: half.py --root DIR --programs DIR [--offsets N] [--seed N] [--without-daemon]

A caller is fed so many bytes of a message, on standard input or as a dialog of -bs; once it has read them it is killed, told to
end, or, in the dialog, hung up on.
"""
import argparse
import array
import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import termios
import threading

import stage as stages
from storm import run_dry

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HANG_UP = 0
PARALLEL = 4


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--offsets", type=int, default=40)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    p.add_argument("--without-daemon", action="store_true")
    return p.parse_args()


def unread(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, count)
    return count[0]


def dialog(letter):
    body = re.sub(rb"^\.", b"..", letter.text(), flags=re.M).replace(b"\n", b"\r\n")
    return b"EHLO c\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n" % (letter.recipients[0].encode(), len(body)) + body


def feed(p, data):
    try:
        p.stdin.write(data)
        p.stdin.flush()
    except BrokenPipeError:
        pass


def cut(stage, letter, dice):
    """The fault of one caller, or None"""
    bs = dice.random() < 0.3
    text = dialog(letter) if bs else letter.text()
    offset = dice.choice([dice.randrange(len(text)), dice.randrange(min(len(text), 3000)), len(text) - 1])
    number = dice.choice(SIGNALS + (HANG_UP,) if bs else SIGNALS)
    what = "%s at byte %d of %d%s" % (number and number.name or "hung up on", offset, len(text), " (-bs)" if bs else "")
    p = stage.call(["-bs"] if bs else ["-i", "-f", "alice@example.org", "--"] + letter.recipients)
    feeder = threading.Thread(target=feed, args=(p, text[:offset]), daemon=True)
    feeder.start()
    if not stages.wait_for(60, lambda: p.poll() is not None or not feeder.is_alive() and not unread(p.stdin)):
        return what + ": it does not read on"
    if number == HANG_UP:
        p.stdin.close()
        p.stdin = None
    else:
        p.send_signal(number)
    try:
        p.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        return what + ": it hangs"
    finally:
        stage.ended(p)
    if p.returncode == 0 and not bs:
        return what + ": exit code 0"
    return None


def work(stage, letters, dice, faults):
    while letters:
        try:
            letter = letters.pop()
        except IndexError:
            return
        fault = cut(stage, letter, dice)
        if fault:
            faults.append(fault)


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    what = "without the daemon" if opt.without_daemon else "through the daemon"
    report = stages.Report()
    report.note("half %s: %d offsets, SEED=%d" % (what, opt.offsets, seed))
    dice = random.Random(seed)
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage)
        stage.configure(hub)
        daemon = None if opt.without_daemon else stages.Daemon(stage)
        if daemon and not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return 1
        letters = [stages.Letter(n, dice.choice([500, 3000, 100000, 2500000])) for n in range(opt.offsets)]
        faults = []
        threads = [threading.Thread(target=work, args=(stage, letters, random.Random(dice.random()), faults), daemon=True)
                   for _ in range(PARALLEL)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        dry = list(run_dry(stage, daemon, hub))
        report.case("%s: a caller that ends before its last byte has an exit code of its own, and does not hang" % what, faults)
        report.case("%s: what a caller did not end is not sent" % what, ["letter %s arrived" % c.number for c in hub.copies()])
        report.case("%s: nothing is left of what was not ended" % what, dry + list(stage.leftovers()))
    finally:
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
