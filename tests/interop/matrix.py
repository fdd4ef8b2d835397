# SPDX-License-Identifier: ISC
"""One run of the matrix: see tests/interop/matrix, which prepares it.

A smarthost is a class: start() says which ports it has by road, `mechanisms` what logins it takes, inbox() what it took so far. A message is what goes
in and what may become of it. Everything else is loops.
"""
import argparse
import asyncio
import base64
import email
import email.header
import email.policy
import glob
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

USER, PASSWORD = "relay@example.org", "s3cret pass"
NOBODY = 65534


def wait_for(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def run(*arguments, **options):
    """Its output comes by a file: a pipe stays open as long as a daemon that was started has it"""
    with tempfile.TemporaryFile("w+") as out:
        r = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=120, **options)
        out.seek(0)
        r.stdout = out.read()
    return r


# ---------------------------------------------------------------- messages


def lines(count, text):
    return b"".join(b"%d %s\n" % (i, text) for i in range(count))


class Message:
    def __init__(self, name, header, body, arguments=(), recoded=False, loose=()):
        self.name, self.header, self.body = name, header, body
        self.arguments = ["-f", "carol@example.org"] + list(arguments)
        self.recoded = recoded  # its parts may be encoded in another way
        self.loose = {f.lower() for f in loose}  # fields that are completed

    def text(self):
        return self.header + b"\n" + self.body


MESSAGES = [
    Message("cron", b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> backup\nContent-Type: text/plain; charset=UTF-8\n"
            b"Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n", b"done\n.\n..\n. \nFrom here\n",
            ["-i", "-FCronDaemon", "-oem", "bob@example.net"], loose=["From", "To"]),
    Message("utf8", "From: Carol <carol@example.org>\nTo: bob@example.net\nSubject: Grüße, schön\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n".encode(), "Grüße\n".encode(), ["-i", "-t"], recoded=True),
    Message("attachment", b"From: carol@example.org\nTo: bob@example.net\nSubject: attached\nMIME-Version: 1.0\n"
            b'Content-Type: multipart/mixed; boundary="=_b"\n',
            b"--=_b\nContent-Type: text/plain\n\nsee below\n--=_b\nContent-Type: text/csv; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n"
            b"Content-Disposition: attachment; filename=a.csv\n\nname;wert\nM\xfcller;\xe4\n--=_b--\n", ["-i", "-t"], recoded=True),
    Message("long", b"From: carol@example.org\nTo: bob@example.net\nSubject: long\n", b"a" * 5000 + b"\nshort\n", ["-i", "-t"], recoded=True),
    Message("resent", b"Resent-From: carol@example.org\nResent-To: bob@example.net\nFrom: else@example.com\nTo: other@example.com\nSubject: again\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.com>\n", b"text\n", ["-i", "-t"]),
    Message("dsn", b"From: carol@example.org\nTo: bob@example.net\nSubject: tell me\n", b"text\n",
            ["-i", "-N", "failure,delay", "-R", "hdrs", "-V", "QQ1", "-t"]),
    Message("big", b"From: carol@example.org\nTo: bob@example.net\nSubject: big\n",
            lines(80000, b"is a line of a message of five megabytes, or a bit more"), ["-i", "-t"]),
    Message("empty", b"From: carol@example.org\nTo: bob@example.net\nSubject: empty\n", b"", ["-i", "-t"]),
]
SHORT = ("cron", "attachment", "long", "empty")


def unfolded(value):
    """A field as a reader sees it"""
    value = value.encode("utf-8", "surrogateescape").decode()
    return " ".join(str(email.header.make_header(email.header.decode_header(value))).split())


def fields(raw):
    m = email.message_from_bytes(raw + b"\n", policy=email.policy.compat32)
    return [(k.lower(), unfolded(v)) for k, v in m.raw_items()]


def parts(raw):
    m = email.message_from_bytes(raw, policy=email.policy.default)
    return [(p.get_content_type(), (p.get_payload(decode=True) or b"").replace(b"\r\n", b"\n").rstrip(b"\n")) for p in m.walk() if not p.is_multipart()]


def faults(message, raw):
    """What is wrong with what arrived"""
    raw = raw.replace(b"\r\n", b"\n")
    header, _, body = raw.partition(b"\n\n")
    header += b"\n"
    got = fields(header)
    if not header.isascii():
        yield "8-bit bytes in the header"
    for name in ("from", "date", "message-id", "to"):
        if len([1 for k, _ in got if k == name]) != 1:
            yield "%s stands %d times" % (name, len([1 for k, _ in got if k == name]))
    for name, value in fields(message.header):
        if message.recoded and name in ("mime-version", "content-type", "content-transfer-encoding"):
            continue
        if name not in message.loose and (name, value) not in got:
            yield "%s: %s is not there: %r" % (name, value, [v for k, v in got if k == name])
    if body == message.body:
        return
    if not message.recoded:
        yield "the body differs: %r, not %r" % (body[:60], message.body[:60])
    elif parts(raw) != parts(message.text()):
        yield "the parts differ: %r" % parts(raw)


