# SPDX-License-Identifier: ISC
"""What systemd does for smtprelay.socket and smtprelay.service, where no systemd runs.

    service.py DROP-IN      EnvironmentFile, LoadCredential and StateDirectory of it count; others are not known here

The sockets stay open as long as this runs. SIGHUP reloads the daemon, SIGUSR1 starts it again, SIGTERM ends both. /run/service.ready
is there while the daemon says that it serves.
"""
import os
import pwd
import signal
import socket
import sys
import threading

USER = "smtprelay"
READY = "/run/service.ready"
CREDENTIALS = "/run/credentials/smtprelay.service"
NOTIFY = "/run/notify"


def drop_in(path):
    settings = {}
    with open(path) as lines:
        for line in lines:
            if "=" in line:
                key, value = line.strip().split("=", 1)
                assert key in ("EnvironmentFile", "LoadCredential", "StateDirectory"), key
                settings[key] = value
    return settings


def listen(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o666)
    s.listen(1024)
    return s


def environment(path):
    """EnvironmentFile=-PATH"""
    path = path.lstrip("-")
    if not os.path.exists(path):
        return {}
    with open(path) as lines:
        return dict(line.strip().split("=", 1) for line in lines if "=" in line)


def own(path, mode):
    user = pwd.getpwnam(USER)
    os.chown(path, user.pw_uid, user.pw_gid)
    os.chmod(path, mode)


class Service:
    def __init__(self, settings):
        self.settings = settings
        os.makedirs("/run/smtprelay")
        self.sockets = [listen("/run/smtprelay/socket"), listen("/run/smtprelay/socket.ctl")]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(NOTIFY)
        os.chmod(NOTIFY, 0o666)
        threading.Thread(target=self.hear, daemon=True).start()
        self.child = None

    def hear(self):
        while True:
            if b"READY=1" in self.notify.recv(4096).split(b"\n"):
                open(READY, "w").close()

    def credentials(self):
        name, source = self.settings["LoadCredential"].split(":", 1)
        os.makedirs(CREDENTIALS, exist_ok=True)
        there = os.path.join(CREDENTIALS, name)
        with open(source, "rb") as secret, open(there + ".new", "wb") as copy:
            copy.write(secret.read())
        own(there + ".new", 0o400)
        os.rename(there + ".new", there)
        own(CREDENTIALS, 0o500)

    def become(self):
        """In the child: the descriptors at 3 and 4, the user, and no signal of ours."""
        held = [os.dup(s.fileno()) for s in self.sockets]
        held = [os.dup2(h, 50 + i) for i, h in enumerate(held)]
        for i, h in enumerate(held):
            os.dup2(h, 3 + i)
        os.closerange(5, 60)
        os.environ["LISTEN_PID"] = str(os.getpid())
        user = pwd.getpwnam(USER)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execv("/usr/sbin/smtprelayd", ["smtprelayd"])

    def start(self):
        state = os.path.join("/var/lib", self.settings["StateDirectory"])
        os.makedirs(state, exist_ok=True)
        own(state, 0o755)
        self.credentials()
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "CREDENTIALS_DIRECTORY": CREDENTIALS, "NOTIFY_SOCKET": NOTIFY,
               "LISTEN_FDS": str(len(self.sockets)), **environment(self.settings["EnvironmentFile"])}
        self.child = os.fork()
        if self.child == 0:
            try:
                os.environ.clear()
                os.environ.update(env)
                self.become()
            finally:
                os._exit(127)

    def stop(self):
        if os.path.exists(READY):
            os.unlink(READY)
        os.kill(self.child, signal.SIGTERM)
        return os.waitpid(self.child, 0)[1]


def main():
    signals = [signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM]
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    service = Service(drop_in(sys.argv[1]))
    service.start()
    while True:
        got = signal.sigwait(signals)
        if got == signal.SIGHUP:
            if os.path.exists(READY):
                os.unlink(READY)
            os.kill(service.child, signal.SIGHUP)
            continue
        status = service.stop()
        if status != 0:
            print("smtprelayd ended with status %d" % status, file=sys.stderr, flush=True)
        if got == signal.SIGTERM:
            return
        service.start()


main()
