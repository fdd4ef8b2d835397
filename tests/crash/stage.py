# SPDX-License-Identifier: ISC
"""The stage of the crash tests: a hub that counts, a daemon in a root of its own, letters that can be told apart.

A root is a folder with the programs linked for it (`make root ROOT=DIR`): socket and configuration lie below it. Everything else
is below a work folder that goes at the end. This process adopts the orphans of what it started, so that none is out of sight.
"""
import collections
import ctypes
import hashlib
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

IS_ROOT = os.geteuid() == 0
SERVICE_USER = "nobody"  # who the daemon and the workers are where the tests run as root
OTHER_UID = 64213  # an ordinary caller there
PR_SET_CHILD_SUBREAPER = 36

Process = collections.namedtuple("Process", "pid parent name arguments zombie")


# ---------------------------------------------------------------- results


class Report:
    """Sentences that must stay true, in the form tests/run-one and the other runners read"""

    def __init__(self):
        self.failed = 0

    def case(self, sentence, faults):
        """One line for the sentence; `faults` are the reasons why it is not true, the first ones are shown"""
        faults = list(faults)
        if faults:
            self.failed += 1
            more = "; and %d more" % (len(faults) - 3) if len(faults) > 3 else ""
            print("not ok %s: %s%s" % (sentence, "; ".join(faults[:3]), more), flush=True)
        else:
            print("ok %s" % sentence, flush=True)

    def note(self, text):
        print("# " + text, flush=True)


def wait_for(seconds, condition, *arguments):
    """Until the condition is true; its last value"""
    end = time.monotonic() + seconds
    while True:
        value = condition(*arguments)
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


# ---------------------------------------------------------------- processes


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def heed_signals():
    """Whoever runs this in the background may have it ignore these, and callers would inherit that: sendmail heeds it, as it must"""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def read_process(pid):
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            text = f.read()
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            arguments = f.read().split(b"\0")
    except OSError:
        return None
    name = text[text.index(b"(") + 1:text.rindex(b")")].decode("latin-1")
    state, parent = text[text.rindex(b")") + 2:].split()[:2]
    return Process(pid, int(parent), name, [a.decode("latin-1") for a in arguments[:-1]], state == b"Z")


def descendants(root, without=()):
    """All processes below `root`, those below one of `without` left out"""
    children = collections.defaultdict(list)
    for name in os.listdir("/proc"):
        process = read_process(int(name)) if name.isdigit() else None
        if process:
            children[process.parent].append(process)
    found, todo = [], [root]
    while todo:
        for process in children[todo.pop()]:
            if process.pid not in without:
                found.append(process)
                todo.append(process.pid)
    return found


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


# ---------------------------------------------------------------- letters