# ---------------------------------------------------------------- smarthosts


class Smarthost:
    mechanisms = [None]
    needs = ()

    def __init__(self, stage):
        self.stage = stage
        self.dir = os.path.join(stage.work, type(self).__name__.lower())
        os.mkdir(self.dir)
        self.processes = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def spawn(self, *arguments, **options):
        log = open(self.path("log"), "ab")
        self.processes.append(subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options))
        log.close()

    def spawn_above(self, tree, prepare, *arguments):
        """In a namespace in which the tree lies above this machine's /usr"""
        self.spawn("unshare", "--mount", "--uts", "--propagation", "private", "sh", "-ec",
                   "mount -t overlay -o lowerdir=%s/usr:/usr overlay /usr\n%s\nexec \"$@\"" % (tree, prepare), "sh", *arguments)

    def stop(self):
        for p in self.processes:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()

    def files(self):
        return glob.glob(self.path("mail/new/*"))

    def inbox(self):
        found = []
        for name in self.files():
            with open(name, "rb") as f:
                found.append(f.read())
            os.unlink(name)
        return found

    def said(self):
        try:
            with open(self.path("log"), errors="replace") as f:
                return " / ".join(f.read().splitlines()[-12:])
        except FileNotFoundError:
            return ""


class Postfix(Smarthost):
    """With Dovecot's SASL, as tests/interop/postfix.sh sets it up"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256"]

    def shell(self, command):
        return run("sh", "-c", ". %s/tests/interop/postfix.sh; %s" % (self.stage.source, command))

    def start(self):
        os.chmod(self.dir, 0o755)
        r = self.shell("postfix_start %s && echo PORTS $SUBMISSION $SUBMISSIONS" % self.dir)
        if "PORTS" not in r.stdout:
            raise RuntimeError(r.stdout)
        ports = r.stdout.split("PORTS")[1].split()
        self.ca = self.path("ca.pem")
        return {"starttls": int(ports[0]), "implicit": int(ports[1])}

    def files(self):
        return glob.glob(self.path("mail/all/new/*"))

    def stop(self):
        self.shell("postfix_stop %s" % self.dir)


class Exim(Smarthost):
    mechanisms = ["plain", "login", "cram-md5"]

    def start(self):
        tree = self.stage.unpacked("exim4-daemon-light", "exim4-base")
        starttls, implicit = free_port(), free_port()
        for name in ("spool", "logs"):
            os.mkdir(self.path(name))
            shutil.chown(self.path(name), "Debian-exim", "Debian-exim")
        os.makedirs(self.path("mail"))
        os.chown(self.path("mail"), NOBODY, NOBODY)
        shutil.chown(self.stage.tls("hub.key"), "root", "Debian-exim")
        os.chmod(self.stage.tls("hub.key"), 0o640)
        write(self.path("conf"), """
spool_directory = %(dir)s/spool
log_file_path = %(dir)s/logs/%%slog
pid_file_path = %(dir)s/exim.pid
primary_hostname = hub.example.net
daemon_smtp_ports = %(starttls)d : %(implicit)d
tls_on_connect_ports = %(implicit)d
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = %(cert)s
tls_privatekey = %(key)s
acl_smtp_rcpt = rcpt
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
message_size_limit = 60M
queue_run_max = 0
smtp_accept_queue_per_connection = 0
begin acl
rcpt:
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = %(dir)s/mail
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = nobody
  group = nogroup
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{%(user)s}}{eq{$auth3}{%(password)s}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{%(user)s}}{eq{$auth2}{%(password)s}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{%(user)s}{%(password)s}fail}
  server_set_id = $auth1
