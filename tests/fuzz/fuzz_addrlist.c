/* SPDX-License-Identifier: ISC */
/*
 * The first byte is the flags. However the list is cut, the same comes out; never more entries than separators allow; offsets
 * are in order and inside the input, and what they name is the address.
 */
#include <string.h>

#include "base/mem.h"
#include "mail/addrlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct slice in;
    struct buf text;
    size_t items;
    size_t end;
};

static void
check_range(const struct addrlist_item *item, struct addrlist_range r)
{
    ensure(r.start <= r.end);
    if (r.start < r.end)
        ensure(r.start >= item->entry.start && r.end <= item->entry.end);
}

/* An addr-spec without blanks and comments stands in the input as it was read. */
static void
check_spec(const struct seen *s, const struct addrlist_item *item)
{
    struct slice spec = slice_sub(s->in, item->spec.start, item->spec.end - item->spec.start);
    struct buf got, want;
    struct address a;
    struct error err;

    ensure(spec.len > 0);
    if (!address_parse_spec(spec, &a, &err))
        return;
    buf_init(&got, 1000);
    buf_init(&want, 1000);
    address_format(&got, &a);
    address_format(&want, &item->address);
    ensure(slice_eq(buf_slice(&got), buf_slice(&want)));
    buf_clear(&got);
    buf_clear(&want);
}

static void
take(void *ctx, const struct addrlist_item *item)
{
    struct seen *s = ctx;

    s->items++;
    ensure((item->in_blanks || item->entry.start >= s->end) && item->entry.end >= item->entry.start &&
           item->entry.end <= s->in.len);
    s->end = item->entry.end;
    check_range(item, item->spec);
    check_range(item, item->name);
    check_range(item, item->comment);
    buf_add_format(&s->text, "%zu-%zu %zu-%zu %zu-%zu %d %d ", item->spec.start, item->spec.end,
        item->name.start, item->name.end, item->comment.start, item->comment.end, item->in_angle,
        item->in_group);
    if (item->error) {
        ensure(item->error->class == ERROR_DATA);
        buf_add_str(&s->text, item->error->text);
    } else {
        if (!item->in_blanks)
            check_spec(s, item);
        address_format(&s->text, &item->address);
    }
    buf_add_char(&s->text, '\n');
}

static void
run(struct seen *s, struct slice in, unsigned flags, size_t step)
{
    struct addrlist a;

    memset(s, 0, sizeof *s);
    s->in = in;
    buf_init(&s->text, 1U << 28);
    addrlist_init(&a, flags, take, s);
    for (; in.len; in = slice_from(in, step))
        addrlist_push(&a, slice_sub(in, 0, step));
    addrlist_end(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, pieces;
    size_t separators = 0;
    struct slice in;

    if (size < 1)
        return 0;
    in = slice_make((const char *)data + 1, size - 1);
    for (size_t i = 0; i < in.len; i++)
        separators +=
            in.p[i] == ',' || in.p[i] == ';' || ((data[0] & ADDRLIST_BLANKS) && strchr(" \t\r\n(", in.p[i]));
    run(&whole, in, data[0] & 3U, size);
    run(&pieces, in, data[0] & 3U, 1);
    ensure(slice_eq(buf_slice(&whole.text), buf_slice(&pieces.text)));
    ensure(whole.items <= separators + 1);
    buf_clear(&whole.text);
    buf_clear(&pieces.text);
    return 0;
}
