/* SPDX-License-Identifier: ISC */
/* record: what was written is what is read; nothing torn is ever taken for mail. */
#include "unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/record.h"

static const char content[] = "Subject: x\r\n\r\nhello\r\n";

static int
written(struct record *r)
{
    static const char *const dirs[] = { ".", "/tmp", NULL };
    struct error err;
    int fd = file_temp(dirs, &err);

    ck_assert_int_ge(fd, 0);
    record_init(r);
    r->id = mem_dup("A1");
    r->account = mem_dup("default");
    r->full_name = mem_dup("Zo\xc3\xab =% \n x");
    r->uid = 1001;
    r->zone_min = -570;
    r->eight_bit = true;
    envelope_set_sender(&r->envelope, "");
    r->envelope.ret = ENVELOPE_RET_HDRS;
    envelope_add(&r->envelope, "bob@example.net", 0, NULL);
    envelope_add(&r->envelope, "\"a b\"@example.net", ENVELOPE_SUCCESS | ENVELOPE_DELAY, "rfc822;x y");
    ck_assert(record_begin(fd, r, &err));
    ck_assert(file_pwrite(fd, content, sizeof content - 1, (off_t)r->content_offset));
    ck_assert(record_finish(fd, r, sizeof content - 1, &err));
    return fd;
}