""" % dict(dir=self.dir, starttls=starttls, implicit=implicit, cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key"), user=USER,
           password=PASSWORD))
        self.ca = self.stage.tls("ca.pem")
        # only where it looks for its configuration by itself does it keep its privileges
        self.spawn_above(tree, "mount -t tmpfs -o mode=755 tmpfs /var/lib\nmkdir /var/lib/exim4\ncp %s /var/lib/exim4/config.autogenerated" % self.path("conf"),
                         "/usr/sbin/exim4", "-bdf")
        return {"starttls": starttls, "implicit": implicit}


class OpenSMTPD(Smarthost):
    """6.8 of Debian 12 cannot offer TLS"""

    def start(self):
        tree = self.stage.unpacked("opensmtpd")
        port = free_port()
        os.mkdir(self.path("mail"), 0o755)
        os.makedirs(self.path("mail/new"))
        for name in ("mail", "mail/new"):
            os.chown(self.path(name), NOBODY, NOBODY)
        write(self.path("conf"), 'listen on 127.0.0.1 port %d hostname hub.example.net\ntable all { "@" = "nobody" }\n'
              'action "keep" maildir "%s/mail" virtual <all>\nmatch from any for any action "keep"\n' % (port, self.dir))
        shutil.chown(tree + "/usr/sbin/smtpctl", "root", "opensmtpq")
        os.chmod(tree + "/usr/sbin/smtpctl", 0o2755)
        self.spawn_above(tree, "for d in /var/spool /var/lib /run; do mount -t tmpfs -o mode=755 tmpfs $d; done\n"
                         "mkdir -m 711 /var/spool/smtpd\nmkdir -p /var/lib/opensmtpd/empty",
                         "/usr/sbin/smtpd", "-d", "-f", self.path("conf"))
        return {"none": port}


class Sink(Smarthost):
    """A smarthost in Python, also behind the others' relays"""
    mechanisms = ["plain", "login"]
    roads = ("starttls", "implicit")

    def __init__(self, stage):
        super().__init__(stage)
        self.controllers = []

    def start(self):
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult

        class Handler:
            def __init__(self):
                self.taken = []

            async def handle_DATA(self, server, session, envelope):
                self.taken.append(envelope.original_content or envelope.content)
                return "250 2.0.0 taken"

        def authenticate(server, session, envelope, mechanism, data):
            return AuthResult(success=data.login == USER.encode() and data.password == PASSWORD.encode())

        self.handler = Handler()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.stage.tls("hub.pem"), self.stage.tls("hub.key"))
        ports = {}
        for road in self.roads:
            ports[road] = free_port()
            options = dict(hostname="127.0.0.1", port=ports[road], data_size_limit=60000000, enable_SMTPUTF8=True)
            if road == "starttls":
                options.update(tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)
            elif road == "implicit":
                options.update(ssl_context=context, authenticator=authenticate, auth_required=True, auth_require_tls=False)
            self.controllers.append(Controller(self.handler, **options))
            self.controllers[-1].start()
        self.ca = self.stage.tls("ca.pem")
        return ports

    def inbox(self):
        found, self.handler.taken[:] = list(self.handler.taken), []
        return found

    def stop(self):
        for c in self.controllers:
            c.stop()


class Aiosmtpd(Sink):
    pass


class Dovecot(Smarthost):
    """Its submission service, which passes all on to another"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256"]

    def start(self):
        class Behind(Sink):
            roads = ("none",)
        self.behind = Behind(self.stage)
        port = self.behind.start()["none"]
        starttls, implicit = free_port(), free_port()
        for name in ("run", "state"):
            os.mkdir(self.path(name))
        os.chmod(self.dir, 0o755)
        write(self.path("users"), "%s:{PLAIN}%s\n" % (USER, PASSWORD))
        write(self.path("conf"), """
