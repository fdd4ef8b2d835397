/* SPDX-License-Identifier: ISC */
/*
 * Another program's configuration: the first byte says whose, \x01 parts it from a second file, which is what the parser asks for.
 * What comes out is taken by our own reader; where nothing does, it is said why.
 */
#include <string.h>

#include "admin/import.h"
#include "admin/import_text.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct second {
    struct slice text;
};

static bool
give_second(struct import *im, const char *path, struct buf *text, struct error *err)
{
    const struct second *s = im->ctx;

    (void)path;
    (void)err;
    buf_add_slice(text, s->text);
    return s->text.len > 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make((const char *)data + 1, size ? size - 1 : 0), first;
    const struct import_program *p = import_program_at(size ? data[0] % 7u : 0);
    struct second s;
    struct import im;
    struct config c;
    struct error err;
    struct buf out;

    if (size == 0 || size > 20000)
        return 0;
    first = slice_sub(all, 0, slice_find(all, '\x01'));
    s.text = slice_from(all, first.len + 1);
    import_begin(&im);
    im.program = p->name;
    im.home = "/home/joe";
    im.read = give_second;
    im.ctx = &s;
    (void)import_add_source(&im, "/etc/main", first);
    error_init(&err);
    buf_init(&out, IMPORT_TEXT_MAX * 4);
    if (p->parse(&im, &err)) {
        import_text_write(&im, "/etc/smtprelay.conf", &out);
        ensure(!out.overflow);
        if (import_text_check(buf_slice(&out), "/etc/smtprelay.conf", &c, &err))
            config_end(&c);
        else
            panic(err.text);
    } else {
        ensure(err.class != ERROR_NONE && *err.text);
    }
    buf_clear(&out);
    import_end(&im);
    return 0;
}
