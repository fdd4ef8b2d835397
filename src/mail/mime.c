/* SPDX-License-Identifier: ISC */
/*
 * mime: a state machine over lines. At the start of a line bytes are kept until it is known what the line is: a delimiter, a
 * field, or text; then the rest of it passes through.
 */
#include "mail/mime.h"

#include <string.h>

#include "base/mem.h"
#include "mail/header.h"

static void end_header(struct mime *m, bool blank);

static void
emit(struct mime *m, enum mime_event event, const char *p, size_t n)
{
    if (n)
        m->fn(m->ctx, event, &m->part, slice_make(p, n));
}

static void
tell(struct mime *m, enum mime_event event)
{
    m->fn(m->ctx, event, &m->part, slice_make("", 0));
}

/* ---------------------------------------------------------------- entities */

static void
begin_entity(struct mime *m, bool is_message)
{
    memset(&m->part, 0, sizeof m->part);
    m->part.is_message = is_message;
    m->part.depth = m->depth;
    buf_reset(&m->type);
    buf_reset(&m->encoding);
    m->collect = NULL;
    m->fields = 0;
    m->place = MIME_IN_HEADER;
    m->in_line = false;
    tell(m, MIME_BEGIN);
}

static bool
is_identity(enum mime_encoding e)
{
    return e != MIME_QP && e != MIME_BASE64 && e != MIME_ENCODING_OTHER;
}

static enum mime_kind
kind_of(const struct mime *m, const struct mime_part *p)
{
    const struct mime_type *t = &p->type;
    bool composite = strcmp(t->type, "multipart") == 0, bare = !t->type[0];

    if (m->leaves >= MIME_LEAVES_MAX)
        return MIME_OPAQUE;
    if (composite && (strcmp(t->subtype, "signed") == 0 || strcmp(t->subtype, "encrypted") == 0))
        return MIME_OPAQUE;
    if (composite &&
        t->boundary_len) /* whatever its encoding says: it must not have one, and some say so wrongly */
        return m->depth < MIME_DEPTH_MAX ? MIME_MULTIPART : MIME_OPAQUE;
    if ((mime_type_is(t, "message", "rfc822") || (bare && m->digest)) && is_identity(p->encoding))
        return MIME_MESSAGE;
    return MIME_LEAF;
}

static void
push_level(struct mime *m)
{
    const struct mime_type *t = &m->part.type;

    memcpy(m->level[m->depth].boundary, t->boundary, t->boundary_len);
    m->level[m->depth].len = t->boundary_len;
    m->level[m->depth].digest = strcmp(t->subtype, "digest") == 0;
    m->depth++;
}

/* The value of a Content-Transfer-Encoding field */
static enum mime_encoding
parse_encoding(struct slice value)
{
    static const struct {
        const char *name;
        enum mime_encoding encoding;
    } names[] = { { "", MIME_ENCODING_NONE }, { "7bit", MIME_7BIT }, { "8bit", MIME_8BIT },
        { "binary", MIME_BINARY }, { "quoted-printable", MIME_QP }, { "base64", MIME_BASE64 } };
    struct slice token = mime_token(value);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is_nocase(token, names[i].name))
            return names[i].encoding;
    return MIME_ENCODING_OTHER;
}

/* The header is over: what it says decides what comes */
static void
end_header(struct mime *m, bool blank)
{
    struct mime_part *p = &m->part;

    mime_type_parse(buf_slice(&m->type), &p->type);
    if (p->has_encoding)
        p->encoding = parse_encoding(buf_slice(&m->encoding));
    p->has_blank = blank;
    p->kind = kind_of(m, p);
    p->is_text = p->kind == MIME_LEAF && (!p->type.type[0] || strcmp(p->type.type, "text") == 0);
    if (p->kind == MIME_LEAF)
        p->leaf = m->leaves++;
    m->in_line = false;
    m->place = p->kind == MIME_MULTIPART ? MIME_IN_BETWEEN : MIME_IN_BODY;
    tell(m, MIME_BODY_BEGIN);
    if (p->kind == MIME_MULTIPART)
        push_level(m);
    m->digest = false;
    if (p->kind == MIME_MESSAGE)
        begin_entity(m, true);
}

