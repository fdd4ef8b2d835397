/* SPDX-License-Identifier: ISC */
/* A queue file's head: whatever stands in it, what is read comes out again as the same, and the marks lie on the states. */
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/mem.h"
#include "queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice file; /* a function that reads has no place for it */

static ssize_t
read_file(int fd, void *data, size_t len, off_t offset)
{
    struct slice part = slice_sub(file, (size_t)offset, len);

    (void)fd;
    if (part.len)
        memcpy(data, part.p, part.len);
    return (ssize_t)part.len;
}

static void
check_same(const struct record *a, const struct record *b)
{
    ensure(strcmp(a->id, b->id) == 0 && strcmp(a->account, b->account) == 0);
    ensure(strcmp(a->envelope.sender, b->envelope.sender) == 0 && a->envelope.n == b->envelope.n);
    ensure(a->time == b->time && a->uid == b->uid && a->attempts == b->attempts);
    for (size_t i = 0; i < a->envelope.n; i++) {
        ensure(strcmp(a->envelope.rcpt[i].address, b->envelope.rcpt[i].address) == 0);
        ensure(a->envelope.rcpt[i].state == b->envelope.rcpt[i].state);
        ensure(file.p[b->envelope.rcpt[i].mark] == b->envelope.rcpt[i].state);
    }
}

/* The input is the head behind its first line, which has to be right for anything to be read; or a file with one of its own */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text, again;
    struct record r, s;
    struct error err;

    buf_init(&text, 40u << 20);
    buf_init(&again, 40u << 20);
    if (size < 16 || memcmp(data, "smtprelay-record", 16) != 0)
        buf_add_format(&text, "smtprelay-record 1 %010zu %016d\n", size + 47, 0);
    buf_add(&text, data, size);
    buf_add_str(&text, RECORD_END);
    file = buf_slice(&text);
    if (record_read_by(read_file, -1, true, &r, &err)) {
        for (size_t i = 0; i < r.envelope.n; i++)
            ensure(file.p[r.envelope.rcpt[i].mark] == r.envelope.rcpt[i].state);
        if (record_format(&r, 0, &again, &err)) {
            buf_add_str(&again, RECORD_END);
            file = buf_slice(&again);
            ensure(record_read_by(read_file, -1, true, &s, &err));
            check_same(&r, &s);
            record_clear(&s);
        }
        record_clear(&r);
    } else {
        ensure(err.class == ERROR_DATA);
    }
    buf_clear(&text);
    buf_clear(&again);
    return 0;
}
