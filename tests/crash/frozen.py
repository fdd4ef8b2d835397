# SPDX-License-Identifier: ISC
"""A wrong password: mail waits, nobody is asked too often, nothing is bounced; with the right one and SIGHUP all of it goes.

usage: frozen.py --root DIR --programs DIR [--letters N] [--seconds N]
"""
import argparse
import os
import signal
import sys
import time

import stage as stages
from storm import arrivals, run_dry

PASSWORD = "a right one"
WORKERS = 4


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--letters", type=int, default=30)
    p.add_argument("--seconds", type=float, default=4)
    return p.parse_args()


def logins(hub):
    return hub.dialog().count("C: AUTH ")


def configure(stage, hub, password, **settings):
    stage.configure(hub, UseTLS="starttls", TLS_CA_File=hub.dir + "/certs/ca.pem", AuthUser="alice", AuthPass=password, From="alice@example.org", Workers=WORKERS,
                    mailhub="localhost:%d" % hub.port, **settings)


def hand_in(stage, letters):
    for letter in letters:
        code, err = stage.send(letter)
        if code != 0:
            yield "letter %d ended with %s %s" % (letter.number, code, err)


def check_waiting(stage, letters):
    if len(stage.queued()) != len(letters):
        yield "%d of %d letters wait" % (len(stage.queued()), len(letters))
    for folder in ("failed", "corrupt"):
        if stage.queued(folder):
            yield "%d in %s/" % (len(stage.queued(folder)), folder)


def check_mailq(stage, letters):
    code, out, err = stage.run("-bp")
    if code != 0:
        yield "mailq ends with %s %s" % (code, err)
    if " in %d Requests." % len(letters) not in out:
        yield "mailq ends in '%s'" % out.strip().splitlines()[-1:]
    if "535" not in out:
        yield "mailq does not say why: %s" % out.splitlines()[:4]


def wait_long(opt, stage, daemon, hub, report, letters):
    """Short times: many probes are due, the lifetime is over long ago"""
    configure(stage, hub, "a wrong one", RetryMin="1s", RetryMax="1s", QueueLifetime="2s", WarnAfter="1s", IdleTimeout="1s")
    if not daemon.start():
        report.case("the daemon starts", [" / ".join(daemon.tail())])
        return
    begun = time.monotonic()
    faults = list(hand_in(stage, letters)) + list(check_waiting(stage, letters))
    stages.wait_for(opt.seconds + 60, lambda: time.monotonic() - begun > opt.seconds and logins(hub) > 1)
    allowed = int((time.monotonic() - begun) / 0.9) + 2
    report.case("a wrong password: mail is queued with exit 0", faults)
    report.case("a wrong password: the smarthost is asked once in RetryMax, not for each message",
                ["%d logins, %d allowed" % (logins(hub), allowed)] if logins(hub) > allowed else [])
    report.case("a wrong password: the lifetime stands still, nothing is returned",
                list(check_waiting(stage, letters)) + ["%d arrived" % hub.count()] * bool(hub.count()))
    report.case("a wrong password: mailq says why", check_mailq(stage, letters))
    if daemon.stop() is None:
        report.case("a wrong password: the daemon ends when told to", ["it does not"])
        daemon.kill_all()


def mend(stage, daemon, hub, report, letters):
    """Long times: only SIGHUP can be the reason why it goes"""
    configure(stage, hub, "a wrong one", RetryMin="30m", RetryMax="1h")
    if not daemon.start():
        report.case("the daemon starts", [" / ".join(daemon.tail())])
        return
    before = logins(hub)
    more = [stages.Letter(len(letters) + n, 1000) for n in range(3)]
    faults = list(hand_in(stage, more))
    asked = logins(hub) - before
    report.case("a wrong password after a restart: a login at most for each attempt that can begin at once, not for each message",
                faults + ["%d logins" % asked] * (asked > WORKERS + 1) + list(check_waiting(stage, letters + more)))
    configure(stage, hub, PASSWORD, RetryMin="30m", RetryMax="1h")
    daemon.process.send_signal(signal.SIGHUP)
    begun = time.monotonic()
    gone = stages.wait_for(60, lambda: not stage.queued())
    took = time.monotonic() - begun
    found = arrivals(hub.copies())
    faults = [] if gone else ["%d still wait" % len(stage.queued())]
    for letter in letters + more:
        copies = len(found[letter.number, letter.recipients[0]])
        if copies != 1:
            faults.append("%d copies of letter %d" % (copies, letter.number))
    report.note("frozen: all delivered %.1f s after SIGHUP, %d logins in all" % (took, logins(hub)))
    report.case("the right password and SIGHUP: all of it goes at once, once", faults)
    report.case("the right password: nothing is left over", list(run_dry(stage, daemon, hub)) + list(stage.leftovers()))
    report.case("the right password: no bad manners", hub.odd())


def main():
    opt = options()
    report = stages.Report()
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage, "", "--tls", "starttls", "--auth", "PLAIN", "--require-auth", "--user", "alice", "--password", PASSWORD)
        daemon = stages.Daemon(stage)
        letters = [stages.Letter(n, 1000) for n in range(opt.letters)]
        wait_long(opt, stage, daemon, hub, report, letters)
        if not daemon.process:
            mend(stage, daemon, hub, report, letters)
        if report.failed:
            for line in daemon.tail(20):
                report.note(line)
    finally:
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