/* The text of the entity is over */
static void
end_entity(struct mime *m)
{
    if (m->place == MIME_IN_HEADER)
        end_header(m, false);
    if (m->place == MIME_IN_HEADER) /* of the message within */
        end_header(m, false);
    if (m->place == MIME_IN_BODY)
        tell(m, MIME_END);
    m->place = MIME_IN_BETWEEN;
}

/* ---------------------------------------------------------------- delimiters */

/* Is `line`, its line break included if it has one, a delimiter of the level (RFC 2046 5.1.1)? */
static bool
is_delimiter(const struct mime *m, size_t level, struct slice line, bool *closes)
{
    struct slice rest = slice_from(line, 2 + m->level[level].len);

    if (line.len < 2 + m->level[level].len ||
        memcmp(line.p + 2, m->level[level].boundary, m->level[level].len) != 0)
        return false;
    *closes = slice_starts(rest, "--") && slice_trim(slice_from(rest, 2)).len == 0;
    return *closes || slice_trim(rest).len == 0;
}

/* The kept line, if it is a delimiter of any level, innermost first: deals with it */
static bool
take_delimiter(struct mime *m)
{
    struct slice line = slice_make(m->line, m->line_len);
    bool closes = false;
    size_t i = m->depth;

    if (!slice_starts(line, "--"))
        return false;
    while (i > 0 && !is_delimiter(m, i - 1, line, &closes))
        i--;
    if (i == 0)
        return false;
    end_entity(m);
    m->depth = closes ? i - 1 : i;
    m->part.depth = m->depth;
    /* in one piece where it can be */
    char whole[sizeof m->brk + sizeof m->line];
    memcpy(whole, m->brk, m->nbrk);
    memcpy(whole + m->nbrk, m->line, m->line_len);
    emit(m, MIME_DELIMITER, whole, m->nbrk + m->line_len);
    m->nbrk = m->line_len = 0;
    m->in_line = false;
    if (!closes) {
        m->digest = m->level[i - 1].digest;
        begin_entity(m, false);
    }
    return true;
}

/* Could the kept bytes still become a delimiter? */
static bool
may_delimit(const struct mime *m)
{
    if (m->depth == 0 || m->line[0] != '-' || (m->line_len > 1 && m->line[1] != '-'))
        return false;
    return m->line[m->line_len - 1] != '\n' && m->line_len < sizeof m->line;
}

/* ---------------------------------------------------------------- headers */

/* The kept line was no header: it is read once more as what comes now */
static void
read_again(struct mime *m)
{
    size_t rest = m->again_len - m->again_at;

    /* a line read from there goes back there */
    ensure(m->line_len + rest <= sizeof m->again);
    memmove(m->again + m->line_len, m->again + m->again_at, rest);
    memcpy(m->again, m->line, m->line_len);
    m->again_at = 0;
    m->again_len = m->line_len + rest;
    m->line_len = 0;
}

static bool
is_name_byte(char c)
{
    return c > 32 && c < 127 && c != ':';
}

enum verdict { VERDICT_MORE, VERDICT_FIELD, VERDICT_TEXT, VERDICT_BLANK };

/* `From alice Mon ...` in front of a message within a message: passed over like a field */
static bool
is_mbox_line(const struct mime *m, struct slice line)
{
    return m->part.is_message && m->fields == 0 &&
           (slice_starts(line, "From ") || slice_starts(line, ">From "));
}

