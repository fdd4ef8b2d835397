/* SPDX-License-Identifier: ISC */
/* What parses can be written, is within the limits, and means the same when read again. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a path, RFC 5321 4.1.2 */
static void
add_path(struct buf *out, const struct address *a)
{
    buf_add_char(out, '<');
    address_format(out, a);
    buf_add_char(out, '>');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make((const char *)data, size);
    struct address a, again;
    struct error err;
    struct buf out, twice;

    if (address_path_length(in))
        ensure(in.p[address_path_length(in) - 1] == '>');
    buf_init(&out, 1000);
    buf_init(&twice, 1000);
    for (unsigned flags = 0; flags < 4; flags++) {
        error_init(&err);
        if (!address_parse(in, flags, &a, &err)) {
            ensure(err.class == ERROR_DATA && err.text[0] && !strpbrk(err.text, "\r\n"));
            continue;
        }
        buf_reset(&out);
        buf_reset(&twice);
        add_path(&out, &a);
        ensure(out.len <= ADDRESS_MAX + 2 && text_is_utf8(buf_slice(&out)));
        for (size_t i = 0; i < out.len; i++)
            ensure(!ascii_is_control(out.data[i]));
        ensure(address_path_length(buf_slice(&out)) == out.len);
        ensure(address_parse(buf_slice(&out), ADDRESS_NULL, &again, &err));
        ensure(a.is_null == again.is_null);
        add_path(&twice, &again);
        ensure(slice_eq(buf_slice(&out), buf_slice(&twice)));
    }
    buf_clear(&out);
    buf_clear(&twice);
    return 0;
}
