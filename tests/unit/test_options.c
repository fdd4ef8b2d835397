/* SPDX-License-Identifier: ISC */
/* options: what callers pass, as they pass it. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "sendmail/options.h"

static const struct {
    const char *argv[16];
    int usage; /* refused with 64 */
    enum options_action action;
    const char *sender, *name;
    bool t, i, v, q;
    char mode;
    const char *rcpt; /* recipients, joined by one blank */
} cases[] = {
    { { "sendmail", "-oi", "-f", "USER@HOST", "-t" }, 0, OPTIONS_SEND, "USER@HOST", NULL, true, true, false,
        false, 0, "" },
    { { "sendmail", "-i", "--", "a", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, true, false, false, 0,
        "a b" },
    { { "sendmail", "-i", "--", "-a" }, 0, OPTIONS_SEND, NULL, NULL, false, true, false, false, 0, "-a" },
    { { "sendmail", "-oem", "-oi", "-N", "failure,delay", "-R", "hdrs", "-B8BITMIME", "--", "r" }, 0,
        OPTIONS_SEND, NULL, NULL, false, true, false, false, 0, "r" },
    { { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" }, 0, OPTIONS_SEND, NULL, "CronDaemon",
        false, true, false, false, 0, "root" },
    { { "sendmail", "-FCronDaemon", "-odi", "-oem", "-oi", "-t", "-f", "bob" }, 0, OPTIONS_SEND, "bob",
        "CronDaemon", true, true, false, false, 'i', "" },
    { { "sendmail", "-i", "-B", "8BITMIME", "root" }, 0, OPTIONS_SEND, NULL, NULL, false, true, false, false,
        0, "root" },
    { { "sendmail", "-ti" }, 0, OPTIONS_SEND, NULL, NULL, true, true, false, false, 0, "" },
    { { "sendmail", "-fzoe@x", "-i", "-t" }, 0, OPTIONS_SEND, "zoe@x", NULL, true, true, false, false, 0,
        "" },
    { { "sendmail", "-f", "", "b" }, 0, OPTIONS_SEND, "", NULL, false, false, false, false, 0, "b" },
    { { "sendmail", "-i", "-v", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, true, true, false, 0, "b" },
    { { "sendmail", "b", "-i", "-t", "-f", "x" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0,
        "b -i -t -f x" },
    { { "sendmail", "b", "--", "-i" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "b -i" },
    { { "sendmail", "-odb", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 'b', "b" },
    { { "sendmail", "-odd", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 'q', "b" },
    { { "sendmail", "-oeq", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, true, 0, "b" },
    { { "sendmail", "-oX", "-em", "-oQ/tmp", "-X/etc/passwd", "-O", "A=b", "-h", "3", "-au", "me", "b" }, 0,
        OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "b" },
    { { "sendmail", "-bs" }, 0, OPTIONS_BS, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bp" }, 0, OPTIONS_MAILQ, NULL, NULL, false, false, false, false, 0, "" },
    { { "/usr/bin/mailq" }, 0, OPTIONS_MAILQ, NULL, NULL, false, false, false, false, 0, "" },
    { { "newaliases" }, 0, OPTIONS_ALIASES, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-q30m" }, 0, OPTIONS_QUEUE_RUN, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bd", "-q30m" }, 0, OPTIONS_DAEMON, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bD" }, 0, OPTIONS_FOREGROUND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-q5m", "-bl" }, 0, OPTIONS_FOREGROUND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-odb", "-odz", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 'b',
        "b" },
    { { "sendmail", "-odf", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 'i', "b" },
    { { "sendmail", "-ODeliveryMode=Queue", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false,
        'q', "b" },
    { { "sendmail", "-O", "deliverymode=background", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false,
        false, 'b', "b" },
    { { "sendmail", "-q30m", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "b" },
    { { "sendmail", "-quiet", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "b" },
    { { "sendmail", "--help", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "b" },
    { { "sendmail", "b", "--version" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0,
        "b --version" },
    { { "sendmail", "-V", "-t" }, 0, OPTIONS_SEND, NULL, NULL, true, false, false, false, 0, "" },
    { { "sendmail", "-q", "b" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bp", "-t" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bd", "b" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-qR" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-F" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-V" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-bt" }, 64, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0, "" },
    { { "sendmail", "-N", "sometimes", "b" }, 0, OPTIONS_SEND, NULL, NULL, false, false, false, false, 0,
        "b" },
};

static bool
same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

START_TEST(every_caller_is_understood)
{
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        char *argv[17] = { NULL }, *recipients[17], joined[200] = "", storage[16][60];
        int argc = 0;
        struct options o;
        struct error err;
        bool ok;

        for (; cases[k].argv[argc]; argc++) {
            snprintf(storage[argc], sizeof storage[argc], "%s", cases[k].argv[argc]);
            argv[argc] = storage[argc];
        }
        ok = options_parse(argc, argv, &o, recipients, &err);
        ck_assert_msg(ok == (cases[k].usage == 0), "case %zu: %s", k, ok ? "taken" : err.text);
        if (!ok) {
            ck_assert_int_eq(err.class, cases[k].usage);
            continue;
        }
        for (size_t r = 0; r < o.nrecipients; r++) {
            strcat(joined, r ? " " : "");
            strcat(joined, o.recipients[r]);
        }
        ck_assert_msg(o.action == cases[k].action && o.from_header == cases[k].t &&
                          o.keep_dots == cases[k].i && o.verbose == cases[k].v && o.quiet == cases[k].q &&
                          o.mode == cases[k].mode,
            "case %zu", k);
        ck_assert_msg(same(o.sender, cases[k].sender) && same(o.full_name, cases[k].name), "case %zu", k);
        ck_assert_msg(strcmp(joined, cases[k].rcpt) == 0, "case %zu: '%s'", k, joined);
    }
}
END_TEST

START_TEST(a_queue_run_knows_what_it_has_to_match)
{
    static const struct {
        char word[12], by;
        const char *match;
        bool timed;
    } rows[] = { { "-q", 0, NULL, false }, { "-qff", 0, NULL, false }, { "-q1h30m", 0, NULL, true },
        { "-qIabc", 'I', "abc", false }, { "-qRexample", 'R', "example", false },
        { "-qSzoe", 'S', "zoe", false } };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        char name[] = "sendmail", word[12], *argv[] = { name, word, NULL }, *recipients[3];
        struct options o;
        struct error err;
        memcpy(word, rows[k].word, sizeof word);
        ck_assert(options_parse(2, argv, &o, recipients, &err));
        ck_assert_int_eq(o.action, OPTIONS_QUEUE_RUN);
        ck_assert(
            o.queue_by == rows[k].by && same(o.queue_match, rows[k].match) && o.queue_timed == rows[k].timed);
    }
}
END_TEST

SUITE_MAIN("options", every_caller_is_understood, a_queue_run_knows_what_it_has_to_match)
