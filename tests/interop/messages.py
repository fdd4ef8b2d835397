# SPDX-License-Identifier: ISC
"""The messages of the matrix (tests/interop/matrix), and what may become of each.

Where nothing must change, fields and body are compared byte for byte; where a line is too long or the smarthost takes no 8-bit text,
part by part. A field with 8-bit text is compared as a reader sees it.
"""
import email
import email.header
import email.policy

ENVELOPE_ID = "QQ1"


def lines(count, text):
    return b"".join(b"%d %s\n" % (i, text) for i in range(count))


class Message:
    def __init__(self, name, header, body, arguments=(), completed=(), is_8bit=False, is_long=False, wants_report=False):
        self.name, self.header, self.body = name, header, body
        self.arguments = ["-f", "carol@example.org"] + list(arguments)
        self.completed = {f.lower() for f in completed}  # fields that get a domain
        self.is_8bit, self.is_long = is_8bit, is_long
        self.wants_report = wants_report

    def text(self):
        return self.header + b"\n" + self.body

    def is_recoded(self, takes_8bit):
        return self.is_long or self.is_8bit and not takes_8bit


MESSAGES = [
    Message("cron", b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> backup\nContent-Type: text/plain; charset=UTF-8\n"
            b"Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n", b"done\n.\n..\n. \nFrom here\n",
            ["-i", "-FCronDaemon", "-oem", "bob@example.net"], completed=["From", "To"]),
    Message("utf8", "From: Carol <carol@example.org>\nTo: bob@example.net\nSubject: Grüße, schön\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n".encode(), "Grüße\n".encode(), ["-i", "-t"], is_8bit=True),
    Message("attachment", b"From: carol@example.org\nTo: bob@example.net\nSubject: attached\nMIME-Version: 1.0\n"
            b'Content-Type: multipart/mixed; boundary="=_b"\n',
            b"--=_b\nContent-Type: text/plain\n\nsee below\n--=_b\nContent-Type: text/csv; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n"
            b"Content-Disposition: attachment; filename=a.csv\n\nname;wert\nM\xfcller;\xe4\n--=_b--\n", ["-i", "-t"], is_8bit=True),
    Message("long", b"From: carol@example.org\nTo: bob@example.net\nSubject: long\n", b"a" * 5000 + b"\nshort\n", ["-i", "-t"], is_long=True),
    Message("resent", b"Resent-From: carol@example.org\nResent-To: bob@example.net\nFrom: else@example.com\nTo: other@example.com\nSubject: again\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.com>\n", b"text\n", ["-i", "-t"]),
    Message("dsn", b"From: carol@example.org\nTo: bob@example.net\nSubject: tell me\n", b"text\n",
            ["-i", "-N", "success,failure", "-R", "hdrs", "-V", "QQ1", "-t"], wants_report=True),
    Message("big", b"From: carol@example.org\nTo: bob@example.net\nSubject: big\n",
            lines(85000, b"is a line of a message of five megabytes, or a bit more"), ["-i", "-t"]),
    Message("empty", b"From: carol@example.org\nTo: bob@example.net\nSubject: empty\n", b"", ["-i", "-t"]),
]
SHORT = ("cron", "attachment", "long", "empty")


# what our programs add, and what a smarthost puts in front
ADDED = {"from", "date", "message-id", "to", "resent-date", "resent-message-id", "resent-from"}
TRACE = {"received", "return-path", "delivered-to", "x-original-to", "envelope-to", "delivery-date", "full-name"}
RECODED = {"mime-version", "content-type", "content-transfer-encoding"}


def unfolded(value):
    """A field as a reader sees it"""
    return " ".join(str(email.header.make_header(email.header.decode_header(value.decode("utf-8", "surrogateescape")))).split())


def fields(header):
    """Name, and the field as it stands; continued lines belong to it"""
    found = []
    for line in header.splitlines():
        if line[:1] in b" \t" and found:
            found[-1][1] += b"\n" + line
        else:
            name, _, value = line.partition(b":")
            found.append([name.decode("latin-1").lower(), name + b":" + value])
    return found


def parts(raw):
    m = email.message_from_bytes(raw, policy=email.policy.default)
    return [(p.get_content_type(), (p.get_payload(decode=True) or b"").replace(b"\r\n", b"\n").rstrip(b"\n")) for p in m.walk() if not p.is_multipart()]


def is_same(sent, got):
    if sent.isascii():
        return sent == got
    return got.isascii() and unfolded(sent) == unfolded(got)


def header_faults(message, header, is_recoded, rewritten):
    got = fields(header)
    if not header.isascii():
        yield "8-bit bytes in the header"
    for name in ("from", "date", "message-id", "to"):
        if len([1 for k, _ in got if k == name]) != 1:
            yield "%s stands %d times" % (name, len([1 for k, _ in got if k == name]))
    at = 0
    mine = set()
    for name, value in fields(message.header):
        mine.add(name)
        if is_recoded and name in RECODED:
            continue
        as_it_was = [i for i, (k, v) in enumerate(got) if k == name and (name in message.completed or name in rewritten or is_same(value, v))]
        if not as_it_was:
            yield "%r has become %r" % (value, [v for k, v in got if k == name])
        elif as_it_was[-1] < at:
            yield "%s stands elsewhere" % name
        else:
            at = as_it_was[-1]
    strange = {k for k, _ in got} - mine - ADDED - TRACE - (RECODED if is_recoded else set())
    if strange:
        yield "fields nobody asked for: %s" % ", ".join(sorted(strange))


def faults(message, raw, takes_8bit, rewritten=()):
    """What is wrong with what arrived; the smarthost itself writes the fields `rewritten` anew"""
    raw = raw.replace(b"\r\n", b"\n")
    header, _, body = raw.partition(b"\n\n")
    is_recoded = message.is_recoded(takes_8bit)
    yield from header_faults(message, header, is_recoded, rewritten)
    if not is_recoded:
        if body != message.body:
            yield "the body differs: %r, not %r" % (body[:60], message.body[:60])
        return
    if max(map(len, body.split(b"\n"))) > 998:
        yield "a line of more than 998 octets"
    if not takes_8bit and not body.isascii():
        yield "8-bit bytes for a smarthost that takes none"
    if parts(raw) != parts(message.text()):
        yield "the parts differ: %r" % parts(raw)


# ---------------------------------------------------------------- reports


def is_report(raw):
    """By what is in it: OpenSMTPD's are no multipart/report"""
    return any(p.get_content_type() == "message/delivery-status" for p in email.message_from_bytes(raw, policy=email.policy.default).walk())


def report_faults(raw, action, knows_id=True):
    """A report of success, asked for with an envelope id and the header only"""
    text = raw.replace(b"\r\n", b"\n").decode("latin-1")
    m = email.message_from_bytes(raw, policy=email.policy.default)
    status = "".join(str(p) for part in m.walk() if part.get_content_type() == "message/delivery-status" for p in part.get_payload())
    said = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in status.splitlines()) if v}
    if said.get("action", "").split(" ")[0] not in action:
        yield "the report says %r, not %s" % (said.get("action"), " or ".join(action))
    if knows_id and said.get("original-envelope-id") != ENVELOPE_ID:
        yield "its envelope id is %r" % said.get("original-envelope-id")
    if "\ntext\n" in text:
        yield "it returns the body, too"
