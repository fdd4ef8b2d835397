# SPDX-License-Identifier: ISC
"""SIGHUP with good and bad configurations, and orderly restarts, again and again while letters are handed in: nobody notices.

usage: reload.py --root DIR --programs DIR [--letters N] [--seed N]
"""
import argparse
import collections
import os
import random
import signal
import sys
import threading
import time

import stage as stages
from storm import Call, arrivals, deaths, extra_copies, judge, lost, odd_ends, run_dry, unwanted

CALLERS = 6
SCRIPT = """
on dot
    sleep 0ms-30ms
    default
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--letters", type=int, default=150)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    return p.parse_args()


def configure(stage, hub, dice):
    """Another configuration; sometimes one that is wrong"""
    if dice.random() < 0.3:
        stage.configure(hub, NoSuchSetting="1")
    else:
        stage.configure(hub, Workers=dice.randrange(1, 5), IdleTimeout=dice.choice(["1s", "30s"]),
                        hostname="h%d.example.org" % dice.randrange(100), InteractiveTimeout="20s")


def reload(stage, daemon, hub, dice):
    configure(stage, hub, dice)
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(dice.random() * 0.1)
    return []


def restart(stage, daemon, hub, dice):
    """Now and then; the letters in between go another way, or are told to come later"""
    time.sleep(dice.random() * 0.3)
    code = daemon.stop()
    faults = [] if code == 0 else ["the daemon ends with %s" % code]
    if code is None:
        daemon.kill_all()
    time.sleep(dice.random() * 0.05)
    return faults if daemon.start() else faults + ["it does not start: " + " / ".join(daemon.tail(3))]


def hand_in(stage, todo):
    while True:
        try:
            call = todo.popleft()
        except IndexError:
            return
        judge(call, *stage.send(call.letter, uid=0))


def one(opt, report, what, disturb, may_be_later, dice):
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage, SCRIPT)
        stage.configure(hub, InteractiveTimeout="20s")
        daemon = stages.Daemon(stage)
        if not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return
        calls = [Call(stages.Letter(n, dice.randrange(100, 3000)), "plain") for n in range(opt.letters)]
        todo = collections.deque(calls)
        threads = [threading.Thread(target=hand_in, args=(stage, todo), daemon=True) for _ in range(CALLERS)]
        for t in threads:
            t.start()
        faults, times = [], 0
        while any(t.is_alive() for t in threads):
            faults += disturb(stage, daemon, hub, dice)
            times += 1
        stage.configure(hub)
        dry = list(run_dry(stage, daemon, hub))
        found = arrivals(hub.copies())
        extra = extra_copies(found)
        codes = collections.Counter(c.code for c in calls)
        report.note("%s: %d times, %s, %d extra copies" % (what, times, dict(codes), extra))
        later = [] if may_be_later or codes[0] == len(calls) else ["%s" % dict(codes)]
        report.case("%s: each letter is taken" % what, faults + later + list(odd_ends(calls)))
        report.case("%s: none is lost, none refused one arrives" % what, list(lost(calls, found)) + list(unwanted(calls, found)))
        report.case("%s: none arrives twice" % what, ["%d extra copies" % extra] if extra else [])
        report.case("%s: nothing is left over" % what, dry + list(stage.leftovers()))
        report.case("%s: it does not die" % what, deaths(daemon, collections.Counter()))
        if report.failed:
            for line in daemon.tail(20):
                report.note(line)
    finally:
        if not os.environ.get("KEEP"):
            stage.close()


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    report = stages.Report()
    report.note("reload: SEED=%d" % seed)
    dice = random.Random(seed)
    one(opt, report, "SIGHUP with good and bad configurations", reload, False, dice)
    one(opt, report, "orderly restarts", restart, True, dice)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
