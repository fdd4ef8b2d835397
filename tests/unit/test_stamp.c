/* SPDX-License-Identifier: ISC */
/* stamp: dates, ids and trace fields from given values. */
#include "unit/suite.h"

#include <string.h>
#include <time.h>

#include "mail/stamp.h"

START_TEST(a_date_is_what_clocks_of_its_zone_show)
{
    static const struct {
        int64_t when;
        int zone;
        const char *want;
    } cases[] = {
        { 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
        { 0, -60, "Wed, 31 Dec 1969 23:00:00 -0100" },
        { 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
        { 1780300800, 120, "Mon, 01 Jun 2026 10:00:00 +0200" },
        { 1780300800, 330, "Mon, 01 Jun 2026 13:30:00 +0530" },
        { 1780300800, -570, "Sun, 31 May 2026 22:30:00 -0930" },
        { 2147483648, 0, "Tue, 19 Jan 2038 03:14:08 +0000" },
        { -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
        { INT64_MIN, 0, "Mon, 01 Jan 1900 00:00:00 +0000" },
        { INT64_MAX, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
        { INT64_MAX, 840, "Fri, 31 Dec 9999 23:59:59 +1400" },
        { 0, 100000, "Thu, 01 Jan 1970 23:59:00 +2359" },
        { 0, -100000, "Wed, 31 Dec 1969 00:01:00 -2359" },
    };
    struct buf out;

    buf_init(&out, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&out);
        stamp_date(&out, cases[i].when, cases[i].zone);
        ck_assert_str_eq(buf_str(&out), cases[i].want);
    }
    buf_clear(&out);
}
END_TEST

START_TEST(dates_agree_with_the_c_library_for_four_centuries)
{
    struct buf out;
    char want[100];

    buf_init(&out, 100);
    for (int64_t t = INT64_C(-2208988800); t < INT64_C(10413792000); t += 86400 * 3 + 4567) {
        struct tm tm;
        time_t now = (time_t)t;
        buf_reset(&out);
        stamp_date(&out, t, 0);
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
        ck_assert_str_eq(buf_str(&out), want);
    }
    buf_clear(&out);
}
END_TEST

START_TEST(a_message_id_is_well_formed_whatever_the_host_is_called)
{
    static const struct {
        const char *id, *host, *want;
    } cases[] = {
        { "4Xq1", "mail.example.org", "<20260601080000.4Xq1@mail.example.org>" },
        { "4Xq1", "[192.0.2.1]", "<20260601080000.4Xq1@[192.0.2.1]>" },
        { "4Xq1", "[IPv6:2001:db8::1]", "<20260601080000.4Xq1@[IPv6:2001:db8::1]>" },
        { "4Xq1", "", "<20260601080000.4Xq1@localhost>" },
        { "", "h", "<20260601080000.0@h>" },
        { "a b\r\n>", "x y>\r\nZ: 1", "<20260601080000.a-b---@x-y---Z--1>" },
        { "1", ".a..b.", "<20260601080000.1@-a.-b->" },
        { "1", "b\xc3\xbc", "<20260601080000.1@b-->" },
        { "1", "[x", "<20260601080000.1@-x>" },
    };
    struct buf out;

    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&out);
        stamp_message_id(&out, slice_of(cases[i].id), 1780300800, slice_of(cases[i].host));
        ck_assert_str_eq(buf_str(&out), cases[i].want);
    }
    buf_clear(&out);
}
END_TEST

START_TEST(a_received_field_names_who_and_when)
{
    struct stamp_received r = { .by = slice_of("host.example"),
        .software = slice_of("smtprelay"),
        .login = slice_of("alice"),
        .id = slice_of("4Xq1"),
        .has_uid = true,
        .uid = 1000,
        .when = 1780300800,
        .zone_minutes = 120 };
    struct buf out;

    buf_init(&out, 10000);
    stamp_received(&out, &r);
    ck_assert_str_eq(buf_str(&out),
        "Received: by host.example (smtprelay, from alice, uid 1000)\r\n\tid 4Xq1;\r\n"
        "\tMon, 01 Jun 2026 10:00:00 +0200\r\n");
    buf_reset(&out);
    r.login = slice_of("");
    stamp_received(&out, &r);
    ck_assert(slice_starts(buf_slice(&out), "Received: by host.example (smtprelay, from userid 1000)\r\n"));
    buf_reset(&out);
    r.helo = slice_of("client.example");
    r.peer = slice_of("[127.0.0.1]");
    r.with = slice_of("ESMTP");
    stamp_received(&out, &r);
    ck_assert(slice_starts(buf_slice(&out), "Received: from client.example ([127.0.0.1])\r\n"
                                            "\tby host.example (smtprelay) with ESMTP\r\n\tid 4Xq1;\r\n"));
    buf_clear(&out);
}
END_TEST

START_TEST(nothing_foreign_breaks_a_received_field)
{
    const struct slice evil = slice_of("a)\r\nX-Injected: (1\\\xff");
    struct stamp_received r = { .by = evil, .software = evil, .login = evil, .id = evil, .with = evil };
    struct buf out;
    size_t lines = 0;

    buf_init(&out, 10000);
    stamp_received(&out, &r);
    r.helo = r.peer = evil;
    stamp_received(&out, &r);
    for (size_t i = 0; i < out.len; i++) {
        ck_assert(out.data[i] > 0);
        ck_assert((out.data[i] == '\r') == (i + 1 < out.len && out.data[i + 1] == '\n'));
        if (out.data[i] == '\n' && ++lines && i + 1 < out.len)
            ck_assert(out.data[i + 1] == '\t' || out.data[i + 1] == 'R');
    }
    ck_assert_uint_eq(lines, 3 + 4);
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("stamp", a_date_is_what_clocks_of_its_zone_show, dates_agree_with_the_c_library_for_four_centuries,
    a_message_id_is_well_formed_whatever_the_host_is_called, a_received_field_names_who_and_when,
    nothing_foreign_breaks_a_received_field)
