/* SPDX-License-Identifier: ISC */
/* record: the format of queue files. Knows nothing of folders, names, locks or syncing; trusts no byte it reads. */
#include "queue/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#define FIRST_LINE "smtprelay-record 1 %010zu %016" PRIu64 "\n"
#define FIRST_LENGTH (19 + 10 + 1 + 16 + 1)
#define HEAD_MAX (16u << 20)
#define CONTENT_MAX 9999999999999999u /* sixteen digits */
#define RCPT_PREFIX "rcpt "
#define HINT_PREFIX "hint "
#define HINT_WIDTH 640
#define HELD_PREFIX "held "
#define HELD_WIDTH 320
#define HELD_REASON_MAX 100
#define REASON_MAX 200 /* bytes; encoded three times as many */

enum kind { TEXT, NUMBER, FLAG };

/* every field of the head but RET and the recipients */
static const struct {
    const char *key;
    enum kind kind;
    size_t offset;
} fields[] = {
    { "id", TEXT, offsetof(struct record, id) },
    { "time", NUMBER, offsetof(struct record, time) },
    { "zone", NUMBER, offsetof(struct record, zone_min) },
    { "mode", TEXT, offsetof(struct record, mode) },
    { "origin", TEXT, offsetof(struct record, origin) },
    { "uid", NUMBER, offsetof(struct record, uid) },
    { "pid", NUMBER, offsetof(struct record, pid) },
    { "login", TEXT, offsetof(struct record, login) },
    { "client", TEXT, offsetof(struct record, client) },
    { "program", TEXT, offsetof(struct record, program) },
    { "unit", TEXT, offsetof(struct record, unit) },
    { "cwd", TEXT, offsetof(struct record, cwd) },
    { "name", TEXT, offsetof(struct record, full_name) },
    { "login-address", TEXT, offsetof(struct record, login_address) },
    { "from-address", TEXT, offsetof(struct record, from_address) },
    { "message-id", TEXT, offsetof(struct record, message_id) },
    { "date", TEXT, offsetof(struct record, date) },
    { "received", TEXT, offsetof(struct record, received) },
    { "account", TEXT, offsetof(struct record, account) },
    { "smtputf8", FLAG, offsetof(struct record, smtputf8) },
    { "eight-bit", FLAG, offsetof(struct record, eight_bit) },
    { "sender", TEXT, offsetof(struct record, envelope.sender) },
    { "envid", TEXT, offsetof(struct record, envelope.envid) },
};
#define NFIELDS (sizeof fields / sizeof fields[0])

static void *
field_at(struct record *r, size_t i)
{
    return (char *)r + fields[i].offset;
}

void
record_init(struct record *r)
{
    memset(r, 0, sizeof *r);
    r->uid = r->pid = -1;
}

void
record_clear(struct record *r)
{
    for (size_t i = 0; i < NFIELDS; i++) {
        if (fields[i].kind != TEXT)
            continue;
        char **s = field_at(r, i);
        free(*s);
        *s = NULL;
    }
    free(r->reason);
    free(r->hold_reason);
    envelope_clear(&r->envelope);
    record_init(r);
}

static void
format_field(struct buf *b, struct record *r, size_t i)
{
    if (fields[i].kind == TEXT) {
        char **s = field_at(r, i);
        if (!*s)
            return;
        buf_add_format(b, "%s ", fields[i].key);
        text_percent_encode(b, slice_of(*s));
    } else if (fields[i].kind == NUMBER) {
        int64_t *v = field_at(r, i);
        buf_add_format(b, "%s %" PRId64, fields[i].key, *v);
    } else {
        bool *v = field_at(r, i);
        buf_add_format(b, "%s %d", fields[i].key, *v);
    }
    buf_add_char(b, '\n');
}

static void
format_recipient(struct buf *b, struct recipient *rcpt)
{
    buf_add_str(b, RCPT_PREFIX);
    rcpt->mark = b->len;
    buf_add_char(b, rcpt->state);
    buf_add_char(b, ' ');
    text_percent_encode(b, slice_of(rcpt->address));
    buf_add_format(b, " %u ", rcpt->notify);
    if (rcpt->orcpt)
        text_percent_encode(b, slice_of(rcpt->orcpt));
    buf_add_char(b, '\n');
}

