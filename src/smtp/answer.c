/* SPDX-License-Identifier: ISC */
/* answer: one walk through the answer section for each CNAME; nothing is kept, nothing is trusted. */
#include "smtp/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADER_BYTES 12
#define CNAMES_MAX 10
#define CLASS_IN 1

enum answer_outcome
answer_judge(struct slice message)
{
    unsigned rcode = message.len >= HEADER_BYTES ? (unsigned char)message.p[3] & 15u : 2;

    return rcode == 0 ? ANSWER_FOUND : rcode == 3 ? ANSWER_ABSENT : ANSWER_UNKNOWN;
}

bool
answer_is_secure(struct slice message)
{
    return message.len >= HEADER_BYTES && ((unsigned char)message.p[3] & 0x20u);
}

bool
answer_get8(struct answer_data *d, unsigned *v)
{
    if (d->at >= d->len)
        return false;
    *v = d->p[d->at++];
    return true;
}

bool
answer_get16(struct answer_data *d, unsigned *v)
{
    if (d->at > d->len || d->len - d->at < 2)
        return false;
    *v = (unsigned)d->p[d->at] << 8 | d->p[d->at + 1];
    d->at += 2;
    return true;
}

/* One label behind what is in out; labels with odd bytes are refused */
static bool
add_label(const unsigned char *label, size_t len, char out[ANSWER_NAME_SIZE], size_t *n)
{
    if (*n + len + 2 > ANSWER_NAME_SIZE - 1)
        return false;
    if (*n)
        out[(*n)++] = '.';
    for (size_t i = 0; i < len; i++) {
        char b = (char)label[i];
        if (!ascii_is_alpha(b) && !ascii_is_digit(b) && b != '-' && b != '_')
            return false;
        out[(*n)++] = b;
    }
    return true;
}

/* Compression is followed (RFC 1035, 4.1.4), each jump backwards, so it ends. */
bool
answer_get_name(struct answer_data *d, char out[ANSWER_NAME_SIZE])
{
    size_t at = d->at, n = 0, limit = d->at, end = 0;

    while (at < d->len && d->p[at] != 0) {
        unsigned c = d->p[at];
        if ((c & 0xC0) == 0xC0) {
            if (at + 1 >= d->len)
                return false;
            size_t to = (size_t)(c & 0x3F) << 8 | d->p[at + 1];
            if (to >= limit)
                return false;
            if (!end)
                end = at + 2;
            limit = at = to;
        } else if (c > 63 || c >= d->len - at || !add_label(d->p + at + 1, c, out, &n)) {
            return false;
        } else {
            at += 1 + c;
        }
    }
    if (at >= d->len)
        return false;
    d->at = end ? end : at + 1;
    out[n] = '\0';
    return true;
}

struct record {
    char owner[ANSWER_NAME_SIZE];
    unsigned type, class, length;
    struct answer_data data;
};

static bool
get_record(struct answer_data *d, struct record *r)
{
    if (!answer_get_name(d, r->owner) || !answer_get16(d, &r->type) || !answer_get16(d, &r->class))
        return false;
    d->at += 4; /* TTL */
    if (!answer_get16(d, &r->length) || r->length > d->len - d->at)
        return false;
    r->data = (struct answer_data){ d->p, d->at + r->length, d->at };
    d->at += r->length;
    return true;
}

static bool
get_question(struct answer_data *d, const char *name, int type)
{
    char asked[ANSWER_NAME_SIZE];
    unsigned t, c;

    return answer_get_name(d, asked) && answer_get16(d, &t) && answer_get16(d, &c) &&
           strcasecmp(asked, name) == 0 && (int)t == type && c == CLASS_IN;
}

/* The records at `name`; `next` is where a CNAME leads, "" = nowhere */
static bool
walk_once(struct answer_data d, unsigned answers, const char *name, int type, answer_record *take, void *ctx,
    char next[ANSWER_NAME_SIZE])
{
    struct record r;

    next[0] = '\0';
    for (unsigned i = 0; i < answers; i++) {
        if (!get_record(&d, &r))
            return false;
        if (r.class != CLASS_IN || strcasecmp(r.owner, name) != 0)
            continue;
        if ((int)r.type == type)
            take(ctx, type, r.data);
        else if (r.type == ANSWER_CNAME && !answer_get_name(&r.data, next))
            return false;
    }
    return true;
}

/* `wanted` is the name that is looked for: at last the one behind all CNAMEs */
static bool
walk(struct slice message, const char *name, int type, answer_record *take, void *ctx,
    char wanted[ANSWER_NAME_SIZE])
{
    struct answer_data d = { (const unsigned char *)message.p, message.len, 4 };
    char next[ANSWER_NAME_SIZE];
    unsigned questions, answers;
    size_t n = strlen(name);

    (void)snprintf(wanted, ANSWER_NAME_SIZE, "%.*s", (int)(n && name[n - 1] == '.' ? n - 1 : n), name);
    if (message.len < HEADER_BYTES || !answer_get16(&d, &questions) || !answer_get16(&d, &answers) ||
        questions != 1)
        return false;
    d.at = HEADER_BYTES;
    if (!get_question(&d, wanted, type))
        return false;
    for (unsigned hops = 0; hops <= CNAMES_MAX; hops++) {
        if (!walk_once(d, answers, wanted, type, take, ctx, next))
            return false;
        if (!next[0] || type == ANSWER_CNAME) /* asked for by itself, it is not followed */
            return true;
        memcpy(wanted, next, ANSWER_NAME_SIZE);
    }
    return false;
}

bool
answer_walk(struct slice message, const char *name, int type, answer_record *take, void *ctx)
{
    char wanted[ANSWER_NAME_SIZE];

    return walk(message, name, type, take, ctx, wanted);
}

static void
pass_over(void *ctx, int type, struct answer_data data)
{
    (void)ctx, (void)type, (void)data;
}

bool
answer_canonical(struct slice message, const char *name, int type, char out[ANSWER_NAME_SIZE])
{
    return walk(message, name, type, pass_over, NULL, out);
}
