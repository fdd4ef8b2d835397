/* SPDX-License-Identifier: ISC */
/* mime: parts begin and end where RFC 2046 says, however the message is cut, and no byte is lost. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/mime.h"

struct shown {
    struct buf text;  /* the events */
    struct buf bytes; /* all that came out */
    enum mime_event last;
};

/* H{..} header, ~{..} between, D{..} delimiter, L[..] leaf, T[..] text leaf, O[..] opaque, (M multipart, (R message */
static void
show(void *ctx, enum mime_event event, const struct mime_part *part, struct slice s)
{
    static const char *const open[] = { "<", "H{", "", "", "", "~{", "D{" };
    struct shown *w = ctx;
    bool runs = event == MIME_HEADER || event == MIME_BETWEEN || event == MIME_DELIMITER;

    if (w->last != event && (w->last == MIME_HEADER || w->last == MIME_BETWEEN || w->last == MIME_DELIMITER))
        buf_add_char(&w->text, '}');
    if (runs && w->last != event)
        buf_add_str(&w->text, open[event]);
    if (event == MIME_BEGIN)
        buf_add_str(&w->text, "<");
    else if (event == MIME_END)
        buf_add_str(&w->text, "]");
    else if (event == MIME_BODY_BEGIN)
        buf_add_str(&w->text, part->kind == MIME_MULTIPART ? "(M"
                              : part->kind == MIME_MESSAGE ? "(R"
                              : part->kind == MIME_OPAQUE  ? "O["
                              : part->is_text              ? "T["
                                                           : "L[");
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '\n')
            buf_add_char(&w->text, '|');
        else if (s.p[i] != '\r')
            buf_add_char(&w->text, s.p[i]);
    buf_add_slice(&w->bytes, s);
    w->last = event;
}

static void
add_lines(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            buf_add_str(out, "\r\n");
        else
            buf_add_char(out, *text);
}

