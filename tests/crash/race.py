# SPDX-License-Identifier: ISC
"""A smarthost that ends its connections at the worst moment: what is lost, what arrives twice, what has to wait.

usage: race.py --root DIR --programs DIR [--rounds N] [--seed N] [--without-daemon] PEER...

PEER is a script of tests/hub/scripts:
    race-421 race-fin race-rst   the connection is ended before the next message is answered: nothing lost, doubled or queued
    race-silent                  no word more: nothing lost, one copy too many at most
    race-drop                    taken, and gone before the verdict: the same
A round is one letter. Without the daemon all letters come from one `sendmail -bs`, which has one worker for all of them.
"""
import argparse
import collections
import os
import random
import re
import sys
import threading
import time

import stage as stages
from storm import arrivals, extra_copies, read_reply, run_dry

HARMLESS = ("race-421", "race-fin", "race-rst")


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--callers", type=int, default=1)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    p.add_argument("--without-daemon", action="store_true")
    p.add_argument("peer", nargs="+")
    return p.parse_args()


# ---------------------------------------------------------------- letters on their way


def pause(dice):
    """Sometimes none, sometimes as long as the smarthost waits"""
    time.sleep(dice.choice([0, dice.random() * 0.01]))


def hand_in(stage, letters, dice, verdicts):
    """A call each; verdicts[number] = (exit code, stderr)"""
    while True:
        try:
            letter = letters.popleft()
        except IndexError:
            return
        verdicts[letter.number] = stage.send(letter)
        pause(dice)


def callers(stage, letters, count, dice):
    todo, verdicts = collections.deque(letters), {}
    threads = [threading.Thread(target=hand_in, args=(stage, todo, random.Random(dice.random()), verdicts), daemon=True)
               for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return verdicts


def session(stage, letters, dice):
    """All letters by one `sendmail -bs`; verdicts[number] = (0 or the reply's code, its text)"""
    verdicts = {}
    p = stage.call(["-bs"])
    watchdog = threading.Timer(60 + len(letters), p.kill)
    watchdog.start()

    def say(line):
        p.stdin.write(line + b"\r\n")
        p.stdin.flush()
        return read_reply(p.stdout)

    try:
        read_reply(p.stdout)
        say(b"EHLO c")
        for letter in letters:
            say(b"MAIL FROM:<alice@example.org>")
            say(b"RCPT TO:<%s>" % letter.recipients[0].encode())
            if say(b"DATA")[0] != 354:
                raise OSError("no 354")
            code, text = say(re.sub(rb"^\.", b"..", letter.text(), flags=re.M).replace(b"\n", b"\r\n") + b".")
            verdicts[letter.number] = (0 if code == 250 else code, text)
            pause(dice)
        p.stdin.write(b"QUIT\r\n")
        p.stdin.close()
    except OSError as e:
        verdicts.setdefault("session", (1, str(e)))
    p.wait()
    watchdog.cancel()
    p.stdout.close()
    p.stderr.close()
    stage.ended(p)
    return verdicts


# ---------------------------------------------------------------- one peer


class Race:
    def __init__(self, opt, report, peer, seed):
        self.opt, self.report, self.peer = opt, report, peer
        self.dice = random.Random(seed)
        self.seed = seed
        self.harmless = peer in HARMLESS
        self.what = "%s %s" % (peer, "without the daemon" if opt.without_daemon else "through the daemon")

    def run(self):
        stage = stages.Stage(self.opt.root, self.opt.programs)
        try:
            self.on(stage)
        finally:
            if not os.environ.get("KEEP"):
                stage.close()

    def on(self, stage):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub", "scripts", self.peer + ".hub")) as f:
            hub = stages.Hub(stage, f.read(), "--seed", str(self.seed))
        # where nothing may wait it would wait for long, to be seen
        retry = dict(RetryMin="1h", RetryMax="1h") if self.harmless else dict(RetryMin="100ms", RetryMax="200ms")
        stage.configure(hub, mode=0o644, Timeout="2s" if self.peer == "race-silent" else "20s",
                        InteractiveTimeout="60s" if self.harmless else "300ms", Workers=self.opt.callers,
                        **retry)
        letters = [stages.Letter(n, self.dice.randrange(100, 3000)) for n in range(self.opt.rounds)]
        daemon = None
        if not self.opt.without_daemon:
            daemon = stages.Daemon(stage)
            if not daemon.start():
                self.report.case("%s: the daemon starts" % self.what, ["it does not: " + " / ".join(daemon.tail())])
                return
        verdicts = callers(stage, letters, self.opt.callers, self.dice) if daemon else session(stage, letters, self.dice)
        waiting = stage.queued()
        dry = list(run_dry(stage, daemon, hub)) if not self.harmless or not waiting else []
        self.judge(stage, hub, letters, verdicts, waiting, dry)
        if self.report.failed and daemon:
            for line in daemon.tail(20):
                self.report.note(line)

    def judge(self, stage, hub, letters, verdicts, waiting, dry):
        found = arrivals(hub.copies())
        extra = extra_copies(found)
        sessions = sum(name.startswith("session-") for name in os.listdir(hub.dir))
        self.report.note("%s: %d letters, %d connections, %d extra copies, %d waited at the end, SEED=%d" % (
            self.what, len(letters), sessions, extra, len(waiting), self.seed))
        # in a short run it may happen by chance
        few = [] if sessions > self.opt.rounds // 20 or self.opt.rounds < 200 else ["%d connections only: nothing was tried" % sessions]
        wrong = ["letter %s: %s %s" % (n, *v) for n, v in verdicts.items() if v[0] != 0]
        wrong += ["%d verdicts for %d letters" % (len(verdicts), len(letters))] if len(verdicts) != len(letters) else []
        lost = ["letter %d is lost" % l.number for l in letters if (l.number, l.recipients[0]) not in found]
        most = 1 if self.harmless else 2
        often = ["letter %d arrived %d times" % (n, len(c)) for (n, _), c in found.items() if len(c) > most]
        cut = ["letter %s is cut" % c.number for copies in found.values() for c in copies if not c.whole]
        self.report.case("%s: all are taken" % self.what, wrong + few)
        self.report.case("%s: none is lost or cut" % self.what, lost + cut)
        if self.harmless:
            self.report.case("%s: none arrives twice" % self.what, often)
            self.report.case("%s: none has to wait" % self.what, ["%d wait" % len(waiting)] if waiting else [])
        else:
            self.report.case("%s: at most one copy too many of each" % self.what, often)
        self.report.case("%s: nothing is left over" % self.what, dry + list(stage.leftovers()) if not self.harmless or not waiting else [])
        self.report.case("%s: no bad manners" % self.what, hub.odd())


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    report = stages.Report()
    for peer in opt.peer:
        Race(opt, report, peer, seed).run()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
