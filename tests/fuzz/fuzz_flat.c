/* SPDX-License-Identifier: ISC */
/* Settings as they are handed over: what is taken comes out again as the same, and without secrets where none may be. */
#include "base/mem.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode(const struct config *c, struct buf *out)
{
    buf_init(out, 64u << 20);
    for (size_t a = 0; a < c->n; a++)
        config_encode(c, a, true, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c, d;
    struct buf once, twice;
    struct error err;

    if (!config_decode(&c, slice_make((const char *)data, size), &err)) {
        ensure(err.class == ERROR_INTERNAL);
        return 0;
    }
    encode(&c, &once);
    ensure(config_decode(&d, buf_slice(&once), &err) && d.n == c.n);
    encode(&d, &twice);
    ensure(slice_eq(buf_slice(&once), buf_slice(&twice)));
    config_end(&d);
    buf_reset(&once);
    config_encode_all(&c, &once);
    ensure(config_decode(&d, buf_slice(&once), &err));
    for (size_t a = 0; a < d.n; a++)
        ensure(!config_text(&d, a, CONFIG_AUTH_PASS) && !config_text(&d, a, CONFIG_KEY_PEM));
    config_end(&d);
    config_end(&c);
    buf_clear(&once);
    buf_clear(&twice);
    return 0;
}
