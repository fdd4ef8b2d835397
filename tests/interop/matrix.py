# SPDX-License-Identifier: ISC
"""One run of the matrix: see tests/interop/matrix, which prepares it. The smarthosts are in smarthosts.py, the messages in messages.py;
everything else is loops.
"""
import argparse
import glob
import os
import shutil
import smtplib
import subprocess
import sys
import time

from messages import MESSAGES, SHORT, faults, is_report, report_faults
from smarthosts import PASSWORD, SMARTHOSTS, TOKEN, USER, Provider, listens, run, wait_for, write

WAYS = ("direct", "interactive", "queued")

# ---------------------------------------------------------------- the stage


class Stage:
    def __init__(self, opt):
        self.root, self.work, self.source = opt.root, opt.work, opt.source
        self.passed = self.failed = 0
        self.failures = []
        self.provider = Provider()
        r = run("sh", "-c", ". %s/tests/interop/postfix.sh; mkdir %s/tls && make_ca %s/tls && cd %s/tls && "
                "openssl req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=%s && echo extendedKeyUsage=clientAuth >client.ext && "
                "openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile client.ext -out client.pem" %
                (self.source, self.work, self.work, self.work, USER))
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        os.chmod(self.tls("hub.key"), 0o644)

    def tls(self, name):
        return os.path.join(self.work, "tls", name)

    def unpacked(self, *packages):
        """A tree with these packages, and what they need that the machine lacks: they are not installed, for most would replace its Postfix"""
        tree = os.path.join(self.work, "tree-" + packages[0])
        if not os.path.isdir(tree):
            os.mkdir(tree)
            r = run("apt-get", "install", "--simulate", "-qq", "--no-install-recommends", *packages)
            missing = [line.split()[1] for line in r.stdout.splitlines() if line.startswith("Inst ")]
            if r.returncode == 0:
                r = run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *set(missing + list(packages)), cwd=tree)
            if r.returncode != 0:
                raise RuntimeError(r.stdout)
            for deb in glob.glob(tree + "/*.deb"):
                subprocess.run("dpkg-deb --fsys-tarfile %s | tar -x --keep-directory-symlink -C %s" % (deb, tree), shell=True, check=True)
        return tree

    def case(self, sentence, wrong):
        wrong = list(wrong)
        if wrong:
            self.failed += 1
            self.failures.append("not ok %s: %s" % (sentence, "; ".join(wrong)[:1500]))
            print(self.failures[-1], flush=True)
        else:
            self.passed += 1
            print("ok " + sentence, flush=True)

    # ---- our programs

    def program(self, name):
        return os.path.join(self.root, "sbin", name)

    def configure(self, smarthost, road, port, mechanism):
        self.queue = os.path.join(self.work, "queue")
        shutil.rmtree(self.queue, ignore_errors=True)
        settings = dict(mailhub="localhost:%d" % port, UseTLS=road if road != "none" else False, hostname="client.example.org",
                        FromPolicy="qualify", QueueDir=self.queue, User="nobody", MinFree="1M", LogFile="-", aliases="/nonexistent",
                        RetryMin="1s", RetryMax="1s", InteractiveTimeout="60s")
        if road != "none":
            settings["TLS_CA_File"] = smarthost.ca
        if mechanism == "external":
            settings.update(TLSCert=self.tls("client.pem"), TLSKey=self.tls("client.key"), AuthMethod=mechanism)
            if smarthost.external_user:
                settings.update(AuthUser=smarthost.external_user)
        elif mechanism:
            settings.update(AuthUser=USER, AuthPass=TOKEN if "oauth" in mechanism else PASSWORD, AuthMethod=mechanism)
        path = self.root + "/etc/smtprelay.conf"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path, "".join("%s = %s;\n" % (k, "false" if v is False else '"%s"' % v) for k, v in settings.items()), 0o600)

    def start(self):
        shutil.rmtree(self.root + "/run/smtprelay", ignore_errors=True)
        os.makedirs(self.root + "/run", exist_ok=True)
        os.makedirs(self.root + "/var", exist_ok=True)
        log = open(os.path.join(self.work, "smtprelayd.log"), "wb")
        self.daemon = subprocess.Popen([self.program("smtprelayd")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        return wait_for(60, lambda: os.path.exists(self.root + "/run/smtprelay/socket"))

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(60)
        shutil.rmtree(self.root + "/run/smtprelay", ignore_errors=True)

    def send(self, message, *more):
        r = subprocess.run([self.program("sendmail")] + list(more) + message.arguments, input=message.text(), capture_output=True, timeout=120)
        if r.returncode != 0 or r.stdout or r.stderr:
            # without the daemon the log is there, too
            said = [line for line in r.stderr.decode("utf-8", "replace").splitlines() if not line.startswith("smtprelay: ")]
            if r.returncode != 0 or said:
                return ["exit %d: %s" % (r.returncode, " / ".join(said))]
        return []


def arrived(smarthost, message, report):
    """What is wrong with what comes now: the message, and a report if `report` (the actions that are right) says so"""
    found, reports = [], []

    def all_there():
        for raw in smarthost.inbox():
            (reports if is_report(raw) else found).append(raw)
        return found and (reports or not report)
    if not wait_for(90, all_there):
        return ["%s does not arrive: %s" % ("the report" if found else "it", smarthost.said())]
    if len(found) > 1 or len(reports) > (1 if report else 0):
        return ["%d messages, %d reports" % (len(found), len(reports))]
    wrong = list(faults(message, found[0], "8BITMIME" in smarthost.offers, smarthost.rewritten)) + list(smarthost.envelope_faults(message))
    return wrong + (list(report_faults(reports[0], report, smarthost.reports_id)) if report else [])


def due_report(smarthost, message, way):
    """Who asks for a report of success gets it of the smarthost, or of our daemon if that has passed it to one that sends none"""
    if not message.wants_report:
        return None
    if "DSN" in smarthost.offers:
        return ("delivered", "relayed", "expanded") if smarthost.reports else None
    return ("relayed",) if way != "direct" else None


def one_way(stage, smarthost, what, way, messages):
    for m in messages:
        f = stage.send(m, *(["-odq"] if way == "queued" else []))
        if not f and way == "queued":
            r = run(stage.program("sendmail"), "-q")
            if r.returncode != 0:
                f = ["-q: exit %d %s" % (r.returncode, r.stdout)]
        stage.case("%s, %s, %s" % (what, way, m.name), f or arrived(smarthost, m, due_report(smarthost, m, way)))


def all_of(stage, smarthost, roads, mechanisms, messages):
    name = type(smarthost).__name__
    for road, port in roads.items():
        for mechanism in mechanisms:
            stage.configure(smarthost, road, port, mechanism)
            what = "%s, %s, %s" % (name, "no TLS" if road == "none" else road, mechanism or "no login")
            one_way(stage, smarthost, what, "direct", messages)
            if not stage.start():
                stage.case(what + ", daemon", ["it does not start"])
                continue
            try:
                for way in ("interactive", "queued"):
                    one_way(stage, smarthost, what, way, messages)
            finally:
                stage.stop()


def look_at_offers(stage, smarthost, roads):
    """Whatever login it offers is tried, or said to be left out"""
    name = type(smarthost).__name__
    for road, port in roads.items():
        smarthost.offers, logins = smarthost.greeting(road, port)
        print("# %s, %s: offers %s; logins %s" % (name, road, " ".join(sorted(smarthost.offers)), " ".join(sorted(logins)) or "none"))
        mine = set(filter(None, smarthost.mechanisms))
        wrong = ["%s is offered, and not tried" % m for m in sorted(logins - mine - set(smarthost.left_out))]
        wrong += ["%s is not offered" % m for m in sorted(mine - logins)]
        if smarthost.reports and "DSN" not in smarthost.offers:
            wrong.append("DSN is not offered")
        stage.case("%s, %s: every login it offers is tried" % (name, road), wrong)
    for mechanism, why in smarthost.left_out.items():
        print("# %s: %s is left out: %s" % (name, mechanism, why))


def matrix(stage, name, short):
    smarthost = SMARTHOSTS[name](stage)
    before = stage.passed + stage.failed
    try:
        roads = smarthost.start()
        if not wait_for(60, lambda: all(listens(port) for port in roads.values())):
            raise RuntimeError("it does not listen: " + smarthost.said())
        look_at_offers(stage, smarthost, roads)
        mechanisms, messages = smarthost.mechanisms, [m for m in MESSAGES if not short or m.name in SHORT]
        if short:
            roads, mechanisms = dict(list(roads.items())[:1]), mechanisms[-1:]
        print("# %s: roads %s x logins %s x ways %s x messages %s: %d" %
              (type(smarthost).__name__, "+".join(roads), "+".join(m or "none" for m in mechanisms), "+".join(WAYS), "+".join(m.name for m in messages),
               len(roads) * len(mechanisms) * len(WAYS) * len(messages)), flush=True)
        all_of(stage, smarthost, roads, mechanisms, messages)
    except (RuntimeError, OSError, subprocess.SubprocessError, smtplib.SMTPException) as e:
        stage.case("%s serves" % name, [str(e)])
    finally:
        smarthost.stop()
    return stage.passed + stage.failed - before


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--short", action="store_true")
    p.add_argument("smarthosts", nargs="*")
    opt = p.parse_args()
    stage, table = Stage(opt), []
    for name in opt.smarthosts or SMARTHOSTS:
        lacks = [c for c in SMARTHOSTS[name].needs if not shutil.which(c)]
        if lacks:
            table.append("# %-11s left out, for there is no %s" % (name, lacks[0]))
            print(table[-1])
            continue
        begin, failed = time.monotonic(), stage.failed
        count = matrix(stage, name, opt.short)
        table.append("# %-11s %4d of %4d passed, %4.0f s" % (name, count - stage.failed + failed, count, time.monotonic() - begin))
        print(table[-1], flush=True)
    print("\n".join(table))
    print("\n".join(stage.failures))
    print("%d passed, %d failed" % (stage.passed, stage.failed))
    return 1 if stage.failed else 0


if __name__ == "__main__":
    sys.exit(main())
