/* SPDX-License-Identifier: ISC */
/*
 * A table and, behind a line "=", a reply: what is found fits by its own table, advice and codes are one harmless line, and a table
 * that was wrong leaves only whole entries. The reply within what is pasted is no longer than that.
 */
#include <string.h>

#include "base/mem.h"
#include "mail/explain.h"
#include "mail/explain_paste.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect_harmless(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        ensure(!ascii_is_control(s.p[i]));
}

static void
expect_part(struct explain *t, struct slice text)
{
    const struct explain_entry *found[2];
    struct slice example[2];
    struct buf host, reply;
    bool ok;

    buf_init(&host, 1 << 20);
    buf_init(&reply, 1 << 20);
    ok = explain_paste(text, &host, &reply);
    ensure((ok || reply.len == 0) && (ok || host.len == 0) && host.len + reply.len <= text.len);
    ensure(explain_alike(t, text, found, example, 2) <= explain_count(t));
    buf_clear(&host);
    buf_clear(&reply);
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
    expect_part(t, text);
    explain_free(t);
    return 0;
}