/* What the kept start of a header line is */
static enum verdict
judge(const struct mime *m)
{
    struct slice line = slice_make(m->line, m->line_len);
    size_t n = 0;

    if ((line.p[0] == ' ' || line.p[0] == '\t') && m->fields)
        return VERDICT_FIELD;
    if (slice_is(line, "\n") || slice_is(line, "\r\n"))
        return VERDICT_BLANK;
    if (slice_is(line, "\r") || may_delimit(m))
        return VERDICT_MORE;
    if (is_mbox_line(m, line))
        return VERDICT_FIELD;
    while (n < line.len && is_name_byte(line.p[n]))
        n++;
    size_t name = n;
    while (n < line.len && (line.p[n] == ' ' || line.p[n] == '\t'))
        n++;
    if (n < line.len)
        return name && line.p[n] == ':' ? VERDICT_FIELD : VERDICT_TEXT;
    return name && line.len < HEADER_NAME_MAX ? VERDICT_MORE : VERDICT_TEXT;
}

/* Which value is collected from here on; the first field of a name counts */
static void
identify(struct mime *m)
{
    struct slice line = slice_make(m->line, m->line_len);
    enum header_field f;
    bool *seen = NULL;

    if (m->line[0] == ' ' || m->line[0] == '\t')
        return; /* goes on */
    m->collect = NULL;
    f = header_identify(slice_sub(line, 0, slice_find(line, ':')));
    if (f == HEADER_CONTENT_TYPE) {
        m->collect = &m->type;
        seen = &m->part.has_type;
    } else if (f == HEADER_CONTENT_TRANSFER_ENCODING) {
        m->collect = &m->encoding;
        seen = &m->part.has_encoding;
    } else if (f == HEADER_MIME_VERSION) {
        m->part.has_version = true;
    }
    if (seen && *seen)
        m->collect = NULL;
    else if (seen)
        *seen = true;
}

/* Bytes of a header line that is known to be one */
static size_t
take_field(struct mime *m, struct slice s)
{
    size_t n = slice_find(s, '\n');

    m->in_line = n == s.len;
    n += n < s.len;
    if (m->collect)
        buf_add_slice(m->collect, slice_sub(s, 0, n));
    emit(m, MIME_HEADER, s.p, n);
    return n;
}

/* All that is kept is the start of a field */
static void
begin_field(struct mime *m)
{
    size_t colon = slice_find(slice_make(m->line, m->line_len), ':');
    bool folded = m->line[0] == ' ' || m->line[0] == '\t';

    identify(m);
    if (m->collect)
        buf_add_slice(m->collect, folded ? slice_make(m->line, m->line_len)
                                         : slice_from(slice_make(m->line, m->line_len), colon + 1));
    emit(m, MIME_HEADER, m->line, m->line_len);
    m->fields++;
    m->in_line = m->line[m->line_len - 1] != '\n';
    m->line_len = 0;
}

/* One byte more of the start of a header line */
static void
step_header(struct mime *m)
{
    if (m->depth && m->line[m->line_len - 1] == '\n' && take_delimiter(m))
        return;
    switch (judge(m)) {
    case VERDICT_MORE:
        break;
    case VERDICT_FIELD:
        begin_field(m);
        break;
    case VERDICT_BLANK:
        emit(m, MIME_HEADER, m->line, m->line_len);
        m->line_len = 0;
        end_header(m, true);
        break;
    case VERDICT_TEXT:
        read_again(m);
        end_header(m, false);
        break;
    }
}

/* ---------------------------------------------------------------- bodies */

static void
pass(struct mime *m, const char *p, size_t n)
{
    emit(m, m->place == MIME_IN_BODY ? MIME_BODY : MIME_BETWEEN, p, n);
}

static void
pass_break(struct mime *m)
{
    pass(m, m->brk, m->nbrk);
    m->nbrk = 0;
}

/* The kept line is text; a line break at its end may belong to the delimiter that comes */
static void
pass_line(struct mime *m)
{
    bool lf = m->line_len && m->line[m->line_len - 1] == '\n';
    size_t n = m->line_len - lf;
    bool cr = n && m->line[n - 1] == '\r';

    pass_break(m);
    pass(m, m->line, n - cr);
    if (cr)
        m->brk[m->nbrk++] = '\r';
    if (lf)
        m->brk[m->nbrk++] = '\n';
    m->in_line = !lf;
    m->line_len = 0;
}