base_dir = %(dir)s/run
state_dir = %(dir)s/state
log_path = %(dir)s/log
protocols = submission
ssl = required
ssl_cert = <%(cert)s
ssl_key = <%(key)s
default_login_user = dovenull
default_internal_user = dovecot
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
mail_location = maildir:%(dir)s/home
submission_relay_host = 127.0.0.1
submission_relay_port = %(port)d
submission_max_mail_size = 60M
hostname = hub.example.net
passdb {
  driver = passwd-file
  args = %(dir)s/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%(dir)s/home
}
service submission-login {
  inet_listener submission {
    address = 127.0.0.1
    port = %(starttls)d
  }
  inet_listener submissions {
    address = 127.0.0.1
    port = %(implicit)d
    ssl = yes
  }
}
""" % dict(dir=self.dir, cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key"), port=port, starttls=starttls, implicit=implicit))
        os.mkdir(self.path("home"))
        os.chown(self.path("home"), NOBODY, NOBODY)
        self.ca = self.stage.tls("ca.pem")
        self.spawn("dovecot", "-F", "-c", self.path("conf"))
        return {"starttls": starttls, "implicit": implicit}

    def inbox(self):
        return self.behind.inbox()

    def stop(self):
        super().stop()
        self.behind.stop()


class Sendmail(Smarthost):
    """With Cyrus SASL; each message goes into a file of its own by a mailer of ours"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256"]
    needs = ("m4", "saslpasswd2")

    def start(self):
        tree = self.stage.unpacked("sendmail-bin", "sendmail-base", "sendmail-cf", "libmilter1.0.1")
        starttls, implicit = free_port(), free_port()
        for name in ("mail", "mail/new", "mail/tmp"):
            os.mkdir(self.path(name))
            os.chown(self.path(name), NOBODY, NOBODY)
        write(self.path("keep"), "#!/bin/sh\ncat >%(dir)s/mail/tmp/$$ && mv %(dir)s/mail/tmp/$$ %(dir)s/mail/new/$$\n" % dict(dir=self.dir), 0o755)
        # it trusts no file below a folder like /tmp
        state = "/var/lib/sendmail"
        write(self.path("mc"), """divert(-1)
define(`_CF_DIR_', `%(tree)s/usr/share/sendmail/cf/')
include(`%(tree)s/usr/share/sendmail/cf/m4/cf.m4')
divert(0)
OSTYPE(`linux')
define(`confDOMAIN_NAME', `hub.example.net')
define(`confPID_FILE', `%(state)s/pid')
define(`QUEUE_DIR', `%(state)s/queue')
define(`HELP_FILE', `')
define(`STATUS_FILE', `')
define(`ALIAS_FILE', `')
define(`confSERVICE_SWITCH_FILE', `%(state)s/switch')
define(`confDELIVERY_MODE', `i')
define(`confMAX_MESSAGE_SIZE', `60000000')
define(`confTO_IDENT', `0')
define(`confCACERT_PATH', `%(state)s')
define(`confCACERT', `%(state)s/hub.pem')
define(`confSERVER_CERT', `%(state)s/hub.pem')
define(`confSERVER_KEY', `%(state)s/hub.key')
define(`confTLS_SRV_OPTIONS', `V')
define(`confAUTH_OPTIONS', `p')
define(`confAUTH_MECHANISMS', `PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256')
FEATURE(`no_default_msa')
FEATURE(`nocanonify')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unresolvable_domains')
FEATURE(`accept_unqualified_senders')
DAEMON_OPTIONS(`Name=one, Port=%(starttls)d, Addr=127.0.0.1, M=a')
DAEMON_OPTIONS(`Name=two, Port=%(implicit)d, Addr=127.0.0.1, M=as')
MAILER_DEFINITIONS
Mlocal, P=%(dir)s/keep, F=lsn, U=nobody:nogroup, A=keep $u
Mprog, P=/bin/false, F=lsn, A=false
Mkeep, P=%(dir)s/keep, F=n, U=nobody:nogroup, A=keep $u
LOCAL_RULE_0
R$+ < @ $+ >\t$#keep $@ $2 $: $1
""" % dict(tree=tree, dir=self.dir, state=state, starttls=starttls, implicit=implicit))
        r = run("sh", "-c", "m4 %(dir)s/mc >%(dir)s/cf 2>%(dir)s/m4.log && printf '%%s' '%(password)s' | "
                "saslpasswd2 -p -c -f %(dir)s/sasldb -u %(domain)s %(name)s" %
                dict(dir=self.dir, password=PASSWORD, name=USER.split("@")[0], domain=USER.split("@")[1]))
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        os.makedirs(tree + "/usr/lib/sasl2", exist_ok=True)
        write(tree + "/usr/lib/sasl2/Sendmail.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s/sasldb\n"
              "mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256\n" % state)
        self.ca = self.stage.tls("ca.pem")
        self.spawn_above(tree, """mount -t tmpfs -o mode=755 tmpfs /var/lib
umask 077
mkdir -m 755 %(state)s
mkdir %(state)s/queue
cp %(cert)s %(key)s %(dir)s/sasldb %(dir)s/cf %(state)s
echo hosts files >%(state)s/switch
# a name without a domain makes it wait for a minute
hostname hub.example.net
echo 127.0.0.1 hub.example.net localhost >%(state)s/hosts
chmod 644 %(state)s/hub.pem %(state)s/cf %(state)s/switch %(state)s/hosts
mount --bind %(state)s/hosts /etc/hosts""" % dict(state=state, dir=self.dir, cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key")),
                         "/usr/libexec/sendmail/sendmail", "-C", state + "/cf", "-bD")
        return {"starttls": starttls, "implicit": implicit}


class Nodemailer(Smarthost):
    """nodemailer's smtp-server"""
    needs = ("node", "npm")
    mechanisms = ["plain", "login"]

    def start(self):
        r = run("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", self.dir, "smtp-server@3")
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        starttls, implicit = free_port(), free_port()
        os.makedirs(self.path("mail/new"))
        write(self.path("server.js"), """
const { SMTPServer } = require("smtp-server"), fs = require("fs");
let n = 0;
for (const [port, secure] of [[%d, false], [%d, true]])
    { const server = new SMTPServer({
        secure, key: fs.readFileSync(%r), cert: fs.readFileSync(%r), size: 60000000, authMethods: ["PLAIN", "LOGIN"],
        onAuth(a, s, done) { done(a.username === %r && a.password === %r ? null : new Error("no"), { user: 1 }); },
        onData(stream, s, done) {
            const name = __dirname + "/mail/" + ++n, out = fs.createWriteStream(name);
            stream.pipe(out);
            out.on("finish", () => { fs.renameSync(name, __dirname + "/mail/new/" + n); done(); });
        },
    });
    server.on("error", () => {});
    server.listen(port, "127.0.0.1"); }
""" % (starttls, implicit, self.stage.tls("hub.key"), self.stage.tls("hub.pem"), USER, PASSWORD))
        self.ca = self.stage.tls("ca.pem")
        self.spawn("node", self.path("server.js"))
        return {"starttls": starttls, "implicit": implicit}


SMARTHOSTS = {c.__name__.lower(): c for c in (Postfix, Exim, OpenSMTPD, Dovecot, Sendmail, Aiosmtpd, Nodemailer)}

# ---------------------------------------------------------------- the stage


class Stage:
    def __init__(self, opt):
        self.root, self.work, self.source = opt.root, opt.work, opt.source
        self.passed = self.failed = 0
        self.failures = []
        r = run("sh", "-c", ". %s/tests/interop/postfix.sh; mkdir %s/tls && make_ca %s/tls" % (self.source, self.work, self.work))
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        os.chmod(self.tls("hub.key"), 0o644)

    def tls(self, name):
        return os.path.join(self.work, "tls", name)

    def unpacked(self, *packages):
        """A tree with these packages, and what the machine lacks for them"""
        tree = os.path.join(self.work, "tree-" + packages[0])
        if not os.path.isdir(tree):
            os.mkdir(tree)
            r = run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *packages, cwd=tree)
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
        if mechanism:
            settings.update(AuthUser=USER, AuthPass=PASSWORD, AuthMethod=mechanism)
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
        return wait_for(20, lambda: os.path.exists(self.root + "/run/smtprelay/socket"))

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


