# SPDX-License-Identifier: ISC
"""Wait for one message (or N, of which the first is looked at) in a Maildir and say what is wrong with it; silent and 0 when nothing is.

usage: arrived.py MAILDIR --to RCPT [--about TEXT] [--from SENDER] [--author ADDRESS] [--subject S] [--body FILE] [--has TEXT]
                  [--attachment FILE] [--count N] [--wait SECONDS]

The recipient is what Postfix wrote into Delivered-To, the sender what it wrote into Return-Path, the author the address in
From.  Subject, body and attachment are compared as a reader sees them, after all decoding; --body wants every byte, --has a
part of the text.  With --about only messages with TEXT in subject or text are looked at, where several callers write to one.
"""
import argparse
import email
import email.policy
import glob
import sys
import time

ONCE = ("From", "Date", "Message-ID", "Return-Path", "Delivered-To")
NEVER = ("Bcc", "Resent-Bcc", "Content-Length")


def options():
    p = argparse.ArgumentParser()
    p.add_argument("maildir")
    p.add_argument("--to", required=True)
    p.add_argument("--about", default="")
    p.add_argument("--from", dest="sender")
    p.add_argument("--author")
    p.add_argument("--subject")
    p.add_argument("--body")
    p.add_argument("--has")
    p.add_argument("--attachment")
    p.add_argument("--count", type=int, default=1)
    p.add_argument("--wait", type=float, default=120)
    return p.parse_args()


def messages_to(opt, seen):
    """Those that were not there before are read; what is for others is not looked at again."""
    for name in glob.glob(opt.maildir + "/new/*"):
        if name in seen:
            continue
        seen[name] = None
        with open(name, "rb") as f:
            raw = f.read()
        if b"\nDelivered-To: " + opt.to.encode() + b"\n" not in b"\n" + raw:
            continue
        m = email.message_from_bytes(raw, policy=email.policy.default)
        if opt.about in str(m["Subject"]) or opt.about.encode() in text_of(m):
            seen[name] = (raw, m)
    return [found for found in seen.values() if found]


def waited_for(opt):
    end = time.monotonic() + opt.wait
    seen = {}
    while True:
        found = messages_to(opt, seen)
        if len(found) >= opt.count or time.monotonic() > end:
            return found
        time.sleep(0.2)


def header_faults(raw, m):
    for name in ONCE:
        n = len(m.get_all(name, []))
        if n != 1:
            yield "%s stands %d times" % (name, n)
    for name in NEVER:
        if name in m:
            yield "%s is still there" % name
    if not raw.split(b"\n\n", 1)[0].isascii():
        yield "the header has 8-bit bytes"
    if m.defects:
        yield "no proper message: %r" % m.defects


def text_of(m):
    part = m.get_body(("plain",)) or m
    data = part.get_payload(decode=True) or b""
    return data.replace(b"\r\n", b"\n")


def content_faults(opt, m):
    if opt.sender is not None and m["Return-Path"] != "<%s>" % opt.sender:
        yield "the envelope sender is %s" % m["Return-Path"]
    if opt.author is not None and [a.addr_spec for a in m["From"].addresses] != [opt.author]:
        yield "it is from %s" % m["From"]
    if opt.subject is not None and m["Subject"] != opt.subject:
        yield "the subject is %r" % m["Subject"]
    if opt.body is not None:
        with open(opt.body, "rb") as f:
            if f.read() != text_of(m):
                yield "the body differs"
    if opt.has is not None and opt.has.encode() not in text_of(m):
        yield "the body lacks %r" % opt.has
    if opt.attachment is not None:
        with open(opt.attachment, "rb") as f:
            want = f.read()
        if want not in [p.get_payload(decode=True) for p in m.walk()]:
            yield "the attachment is missing or differs"


def main():
    opt = options()
    found = waited_for(opt)
    if len(found) != opt.count:
        print("%d messages for %s" % (len(found), opt.to))
        for raw, _ in found:
            print(raw[:1500].decode("utf-8", "replace"))
        return 1
    raw, m = found[0]
    faults = list(header_faults(raw, m)) + list(content_faults(opt, m))
    if faults:
        print("; ".join(faults))
        print(raw[:1500].decode("utf-8", "replace"))
    return 1 if faults else 0


sys.exit(main())
