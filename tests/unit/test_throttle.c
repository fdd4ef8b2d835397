/* SPDX-License-Identifier: ISC */
/* throttle: what providers say when too much comes, and what only looks like it. */
#include "mail/throttle.h"
#include "unit/suite.h"

struct said {
    int code;
    const char *enhanced, *words;
};

START_TEST(what_providers_say_of_too_much_is_understood)
{
    static const struct said cases[] = {
        { 421, "4.7.28", "Gmail has detected an unusual rate of email originating from your DKIM domain" },
        { 421, "4.7.0",
            "Our system has detected an unusual rate of unsolicited mail originating from your IP" },
        { 450, "4.2.1", "The user you are trying to contact is receiving mail too quickly. Please resend" },
        { 450, "4.2.1",
            "The user you are trying to contact is receiving mail at a rate that prevents additional "
            "messages" },
        { 454, "4.7.0", "Too many login attempts, please try again later." },
        { 454, "", "Throttling failure: Maximum sending rate exceeded." },
        { 454, "", "Throttling failure: Daily message quota exceeded." },
        { 432, "4.3.2", "Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending" },
        { 451, "4.7.500", "Server busy. Please try again later from [192.0.2.1]. (S77719)" },
        { 451, "4.7.650",
            "The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation" },
        { 421, "4.7.0", "[TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume" },
        { 421, "4.7.0", "mx.example.net Error: too many connections from 192.0.2.1" },
        { 450, "4.7.1", "Error: too much mail from 192.0.2.1" },
        { 450, "4.7.1", "Error: too many recipients from 192.0.2.1" },
        { 421, "", "Too many concurrent SMTP connections; please try again later." },
        { 451, "", "You've exceeded your messaging limits" },
        { 450, "", "TOO MANY MESSAGES" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(throttle_is_said(cases[i].code, cases[i].enhanced, slice_of(cases[i].words)), "%s",
            cases[i].words);
}
END_TEST

START_TEST(what_slowness_does_not_help_is_not_taken_for_too_much)
{
    static const struct said cases[] = {
        { 450, "4.2.1", "mailbox is disabled for a while" },
        { 450, "4.2.0", "Recipient address rejected: Greylisted" },
        { 421, "4.3.2", "System is shutting down" },
        { 421, "4.7.0", "Error: too many errors" },
        { 452, "4.5.3", "Error: too many recipients" },
        { 452, "4.2.2", "The email account that you tried to reach is over quota" },
        { 454, "4.7.0", "TLS not available due to local problem" },
        { 550, "5.4.5", "Daily user sending limit exceeded" },
        { 550, "5.7.28", "unusual rate" },
        { 250, "2.0.0", "ok, but do slow down" },
        { 451, "4.7.5", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(!throttle_is_said(cases[i].code, cases[i].enhanced, slice_of(cases[i].words)), "%s",
            cases[i].words);
}
END_TEST

SUITE_MAIN("throttle", what_providers_say_of_too_much_is_understood,
    what_slowness_does_not_help_is_not_taken_for_too_much)
