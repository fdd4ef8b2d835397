/* SPDX-License-Identifier: ISC */
/* zone: the zone files of the machine as the C library reads them, and what is no zone file. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/zone.h"
#include "unit/suite.h"

#define DAY 86400

static const char *const names[] = { "UTC", "Europe/Berlin", "Europe/London", "America/New_York",
    "America/Argentina/Buenos_Aires", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Shanghai",
    "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Africa/Casablanca", "America/St_Johns",
    "Etc/GMT+12" };

/* ---------------------------------------------------------------- a file made here */

static void
add_number(struct buf *b, uint64_t v, size_t bytes)
{
    while (bytes-- > 0)
        buf_add_char(b, (char)(bytes < sizeof v ? v >> (8 * bytes) & 0xff : 0));
}

static void
add_header(struct buf *b, char version, uint32_t leaps, uint32_t times, uint32_t types)
{
    const uint32_t counts[] = { 0, 0, leaps, times, types, 4 };

    buf_add_str(b, "TZif");
    buf_add_char(b, version);
    for (size_t i = 0; i < 15; i++)
        buf_add_char(b, 0);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        add_number(b, counts[i], 4);
}

/* From 1000 on +1 h, from 2000 on -2 h; then the rule */
static void
make_file(struct buf *b, char version, uint32_t leaps, const char *rule)
{
    buf_init(b, 4096);
    add_header(b, version, 0, 0, 1);
    add_number(b, 0, 6);
    buf_add(b, "XXX", 4);
    add_header(b, version, leaps, 2, 3);
    add_number(b, 1000, 8);
    add_number(b, 2000, 8);
    buf_add(b, "\1\2", 2);
    for (size_t i = 0; i < 3; i++) {
        add_number(b, (uint32_t)(i == 0 ? 0 : i == 1 ? 3600 : -7200), 4);
        add_number(b, 0, 2);
    }
    buf_add(b, "XXX", 4);
    for (size_t i = 0; i < leaps; i++)
        add_number(b, 0, 12);
    buf_add_str(b, "\n");
    buf_add_str(b, rule);
    buf_add_str(b, "\n");
}

static bool
find(const char *rule, int64_t when, int32_t *seconds)
{
    struct buf b;
    bool found;

    make_file(&b, '2', 0, rule);
    found = zone_find(buf_slice(&b), when, seconds);
    buf_clear(&b);
    return found;
}

START_TEST(the_last_change_before_a_time_counts)
{
    int32_t seconds;

    ck_assert(!find("AAA0", 999, &seconds));
    ck_assert(find("AAA0", 1000, &seconds));
    ck_assert_int_eq(seconds, 3600);
    ck_assert(find("AAA0", 1999, &seconds));
    ck_assert_int_eq(seconds, 3600);
    ck_assert(find("AAA0", 2000, &seconds));
    ck_assert_int_eq(seconds, 0);
}
END_TEST

START_TEST(after_the_last_change_the_rule_counts_where_there_is_no_summer_time)
{
    static const struct {
        const char *rule;
        bool found;
        int32_t seconds;
    } cases[] = {
        { "UTC0", true, 0 },
        { "CST-8", true, 8 * 3600 },
        { "EST5", true, -5 * 3600 },
        { "EST+5", true, -5 * 3600 },
        { "<+0530>-5:30", true, 19800 },
        { "<-0330>3:30:15", true, -12615 },
        { "LMT-0:01:30", true, 90 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", false, 0 },
        { "", false, 0 },
        { "CET", false, 0 },
        { "CET-", false, 0 },
        { "CET-25", false, 0 },
        { "CET-1:", false, 0 },
        { "CET-1:60", false, 0 },
        { "CET-1:00:00:00", false, 0 },
        { "<CET-1", false, 0 },
    };
    int32_t seconds;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(find(cases[i].rule, 3000, &seconds) == cases[i].found, "%s", cases[i].rule);
        if (cases[i].found)
            ck_assert_msg(seconds == cases[i].seconds, "%s: %d", cases[i].rule, (int)seconds);
    }
}
END_TEST

