/* SPDX-License-Identifier: ISC */
/*
 * Whatever a name server sends: data lies within the message, names are bounded and of harmless bytes, and no more records are
 * taken than the message has room for, for each name of the CNAME chain.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "smtp/answer.h"
#include "smtp/mx.h"

#define NAME "mx.example.org"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const uint8_t *data;
    size_t size, n;
};

static void
take(void *ctx, int type, struct answer_data d)
{
    struct seen *s = ctx;
    char name[ANSWER_NAME_SIZE];
    unsigned v;

    (void)type;
    ensure(d.p == s->data && d.at <= d.len && d.len <= s->size);
    s->n++;
    while (answer_get16(&d, &v) && v > 7)
        ;
    ensure(d.at <= d.len);
    if (answer_get_name(&d, name)) {
        ensure(d.at <= d.len && strlen(name) < ANSWER_NAME_SIZE);
        for (const char *p = name; *p; p++)
            ensure(ascii_is_alpha(*p) || ascii_is_digit(*p) || strchr("-_.", *p));
    }
}

/* Hosts stand in their order, and this machine is never among them */
static void
look_for_hosts(struct slice message)
{
    char own_name[] = "self.example.org";
    char *const own[] = { own_name };
    struct mx_options o = { .own = own, .nown = 1 };
    struct mx_list list;
    struct error err;
    enum mx_outcome outcome = mx_read(message, NAME, &o, &list, &err);

    ensure(list.n <= MX_MAX && (outcome == MX_FOUND) == (list.n > 0));
    for (size_t i = 0; i < list.n; i++) {
        ensure(list.host[i].name[0] && strcasecmp(list.host[i].name, own_name) != 0);
        ensure(i == 0 || list.host[i - 1].preference <= list.host[i].preference);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int types[] = { ANSWER_A, ANSWER_AAAA, ANSWER_MX, ANSWER_SRV, ANSWER_TLSA, ANSWER_CNAME };
    struct slice message = slice_make((const char *)data, size);
    struct seen s = { .data = data, .size = size };

    char canonical[ANSWER_NAME_SIZE];

    (void)answer_judge(message);
    (void)answer_is_secure(message);
    ensure(!answer_canonical(message, NAME, ANSWER_A, canonical) || strlen(canonical) < sizeof canonical);
    look_for_hosts(message);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        s.n = 0;
        (void)answer_walk(message, NAME, types[i], take, &s);
        ensure(s.n <= size / 11 * 11);
    }
    return 0;
}