/* Text behind the start of a line, as far as no line begins that may be a delimiter */
static size_t
take_text(struct mime *m, struct slice s)
{
    size_t at = 0;

    if (m->depth == 0) { /* nothing ends it but the end */
        pass(m, s.p, s.len);
        return s.len;
    }
    if (m->nbrk == 1 && m->brk[0] == '\r') { /* a CR ended the last piece */
        if (s.p[0] == '\n') {
            m->brk[m->nbrk++] = '\n';
            m->in_line = false;
            return 1;
        }
        pass_break(m);
    }
    for (;;) {
        size_t lf = at + slice_find(slice_from(s, at), '\n');
        if (lf == s.len) {
            bool cr = s.p[s.len - 1] == '\r' && s.len > at;
            pass(m, s.p, s.len - cr);
            if (cr)
                m->brk[m->nbrk++] = '\r';
            return s.len;
        }
        at = lf + 1;
        if (at < s.len && s.p[at] != '-')
            continue;
        bool cr = lf > 0 && s.p[lf - 1] == '\r';
        pass(m, s.p, lf - cr);
        if (cr)
            m->brk[m->nbrk++] = '\r';
        m->brk[m->nbrk++] = '\n';
        m->in_line = false;
        return at;
    }
}

/* One byte more of the start of a line of text */
static void
step_text(struct mime *m)
{
    if (m->depth && m->line[m->line_len - 1] == '\n' && take_delimiter(m))
        return;
    if (!may_delimit(m))
        pass_line(m);
}

/* ---------------------------------------------------------------- all */

static size_t
take(struct mime *m, struct slice s)
{
    if (m->in_line)
        return m->place == MIME_IN_HEADER ? take_field(m, s) : take_text(m, s);
    if (m->place != MIME_IN_HEADER && m->line_len == 0 && (m->depth == 0 || s.p[0] != '-')) {
        pass_break(m);
        m->in_line = true;
        return 0;
    }
    m->line[m->line_len++] = s.p[0];
    if (m->place == MIME_IN_HEADER)
        step_header(m);
    else
        step_text(m);
    return 1;
}

void
mime_push(struct mime *m, struct slice s)
{
    while (s.len || m->again_at < m->again_len) {
        if (m->again_at < m->again_len) {
            size_t at = m->again_at;
            /* taken before it is read: it may be put back */
            m->again_at++;
            size_t n = take(m, slice_make(m->again + at, 1));
            if (n == 0)
                m->again_at--;
        } else {
            s = slice_from(s, take(m, s));
        }
    }
}

void
mime_init(struct mime *m, mime_fn *fn, void *ctx)
{
    memset(m, 0, sizeof *m);
    m->fn = fn;
    m->ctx = ctx;
    buf_init(&m->type, MIME_TYPE_MAX);
    buf_init(&m->encoding, MIME_TYPE_MAX);
    begin_entity(m, true);
}

void
mime_init_body(struct mime *m, mime_fn *fn, void *ctx, const struct slice *type, const struct slice *encoding)
{
    mime_init(m, fn, ctx);
    m->part.has_type = type != NULL;
    m->part.has_encoding = encoding != NULL;
    if (type)
        buf_add_slice(&m->type, *type);
    if (encoding)
        buf_add_slice(&m->encoding, *encoding);
    end_header(m, true);
}

void
mime_end(struct mime *m)
{
    if (m->line_len && !take_delimiter(m)) {
        if (m->place == MIME_IN_HEADER) {
            /* a name without a colon, or a lone CR */
            read_again(m);
            end_header(m, false);
            while (m->place == MIME_IN_HEADER)
                end_header(m, false);
            mime_push(m, slice_make("", 0));
        }
        if (m->line_len)
            pass_line(m);
    }
    pass_break(m);
    end_entity(m);
    buf_clear(&m->type);
    buf_clear(&m->encoding);
}
