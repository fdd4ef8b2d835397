# SPDX-License-Identifier: ISC
"""Read a delivery status notification as a mail program does, and say what is in it: dsn.py FILE

Lines of "key=value": from, to, subject, auto, id, references, text (in one line), per-message and per-recipient fields as
"N.Name=value", original=the type of the third part, body=its body. Exit code 1 when it is no well-formed report.
"""

import email
import email.policy
import sys


def main():
    with open(sys.argv[1], "rb") as f:
        raw = f.read()
    m = email.message_from_bytes(raw, policy=email.policy.SMTP)
    if m.defects or m.get_content_type() != "multipart/report" or m.get_param("report-type") != "delivery-status":
        sys.exit("not a report: %s %s" % (m.get_content_type(), m.defects))
    parts = list(m.iter_parts())
    if len(parts) != 3:
        sys.exit("%d parts" % len(parts))
    text, status, original = parts
    for part in parts:
        if part.defects:
            sys.exit("%s: %s" % (part.get_content_type(), part.defects))
    for key, name in (("from", "From"), ("to", "To"), ("subject", "Subject"), ("auto", "Auto-Submitted"), ("id", "Message-ID"),
                      ("references", "References")):
        print("%s=%s" % (key, m[name] or ""))
    print("text=" + " ".join(text.get_content().split()))
    if status.get_content_type() != "message/delivery-status":
        sys.exit("the second part is " + status.get_content_type())
    for n, block in enumerate(status.get_payload()):
        for name, value in block.items():
            print("%d.%s=%s" % (n, name, " ".join(value.split())))
    print("original=" + original.get_content_type())
    if original.get_content_type() == "message/rfc822":
        inner = original.get_payload(0)
        print("inner=%s" % inner["Subject"])
        print("body=" + " ".join(inner.get_payload().split()))
    else:
        body = original.get_payload(decode=True).decode("utf-8", "replace")
        print("body=" + " ".join(body.split()))


main()