static void
format_first_line(char first[FIRST_LENGTH + 32], const struct record *r)
{
    (void)snprintf(first, FIRST_LENGTH + 32, FIRST_LINE, (size_t)r->content_offset, r->content_size);
}

bool
record_format_hint(const struct record *r, struct buf *hint)
{
    size_t end = hint->len + HINT_WIDTH;

    if (!r->hint_offset)
        return false;
    buf_add_format(hint, "%" PRId64 " %" PRId64 "%s", r->attempts, r->last_try, r->is_warned ? "w" : "");
    if (r->deaths > 0)
        buf_add_format(hint, "k%" PRId64, r->deaths);
    buf_add_char(hint, ' ');
    text_percent_encode(hint, slice_sub(slice_of(r->reason), 0, REASON_MAX));
    if (!hint->overflow && hint->len < end)
        buf_add_format(hint, "%*s", (int)(end - hint->len), "");
    return !hint->overflow && hint->len == end;
}

bool
record_format_hold(const struct record *r, struct buf *hold)
{
    size_t end = hold->len + HELD_WIDTH;

    if (!r->hold_offset)
        return false;
    buf_add_str(hold, r->is_held ? "! " : ". ");
    text_percent_encode(hold, slice_sub(slice_of(r->hold_reason), 0, HELD_REASON_MAX));
    if (!hold->overflow && hold->len < end)
        buf_add_format(hold, "%*s", (int)(end - hold->len), "");
    return !hold->overflow && hold->len == end;
}

bool
record_format(struct record *r, uint64_t content_size, struct buf *head, struct error *err)
{
    char first[FIRST_LENGTH + 32] = "";

    buf_add(head, first, FIRST_LENGTH); /* written when the lengths are known */
    for (size_t i = 0; i < NFIELDS; i++)
        format_field(head, r, i);
    buf_add_format(head, "ret %d\n" HINT_PREFIX, (int)r->envelope.ret);
    r->hint_offset = head->len;
    (void)record_format_hint(r, head); /* it does not fit: said below */
    buf_add_str(head, "\n" HELD_PREFIX);
    r->hold_offset = head->len;
    (void)record_format_hold(r, head); /* likewise */
    buf_add_char(head, '\n');
    for (size_t i = 0; i < r->envelope.n; i++)
        format_recipient(head, &r->envelope.rcpt[i]);
    buf_add_char(head, '\n');
    if (head->overflow || head->len > HEAD_MAX)
        return error_set(err, ERROR_REFUSED, "envelope: larger than %u bytes", HEAD_MAX);
    r->content_offset = head->len;
    r->content_size = content_size;
    format_first_line(first, r);
    memcpy(head->data, first, FIRST_LENGTH);
    return true;
}

bool
record_begin(int fd, struct record *r, struct error *err)
{
    struct buf head;
    bool ok;

    buf_init(&head, HEAD_MAX);
    ok = record_format(r, 0, &head, err);
    if (ok && !file_pwrite(fd, head.data, head.len, 0))
        ok = error_sys(err, ERROR_IO, errno, "cannot write the message to a file");
    buf_clear(&head);
    return ok;
}

bool
record_finish(int fd, struct record *r, uint64_t content_size, struct error *err)
{
    char first[FIRST_LENGTH + 32];

    r->content_size = content_size;
    format_first_line(first, r);
    return (file_pwrite(fd, RECORD_END, sizeof RECORD_END - 1, (off_t)(r->content_offset + content_size)) &&
               file_pwrite(fd, first, FIRST_LENGTH, 0)) ||
           error_sys(err, ERROR_IO, errno, "cannot write the message to a file");
}

/* ---------------------------------------------------------------- reading */

static bool
decode_text(struct slice value, char **out)
{
    struct buf b;

    free(*out);
    *out = NULL;
    if (!memchr(value.p, '%', value.len) && !memchr(value.p, '\0', value.len)) {
        *out = mem_dupn(value.p, value.len); /* most values need no decoding */
        return true;
    }
    buf_init(&b, HEAD_MAX);
    if (!text_percent_decode(&b, value) || slice_has(buf_slice(&b), '\0')) {
        buf_clear(&b);
        return false;
    }
    *out = buf_steal(&b);
    return true;
}

