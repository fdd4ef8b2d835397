/* SPDX-License-Identifier: ISC */
/* metrics: what is written is Prometheus' text format: each sample has its help and type before it, and labels end where they should. */
#include "unit/suite.h"

#include <string.h>

#include "base/mem.h"
#include "daemon/metrics.h"

static struct metrics_account accounts[] = { { NULL, true, false }, { NULL, false, true } };

static struct metrics_certificate certificate;

static struct metrics_login logins[2];

static void
fill(struct metrics_view *v, struct buf *b)
{
    accounts[0].name = mem_dup("default");
    accounts[1].name = mem_dup("a\"b\\c\x1b");
    *v = (struct metrics_view){ .version = "0.1.0",
        .start_s = 1700000000,
        .loaded_s = 1700000001,
        .broken = true,
        .counts = { 7, 3, 5, 2, 1, 0, UINT64_MAX, 1.25 },
        .messages = 2,
        .account = accounts,
        .naccounts = 2 };
    certificate = (struct metrics_certificate){ mem_dup("default"), mem_dup("hub:465"), 1900000000 };
    v->certificate = &certificate;
    v->ncertificates = 1;
    logins[0] = (struct metrics_login){ mem_dup("default"), 1900000002, 0 };
    logins[1] = (struct metrics_login){ mem_dup("other"), 0, 1900000003 };
    v->login = logins;
    v->nlogins = 2;
    buf_init(b, 1u << 20);
    metrics_write(b, v);
    free(logins[0].account);
    free(logins[1].account);
    free(certificate.account);
    free(certificate.relay);
    free(accounts[0].name);
    free(accounts[1].name);
}

static bool
has(struct buf *b, const char *line)
{
    char *whole = mem_format("\n%s\n", line);
    bool found = strstr(buf_str(b), whole) != NULL;

    free(whole);
    return found;
}

START_TEST(what_is_counted_stands_there_by_name)
{
    /* a line of its own, for clang, which takes two literals for a forgotten comma */
    static const char expiry[] = "smtprelay_certificate_expiry_timestamp_seconds{account=\"default\","
                                 "smarthost=\"hub:465\"} 1900000000";
    static const char *const lines[] = { "smtprelay_messages_submitted_total 7",
        "smtprelay_messages_sent_total 5", "smtprelay_messages_failed_total 18446744073709551615",
        "smtprelay_queue_messages 2", "smtprelay_delivery_seconds_sum 1.250",
        "smtprelay_delivery_seconds_count 5", "smtprelay_account_up{account=\"default\"} 1",
        "smtprelay_account_frozen{account=\"default\"} 0",
        "smtprelay_account_up{account=\"a\\\"b\\\\c\\\\x1B\"} 0", expiry,
        "smtprelay_token_expiry_timestamp_seconds{account=\"default\"} 1900000002",
        "smtprelay_client_certificate_expiry_timestamp_seconds{account=\"other\"} 1900000003",
        "smtprelay_config_last_reload_successful 0",
        "smtprelay_config_last_reload_success_timestamp_seconds 1700000001",
        "smtprelay_build_info{version=\"0.1.0\"} 1" };
    struct metrics_view v;
    struct buf b;

    fill(&v, &b);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(has(&b, lines[i]), "no '%s' in\n%s", lines[i], buf_str(&b));
    buf_clear(&b);
}
END_TEST

START_TEST(each_sample_stands_below_its_own_help_and_type)
{
    struct slice rest, line, name = slice_of("");
    struct metrics_view v;
    struct buf b;
    size_t helps = 0, types = 0;

    fill(&v, &b);
    ck_assert_int_eq(b.data[b.len - 1], '\n');
    rest = buf_slice(&b);
    while (slice_cut(&rest, '\n', &line)) {
        if (slice_starts(line, "# HELP ")) {
            line = slice_from(line, 7);
            ck_assert(slice_cut(&line, ' ', &name) && line.len > 10 && line.p[line.len - 1] != ' ');
            helps++;
        } else if (slice_starts(line, "# TYPE ")) {
            struct slice typed;
            line = slice_from(line, 7);
            ck_assert(slice_cut(&line, ' ', &typed) && slice_eq(typed, name));
            ck_assert(slice_is(line, "counter") == slice_ends_nocase(typed, "_total"));
            types++;
        } else {
            ck_assert(slice_eq(slice_sub(line, 0, name.len), name));
        }
    }
    ck_assert_uint_eq(helps, types);
    buf_clear(&b);
}
END_TEST

SUITE_MAIN("metrics", what_is_counted_stands_there_by_name, each_sample_stands_below_its_own_help_and_type)
