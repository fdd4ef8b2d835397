/* SPDX-License-Identifier: ISC */
/* history: what is written of a message is read again as it was, whatever bytes it had, and several writers lose nothing. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/history.h"
#include "daemon/history_file.h"

static char dir[64];

static void
make_dir(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/test-history-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
remove_dir(void)
{
    char *command = mem_format("rm -rf %s", dir);

    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* ---------------------------------------------------------------- lines */

START_TEST(a_line_is_read_as_it_was_written_whatever_bytes_it_holds)
{
    static const char *const values[] = { "plain", "two words", "a=b%c+d", "x\ny\r\x1b[2J\x80\xff", "%41" };
    struct buf b, value;

    buf_init(&b, HISTORY_ROOM);
    buf_init(&value, HISTORY_LINE_MAX);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct history_draft d = history_begin(&b, 1700000000123, "attempt", "4ABC", 1000);
        struct history_line l;
        history_add(&d, "reply", values[i]);
        history_add(&d, "empty", "");
        history_add_number(&d, "took", 17);
        history_end(&d);
        ck_assert_int_eq(b.data[b.len - 1], '\n');
        ck_assert_uint_eq(slice_find(buf_slice(&b), '\n'), b.len - 1);
        for (size_t k = 0; k + 1 < b.len; k++)
            ck_assert_int_gt(b.data[k], 31);
        ck_assert(history_parse(slice_sub(buf_slice(&b), 0, b.len - 1), &l));
        ck_assert_int_eq(l.time_ms, 1700000000123);
        ck_assert_int_eq(l.uid, 1000);
        ck_assert_slice(l.event, "attempt");
        ck_assert_slice(l.id, "4ABC");
        ck_assert(history_get(&l, "reply", &value));
        ck_assert_slice(buf_slice(&value), values[i]);
        ck_assert(history_get(&l, "took", &value));
        ck_assert_slice(buf_slice(&value), "17");
        ck_assert(!history_get(&l, "empty", &value));
        buf_reset(&b);
    }
    buf_clear(&b);
    buf_clear(&value);
}
END_TEST

START_TEST(a_line_stays_short_however_much_there_is_to_tell)
{
    char *large = mem_alloc(100001);
    struct history_line l;
    struct buf b;
    struct history_draft d;

    memset(large, '\n', 100000);
    buf_init(&b, HISTORY_ROOM);
    d = history_begin(&b, 1, "submitted", "4ABC", -1);
    for (int i = 0; i < 1000; i++)
        history_add(&d, "rcpt", large);
    for (int i = 0; i < 1000; i++)
        history_add_number(&d, "n", i);
    history_end(&d);
    ck_assert(!b.overflow);
    ck_assert_uint_le(b.len, HISTORY_LINE_MAX);
    ck_assert(history_parse(slice_sub(buf_slice(&b), 0, b.len - 1), &l));
    buf_clear(&b);
    free(large);
}
END_TEST

START_TEST(what_is_no_line_is_passed_over)
{
    static const char *const lines[] = { "", "x", "1", "1 sent", "1 sent 4ABC", "1 sent 4ABC x",
        "-1 sent 4ABC 0", "1  4ABC 0", "1 sent  0", "99999999999999999999 sent 4ABC 0", "1 sent 4ABC -2" };
    struct history_line l;
    struct slice fields = slice_of("a b=1 =2 c=%zz d=%2"), key;
    struct buf value;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(!history_parse(slice_of(lines[i]), &l), "'%s'", lines[i]);
    buf_init(&value, 100);
    ck_assert(history_next(&fields, &key, &value));
    ck_assert_slice(key, "b");
    ck_assert(!history_next(&fields, &key, &value));
    buf_clear(&value);
}
END_TEST

START_TEST(the_parts_of_a_message_are_one_story)
{
    ck_assert_slice(history_base(slice_of("1K0RS5S5BX804601")), "1K0RS5S5BX804601");
    ck_assert_slice(history_base(slice_of("1K0RS5S5BX804601X1A")), "1K0RS5S5BX804601");
    ck_assert_slice(history_base(slice_of("X")), "X");
}
END_TEST

