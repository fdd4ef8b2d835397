/* SPDX-License-Identifier: ISC */
/*
 * A table and, behind a line "=", a reply: what is found fits by its own table, advice and codes are one harmless line, and a table
 * that was wrong leaves only whole entries.
 */
#include <string.h>

#include "base/mem.h"
#include "mail/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect_harmless(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        ensure(!ascii_is_control(s.p[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make((const char *)data, size), text = all;
    const char *at = memmem(all.p, all.len, "\n=\n", 3);
    struct explain *t = explain_new();
    const struct explain_entry *e;
    struct error err;
    struct buf b;
    size_t rivals;

    if (at) {
        text = slice_from(all, (size_t)(at - all.p) + 3);
        (void)explain_add(t, "t", slice_sub(all, 0, (size_t)(at - all.p) + 1), &err);
    }
    for (size_t i = 0; i < explain_count(t); i++)
        ensure(explain_entry(t, i)->advice.len > 0 && explain_entry(t, i)->name.len > 0);
    e = explain_find(t, slice_of("mail.example.com"), text, &rivals);
    ensure(rivals < explain_count(t) + 1);
    buf_init(&b, 1 << 20);
    ensure(explain_advise(t, slice_of("mail.example.com"), text, &b) == (e != NULL));
    expect_harmless(buf_slice(&b));
    buf_reset(&b);
    ensure(explain_codes(text, &b) == (b.len > 0));
    expect_harmless(buf_slice(&b));
    buf_clear(&b);
    explain_free(t);
    return 0;
}