static bool
decode_number(struct slice value, int64_t *out)
{
    bool negative = value.len > 0 && value.p[0] == '-';
    uint64_t v;

    if (!slice_number(slice_from(value, negative ? 1 : 0), INT64_MAX, &v))
        return false;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

static bool
decode_field(struct record *r, size_t i, struct slice value)
{
    int64_t v;

    if (fields[i].kind == TEXT)
        return decode_text(value, field_at(r, i));
    if (!decode_number(value, &v))
        return false;
    if (fields[i].kind == NUMBER)
        *(int64_t *)field_at(r, i) = v;
    else
        *(bool *)field_at(r, i) = v != 0;
    return true;
}

/* "STATE address notify orcpt"; `mark` is the offset of STATE in the file */
static bool
decode_recipient(struct record *r, struct slice line, uint64_t mark)
{
    struct slice state, address, notify;
    char *a = NULL, *o = NULL;
    uint64_t n;
    bool ok;

    if (!slice_cut(&line, ' ', &state) || state.len != 1 || !slice_cut(&line, ' ', &address) ||
        !slice_cut(&line, ' ', &notify) || !slice_number(notify, 15, &n))
        return false;
    ok = memchr(".+-!", state.p[0], 4) && decode_text(address, &a) && *a &&
         (line.len == 0 || decode_text(line, &o));
    if (ok) {
        size_t i = envelope_add(&r->envelope, a, (unsigned)n, o);
        r->envelope.rcpt[i].state = state.p[0];
        r->envelope.rcpt[i].mark = mark;
    }
    free(a);
    free(o);
    return ok;
}

/* A hint that cannot be read is one that was lost */
static void
decode_hint(struct record *r, struct slice line)
{
    struct slice attempts, last, reason = slice_sub(line, 0, 0);
    uint64_t n, when, deaths = 0;
    size_t k;
    bool warned;

    if (!slice_cut(&line, ' ', &attempts) || !slice_cut(&line, ' ', &last))
        return;
    k = slice_find(last, 'k');
    if (k < last.len && !slice_number(slice_from(last, k + 1), INT32_MAX, &deaths))
        return;
    last = slice_sub(last, 0, k);
    warned = last.len > 0 && last.p[last.len - 1] == 'w';
    if (!slice_number(attempts, INT32_MAX, &n) ||
        !slice_number(slice_sub(last, 0, last.len - warned), INT64_MAX, &when))
        return;
    r->attempts = (int64_t)n;
    r->last_try = (int64_t)when;
    r->is_warned = warned;
    r->deaths = (int64_t)deaths;
    (void)slice_cut(&line, ' ', &reason); /* the blanks it is filled up with; a full one has none */
    if (!decode_text(reason, &r->reason))
        r->reason = NULL;
}

/* A reason that cannot be read is none; whether it is held is one byte */
static void
decode_hold(struct record *r, struct slice line)
{
    struct slice reason = slice_from(line, 2), word = slice_sub(line, 0, 0);

    r->is_held = line.p[0] == '!';
    (void)slice_cut(&reason, ' ', &word); /* as with the hint */
    if (!decode_text(word, &r->hold_reason))
        r->hold_reason = NULL;
}

static bool
decode_line(struct record *r, struct slice line, uint64_t offset, size_t *next)
{
    struct slice key;
    int64_t v;

    if (slice_starts(line, RCPT_PREFIX))
        return decode_recipient(r, slice_from(line, strlen(RCPT_PREFIX)), offset + strlen(RCPT_PREFIX));
    if (slice_starts(line, HINT_PREFIX) && line.len == strlen(HINT_PREFIX) + HINT_WIDTH) {
        r->hint_offset = offset + strlen(HINT_PREFIX);
        decode_hint(r, slice_from(line, strlen(HINT_PREFIX)));
        return true;
    }
    if (slice_starts(line, HELD_PREFIX) && line.len == strlen(HELD_PREFIX) + HELD_WIDTH) {
        r->hold_offset = offset + strlen(HELD_PREFIX);
        decode_hold(r, slice_from(line, strlen(HELD_PREFIX)));
        return true;
    }
    if (!slice_cut(&line, ' ', &key))
        return false;
    /* they most often stand in the order of the table */
    for (size_t n = 0; n < NFIELDS; n++) {
        size_t i = (*next + n) % NFIELDS;
        if (!slice_is(key, fields[i].key))
            continue;
        *next = i + 1;
        return decode_field(r, i, line);
    }
    if (slice_is(key, "ret")) {
        if (!decode_number(line, &v) || v < ENVELOPE_RET_NONE || v > ENVELOPE_RET_HDRS)
            return false;
        r->envelope.ret = (enum envelope_ret)v;
    }
    return true; /* a newer version may say more */
}

static bool
decode_head(struct record *r, struct slice head)
{
    struct slice rest = head, line;
    size_t next = 0;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0)
            return rest.len == 0; /* the empty line is the last one */
        if (!decode_line(r, line, FIRST_LENGTH + (uint64_t)(line.p - head.p), &next))
            return false;
    }
    return false;
}

