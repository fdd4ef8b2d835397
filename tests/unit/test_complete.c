/* SPDX-License-Identifier: ISC */
/* complete: what goes over the wire is what RFC 5322, 2045 and 6409 want, and means what was handed in. */
#include "unit/suite.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "mail/header.h"
#include "mail/mime_field.h"
#include "worker/complete.h"

enum { SEVEN = 0, EIGHT = 1, BINARY = 3 };

static char received[] = "Received: r\r\n", message_id[] = "<new@h.example>", date[] = "NOW",
            login_address[] = "login@h.example", empty[] = "";

static const struct head_settings settings = { .rewrite = { .hostname = "h.example" } };

/* '|' stands for CRLF, '0' behind a backslash for a NUL */
static void
add_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            buf_add_str(out, "\r\n");
        else if (*text == '\\' && text[1] == '0')
            buf_add_char(out, '\0'), text++;
        else
            buf_add_char(out, *text);
}

static bool
to_buf(void *ctx, struct slice s)
{
    buf_add_slice(ctx, s);
    return true;
}

static struct record
record_of(const char *full_name)
{
    struct record r;

    memset(&r, 0, sizeof r);
    r.received = received;
    r.message_id = message_id;
    r.date = date;
    r.login_address = login_address;
    r.full_name = full_name ? mem_dup(full_name) : empty;
    r.envelope.sender = empty;
    return r;
}

/* The message as it goes to such a peer; false with err when it is refused. The announced size has to be the real one. */
static bool
complete(struct slice in, const struct head_settings *s, const struct record *like, unsigned peer,
    struct buf *out, struct error *err)
{
    struct complete_peer p = { .eight_bit = peer & 1, .binary = peer & 2 };
    struct record r = *like;
    struct complete c;
    int fd = memfd_create("message", MFD_CLOEXEC);
    bool ok;

    ck_assert(fd >= 0 && file_write(fd, in.p, in.len));
    r.content_size = in.len;
    buf_reset(out);
    ok = complete_init(&c, fd, &r, s, err);
    if (ok) {
        ok = complete_adapt(&c, &p, err) && complete_write(&c, to_buf, out, err);
        ck_assert_uint_eq(c.size, out->len);
        ck_assert(p.binary || !c.binary);
        complete_clear(&c);
    }
    close(fd);
    return ok;
}

struct fixture {
    struct buf in, out, again, want;
};

static void
fixture_init(struct fixture *f)
{
    buf_init(&f->in, 16u << 20);
    buf_init(&f->out, 16u << 20);
    buf_init(&f->again, 16u << 20);
    buf_init(&f->want, 16u << 20);
}

static void
fixture_clear(struct fixture *f)
{
    buf_clear(&f->in);
    buf_clear(&f->out);
    buf_clear(&f->again);
    buf_clear(&f->want);
}

/* One case; completing what came out once more adds a Received field and nothing else */
static void
check_one(struct fixture *f, const char *in, unsigned peer, const char *want, const char *full_name)
{
    struct record r = record_of(full_name);
    struct error err;

    buf_reset(&f->in);
    add_text(&f->in, in);
    buf_reset(&f->want);
    add_text(&f->want, "Received: r|");
    add_text(&f->want, want);
    ck_assert_msg(complete(buf_slice(&f->in), &settings, &r, peer, &f->out, &err), "%s: %s", in, err.text);
    ck_assert_msg(slice_eq(buf_slice(&f->out), buf_slice(&f->want)), "%s:\ngot  %s\nwant %s", in,
        buf_str(&f->out), buf_str(&f->want));
    ck_assert(complete(buf_slice(&f->out), &settings, &r, peer, &f->again, &err));
    ck_assert_msg(slice_starts(buf_slice(&f->again), received) &&
                      slice_eq(slice_from(buf_slice(&f->again), strlen(received)), buf_slice(&f->out)),
        "%s: not the same the second time:\n%s", in, buf_str(&f->again));
    if (full_name)
        free(r.full_name);
}

#define FROM "From: a@x.example|"
#define TO "To: b@y.example|"
#define DATE "Date: D|"
#define ID "Message-ID: <i@x.example>|"
#define ALL FROM TO DATE ID
#define V "MIME-Version: 1.0|"
#define CTE "Content-Transfer-Encoding: "
#define X100 \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
#define UE "\xc3\xbc"