static void
scan(struct slice in, size_t step, struct shown *w)
{
    struct mime *m = mem_alloc(sizeof *m);

    buf_reset(&w->text);
    buf_reset(&w->bytes);
    w->last = MIME_BEGIN;
    mime_init(m, show, w);
    for (; in.len; in = slice_from(in, step))
        mime_push(m, slice_sub(in, 0, step));
    mime_end(m);
    free(m);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b||"
#define OUTER "Content-Type: multipart/mixed; boundary=\"o\"||"

static const struct {
    const char *in, *events;
} cases[] = {
    { "", "<T[]" },
    { "a: b||text|", "<H{a: b||}T[text|]" },
    { "a: b|", "<H{a: b|}T[]" },
    { "no field|", "<T[no field|]" },
    { "a: b|text|", "<H{a: b|}T[text|]" },
    { "a|", "<T[a|]" },
    { "a", "<T[a]" },
    { "|", "<H{|}T[]" },
    { "Content-Type: image/png||x", "<H{Content-Type: image/png||}L[x]" },
    { "From a b c|x: y||z", "<H{From a b c|x: y||}T[z]" },
    /* parts, preamble and epilogue */
    { MIXED "pre|--b||one|--b|x: y||two||--b--|post|",
        "<H{" MIXED "}(M~{pre}D{|--b|}<H{|}T[one]D{|--b|}<H{x: y||}T[two|]D{|--b--|}~{post|}" },
    { MIXED "--b||one|--b--", "<H{" MIXED "}(MD{--b|}<H{|}T[one]D{|--b--}" },
    { MIXED "--b|--b--|", "<H{" MIXED "}(MD{--b|}<T[]D{--b--|}" },
    { MIXED "--b||--b--|", "<H{" MIXED "}(MD{--b|}<H{|}T[]D{--b--|}" },
    { MIXED "--b|x: y|--b--|", "<H{" MIXED "}(MD{--b|}<H{x: y|}T[]D{--b--|}" },
    { MIXED "--b|no field|--b--|", "<H{" MIXED "}(MD{--b|}<T[no field]D{|--b--|}" },
    /* what is no delimiter: a longer or shorter word, text behind it, in the middle of a line */
    { MIXED "--b||a|--bc|--|-b|x--b|--b x|--b--x|--b--|",
        "<H{" MIXED "}(MD{--b|}<H{|}T[a|--bc|--|-b|x--b|--b x|--b--x]D{|--b--|}" },
    { MIXED "--b \t ||a|--b--  |", "<H{" MIXED "}(MD{--b \t |}<H{|}T[a]D{|--b--  |}" },
    { MIXED "--b||a|--b--|--b||c|", "<H{" MIXED "}(MD{--b|}<H{|}T[a]D{|--b--|}~{--b||c|}" },
    { MIXED "--b||never ended|", "<H{" MIXED "}(MD{--b|}<H{|}T[never ended|]" },
    { MIXED "never begun|", "<H{" MIXED "}(M~{never begun|}" },
    { "Content-Type: multipart/mixed||--b||x|", "<H{Content-Type: multipart/mixed||}L[--b||x|]" },
    { "Content-Type: multipart/mixed; boundary=\"\"||x|",
        "<H{Content-Type: multipart/mixed; boundary=\"\"||}L[x|]" },
    /* how a boundary may be written */
    { "content-TYPE : (a (b)) Multipart/Mixed (;boundary=x) ;| charset=x;BOUNDARY = \"a \\\"b\" (c)||--a "
      "\"b||x|--a \"b--|",
        "<H{content-TYPE : (a (b)) Multipart/Mixed (;boundary=x) ;| charset=x;BOUNDARY = \"a \\\"b\" (c)||}"
        "(MD{--a \"b|}<H{|}T[x]D{|--a \"b--|}" },
    { "Content-Type: multipart/mixed; boundary*0=a;| boundary*1=\"b\"||--ab||x|--ab--|",
        "<H{Content-Type: multipart/mixed; boundary*0=a;| "
        "boundary*1=\"b\"||}(MD{--ab|}<H{|}T[x]D{|--ab--|}" },
    { "Content-Type: multipart/mixed; boundary*=us-ascii'en'a%3Db||--a=b||x|--a=b--|",
        "<H{Content-Type: multipart/mixed; boundary*=us-ascii'en'a%3Db||}(MD{--a=b|}<H{|}T[x]D{|--a=b--|}" },
    { "Content-Type: multipart/mixed; boundary=--=_x=1||----=_x=1||x|----=_x=1--|",
        "<H{Content-Type: multipart/mixed; boundary=--=_x=1||}(MD{----=_x=1|}<H{|}T[x]D{|----=_x=1--|}" },
    /* nesting: an outer delimiter ends what is inside; one boundary begins like the other */
    { OUTER "--o|" MIXED "--b||x|--o||y|--o--|",
        "<H{" OUTER "}(MD{--o|}<H{" MIXED "}(MD{--b|}<H{|}T[x]D{|--o|}<H{|}T[y]D{|--o--|}" },
    { OUTER "--o|Content-Type: multipart/mixed; boundary=o1||--o1||x|--o1--|--o--|",
        "<H{" OUTER
        "}(MD{--o|}<H{Content-Type: multipart/mixed; boundary=o1||}(MD{--o1|}<H{|}T[x]D{|--o1--|--o--|}" },
    { OUTER "--o|" OUTER "--o||x|--o--|y|--o--|",
        "<H{" OUTER "}(MD{--o|}<H{" OUTER "}(MD{--o|}<H{|}T[x]D{|--o--|}~{y}D{|--o--|}" },
    { OUTER "--o|Content-Type: multipart/mixed; boundary=b|--b||x|--b--|--o--|",
        "<H{" OUTER
        "}(MD{--o|}<H{Content-Type: multipart/mixed; boundary=b|}(MD{--b|}<H{|}T[x]D{|--b--|--o--|}" },
    /* messages within */
    { OUTER "--o|Content-Type: message/rfc822||s: t|" MIXED "--b||x|--b--|--o--|",
        "<H{" OUTER "}(MD{--o|}<H{Content-Type: message/rfc822||}(R<H{s: t|" MIXED
        "}(MD{--b|}<H{|}T[x]D{|--b--|--o--|}" },
    { "Content-Type: message/rfc822||Content-Type: message/rfc822||a: b||x|",
        "<H{Content-Type: message/rfc822||}(R<H{Content-Type: message/rfc822||}(R<H{a: b||}T[x|]" },
    { "Content-Type: message/rfc822|Content-Transfer-Encoding: Base64||eA==|",
        "<H{Content-Type: message/rfc822|Content-Transfer-Encoding: Base64||}L[eA==|]" },
    { OUTER "--o|Content-Type: message/rfc822|--o--|",
        "<H{" OUTER "}(MD{--o|}<H{Content-Type: message/rfc822|}(R<T[]D{--o--|}" },
    { OUTER "--o|Content-Type: message/rfc822||--o--|",
        "<H{" OUTER "}(MD{--o|}<H{Content-Type: message/rfc822||}(R<T[]D{--o--|}" },
    { "Content-Type: message/rfc822||From x Mon|a: b||c|",
        "<H{Content-Type: message/rfc822||}(R<H{From x Mon|a: b||}T[c|]" },
    { "Content-Type: multipart/digest; boundary=b||--b||a: b||x|--b|Content-Type: text/plain||y|--b--|",
        "<H{Content-Type: multipart/digest; boundary=b||}(MD{--b|}<H{|}(R<H{a: b||}T[x]D{|--b|}"
        "<H{Content-Type: text/plain||}T[y]D{|--b--|}" },
    /* what is signed is one body */
    { OUTER
        "--o|Content-Type: Multipart/Signed; boundary=b||--b||x|--b|Content-Type: a/b||y|--b--|--o||z|--o--|",
        "<H{" OUTER
        "}(MD{--o|}<H{Content-Type: Multipart/Signed; boundary=b||}O[--b||x|--b|Content-Type: a/b||y|--b--]"
        "D{|--o|}<H{|}T[z]D{|--o--|}" },
    { "Content-Type: multipart/encrypted; boundary=b||--b||x|",
        "<H{Content-Type: multipart/encrypted; boundary=b||}O[--b||x|]" },
    /* a delimiter with a colon is no field */
    { "Content-Type: multipart/mixed; boundary=\"a:b\"||--a:b|x: y|--a:b||z|--a:b--|",
        "<H{Content-Type: multipart/mixed; boundary=\"a:b\"||}(MD{--a:b|}<H{x: "
        "y|}T[]D{--a:b|}<H{|}T[z]D{|--a:b--|}" },
};

START_TEST(parts_begin_and_end_where_rfc_2046_says)
{
    struct shown w = { .last = MIME_BEGIN };
    struct buf in, events;

    buf_init(&w.text, 1u << 20);
    buf_init(&w.bytes, 1u << 20);
    buf_init(&in, 1u << 20);
    buf_init(&events, 1u << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 100; step = step * 2 + 1) {
            buf_reset(&in);
            add_lines(&in, cases[i].in);
            scan(buf_slice(&in), step, &w);
            ck_assert_msg(slice_eq(buf_slice(&in), buf_slice(&w.bytes)), "%s: bytes changed", cases[i].in);
            if (w.last == MIME_DELIMITER || w.last == MIME_BETWEEN)
                buf_add_char(&w.text, '}');
            ck_assert_slice(buf_slice(&w.text), cases[i].events);
        }
    buf_clear(&w.text);
    buf_clear(&w.bytes);
    buf_clear(&in);
    buf_clear(&events);
}
END_TEST

static void
keep_part(void *ctx, enum mime_event event, const struct mime_part *part, struct slice s)
{
    (void)s;
    if (event == MIME_BODY_BEGIN)
        *(struct mime_part *)ctx = *part;
}

START_TEST(the_transfer_encoding_is_known_however_it_is_written)
{
    static const struct {
        const char *field;
        enum mime_encoding encoding;
    } encodings[] = {
        { "x: y", MIME_ENCODING_NONE },
        { "Content-Transfer-Encoding: 7BIT", MIME_7BIT },
        { "Content-transfer-ENCODING:8bit", MIME_8BIT },
        { "Content-Transfer-Encoding: (c) binary (d)", MIME_BINARY },
        { "Content-Transfer-Encoding:|\tQuoted-Printable", MIME_QP },
        { "Content-Transfer-Encoding : base64;", MIME_BASE64 },
        { "Content-Transfer-Encoding: x-uuencode", MIME_ENCODING_OTHER },
        { "Content-Transfer-Encoding: ", MIME_ENCODING_NONE },
        { "Content-Transfer-Encoding: base64|Content-Transfer-Encoding: 7bit", MIME_BASE64 },
    };
    struct mime *m = mem_alloc(sizeof *m);
    struct mime_part part;
    struct buf in;

    buf_init(&in, 1000);
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        buf_reset(&in);
        add_lines(&in, encodings[i].field);
        add_lines(&in, "||x");
        mime_init(m, keep_part, &part);
        mime_push(m, buf_slice(&in));
        mime_end(m);
        ck_assert_msg(part.encoding == encodings[i].encoding, "%s", encodings[i].field);
    }
    buf_clear(&in);
    free(m);
}
END_TEST

START_TEST(nesting_without_end_is_cut_off)
{
    struct shown w = { .last = MIME_BEGIN };
    struct buf in;

    buf_init(&w.text, 1u << 20);
    buf_init(&w.bytes, 1u << 20);
    buf_init(&in, 1u << 20);
    for (unsigned i = 0; i < MIME_DEPTH_MAX + 5; i++)
        buf_add_format(&in, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
    for (unsigned i = 0; i < 1000; i++)
        buf_add_str(&in, "Content-Type: message/rfc822\r\n\r\n");
    scan(buf_slice(&in), 1000, &w);
    ck_assert(slice_eq(buf_slice(&in), buf_slice(&w.bytes)));
    ck_assert_ptr_nonnull(strstr(buf_str(&w.text), "O[--b100"));
    buf_clear(&w.text);
    buf_clear(&w.bytes);
    buf_clear(&in);
}
END_TEST

SUITE_MAIN("mime", parts_begin_and_end_where_rfc_2046_says,
    the_transfer_encoding_is_known_however_it_is_written, nesting_without_end_is_cut_off)