class Letter:
    """A message of its own: its number and the checksum of its text are in its header"""

    def __init__(self, number, size, recipients=1):
        self.number = number
        self.recipients = ["r%d-%d@example.net" % (number, i) for i in range(recipients)]
        line = b"letter %d: a line of text that says nothing but fills the message\n" % number
        self.body = line * max(1, size // len(line)) + b"the last line of %d\n" % number
        self.sum = hashlib.sha1(self.body).hexdigest()

    def header(self):
        return (b"From: Alice <alice@example.org>\nTo: undisclosed-recipients:;\nSubject: letter %d\n"
                b"X-Number: %d\nX-Sum: %s\n\n" % (self.number, self.number, self.sum.encode()))

    def text(self):
        return self.header() + self.body


Copy = collections.namedtuple("Copy", "number recipients whole began taken session id")


def read_copy(name):
    """What the hub wrote down as NAME.msg and NAME.env"""
    with open(name + ".msg", "rb") as f:
        header, _, body = f.read().replace(b"\r\n", b"\n").partition(b"\n\n")
    with open(name + ".env") as f:
        envelope = f.read()
    number = re.search(rb"^X-Number: (\d+)$", header, re.M)
    wanted = re.search(rb"^X-Sum: (\w+)$", header, re.M)
    message_id = re.search(rb"^Message-ID: *(\S+)", header, re.M | re.I)
    whole = bool(number and wanted) and hashlib.sha1(body).hexdigest() == wanted.group(1).decode()
    values = dict(re.findall(r"^(\w+): (\d+)$", envelope, re.M))
    return Copy(int(number.group(1)) if number else None, re.findall(r"^rcpt: <(.*?)>", envelope, re.M), whole,
                int(values["began"]) / 1e6, int(values["taken"]) / 1e6, int(values["session"]), message_id.group(1).decode("latin-1") if message_id else "")


class Hub:
    def __init__(self, stage, script="", *options, port=0):
        self.stage = stage
        self.dir = os.path.join(stage.work, "hub-%d" % stage.number())
        self.script = script
        self.options = list(options)
        self.port = port
        self.process = None
        os.mkdir(self.dir)
        self.start()

    def start(self):
        if not self.port:  # for it may be started again
            self.port = int(subprocess.run([self.stage.programs + "/tests/hub/hub", "--free-port"], stdout=subprocess.PIPE, check=True).stdout)
        with open(self.dir + "/script", "w") as f:
            f.write(self.script)
        command = [self.stage.programs + "/tests/hub/hub", "-d", self.dir, "-s", self.dir + "/script", "--port", str(self.port),
                   "--max-time", "60m"] + self.options
        with open(self.dir + "/hub.err", "ab") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            with open(self.dir + "/hub.err") as f:
                raise RuntimeError("the hub did not start: " + f.read())
        self.port = int(line)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def copies(self):
        found = []
        for name in os.listdir(self.dir):
            if name.endswith(".env") and os.path.exists(self.dir + "/" + name[:-4] + ".msg"):
                found.append(read_copy(self.dir + "/" + name[:-4]))
        return found

    def count(self):
        return sum(name.endswith(".msg") for name in os.listdir(self.dir))

    def dialog(self):
        text = []
        for name in os.listdir(self.dir):
            if name.startswith("session-"):
                with open(self.dir + "/" + name, errors="replace") as f:
                    text.append(f.read())
        return "".join(text)

    def odd(self):
        try:
            with open(self.dir + "/odd") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []


# ---------------------------------------------------------------- the stage


class Stage:
    """One run: a root, a work folder, a queue, the configuration, and what was started"""

    def __init__(self, root, programs):
        self.root, self.programs = os.path.abspath(root), os.path.abspath(programs)
        self.sendmail = self.root + "/sbin/sendmail"
        self.work = tempfile.mkdtemp(prefix="smtprelay-crash.", dir=os.environ.get("T") or None)
        os.chmod(self.work, 0o711)
        self.numbers = 0
        self.daemon = None
        self.lock = threading.Lock()
        self.callers = {}  # running calls: pid -> their Popen
        self.tmp = self.folder("tmp")
        os.chmod(self.tmp, 0o1777)
        self.home = self.folder("home")
        self.new_queue()
        adopt_orphans()
        heed_signals()
        if not os.access(self.sendmail, os.X_OK):
            raise RuntimeError("no programs in %s: make root ROOT=%s" % (self.root, self.root))

    def number(self):
        self.numbers += 1
        return self.numbers

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.mkdir(path)
        return path

    def new_queue(self):
        self.queue = self.folder("queue-%d" % self.number())
        os.chmod(self.queue, 0o700)
        if IS_ROOT:
            user = pwd.getpwnam(SERVICE_USER)
            os.chown(self.queue, user.pw_uid, user.pw_gid)

    def configure(self, hub, mode=0o600, **settings):
        """The system's configuration of this root; None takes a setting away"""
        all_settings = dict(mailhub="127.0.0.1:%d" % hub.port, UseTLS=False, hostname="client.example.org", Timeout="20s",
                            ConnectTimeout="20s", QueueDir=self.queue, RetryMin="1s", RetryMax="2s", MinFree="1M",
                            aliases=self.home + "/aliases")
        if IS_ROOT:
            all_settings["User"] = SERVICE_USER
        all_settings.update(settings)
        with open(self.home + "/aliases", "w"):
            pass
        path = self.root + "/etc/smtprelay.conf"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as f:
            for name, value in all_settings.items():
                if value is not None:
                    f.write("%s = %s;\n" % (name, literal(value)))
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
        return dict(kept, PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME=self.home, TMPDIR=self.tmp, LC_ALL="C")

    # ---- callers

    def call(self, arguments, uid=None, program="sendmail", **options):
        """A sendmail, or another program of this root, that runs; as another user where the tests are root"""
        if uid and IS_ROOT:
            options.update(user=uid, group=uid, extra_groups=[])
        p = subprocess.Popen([os.path.join(self.root, "sbin", program)] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=self.environment(), cwd="/", **options)
        with self.lock:
            self.callers[p.pid] = p
        return p

    def ended(self, p):
        with self.lock:
            self.callers.pop(p.pid, None)

    def send(self, letter, *arguments, uid=None, limit=90):
        """One call from beginning to end: (exit code, stderr); code None where it hangs"""
        p = self.call(["-i", "-f", "alice@example.org"] + list(arguments) + ["--"] + letter.recipients, uid=uid)
        try:
            _, err = p.communicate(letter.text(), timeout=limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            return None, "it hangs"
        finally:
            self.ended(p)
        return p.returncode, err.decode("utf-8", "replace").strip()

    def run(self, *arguments, program="sendmail", limit=90):
        """A program without a message: (exit code, stdout, stderr)"""
        p = self.call(arguments, program=program)
        try:
            out, err = p.communicate(b"", timeout=limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            return None, "", "it hangs"
        finally:
            self.ended(p)
        return p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace").strip()

    # ---- what runs and what lies about

    def processes(self, hubs=()):
        """Everything of ours but the hubs; zombies that nobody else waits for are buried"""
        found = []
        for process in descendants(os.getpid(), [h.process.pid for h in hubs if h.process]):
            if not process.zombie:
                found.append(process)
            elif process.parent == os.getpid() and process.pid not in self.callers and process.pid != self.daemon_pid():
                try:
                    os.waitpid(process.pid, os.WNOHANG)
                except ChildProcessError:
                    pass
        return found

    def daemon_pid(self):
        return self.daemon.process.pid if self.daemon and self.daemon.process else -1

    def queued(self, folder="queue"):
        try:
            return sorted(os.listdir(os.path.join(self.queue, folder)))
        except FileNotFoundError:
            return []

    def leftovers(self):
        """What should not be in the queue and among the temporary files when nothing waits"""
        for folder, _, names in os.walk(self.queue):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.queue) not in ("version", "lock", "history", "history.1"):
                    yield "left over: " + os.path.relpath(path, self.work)
        for folder, folders, names in os.walk(self.tmp):
            for name in names + folders:
                yield "left over: " + os.path.relpath(os.path.join(folder, name), self.work)

    def close(self):
        if self.daemon:
            self.daemon.kill_all()
        for process in descendants(os.getpid()):
            kill(process.pid)
        shutil.rmtree(self.work, ignore_errors=True)


def literal(value):
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int) or str(value).startswith("("):
        return str(value)
    return '"%s"' % str(value).replace("\\", "\\\\").replace('"', '\\"')


# ---------------------------------------------------------------- the daemon


class Daemon:
    """smtprelayd of the root, in the foreground: a supervisor, the process that serves, and workers"""

    def __init__(self, stage):
        self.stage = stage
        self.process = None
        self.log = stage.work + "/daemon.log"
        self.socket = stage.root + "/run/smtprelay/socket"
        stage.daemon = self

    def start(self, limit=30, prefix=()):
        """False with the reason in the log where it does not serve in time; `prefix` is a program that starts it"""
        os.makedirs(os.path.dirname(self.socket), exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(list(prefix) + [self.stage.root + "/sbin/smtprelayd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.stage.environment(), cwd="/")
        return wait_for(limit, lambda: self.process.poll() is not None or self.greets()) and self.process.poll() is None

    def greets(self):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(5)
                s.connect(self.socket)
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def parts(self):
        """(processes that serve, workers)"""
        below = descendants(self.process.pid) if self.process else []
        return ([p for p in below if p.name == "smtprelayd" and not p.zombie],
                [p for p in below if p.name.startswith("smtprelay-work") and not p.zombie])

    def stop(self, limit=60):
        """SIGTERM; its exit code, None where it does not end"""
        self.process.terminate()
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        self.process = None
        return code

    def kill_all(self):
        """Everything at once, stopped first so that nothing is started meanwhile; over when all of it has gone"""
        if not self.process:
            return
        pids = [self.process.pid]
        for pid in pids:
            kill(pid, signal.SIGSTOP)
            pids += [p.pid for p in descendants(pid) if p.pid not in pids]
        for pid in pids:
            kill(pid)
        self.process.wait()
        self.process = None
        wait_for(20, lambda: all(p is None or p.zombie for p in map(read_process, pids)))

    def tail(self, lines=10):
        try:
            with open(self.log, errors="replace") as f:
                return f.read().splitlines()[-lines:]
        except FileNotFoundError:
            return []


def seed_of(text):
    return int(text) if text else random.SystemRandom().randrange(1 << 30)