/* ---------------------------------------------------------------- files */

static void
append(const char *text, uint64_t max)
{
    struct error err;

    ck_assert_msg(history_file_append(dir, slice_of(text), max, &err), "%s", err.text);
}

static void
expect(struct history_place *place, const char *text)
{
    struct error err;
    struct buf b;

    buf_init(&b, HISTORY_READ_MAX);
    ck_assert_msg(history_file_read(dir, place, &b, &err), "%s", err.text);
    ck_assert_msg(slice_is(buf_slice(&b), text), "got '%.*s', want '%s'", SLICE_ARG(buf_slice(&b)), text);
    buf_clear(&b);
}

START_TEST(who_follows_reads_each_line_once_also_when_the_file_is_rotated)
{
    struct history_place place = { 0, 0 }, begin = { 0, 0 };
    char *old;

    make_dir();
    expect(&place, "");
    append("one\n", 8);
    expect(&place, "one\n");
    expect(&place, "");
    append("two\n", 8);
    append("three\n", 8); /* one and two have become history.1 */
    expect(&place, "two\nthree\n");
    expect(&place, "");
    expect(&begin, "one\ntwo\nthree\n");
    append("four\n", 8);
    append("five\n", 8);
    expect(&place, "four\nfive\n");
    old = mem_format("%s/history.1", dir);
    ck_assert_int_eq(access(old, F_OK), 0);
    free(old);
    remove_dir();
}
END_TEST

START_TEST(a_line_that_was_cut_off_spoils_no_other)
{
    struct history_place place = { 0, 0 };

    make_dir();
    append("one\ntw", 1000);
    expect(&place, "one\n");
    append("three\n", 1000);
    expect(&place, "tw\nthree\n");
    remove_dir();
}
END_TEST

START_TEST(nobody_else_may_read_it_and_no_link_leads_elsewhere)
{
    char *path, *other;
    struct error err;
    struct stat st;

    make_dir();
    path = mem_format("%s/history", dir);
    other = mem_format("%s/other", dir);
    append("one\n", 1000);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq((int)(st.st_mode & 0777), 0600);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    ck_assert(!history_file_append(dir, slice_of("two\n"), 1000, &err));
    ck_assert_int_ne(access(other, F_OK), 0);
    free(path);
    free(other);
    remove_dir();
}
END_TEST

enum { WRITERS = 4, LINES = 400 };

static void
write_lines(int writer)
{
    struct error err;
    char line[200];

    for (int i = 0; i < LINES; i++) {
        (void)snprintf(line, sizeof line, "%d %d %0*d\n", writer, i, 100, 0);
        if (!history_file_append(dir, slice_of(line), 120000, &err))
            _exit(1);
    }
    _exit(0);
}

START_TEST(several_writers_lose_no_line_and_mix_none)
{
    struct history_place place = { 0, 0 };
    struct slice rest, line;
    struct error err;
    struct buf b;
    size_t n = 0;
    int status;

    make_dir();
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            write_lines(i);
    for (int i = 0; i < WRITERS; i++)
        ck_assert(wait(&status) > 0 && status == 0);
    buf_init(&b, HISTORY_READ_MAX);
    ck_assert(history_file_read(dir, &place, &b, &err));
    rest = buf_slice(&b);
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0)
            continue; /* who sees a line half written ends it */
        ck_assert_uint_ge(line.len, 104);
        ck_assert_uint_le(line.len, 106);
        n++;
    }
    ck_assert_uint_eq(n, WRITERS * LINES); /* it was rotated once */
    buf_clear(&b);
    remove_dir();
}
END_TEST

SUITE_MAIN("history", a_line_is_read_as_it_was_written_whatever_bytes_it_holds,
    a_line_stays_short_however_much_there_is_to_tell, what_is_no_line_is_passed_over,
    the_parts_of_a_message_are_one_story, who_follows_reads_each_line_once_also_when_the_file_is_rotated,
    a_line_that_was_cut_off_spoils_no_other, nobody_else_may_read_it_and_no_link_leads_elsewhere,
    several_writers_lose_no_line_and_mix_none)
