# SPDX-License-Identifier: ISC
"""The smarthosts of the matrix (tests/interop/matrix), each with all the logins it has.

start() says which ports it has by road, `mechanisms` what logins are tried, `left_out` which it offers besides, and why they are not;
inbox() what it took since the last time.
"""
import glob
import http.server
import json
import logging
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import warnings

from messages import ENVELOPE_ID
from ports import free_port

USER, PASSWORD, TOKEN = "relay@example.org", "s3cret pass", "ya29.a-token_of-16.weeks"
NOBODY = 65534


def wait_for(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


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


def port_of(ports, name):
    """A port that is free now, kept under that name"""
    ports[name] = free_port()
    return ports[name]


# ---------------------------------------------------------------- what all have


class Provider:
    """Whom a smarthost asks whose token this is"""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                is_good = self.path.endswith("=" + TOKEN)
                self.send_response(200 if is_good else 401)
                self.end_headers()
                self.wfile.write(json.dumps({"email": USER} if is_good else {"error": "invalid_token"}).encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def dovecot(self, path):
        """Dovecot's settings for it; one file of them lies at `path`"""
        write(path, "tokeninfo_url = http://127.0.0.1:%d/?access_token=\nusername_attribute = email\n" % self.server.server_address[1])
        return "passdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = %s\n}\n" % path



class Smarthost:
    mechanisms = [None]
    left_out = {}  # by mechanism: why
    needs = ()
    reports = False  # offers DSN, and reports
    reports_id = True  # with the envelope id
    rewritten = ()  # fields it writes anew
    external_user = USER  # what is said to EXTERNAL: None for what the certificate says

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

    def greeting(self, road, port):
        """What it offers on this road: names of extensions in capitals, and logins"""
        context = ssl.create_default_context(cafile=self.ca) if road != "none" else None
        if context:
            context.load_cert_chain(self.stage.tls("client.pem"), self.stage.tls("client.key"))
        s = smtplib.SMTP_SSL("localhost", port, timeout=60, context=context) if road == "implicit" else smtplib.SMTP("localhost", port, timeout=60)
        with s:
            s.ehlo("client.example.org")
            if road == "starttls":
                s.starttls(context=context)
                s.ehlo("client.example.org")
            words = s.esmtp_features.get("auth", "").lower().split()
            return {k.upper() for k in s.esmtp_features} - {"AUTH"}, set(words)

    def envelope_faults(self, message):
        """Where it tells of the envelope by other means than a report"""
        return []

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


def cyrus_users(path, owner):
    """The one user, for Cyrus SASL"""
    name, domain = USER.split("@")
    r = run("sh", "-c", "printf '%%s' '%s' | saslpasswd2 -p -c -f %s -u %s %s" % (PASSWORD, path, domain, name))
    if r.returncode != 0:
        raise RuntimeError(r.stdout)
    shutil.chown(path, owner)


def cyrus_settings(tree, program, path):
    os.makedirs(tree + "/usr/lib/sasl2", exist_ok=True)
    write("%s/usr/lib/sasl2/%s.conf" % (tree, program), "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\n"
          "mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 EXTERNAL\n" % path)


# ---------------------------------------------------------------- one after the other


class Postfix(Smarthost):
    """With Dovecot's SASL, as tests/interop/postfix.sh sets it up"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "oauthbearer", "xoauth2", "scram-sha-256"]
    reports = True

    def shell(self, command):
        return run("sh", "-c", "here=%s/tests/interop; . $here/../wait.sh; . $here/postfix.sh; %s" % (self.stage.source, command))

    def start(self):
        os.chmod(self.dir, 0o755)
        write(self.path("dovecot.more"), "auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer\n" +
              self.stage.provider.dovecot(self.path("oauth2")))
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
    """Debian builds it with Cyrus SASL, not with GNU SASL, which would bind a login to its TLS"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "external"]
    needs = ("saslpasswd2",)
    reports = True

    def start(self):
        tree = self.stage.unpacked("exim4-daemon-heavy")
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
tls_verify_certificates = %(ca)s
tls_try_verify_hosts = *
dsn_advertise_hosts = *
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
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${certextract {subject,CN}{$tls_in_peercert}}
  server_condition = ${if eq{$auth1}{$auth2}}
  server_set_id = $auth1
""" % dict(dir=self.dir, starttls=starttls, implicit=implicit, cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key"),
           ca=self.stage.tls("ca.pem"), user=USER, password=PASSWORD) +
              "".join("%s:\n  driver = cyrus_sasl\n  public_name = %s\n  server_realm = example.org\n  server_set_id = $auth1\n" %
                      (name.lower().replace("-", ""), name) for name in ("SCRAM-SHA-1", "SCRAM-SHA-256")))
        cyrus_users(self.path("sasldb"), "Debian-exim")
        cyrus_settings(tree, "exim", self.path("sasldb"))
        self.ca = self.stage.tls("ca.pem")
        # only where it looks for its configuration by itself does it keep its privileges
        self.spawn_above(tree, "mount -t tmpfs -o mode=755 tmpfs /var/lib\nmkdir /var/lib/exim4\ncp %s /var/lib/exim4/config.autogenerated" % self.path("conf"),
                         "/usr/sbin/exim4", "-bdf")
        return {"starttls": starttls, "implicit": implicit}


class OpenSMTPD(Smarthost):
    """6.8 of Debian 12 cannot offer TLS, and no login without: stunnel is in front of it"""
    reports = True
    reports_id = False

    def start(self):
        tree = self.stage.unpacked("opensmtpd")
        wrapper = self.stage.unpacked("stunnel4") + "/usr/bin/stunnel4"
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
        ports = {}
        write(self.path("stunnel"), "foreground = yes\npid =\n[starttls]\nprotocol = smtp\naccept = 127.0.0.1:%(starttls)d\nconnect = 127.0.0.1:%(port)d\n"
              "cert = %(cert)s\nkey = %(key)s\n[implicit]\naccept = 127.0.0.1:%(implicit)d\nconnect = 127.0.0.1:%(port)d\ncert = %(cert)s\nkey = %(key)s\n" %
              dict(starttls=port_of(ports, "starttls"), implicit=port_of(ports, "implicit"), port=port, cert=self.stage.tls("hub.pem"),
                   key=self.stage.tls("hub.key")))
        self.spawn(wrapper, self.path("stunnel"))
        self.ca = self.stage.tls("ca.pem")
        return dict(ports, none=port)


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
        logging.getLogger("mail").setLevel(logging.ERROR)  # it says with each login what it will do without one day
        warnings.simplefilter("ignore")

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
    """It has no DSN"""


class Dovecot(Smarthost):
    """Its submission service, which passes all on to another"""
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2", "external"]

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
ssl_ca = <%(ca)s
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer external
mail_location = maildir:%(dir)s/home
submission_relay_host = 127.0.0.1
submission_relay_port = %(port)d
submission_max_mail_size = 60M
hostname = hub.example.net
passdb {
  driver = static
  mechanisms = external
  args = nopassword
}
passdb {
  driver = passwd-file
  args = %(dir)s/users
}
%(oauth2)s
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
""" % dict(dir=self.dir, cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key"), ca=self.stage.tls("ca.pem"), port=port,
           starttls=starttls, implicit=implicit, oauth2=self.stage.provider.dovecot(self.path("oauth2"))))
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
    mechanisms = ["plain", "login", "cram-md5", "scram-sha-1", "external", "scram-sha-256"]
    needs = ("m4", "saslpasswd2")
    reports = True
    external_user = None

    def start(self):
        tree = self.stage.unpacked("sendmail-bin", "sendmail-cf")
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
define(`confCACERT', `%(state)s/ca.pem')
define(`confSERVER_CERT', `%(state)s/hub.pem')
define(`confSERVER_KEY', `%(state)s/hub.key')
define(`confAUTH_OPTIONS', `p')
define(`confAUTH_MECHANISMS', `PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 EXTERNAL')
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
        r = run("sh", "-c", "m4 %(dir)s/mc >%(dir)s/cf 2>%(dir)s/m4.log" % dict(dir=self.dir))
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        cyrus_users(self.path("sasldb"), "root")
        cyrus_settings(tree, "Sendmail", state + "/sasldb")
        self.ca = self.stage.tls("ca.pem")
        self.spawn_above(tree, """mount -t tmpfs -o mode=755 tmpfs /var/lib
umask 077
mkdir -m 755 %(state)s
mkdir %(state)s/queue
cp %(ca)s %(cert)s %(key)s %(dir)s/sasldb %(dir)s/cf %(state)s
echo hosts files >%(state)s/switch
# a name without a domain makes it wait for a minute
hostname hub.example.net
echo 127.0.0.1 hub.example.net localhost >%(state)s/hosts
chmod 644 %(state)s/ca.pem %(state)s/hub.pem %(state)s/cf %(state)s/switch %(state)s/hosts
mount --bind %(state)s/hosts /etc/hosts""" % dict(state=state, dir=self.dir, ca=self.stage.tls("ca.pem"), cert=self.stage.tls("hub.pem"), key=self.stage.tls("hub.key")),
                         "/usr/libexec/sendmail/sendmail", "-C", state + "/cf", "-bD")
        return {"starttls": starttls, "implicit": implicit}


class Nodemailer(Smarthost):
    """nodemailer's smtp-server"""
    needs = ("node", "npm")
    mechanisms = ["plain", "login", "xoauth2", "cram-md5"]

    def start(self):
        r = run("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", self.dir, "smtp-server@3")
        if r.returncode != 0:
            raise RuntimeError(r.stdout)
        starttls, implicit = free_port(), free_port()
        os.makedirs(self.path("mail/new"))
        write(self.path("server.js"), """
const { SMTPServer } = require("smtp-server"), fs = require("fs");
let n = 0;
for (const [port, secure] of [[%(starttls)d, false], [%(implicit)d, true]])
    { const server = new SMTPServer({
        secure, key: fs.readFileSync(%(key)r), cert: fs.readFileSync(%(cert)r), size: 60000000, authMethods: ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"],
        hideDSN: false, hide8BITMIME: true,
        onAuth(a, s, done) {
            const good = a.method === "XOAUTH2" ? a.accessToken === %(token)r : a.method === "CRAM-MD5" ? a.validatePassword(%(password)r) : a.password === %(password)r;
            done(a.username === %(user)r && good ? null : new Error("no"), { user: 1 });
        },
        onData(stream, s, done) {
            const name = __dirname + "/mail/" + ++n, out = fs.createWriteStream(name);
            stream.pipe(out);
            fs.writeFileSync(__dirname + "/envelope", JSON.stringify(s.envelope));
            out.on("finish", () => { fs.renameSync(name, __dirname + "/mail/new/" + n); done(); });
        },
    });
    server.on("error", () => {});
    server.listen(port, "127.0.0.1"); }
""" % dict(starttls=starttls, implicit=implicit, key=self.stage.tls("hub.key"), cert=self.stage.tls("hub.pem"), user=USER, password=PASSWORD, token=TOKEN))
        self.ca = self.stage.tls("ca.pem")
        self.spawn("node", self.path("server.js"))
        return {"starttls": starttls, "implicit": implicit}

    def envelope_faults(self, message):
        with open(self.path("envelope")) as f:
            e = json.load(f)
        got = e.get("dsn"), e["rcptTo"][0].get("dsn")
        if message.wants_report and got != ({"ret": "HDRS", "envid": ENVELOPE_ID}, {"notify": ["SUCCESS", "FAILURE"]}):
            yield "of DSN it knows %r" % (got,)


SMARTHOSTS = {c.__name__.lower(): c for c in (Postfix, Exim, OpenSMTPD, Dovecot, Sendmail, Aiosmtpd, Nodemailer)}
