/* SPDX-License-Identifier: ISC */
/*
 * A configuration text through the guard and the library: an error names file and line, what is taken survives the flat form, and
 * no file is opened (an @include is refused here before it comes to that).
 */
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/guard.h"
#include "config/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* The library forgets a string it has begun when the text after it is wrong. */
const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static bool
names_include(struct slice text)
{
    for (; text.len; text = slice_from(text, 1))
        if (slice_starts(text, "@include"))
            return true;
    return false;
}

/* What comes out of the flat form is what went in */
static void
check_flat(const struct config *c)
{
    struct config d;
    struct buf once, twice;
    struct error err;

    buf_init(&once, 64u << 20);
    buf_init(&twice, 64u << 20);
    config_encode(c, 0, true, &once);
    ensure(config_decode(&d, buf_slice(&once), &err));
    config_encode(&d, 0, true, &twice);
    ensure(slice_eq(buf_slice(&once), buf_slice(&twice)));
    config_end(&d);
    buf_clear(&once);
    buf_clear(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct stat st = { .st_mode = S_IFREG | 0600 };
    struct guard_text g;
    struct config c;
    struct error err;
    bool ok;

    if (size > 65536 || names_include(text))
        return 0;
    error_init(&err);
    config_begin(&c);
    ok = guard_take(&g, text, "f.conf", &st, &err);
    if (ok) {
        size_t lines = 0;
        for (size_t i = 0; i < g.text.len; i++)
            lines += g.text.data[i] == '\n';
        ensure(g.lines == lines + 1);
        ok = tree_load(&c, &g, &err);
    }
    if (!ok)
        ensure(err.class == ERROR_CONFIG && strncmp(err.text, "f.conf line ", 12) == 0);
    else if (config_complete(&c, "m.example", NULL, &err))
        check_flat(&c);
    else
        ensure(err.class == ERROR_CONFIG);
    guard_clear(&g);
    config_end(&c);
    return 0;
}