/* As many bytes as one read gives, up to `len`, but at least `least` if they are there; -1 with errno */
static ssize_t
read_at(record_pread *read, int fd, char *data, size_t least, size_t len, uint64_t offset)
{
    size_t got = 0;

    while (got < least) {
        ssize_t n = read(fd, data + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static bool
decode_first_line(struct record *r, const char *first)
{
    char again[FIRST_LENGTH + 32];

    if (!slice_number(slice_make(first + 19, 10), HEAD_MAX, &r->content_offset) ||
        !slice_number(slice_make(first + 30, 16), CONTENT_MAX, &r->content_size) ||
        r->content_offset <= FIRST_LENGTH)
        return false;
    format_first_line(again, r);
    return memcmp(first, again, FIRST_LENGTH) == 0;
}

static bool
torn(struct error *err)
{
    return error_set(err, ERROR_DATA, "queue file: torn or not ours");
}

static bool
unread(struct error *err)
{
    return error_sys(err, ERROR_IO, errno, "queue file");
}

/* The end mark stands where the lengths say, and nothing behind it */
static bool
check_end(record_pread *read, int fd, const struct record *r, struct error *err)
{
    char end[sizeof RECORD_END]; /* one byte more than the mark */
    ssize_t n = read_at(read, fd, end, sizeof end, sizeof end, r->content_offset + r->content_size);

    if (n < 0)
        return unread(err);
    return (n == sizeof end - 1 && memcmp(end, RECORD_END, sizeof end - 1) == 0) || torn(err);
}

/* `begin` holds the first n bytes of the file, the rest of a larger head is read */
static bool
read_head(record_pread *read, int fd, const char *begin, size_t n, struct record *r, struct error *err)
{
    size_t len = (size_t)r->content_offset;
    char *larger = NULL;
    bool ok;

    if (len > n) {
        larger = mem_alloc(len);
        memcpy(larger, begin, n);
        ssize_t more = read_at(read, fd, larger + n, len - n, len - n, n);
        if (more < 0 || (size_t)more != len - n) {
            free(larger);
            return more < 0 ? unread(err) : torn(err);
        }
        begin = larger;
    }
    ok = decode_head(r, slice_make(begin + FIRST_LENGTH, len - FIRST_LENGTH)) && r->envelope.sender &&
         r->id && r->account && r->envelope.n > 0;
    free(larger);
    return ok || error_set(err, ERROR_DATA, "queue file: its head cannot be read");
}

bool
record_read_by(record_pread *read, int fd, bool whole, struct record *r, struct error *err)
{
    char begin[4096]; /* most heads are smaller */
    ssize_t n = read_at(read, fd, begin, FIRST_LENGTH, sizeof begin, 0);
    bool ok;

    record_init(r);
    if (n < 0)
        return unread(err);
    if (n < FIRST_LENGTH || !decode_first_line(r, begin))
        return torn(err);
    ok = (!whole || check_end(read, fd, r, err)) && read_head(read, fd, begin, (size_t)n, r, err);
    if (!ok)
        record_clear(r);
    return ok;
}

bool
record_read(int fd, struct record *r, struct error *err)
{
    return record_read_by(pread, fd, true, r, err);
}
