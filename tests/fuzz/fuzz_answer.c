/*
 * Whatever a name server sends: data lies within the message, names are bounded and of harmless bytes, and no more records are
 * taken than the message has room for, for each name of the CNAME chain.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/answer.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int types[] = { ANSWER_A, ANSWER_AAAA, ANSWER_MX, ANSWER_SRV, ANSWER_TLSA, ANSWER_CNAME };
    struct slice message = slice_make((const char *)data, size);
    struct seen s = { .data = data, .size = size };

    (void)answer_judge(message);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        s.n = 0;
        (void)answer_walk(message, NAME, types[i], take, &s);
        ensure(s.n <= size / 11 * 11);
    }
    return 0;
}