def arrived(smarthost, message):
    """What is wrong with the one message that comes now"""
    found = []

    def one():
        found.extend(smarthost.inbox())
        return found
    if not wait_for(30, one):
        return ["it does not arrive: " + smarthost.said()]
    if len(found) > 1:
        return ["%d messages" % len(found)]
    return faults(message, found[0])


def one_way(stage, smarthost, what, way, messages):
    for m in messages:
        f = stage.send(m, *(["-odq"] if way == "queued" else []))
        if not f and way == "queued":
            r = run(stage.program("sendmail"), "-q")
            if r.returncode != 0:
                f = ["-q: exit %d %s" % (r.returncode, r.stdout)]
        stage.case("%s, %s, %s" % (what, way, m.name), f or arrived(smarthost, m))


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


def matrix(stage, name, short):
    smarthost = SMARTHOSTS[name](stage)
    try:
        roads = smarthost.start()
        if not wait_for(20, lambda: all(listens(port) for port in roads.values())):
            raise RuntimeError("it does not listen: " + smarthost.said())
        mechanisms = smarthost.mechanisms
        if short:
            roads, mechanisms = dict(list(roads.items())[:1]), mechanisms[-1:]
        all_of(stage, smarthost, roads, mechanisms, [m for m in MESSAGES if not short or m.name in SHORT])
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        stage.case("%s serves" % name, [str(e)])
    finally:
        smarthost.stop()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--short", action="store_true")
    p.add_argument("smarthosts", nargs="*")
    opt = p.parse_args()
    stage = Stage(opt)
    for name in opt.smarthosts or SMARTHOSTS:
        lacks = [c for c in SMARTHOSTS[name].needs if not shutil.which(c)]
        if lacks:
            print("# %s is left out, for there is no %s" % (name, lacks[0]))
            continue
        begin = time.monotonic()
        matrix(stage, name, opt.short)
        print("# %s: %.0f s" % (name, time.monotonic() - begin), flush=True)
    print("\n".join(stage.failures))
    print("%d passed, %d failed" % (stage.passed, stage.failed))
    return 1 if stage.failed else 0


if __name__ == "__main__":
    sys.exit(main())