struct one {
    const char *in;
    unsigned peer;
    const char *want;
};

static void
check_table(const struct one *t, size_t n)
{
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < n; i++)
        check_one(&f, t[i].in, t[i].peer, t[i].want, NULL);
    fixture_clear(&f);
}
#define CHECK_TABLE(t) check_table(t, sizeof(t) / sizeof(t)[0])

START_TEST(what_is_absent_is_added_and_the_rest_keeps_its_order_and_bytes)
{
    static const struct one t[] = {
        { ALL "||x|", SEVEN, ALL "||x|" },
        { "x|", SEVEN,
            "Date: NOW|From: login@h.example|Message-ID: <new@h.example>|To: undisclosed-recipients:;||x|" },
        { "", SEVEN,
            "Date: NOW|From: login@h.example|Message-ID: <new@h.example>|To: undisclosed-recipients:;||" },
        { FROM "Cc: c@x.example||", SEVEN, FROM "Cc: c@x.example|Date: NOW|Message-ID: <new@h.example>||" },
        { "From someone Mon|" ALL "||x|", SEVEN, ALL "||x|" },
        { ALL "Bcc: s@x|Resent-X: y|Return-Path: <a@b>|Content-Length: 3|BCC : t@x||x|", SEVEN,
            ALL "Resent-Date: NOW|Resent-From: login@h.example|Resent-Message-ID: <new@h.example>|"
                "Resent-To: undisclosed-recipients:;|Resent-X: y||x|" },
        { ALL "x-Odd:  as\t it was |  folded|||x|", SEVEN, ALL "x-Odd:  as\t it was |  folded|||x|" },
        /* without a value it is as good as absent */
        { "From: |Cc:|Date:|Message-ID: |||", SEVEN,
            "Cc:|Date: NOW|From: login@h.example|Message-ID: <new@h.example>|||" },
        /* text that begins like no header */
        { ALL "no field|", SEVEN, ALL "|no field|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(what_a_record_lacks_is_no_field)
{
    struct record r = record_of(NULL);
    struct fixture f;
    struct error err;

    fixture_init(&f);
    r.date = r.message_id = r.received = NULL;
    ck_assert(complete(slice_of("\r\nx\r\n"), &settings, &r, SEVEN, &f.out, &err));
    ck_assert_str_eq(buf_str(&f.out), "From: login@h.example\r\nTo: undisclosed-recipients:;\r\n\r\nx\r\n");
    fixture_clear(&f);
}
END_TEST

START_TEST(only_the_topmost_resent_block_counts)
{
    static const struct one t[] = {
        { "Resent-From: r@x.example|Resent-To: t@x.example|" ALL "|", SEVEN,
            "Resent-Date: NOW|Resent-Message-ID: <new@h.example>|Resent-From: r@x.example|Resent-To: "
            "t@x.example|" ALL "|" },
        { "Resent-From: r@x.example|Resent-Date: 1|Resent-Message-ID: <2>|Received: old|Resent-From: "
          "s@x.example|"
          "Resent-Bcc: u@x|" FROM "|",
            SEVEN,
            "Resent-To: undisclosed-recipients:;|Resent-From: r@x.example|Resent-Date: 1|Resent-Message-ID: "
            "<2>|Received: old|Resent-From: "
            "s@x.example|" FROM "|" },
        { "Received: old|Resent-To: r@x.example|Received: older|Resent-From: s@x.example|Resent-Date: 1|" FROM
          "|",
            SEVEN,
            "Received: old|Resent-Date: NOW|Resent-From: login@h.example|Resent-Message-ID: <new@h.example>|"
            "Resent-To: r@x.example|Received: older|Resent-From: s@x.example|Resent-Date: 1|" FROM "|" },
        /* two blocks without a Received field between them */
        { "Resent-To: r@x|Resent-Date: 1|Resent-To: s@x|Resent-From: t@x|" FROM "|", SEVEN,
            "Resent-From: login@h.example|Resent-Message-ID: <new@h.example>|Resent-To: r@x|Resent-Date: "
            "1|Resent-To: s@x|"
            "Resent-From: t@x|" FROM "|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(addresses_are_qualified_wherever_they_may_stand)
{
    static const struct one t[] = {
        { "From: root (Cron Daemon)|Sender: me|Reply-To: <you>|To: a, \"b c\" , d@x.example|Cc: G: e, F "
          "<f>;, g|" DATE ID "|",
            SEVEN,
            "From: root@h.example (Cron Daemon)|Sender: me@h.example|Reply-To: <you@h.example>|"
            "To: a@h.example, \"b c\"@h.example , d@x.example|Cc: G: e@h.example, F <f@h.example>;, "
            "g@h.example|" DATE ID "|" },
        { "From: <@r.example,@s.example:a@x.example>|To: a (b@c, d),| e|" DATE ID "|", SEVEN,
            "From: <@r.example,@s.example:a@x.example>|To: a@h.example (b@c, d),| e@h.example|" DATE ID "|" },
        { "From: a@b" UE "cher.example|To: <b@b" UE "cher.example>|" DATE ID "|", SEVEN,
            "From: a@xn--bcher-kva.example|To: <b@xn--bcher-kva.example>|" DATE ID "|" },
        { FROM "To: undisclosed-recipients:;|" DATE ID "|", SEVEN,
            FROM "To: undisclosed-recipients:;|" DATE ID "|" },
        { FROM "To: what is this, really?|" DATE ID "|", SEVEN,
            FROM "To: what is this, really?@h.example|" DATE ID "|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(raw_bytes_in_header_words_are_encoded)
{
    static const struct one t[] = {
        { ALL "Subject: Gr" UE "n und bl" UE "|", SEVEN,
            ALL "Subject: =?utf-8?B?R3LDvG4=?= und =?utf-8?B?YmzDvA==?=||" },
        { ALL "Subject: " UE " " UE "  x|", SEVEN, ALL "Subject: =?utf-8?B?w7wgw7w=?=  x||" },
        { ALL "Subject: \xfc|", SEVEN, ALL "Subject: =?unknown-8bit?B?/A==?=||" },
        /* a blank beside another encoded-word would vanish */
        { ALL "Subject: =?utf-8?Q?a?= " UE " =?utf-8?Q?b?=|", SEVEN,
            ALL "Subject: =?utf-8?Q?a?= =?utf-8?B?IMO8IA==?= =?utf-8?Q?b?=||" },
        { FROM "To: J" UE "rg M" UE "ller <b@y.example>, \"M\\\"" UE ", x\" <c@y.example>, d@y.example (" UE
               " x)|" DATE ID "|",
            SEVEN,
            FROM
            "To: =?utf-8?B?SsO8cmcgTcO8bGxlcg==?= <b@y.example>,| =?utf-8?B?TSLDvCwgeA==?= <c@y.example>,"
            " d@y.example (=?utf-8?B?w7w=?= x)|" DATE ID "|" },
        { FROM "To: Fr" UE "nde: b@y.example;|" DATE ID "|", SEVEN,
            FROM "To: =?utf-8?B?RnLDvG5kZQ==?=: b@y.example;|" DATE ID "|" },
        /* a backslash does not take a line break apart */
        { FROM "To: (j" UE "\\| x) b@y.example|" DATE ID "|", SEVEN,
            FROM "To: (=?utf-8?B?asO8XA==?=| x) b@y.example|" DATE ID "|" },
        /* no address, and nothing of it can be encoded */
        { FROM "To: j\xff@y.example, <\xff@y.example>|" DATE ID "|", SEVEN,
            FROM "To: j?@y.example, <?@y.example>|" DATE ID "|" },
        /* an encoded-word stands by itself, and is no address either */
        { FROM "To: abc\"" UE "\" <b@y.example>, =?utf-8?B?w7w=?=|" DATE ID "|", SEVEN,
            FROM "To: abc =?utf-8?B?w7w=?= <b@y.example>, =?utf-8?B?w7w=?=|" DATE ID "|" },
        { ALL "Content-Disposition: attachment; filename=\"" UE ".pdf\"; size=3|", EIGHT,
            ALL "Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf; size=3||" },
        { ALL "Content-Type: text/plain (" UE "); name=\xfc"
              "a|",
            EIGHT, ALL "Content-Type: text/plain (?\?); name*=unknown-8bit''%FCa||" },
        { ALL "Content-Description: " UE "|", EIGHT, ALL "Content-Description: =?utf-8?B?w7w=?=||" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(an_address_that_needs_smtputf8_keeps_the_header_raw)
{
    static const struct one t[] = {
        { "From: " UE "@b" UE "cher.example|" TO DATE ID "Subject: " UE " \xc3\xa9|X: \xfc||", EIGHT,
            "From: " UE "@xn--bcher-kva.example|" TO DATE ID "Subject: " UE
            " \xc3\xa9|X: =?unknown-8bit?B?/A==?=||" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(eight_bit_text_without_mime_fields_gets_them)
{
    static const struct one t[] = {
        { ALL "|gr" UE "n|", EIGHT, ALL V "Content-Type: text/plain; charset=utf-8|" CTE "8bit||gr" UE "n|" },
        { ALL "|gr\xfcn|", EIGHT,
            ALL V "Content-Type: text/plain; charset=unknown-8bit|" CTE "8bit||gr\xfcn|" },
        { ALL "|green hill sides gr" UE "n|", SEVEN,
            ALL V "Content-Type: text/plain; charset=utf-8|" CTE
                  "quoted-printable||green hill sides gr=C3=BCn|" },
        { ALL "|" UE "|", SEVEN, ALL V "Content-Type: text/plain; charset=utf-8|" CTE "base64||w7wNCg==|" },
        { ALL V "Content-Type: text/html; charset=latin1||a long text with one \xfc|", EIGHT,
            ALL V "Content-Type: text/html; charset=latin1|" CTE "8bit||a long text with one \xfc|" },
        { ALL V "Content-Type: text/html; charset=latin1|cte: 8|" CTE "8BIT|X: y||a long text with one \xfc|",
            SEVEN,
            ALL V "Content-Type: text/html; charset=latin1|cte: 8|" CTE
                  "quoted-printable|X: y||a long text with one =FC|" },
        { ALL "|plain|", SEVEN, ALL "|plain|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(a_nul_goes_as_base64_and_a_long_line_as_quoted_printable)
{
    static const struct one t[] = {
        { ALL "|a\\0b|", EIGHT, ALL V "Content-Type: text/plain; charset=us-ascii|" CTE "base64||YQBiDQo=|" },
        { ALL "|a\\0b|", BINARY,
            ALL V "Content-Type: text/plain; charset=us-ascii|" CTE "base64||YQBiDQo=|" },
        { ALL "|a|" X1000 "|", EIGHT,
            ALL V "Content-Type: text/plain; charset=us-ascii|" CTE "quoted-printable||a|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=|"
                  "xxxxxxxxxxxxxxxxxxxxxxxxx|" },
        { ALL "|" X1000 "|", BINARY, ALL "|" X1000 "|" },
    };
    CHECK_TABLE(t);
}
END_TEST

#define MIXED ALL V "Content-Type: multipart/mixed; boundary=b|"

START_TEST(quoted_printable_that_was_none_is_encoded_again_and_its_text_stays)
{
    static const struct one t[] = {
        { ALL V CTE "quoted-printable||gr" UE "n =3D x|", SEVEN,
            ALL V CTE "quoted-printable||gr=C3=BCn =3D x|" },
        /* its last line has no end, and gets none that would be part of it */
        { ALL V CTE "quoted-printable||gr" UE "n=|", SEVEN, ALL V CTE "quoted-printable||gr=C3=BCn=|" },
        { MIXED "|--b|" CTE "quoted-printable||gr" UE "n=|--b--", SEVEN,
            MIXED "|--b|" CTE "quoted-printable||gr=C3=BCn|--b--|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(only_the_leaves_that_need_it_are_re_encoded)
{
    static const struct one t[] = {
        { MIXED CTE "8bit||pr" UE "|--b|Content-Type: text/plain; charset=utf-8|" CTE "8bit||some text, gr" UE
                    "n|--b||plain|--b|Content-Type: image/x||\xff\xfe|--b--|\xff|",
            SEVEN,
            MIXED CTE "7bit||pr??|--b|Content-Type: text/plain; charset=utf-8|" CTE
                      "quoted-printable||some text, gr=C3=BCn|--b||plain|--b|Content-Type: image/x|" CTE
                      "base64||//4=|--b--|?|" },
        /* nothing is touched where the peer takes 8-bit */
        { MIXED CTE "8bit||pr" UE "|--b||some text, gr" UE "n|--b--|", EIGHT,
            MIXED CTE "8bit||pr" UE "|--b||some text, gr" UE "n|--b--|" },
        /* where long lines may stay, the part with the NUL changes all the same */
        { MIXED CTE "binary||--b|Content-Type: text/x|" CTE "binary||a\\0|--b||" X1000 UE "|--b--|", BINARY,
            MIXED CTE "binary||--b|Content-Type: text/x|" CTE "base64||YQA=|--b||" X1000 UE "|--b--|" },
        { MIXED "|--b|Content-Type: text/x||a\\0|--b||b|--b--|", BINARY,
            MIXED "|--b|Content-Type: text/x|" CTE "base64||YQA=|--b||b|--b--|" },
        /* one part with a NUL */
        { MIXED "|--b|Content-Type: text/x||a\\0|--b||b" UE "|--b--|", EIGHT,
            MIXED "|--b|Content-Type: text/x|" CTE "base64||YQA=|--b||b" UE "|--b--|" },
        /* a message within is not encoded, its leaves are */
        { MIXED "|--b|Content-Type: message/rfc822|" CTE "8bit||Subject: " UE "|From: " UE
                " <x@y>||some text, gr" UE "n|--b--|",
            SEVEN,
            MIXED "|--b|Content-Type: message/rfc822|" CTE
                  "7bit||Subject: =?utf-8?B?w7w=?=|From: =?utf-8?B?w7w=?= <x@y>|" V
                  "Content-Type: text/plain; charset=utf-8|" CTE
                  "quoted-printable||some text, gr=C3=BCn|--b--|" },
        { MIXED "|--b|Content-Type: message/rfc822||Subject: " UE "||gr" UE "n|--b--|", EIGHT,
            MIXED "|--b|Content-Type: message/rfc822||Subject: " UE "||gr" UE "n|--b--|" },
        /* names of files */
        { MIXED "|--b|Content-Disposition: inline; filename=" UE "||x|--b--|", EIGHT,
            MIXED "|--b|Content-Disposition: inline; filename*=utf-8''%C3%BC||x|--b--|" },
        /* an encoding nobody knows */
        { MIXED "|--b|" CTE "x-mine||a" UE "|--b--|", SEVEN, MIXED "|--b|" CTE "x-mine||a" UE "|--b--|" },
        /* encoded already, but not well */
        { MIXED "|--b|" CTE "Quoted-Printable||gr" UE "n=\\0=3D|--b|" CTE "BASE64||w7w\xff=|--b--|", SEVEN,
            MIXED "|--b|" CTE "Quoted-Printable||gr=C3=BCn=3D=00=3D|--b|" CTE "BASE64||w7w=|--b--|" },
        /* a multipart without a boundary is one leaf */
        { ALL V "Content-Type: multipart/mixed||\\0|", SEVEN,
            ALL V "Content-Type: multipart/mixed|" CTE "base64||AA0K|" },
        /* no header, cut off header, never ended */
        { MIXED "|--b|text, not a field, gr" UE "n|--b|X: " UE "|--b||e", SEVEN,
            MIXED "|--b|Content-Type: text/plain; charset=utf-8|" CTE
                  "quoted-printable||text, not a field, gr=C3=BCn|--b|X: =?utf-8?B?w7w=?=||--b||e|" },
    };
    CHECK_TABLE(t);
}
END_TEST

START_TEST(what_is_signed_or_encrypted_is_never_altered)
{
#define SIGNED                                                           \
    "Content-Type: multipart/signed; boundary=s; name=\"" UE "\"|X: " UE \
    "||--s|Content-Type: text/plain|" CTE "8bit||" X1000 UE "\\0|--s|Content-Type: a/b||x" UE "|--s--"
    static const struct one t[] = {
        { MIXED "|--b|" SIGNED "|--b||some text, gr" UE "n|--b--|", SEVEN,
            MIXED "|--b|" SIGNED "|--b|Content-Type: text/plain; charset=utf-8|" CTE
                  "quoted-printable||some text, gr=C3=BCn|--b--|" },
        { ALL "Content-Type: multipart/encrypted; boundary=s|" CTE "8bit||--s||" UE "\\0" X1000 "|--s--|",
            SEVEN,
            ALL "Content-Type: multipart/encrypted; boundary=s|" CTE "8bit||--s||" UE "\\0" X1000 "|--s--|" },
        { ALL "Content-Type: multipart/encrypted; boundary=s||--s||\\0|--s--|", BINARY,
            ALL "Content-Type: multipart/encrypted; boundary=s||--s||\\0|--s--|" },
    };
    CHECK_TABLE(t);
}
END_TEST

/* No line over 998 octets; CR and LF only together; the octets over 127 only where `eight` */
static void
check_wire(struct slice s, bool eight)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\r')
            ck_assert(i + 1 < s.len && s.p[i + 1] == '\n');
        else if (s.p[i] == '\n')
            ck_assert(line > 0 || (i > 0 && s.p[i - 1] == '\r')), line = 0;
        else
            line++;
        ck_assert(line <= 998 && s.p[i] != '\0' && (eight || (unsigned char)s.p[i] < 128));
    }
    ck_assert(s.len && s.p[s.len - 1] == '\n');
}

START_TEST(header_lines_are_folded_wherever_they_can_be)
{
    static const char *const units[] = { "word ", "<id@x.example>", "a@x.example,", "a@x.example, ", "x", UE,
        UE " ", " ", "\t \t", "a=b;", "=?utf-8?Q?x?= ", "\"a b\" ", "(a b) ", "\xff", "a\r" };
    static const char *const names[] = { "Subject", "To", "References", "Received", "Content-Type", "X-Other",
        "DKIM-Signature", "Resent-Cc", "Content-Disposition" };
    struct record r = record_of(NULL);
    struct fixture f;
    struct error err;

    fixture_init(&f);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
        for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
            buf_reset(&f.in);
            buf_add_format(&f.in, "%s: b ", names[n]);
            while (f.in.len < 5000)
                buf_add_str(&f.in, units[u]);
            buf_add_str(&f.in, "\r\n\r\nx\r\n");
            ck_assert(complete(buf_slice(&f.in), &settings, &r, SEVEN, &f.out, &err));
            check_wire(buf_slice(&f.out), false);
            ck_assert(complete(buf_slice(&f.out), &settings, &r, SEVEN, &f.again, &err));
            ck_assert_msg(slice_eq(slice_from(buf_slice(&f.again), strlen(received)), buf_slice(&f.out)),
                "%s: %s", names[n], units[u]);
        }
    fixture_clear(&f);
}
END_TEST

/* `n` times x */
static void
add_x(struct buf *out, size_t n)
{
    while (n--)
        buf_add_char(out, 'x');
}

START_TEST(a_word_longer_than_a_line_is_cut_where_the_line_is_full)
{
    static const struct {
        size_t before; /* octets of the line in front of `tail` */
        const char *tail, *cut;
    } t[] = {
        { 998, "", "" },
        { 998, "abc>", "| abc>" },
        { 996, "abc>", "ab| c>" },
        /* neither between a backslash and its character nor within one of UTF-8 */
        { 997, "\\bc>", "| \\bc>" },
        { 997, UE "@x>", "| " UE "@x>" },
        { 998, " <a@x>", "| <a@x>" },
    };
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        for (int k = 0; k < 2; k++) {
            struct buf *b = k ? &f.want : &f.in;
            buf_reset(b);
            buf_add_str(b, "References: <");
            add_x(b, t[i].before - b->len);
            add_text(b, k ? t[i].cut : t[i].tail);
        }
        buf_reset(&f.out);
        size_t name = strlen("References");
        mime_field_add(&f.out, slice_sub(buf_slice(&f.in), 0, name), slice_from(buf_slice(&f.in), name + 1),
            MIME_KEEP_UTF8);
        buf_add_str(&f.want, "\r\n");
        ck_assert_msg(slice_eq(buf_slice(&f.out), buf_slice(&f.want)), "%zu: %s", i, buf_str(&f.out));
    }
    fixture_clear(&f);
}
END_TEST

START_TEST(encoded_words_are_short_and_hold_whole_characters)
{
    struct record r = record_of(NULL);
    struct fixture f;
    struct error err;

    fixture_init(&f);
    buf_add_str(&f.in, "Subject: ");
    for (int i = 0; i < 300; i++)
        buf_add_str(&f.in, "\xe2\x82\xac");
    buf_add_str(&f.in, "\r\n\r\n");
    ck_assert(complete(buf_slice(&f.in), &settings, &r, SEVEN, &f.out, &err));
    struct slice rest = buf_slice(&f.out), line;
    size_t words = 0;
    while (slice_cut(&rest, '\n', &line)) {
        ck_assert_uint_le(line.len, 77); /* 76 and the CR */
        line = slice_trim(line);
        if (slice_starts(line, "Subject: "))
            line = slice_from(line, 9);
        if (!slice_starts(line, "=?utf-8?B?"))
            continue;
        words++;
        ck_assert_uint_le(line.len, 75);
        ck_assert_uint_eq(slice_find(line, '\0'), line.len);
        ck_assert_uint_eq((line.len - 12) % 4, 0); /* 3 bytes each, so none is padded */
        ck_assert(line.p[line.len - 3] != '=');
    }
    ck_assert_uint_ge(words, 20);
    fixture_clear(&f);
}
END_TEST

START_TEST(a_header_that_cannot_be_sent_is_refused_with_the_right_code)
{
    struct record r = record_of(NULL);
    struct fixture f;
    struct error err;

    fixture_init(&f);
    add_text(&f.in, "Subject: a\\0b||");
    ck_assert(!complete(buf_slice(&f.in), &settings, &r, EIGHT, &f.out, &err));
    ck_assert_int_eq(err.class, ERROR_DATA);
    buf_reset(&f.in);
    for (int i = 0; i < 101; i++)
        buf_add_str(&f.in, "Received: x\r\n");
    ck_assert(!complete(buf_slice(&f.in), &settings, &r, EIGHT, &f.out, &err));
    ck_assert_int_eq(err.class, ERROR_REFUSED);
    buf_reset(&f.in);
    for (int i = 0; i < 100; i++)
        buf_add_str(&f.in, "Received: x\r\n");
    ck_assert(complete(buf_slice(&f.in), &settings, &r, EIGHT, &f.out, &err));
    fixture_clear(&f);
}
END_TEST

START_TEST(from_is_made_of_name_and_address)
{
    struct fixture f;

    fixture_init(&f);
    check_one(
        &f, TO DATE ID "|", SEVEN, TO DATE ID "From: \"A \\\"B\\\" C\" <login@h.example>||", "A \"B\" C");
    check_one(&f, TO DATE ID "|", SEVEN, TO DATE ID "From: =?utf-8?B?SsO8cmcgWA==?= <login@h.example>||",
        "J" UE "rg X");
    fixture_clear(&f);
}
END_TEST

START_TEST(a_bare_cr_in_the_header_is_a_blank)
{
    static const struct one t[] = { { ALL "Subject: a\rb||", SEVEN, ALL "Subject: a b||" } };
    CHECK_TABLE(t);
}
END_TEST

SUITE_MAIN("complete", what_is_absent_is_added_and_the_rest_keeps_its_order_and_bytes,
    what_a_record_lacks_is_no_field, only_the_topmost_resent_block_counts,
    addresses_are_qualified_wherever_they_may_stand, raw_bytes_in_header_words_are_encoded,
    an_address_that_needs_smtputf8_keeps_the_header_raw, eight_bit_text_without_mime_fields_gets_them,
    quoted_printable_that_was_none_is_encoded_again_and_its_text_stays,
    a_nul_goes_as_base64_and_a_long_line_as_quoted_printable, only_the_leaves_that_need_it_are_re_encoded,
    what_is_signed_or_encrypted_is_never_altered, header_lines_are_folded_wherever_they_can_be,
    a_word_longer_than_a_line_is_cut_where_the_line_is_full,
    encoded_words_are_short_and_hold_whole_characters,
    a_header_that_cannot_be_sent_is_refused_with_the_right_code, from_is_made_of_name_and_address,
    a_bare_cr_in_the_header_is_a_blank)
