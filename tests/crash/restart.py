# SPDX-License-Identifier: ISC
"""A daemon that is restarted while callers wait, and callers that are interrupted.

usage: restart.py --root DIR --programs DIR [--callers N] [--seed N]
"""
import argparse
import collections
import os
import random
import signal
import socket
import subprocess
import sys
import threading


import stage as stages
from storm import Call, arrivals, extra_copies, judge, lost, odd_ends, run_dry, unwanted

WORKERS = 4
# the first letters take long: long enough for all callers to be there
FIRST_SLOW = """
on dot nth 1 session 1-4
    sleep 8s
    default
"""
SLOW = """
on dot
    sleep 400ms
    default
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--callers", type=int, default=50)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    return p.parse_args()


# ---------------------------------------------------------------- restarts


def terminate(daemon):
    code = daemon.stop()
    if code not in (0, -signal.SIGTERM, 143):
        yield "the daemon ends with %s" % code
        daemon.kill_all()
    if not daemon.start():
        yield "it does not start again: " + " / ".join(daemon.tail(3))


def kill_all(daemon):
    daemon.kill_all()
    if not daemon.start():
        yield "it does not start again: " + " / ".join(daemon.tail(3))


def kill_child(daemon):
    """The supervisor starts another one by itself"""
    serving, _ = daemon.parts()
    for process in serving:
        stages.kill(process.pid)
    if not stages.wait_for(30, daemon.greets):
        yield "nobody serves any more: " + " / ".join(daemon.tail(3))


RESTARTS = (("SIGTERM and a new one", terminate), ("SIGKILL and a new one", kill_all),
            ("SIGKILL to the process that serves", kill_child))


def restart(stage, daemon, hub, report, what, how, opt, dice):
    """All callers wait, the first letters are on the wire: now"""
    calls = [Call(stages.Letter(n, dice.randrange(100, 3000)), "plain") for n in range(opt.callers)]
    uids = [dice.choice([0, stages.OTHER_UID]) for _ in calls]
    threads = [threading.Thread(target=lambda c=c, u=u: judge(c, *stage.send(c.letter, uid=u)), daemon=True) for c, u in zip(calls, uids)]
    for t in threads:
        t.start()
    began = stages.wait_for(60, lambda: hub.dialog().count("C: BDAT") >= WORKERS and len(stage.callers) == opt.callers)
    faults = [] if began else ["the letters do not get on their way"]
    waiting = sum(t.is_alive() for t in threads)
    if waiting < opt.callers // 2:
        faults.append("only %d callers wait" % waiting)
    faults += how(daemon)
    for t in threads:
        t.join(120)
    dry = list(run_dry(stage, daemon, hub))
    found = arrivals(hub.copies())
    extra = extra_copies(found)
    report.note("%s: %d waited, %s, %d extra copies" % (what, waiting, dict(collections.Counter(c.code for c in calls)), extra))
    report.case("%s with %d callers waiting: each ends with 0 or 75, none hangs" % (what, opt.callers), faults + list(odd_ends(calls)))
    report.case("%s with callers waiting: none is lost, and what was refused does not arrive" % what,
                list(lost(calls, found)) + list(unwanted(calls, found)))
    report.case("%s with callers waiting: no more extra copies than were on the wire" % what,
                ["%d extra copies" % extra] if extra > WORKERS else [])
    report.case("%s with callers waiting: nothing is left over" % what, dry + list(stage.leftovers()))


def restarts(opt, report, dice):
    for what, how in RESTARTS:
        with_daemon(opt, report, FIRST_SLOW, lambda *a, w=what, h=how: restart(*a, w, h, opt, dice), InteractiveTimeout="60s",
                    Workers=WORKERS)


# ---------------------------------------------------------------- interrupted callers


def interrupt_early(stage, daemon, hub, report):
    """Half a message, and the caller is gone: nothing of it is anywhere"""
    faults = []
    big = stages.Letter(1, 3000000)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        for letter, cut in ((stages.Letter(0, 2000), 900), (big, 1500000), (big, len(big.text()) - 1)):
            p = stage.call(["-i", "-f", "alice@example.org", "--"] + letter.recipients)
            p.stdin.write(letter.text()[:cut])
            p.stdin.flush()
            p.send_signal(number)
            try:
                code = p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                code = 0
                faults.append("it hangs after %s" % number.name)
            p.communicate()
            stage.ended(p)
            if code == 0:
                faults.append("exit code 0 after %s at %d" % (number.name, cut))
    # a letter of its own shows that all the others would have arrived by now
    code, err = stage.send(stages.Letter(2, 100))
    if code != 0:
        faults.append("afterwards a letter ends with %s %s" % (code, err))
    faults += ["letter %d arrived" % c.number for c in hub.copies() if c.number != 2]
    report.case("a caller interrupted before its last byte: nothing is sent", faults + list(run_dry(stage, daemon, hub)))
    faults = ["letter %d arrived" % c.number for c in hub.copies() if c.number != 2]
    report.case("a caller interrupted before its last byte: nothing is left, either", faults + list(stage.leftovers()))


def interrupt_late(stage, daemon, hub, report):
    """All is said, the smarthost thinks, the caller is gone: the letter goes on, once"""
    faults = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    for n, number in enumerate(numbers):
        letter = stages.Letter(n, 2000)
        p = stage.call(["-i", "-f", "alice@example.org", "--"] + letter.recipients)
        p.stdin.write(letter.text())
        p.stdin.close()
        p.stdin = None
        if not stages.wait_for(30, lambda: hub.dialog().count("C: BDAT") > n):
            faults.append("it does not get on its way")
        p.send_signal(number)
        try:
            p.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            faults.append("it hangs after %s" % number.name)
        stage.ended(p)
    stages.wait_for(30, lambda: hub.count() >= len(numbers))
    faults += run_dry(stage, daemon, hub)
    found = arrivals(hub.copies())
    for n, number in enumerate(numbers):
        copies = len(found[n, stages.Letter(n, 1).recipients[0]])
        if copies != 1:
            faults.append("%d copies after %s" % (copies, number.name))
    report.case("a caller interrupted after its last byte: the letter goes on, once", faults + list(stage.leftovers()))


# ---------------------------------------------------------------- the frame


def waiting_at_the_door(stage, daemon, hub, report):
    """Who has connected when the daemon is to stop is served, though it had not been looked at yet"""
    faults, held = [], []
    serving = daemon.parts()[0][0].pid
    stages.kill(serving, signal.SIGSTOP)
    for _ in range(20):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(daemon.socket)
        held.append(s)
    daemon.process.terminate()
    if not stages.wait_for(30, lambda: not os.path.exists(daemon.socket)):
        faults.append("others can still connect")
    stages.kill(serving, signal.SIGCONT)
    for n, s in enumerate(held):
        letter = stages.Letter(n, 100)
        text = letter.text().replace(b"\n", b"\r\n")
        try:
            heard = s.recv(500)
            s.sendall(b"EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n" % (letter.recipients[0].encode(), len(text)) + text)
            while b"sent as" not in heard and b"queued as" not in heard and b"\r\n4" not in heard:
                got = s.recv(500)
                if not got:
                    break
                heard += got
        except OSError as e:
            heard = repr(e).encode()
        if b"250 2.0.0 sent as" not in heard and b"250 2.0.0 queued as" not in heard:
            faults.append("no. %d is answered %r" % (n, heard[-100:]))
        s.close()
    code = daemon.process.wait(60)
    if code not in (0, 143, -signal.SIGTERM):
        faults.append("the daemon ends with %s" % code)
    daemon.start()
    faults += run_dry(stage, daemon, hub)
    if hub.count() != len(held):
        faults.append("%d arrived" % hub.count())
    report.case("who has connected when the daemon is to stop is served", faults)


def with_daemon(opt, report, script, play, **settings):
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage, script)
        stage.configure(hub, **settings)
        daemon = stages.Daemon(stage)
        if daemon.start():
            before = report.failed
            play(stage, daemon, hub, report)
            if report.failed > before:
                for line in daemon.tail(20):
                    report.note(line)
        else:
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
    finally:
        if not os.environ.get("KEEP"):
            stage.close()


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    report = stages.Report()
    report.note("restart: SEED=%d" % seed)
    dice = random.Random(seed)
    restarts(opt, report, dice)
    with_daemon(opt, report, "", waiting_at_the_door)
    with_daemon(opt, report, "", interrupt_early)
    with_daemon(opt, report, SLOW, interrupt_late)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