START_TEST(a_record_is_read_as_it_was_written)
{
    struct record r, s;
    struct error err;
    char text[sizeof content] = "";
    int fd = written(&r);

    ck_assert_msg(record_read(fd, &s, &err), "%s", err.text);
    ck_assert_str_eq(s.id, "A1");
    ck_assert_str_eq(s.full_name, r.full_name);
    ck_assert_str_eq(s.envelope.sender, "");
    ck_assert(s.uid == 1001 && s.pid == -1 && s.zone_min == -570 && s.eight_bit && !s.smtputf8);
    ck_assert_uint_eq(s.envelope.n, 2);
    ck_assert_str_eq(s.envelope.rcpt[1].address, "\"a b\"@example.net");
    ck_assert_str_eq(s.envelope.rcpt[1].orcpt, "rfc822;x y");
    ck_assert_uint_eq(s.envelope.rcpt[1].notify, ENVELOPE_SUCCESS | ENVELOPE_DELAY);
    ck_assert_int_eq(s.envelope.ret, ENVELOPE_RET_HDRS);
    ck_assert(s.content_offset == r.content_offset && s.content_size == sizeof content - 1);
    ck_assert(file_pread(fd, text, sizeof content - 1, (off_t)s.content_offset));
    ck_assert_str_eq(text, content);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

static void
mark(int fd, const struct record *r, size_t i, char state)
{
    ck_assert(file_pwrite(fd, &state, 1, (off_t)r->envelope.rcpt[i].mark));
}

START_TEST(recipients_are_crossed_off_in_place)
{
    struct record r, s;
    struct error err;
    int fd = written(&r);

    mark(fd, &r, 1, ENVELOPE_DONE);
    ck_assert(record_read(fd, &s, &err));
    ck_assert_int_eq(s.envelope.rcpt[0].state, ENVELOPE_OPEN);
    ck_assert_int_eq(s.envelope.rcpt[1].state, ENVELOPE_DONE);
    ck_assert_uint_eq(envelope_open(&s.envelope), 1);
    mark(fd, &s, 0, ENVELOPE_FAILED);
    record_clear(&s);
    ck_assert(record_read(fd, &s, &err));
    ck_assert_int_eq(s.envelope.rcpt[0].state, ENVELOPE_FAILED);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

/* The hold's field in the file as *r has it */
static void
write_hold(int fd, const struct record *r)
{
    struct buf b;

    buf_init(&b, 1000);
    ck_assert(record_format_hold(r, &b));
    ck_assert(file_pwrite(fd, b.data, b.len, (off_t)r->hold_offset));
    buf_clear(&b);
}

START_TEST(a_hold_is_marked_in_place_with_its_reason)
{
    struct record r, s;
    struct error err;
    char reason[301] = "";
    int fd = written(&r);

    ck_assert(record_read(fd, &s, &err));
    ck_assert(!s.is_held && s.hold_offset == r.hold_offset && r.hold_offset > 0);
    record_clear(&s);
    memset(reason, '%', 300);
    r.is_held = true;
    r.hold_reason = mem_dup(reason); /* the longest when encoded */
    write_hold(fd, &r);
    ck_assert_msg(record_read(fd, &s, &err), "%s", err.text);
    ck_assert(s.is_held && strlen(s.hold_reason) == 100);
    ck_assert_uint_eq(s.envelope.n, 2);
    record_clear(&s);
    r.is_held = false;
    write_hold(fd, &r);
    ck_assert(record_read(fd, &s, &err) && !s.is_held);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

START_TEST(a_record_of_a_version_that_could_not_hold_is_read_and_is_not_held)
{
    struct record r, s;
    struct error err;
    struct buf b;
    int fd = written(&r);

    ck_assert(file_pwrite(fd, "x-no", 4, (off_t)r.hold_offset - 5));
    ck_assert_msg(record_read(fd, &s, &err), "%s", err.text);
    ck_assert(!s.is_held && s.hold_offset == 0);
    buf_init(&b, 1000);
    ck_assert(!record_format_hold(&s, &b));
    buf_clear(&b);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

START_TEST(the_workers_it_killed_are_counted_beside_the_other_hints)
{
    struct record r, s;
    struct error err;
    struct buf b;
    int fd = written(&r);

    r.attempts = 7;
    r.last_try = 1700000000;
    r.is_warned = true;
    r.deaths = 2;
    buf_init(&b, 1000);
    ck_assert(record_format_hint(&r, &b));
    ck_assert(file_pwrite(fd, b.data, b.len, (off_t)r.hint_offset));
    buf_clear(&b);
    ck_assert(record_read(fd, &s, &err));
    ck_assert(s.attempts == 7 && s.last_try == 1700000000 && s.is_warned && s.deaths == 2);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

START_TEST(a_torn_record_is_never_mail)
{
    struct record r, s;
    struct error err;
    int fd = written(&r);
    off_t size = lseek(fd, 0, SEEK_END);

    record_clear(&r);
    for (off_t cut = size - 1; cut >= 0; cut--) {
        ck_assert_int_eq(ftruncate(fd, cut), 0);
        ck_assert_msg(!record_read(fd, &s, &err), "cut to %ld", (long)cut);
    }
    close(fd);
}
END_TEST

START_TEST(a_record_with_more_or_other_bytes_behind_it_is_never_mail)
{
    struct record r, s;
    struct error err;
    int fd = written(&r);
    off_t size = lseek(fd, 0, SEEK_END);

    ck_assert(file_pwrite(fd, "\n", 1, size));
    ck_assert(!record_read(fd, &s, &err));
    ck_assert_int_eq(err.class, ERROR_DATA);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    ck_assert(record_read(fd, &s, &err));
    record_clear(&s);
    ck_assert(file_pwrite(fd, "x", 1, size - 1));
    ck_assert(!record_read(fd, &s, &err));
    record_clear(&r);
    close(fd);
}
END_TEST

/* A head larger than what is read at first */
START_TEST(ten_thousand_recipients_and_long_hints_are_read_as_they_were_written)
{
    static const char *const dirs[] = { ".", "/tmp", NULL };
    struct record r, s;
    struct error err;
    int fd = file_temp(dirs, &err);
    char address[64];

    record_init(&r);
    r.id = mem_dup("A1");
    r.account = mem_dup("default");
    r.attempts = INT32_MAX;
    r.last_try = INT64_MAX;
    r.reason = mem_alloc(1000);
    memset(r.reason, '%', 999);
    envelope_set_sender(&r.envelope, "a@example.org");
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(address, sizeof address, "user%d@example.net", i);
        envelope_add(&r.envelope, address, 0, NULL);
    }
    ck_assert(record_begin(fd, &r, &err) && record_finish(fd, &r, 0, &err));
    ck_assert_msg(record_read(fd, &s, &err), "%s", err.text);
    ck_assert_uint_eq(s.envelope.n, 10000);
    ck_assert_str_eq(s.envelope.rcpt[9999].address, "user9999@example.net");
    ck_assert_uint_eq(s.envelope.rcpt[9999].mark, r.envelope.rcpt[9999].mark);
    ck_assert(s.attempts == r.attempts && s.last_try == r.last_try);
    ck_assert_uint_eq(strlen(s.reason), 200);
    record_clear(&r);
    record_clear(&s);
    close(fd);
}
END_TEST

static ssize_t
broken_pread(int fd, void *data, size_t len, off_t offset)
{
    (void)fd, (void)data, (void)len, (void)offset;
    errno = EIO;
    return -1;
}

START_TEST(what_cannot_be_read_now_is_not_called_torn)
{
    struct record r, s;
    struct error err;
    int fd = written(&r);

    ck_assert(!record_read_by(broken_pread, fd, true, &s, &err));
    ck_assert_int_eq(err.class, ERROR_IO);
    record_clear(&r);
    close(fd);
}
END_TEST

START_TEST(notify_words_are_those_of_rfc_3461)
{
    unsigned n;

    ck_assert(envelope_notify_parse("never", 5, &n) && n == ENVELOPE_NEVER);
    ck_assert(envelope_notify_parse("Success,DELAY", 13, &n) && n == (ENVELOPE_SUCCESS | ENVELOPE_DELAY));
    ck_assert_str_eq(envelope_notify_text(n), "SUCCESS,DELAY");
    ck_assert(!envelope_notify_parse("never,success", 13, &n));
    ck_assert(!envelope_notify_parse("success,", 8, &n));
    ck_assert(!envelope_notify_parse("", 0, &n));
    ck_assert(!envelope_notify_parse("sometimes", 9, &n));
}
END_TEST

SUITE_MAIN("record", a_hold_is_marked_in_place_with_its_reason,
    a_record_of_a_version_that_could_not_hold_is_read_and_is_not_held,
    the_workers_it_killed_are_counted_beside_the_other_hints, a_record_is_read_as_it_was_written,
    recipients_are_crossed_off_in_place, a_torn_record_is_never_mail,
    a_record_with_more_or_other_bytes_behind_it_is_never_mail,
    ten_thousand_recipients_and_long_hints_are_read_as_they_were_written,
    what_cannot_be_read_now_is_not_called_torn, notify_words_are_those_of_rfc_3461)
