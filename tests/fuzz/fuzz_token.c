/* SPDX-License-Identifier: ISC */
/* A secret: whatever it is, reading its times ends, stays within it, and says a time only where there is one. */
#include "base/mem.h"
#include "mail/base64.h"
#include "mail/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect_sane(struct slice secret)
{
    struct token_times t;
    bool ok = token_read(secret, &t);

    ensure(ok == (t.expires_s > 0));
    ensure(t.expires_s >= 0 && t.expires_s <= TOKEN_TIME_MAX);
    ensure(t.issued_s >= 0 && t.issued_s <= TOKEN_TIME_MAX);
    ensure(ok || t.issued_s == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct buf b;

    expect_sane(text);
    buf_init(&b, 1 << 20); /* and as the claims of one */
    buf_add_str(&b, "eyJhbGciOiJub25lIn0.");
    base64_add(&b, text);
    while (b.len && b.data[b.len - 1] == '=')
        buf_truncate(&b, b.len - 1);
    for (size_t i = 0; i < b.len; i++)
        b.data[i] = b.data[i] == '+' ? '-' : b.data[i] == '/' ? '_' : b.data[i];
    buf_add_char(&b, '.');
    expect_sane(buf_slice(&b));
    buf_clear(&b);
    return 0;
}