START_TEST(a_file_that_is_cut_or_changed_is_read_to_its_end_at_most)
{
    struct buf b;
    int32_t seconds;

    make_file(&b, '2', 0, "CST-8");
    for (size_t n = 0; n < b.len; n++) {
        char *copy = mem_dupn(b.data, n); /* of its own, so that reading beyond it is seen */
        bool found = zone_find(slice_make(copy, n), 3000, &seconds);
        ck_assert_msg(!found || n == b.len - 1, "%zu bytes", n); /* the last one is a line end */
        free(copy);
    }
    for (size_t i = 0; i < b.len; i++)
        for (unsigned v = 1; v < 256; v *= 2) {
            b.data[i] = (char)((unsigned char)b.data[i] ^ v);
            (void)zone_find(buf_slice(&b), 1500, &seconds); /* any answer, but an answer */
            b.data[i] = (char)((unsigned char)b.data[i] ^ v);
        }
    buf_clear(&b);
    ck_assert(!zone_find(slice_of(""), 0, &seconds));
}
END_TEST

START_TEST(a_file_of_version_1_or_with_leap_seconds_is_left_to_the_library)
{
    struct buf b;
    int32_t seconds;

    make_file(&b, '\0', 0, "CST-8");
    ck_assert(!zone_find(buf_slice(&b), 1500, &seconds));
    buf_clear(&b);
    make_file(&b, '2', 3, "CST-8");
    ck_assert(!zone_find(buf_slice(&b), 1500, &seconds));
    buf_clear(&b);
}
END_TEST

/* ---------------------------------------------------------------- the machine's */

static int32_t
by_library(int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;

    ck_assert_ptr_nonnull(localtime_r(&t, &tm));
    return (int32_t)tm.tm_gmtoff;
}

START_TEST(what_is_found_is_what_the_library_says)
{
    int64_t from = 1500000000, step = 5 * DAY + 3601; /* 2017 to 2040 */
    int32_t seconds;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = mem_format("/usr/share/zoneinfo/%s", names[i]);
        struct error err;
        struct stat st;
        struct buf b;
        int fd = file_open_regular(path, &st, &err);
        buf_init(&b, 100000);
        if (fd >= 0 && file_read_all(fd, &b, path, &err)) {
            ck_assert_int_eq(setenv("TZ", names[i], 1), 0);
            tzset();
            for (int64_t when = from; when < from + 23 * 365 * (int64_t)DAY; when += step)
                if (zone_find(buf_slice(&b), when, &seconds))
                    ck_assert_msg(seconds == by_library(when), "%s at %lld: %d, not %d", names[i],
                        (long long)when, (int)seconds, (int)by_library(when));
        }
        file_close(&fd);
        buf_clear(&b);
        free(path);
    }
}
END_TEST

START_TEST(the_zone_of_the_process_is_the_librarys)
{
    static const char *const settings[] = { NULL, "", "UTC", "EST5EDT", "Asia/Kolkata", "nonsense", "CET-1" };
    time_t now = 1700000000;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (settings[i])
            ck_assert_int_eq(setenv("TZ", settings[i], 1), 0);
        else
            ck_assert_int_eq(unsetenv("TZ"), 0);
        tzset();
        ck_assert_int_eq(zone_seconds(now), by_library(now));
    }
}
END_TEST

SUITE_MAIN("zone", the_last_change_before_a_time_counts,
    after_the_last_change_the_rule_counts_where_there_is_no_summer_time,
    a_file_that_is_cut_or_changed_is_read_to_its_end_at_most,
    a_file_of_version_1_or_with_leap_seconds_is_left_to_the_library, what_is_found_is_what_the_library_says,
    the_zone_of_the_process_is_the_librarys)
