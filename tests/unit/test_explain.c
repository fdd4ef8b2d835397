/* SPDX-License-Identifier: ISC */
/* explain: the shipped table explains what it says it does, and each reply by the entry that knows most of it. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "config/explanations.h"
#include "mail/explain.h"
#include "mail/explain_paste.h"

static struct explain *
shipped(void)
{
    struct explain *t = explain_new();
    struct stat st;
    struct error err;
    struct buf text;
    int fd = file_open_regular(TESTDATA "/../conf/explanations", &st, &err);

    ck_assert_msg(fd >= 0, "%s", err.text);
    buf_init(&text, EXPLAIN_TEXT_MAX);
    ck_assert(file_read_all(fd, &text, "explanations", &err));
    ck_assert_msg(explain_add(t, "explanations", buf_slice(&text), &err), "%s", err.text);
    buf_clear(&text);
    file_close(&fd);
    return t;
}

/* All that is wrong, at once: a new entry often takes an example away from an old one */
static void
try_examples(const struct explain *t, const struct explain_entry *e, struct buf *wrong)
{
    for (size_t k = 0; k < e->nexamples; k++) {
        size_t rivals;
        const struct explain_entry *found = explain_find(t, slice_of(""), e->example[k], &rivals);
        struct slice name = found ? found->name : slice_of("nothing");
        if (found != e || rivals)
            buf_add_format(wrong, "%.*s: example %zu goes to %.*s, %zu rivals\n", SLICE_ARG(e->name), k + 1,
                SLICE_ARG(name), rivals);
    }
    if (e->nexamples == 0)
        buf_add_format(wrong, "%.*s has no example\n", SLICE_ARG(e->name));
}

START_TEST(each_entry_wins_its_own_examples_and_has_no_rival)
{
    struct explain *t = shipped();
    struct buf wrong;

    buf_init(&wrong, 1 << 20);
    ck_assert_uint_ge(explain_count(t), 60);
    for (size_t i = 0; i < explain_count(t); i++)
        try_examples(t, explain_entry(t, i), &wrong);
    ck_assert_msg(wrong.len == 0, "%s", buf_str(&wrong));
    buf_clear(&wrong);
    explain_free(t);
}
END_TEST

START_TEST(each_entry_is_short_and_says_where_it_is_known_from)
{
    struct explain *t = shipped();

    for (size_t i = 0; i < explain_count(t); i++) {
        const struct explain_entry *e = explain_entry(t, i);
        ck_assert_msg(e->advice.len <= 320, "%.*s: advice of %zu bytes", SLICE_ARG(e->name), e->advice.len);
        ck_assert_msg(slice_starts(e->source, "https://") || slice_starts(e->source, "smtprelay"),
            "%.*s: source", SLICE_ARG(e->name));
        for (size_t k = 0; k < i; k++)
            ck_assert_msg(
                !slice_eq(e->name, explain_entry(t, k)->name), "%.*s is there twice", SLICE_ARG(e->name));
    }
    explain_free(t);
}
END_TEST

/* ---------------------------------------------------------------- matching */

static struct explain *
table(const char *text)
{
    struct explain *t = explain_new();
    struct error err;

    ck_assert_msg(explain_add(t, "table", slice_of(text), &err), "%s", err.text);
    return t;
}

static void
expect(struct explain *t, const char *host, const char *text, const char *name)
{
    const struct explain_entry *e = explain_find(t, slice_of(host), slice_of(text), NULL);

    ck_assert_msg(name ? e && slice_is(e->name, name) : !e, "%s: got %.*s, want %s", text,
        SLICE_ARG(e ? e->name : slice_of("nothing")), name ? name : "nothing");
}

START_TEST(all_conditions_of_an_entry_have_to_fit)
{
    struct explain *t = table("[code]\ncode: 535\nadvice: a\n"
                              "[enhanced]\ncode: 535\nenhanced: 5.7.8\nadvice: a\n"
                              "[any-class]\nenhanced: x.4.1\nadvice: a\n"
                              "[range]\ncode: 45x\nadvice: a\n"
                              "[host]\nhost: example.com\ncode: 535\nadvice: a\n"
                              "[words]\nwords: bad   Password | wrong word\nadvice: a\n"
                              "[two]\nwords: bad password\nwords: locked\nadvice: a\n");

    expect(t, "", "535 no", "code");
    expect(t, "", "535 5.7.8 no", "enhanced");
    expect(t, "", "535-5.7.8 no", "enhanced");
    expect(t, "", "450 4.4.1 no", "any-class");
    expect(t, "", "550 5.4.1 no", "any-class");
    expect(t, "", "451 no", "range");
    expect(t, "", "461 no", NULL);
    expect(t, "mail.example.com", "535 5.7.8 no", "host");
    expect(t, "MAIL.EXAMPLE.COM.", "535 5.7.8 no", "host");
    expect(t, "badexample.com", "535 no", "code");
    expect(t, "", "mail.example.com:587: AUTH: 535 no", "host");
    expect(t, "", "535 <bob@example.com> is not you", "code");
    expect(t, "", "535 https://example.com/help", "host");
    expect(t, "", "535 example.com.evil.net", "code");
    expect(t, "", "550 Bad\n550 Password", "words");
    expect(t, "", "550-5.7.1 a BAD / password", "words");
    expect(t, "", "550-5.7.1 a bad 550 5.7.1 password", "words");
    expect(t, "", "550 bad passport", NULL);
    expect(t, "", "550 bad password, locked", "two");
    expect(t, "", "", NULL);
    explain_free(t);
}
END_TEST

START_TEST(a_number_in_a_sentence_is_no_code)
{
    struct explain *t = table("[code]\ncode: 450\nadvice: a\n[enhanced]\nenhanced: 5.7.8\nadvice: a\n");

    expect(t, "", "it waited for 450 seconds", NULL);
    expect(t, "", "mail.example.com:450: no connection", NULL);
    expect(t, "", "version 5.7.8.9 is old", NULL);
    expect(t, "", "host said: 450 wait", "code");
    expect(t, "", "refused (#5.7.8)", "enhanced");
    explain_free(t);
}
END_TEST

START_TEST(what_the_user_adds_comes_first)
{
    struct explain *t = table("[a]\nhost: example.com\ncode: 535\nadvice: a\n");
    struct error err;

    ck_assert(explain_add(t, "own", slice_of("[mine]\ncode: 5xx\nadvice: ask Bob\n"), &err));
    expect(t, "example.com", "535 no", "mine");
    expect(t, "example.com", "435 no", NULL);
    explain_free(t);
}
END_TEST

START_TEST(a_wrong_file_is_named_with_its_line_and_what_was_right_stays)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "code: 535\n", "line 1: it belongs to no entry" },
        { "[a]\n\nadvice: x\n", "line 3: the entry has no condition" },
        { "[a]\ncode: 535\n", "line 2: the entry has no advice" },
        { "[a]\ncode: 5355\nadvice: x\n", "line 2: a value that is not understood" },
        { "[a]\ncode: 935\nadvice: x\n", "line 2: a value that is not understood" },
        { "[a]\nenhanced: 5.7\nadvice: x\n", "line 2: a value that is not understood" },
        { "[a]\nwords: a || b\nadvice: x\n", "line 2: an empty phrase" },
        { "[a]\ncode: 535\nadvise: x\n", "line 3: none of code" },
        { "[a]\ncode: 535\nadvice:\n", "line 3: the value is missing" },
        { "[a]\ncode: 535\nadvice: x\nadvice: y\n", "line 4: it has been said before" },
        { "[a b]\n", "line 1: a line [name] is expected" },
        { "[a\n", "line 1: a line [name] is expected" },
        { "what\n", "line 1: neither" },
    };
    char text[300];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct explain *t = explain_new();
        struct error err;
        ck_assert(!explain_add(t, "own", slice_of(cases[i].text), &err));
        ck_assert_msg(strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].text, err.text);
        ck_assert_int_eq(err.class, ERROR_CONFIG);
        ck_assert_uint_eq(explain_count(t), 0);
        (void)snprintf(text, sizeof text, "[good]\ncode: 250\nadvice: fine\n%s", cases[i].text);
        if (strncmp(cases[i].text, "[a", 2) == 0) {
            ck_assert(!explain_add(t, "own", slice_of(text), &err));
            expect(t, "", "250 ok", "good");
        }
        explain_free(t);
    }
}
END_TEST

START_TEST(advice_is_one_line_with_its_section_of_the_guide)
{
    struct explain *t = table("[a]\ncode: 535\nadvice: do this\n   and\x1b that\nguide: LOGIN REFUSED\n");
    struct buf b;

    buf_init(&b, 1000);
    ck_assert(explain_advise(t, slice_of(""), slice_of("535 no"), &b));
    ck_assert_slice(buf_slice(&b), "do this and\\x1B that (smtprelay-guide(7), LOGIN REFUSED)");
    buf_reset(&b);
    ck_assert(!explain_advise(t, slice_of(""), slice_of("435 no"), &b));
    ck_assert(!explain_advise(NULL, slice_of(""), slice_of("535 no"), &b));
    ck_assert_uint_eq(b.len, 0);
    buf_clear(&b);
    explain_free(t);
}
END_TEST

START_TEST(codes_nobody_wrote_an_entry_for_are_put_into_words)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "550 5.1.1 unbekannt",
            "550: the server does not take it: no such mailbox, or not allowed; permanent: trying again will "
            "not help until something is mended. 5.1.1: there is no such mailbox" },
        { "4.4.7", "4.4.7: the delivery took too long; temporary: it is tried again" },
        { "499", "499: temporary: it is tried again" },
        { "550 5.9.1 x", "5.9.1: a code of the server's own" },
        { "550 5.7.999 x", "5.7.999: refused for a reason of security or policy" },
    };
    struct buf b;

    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&b);
        ck_assert(explain_codes(slice_of(cases[i].text), &b));
        ck_assert_msg(strstr(buf_str(&b), cases[i].says) != NULL, "%s: %s", cases[i].text, buf_str(&b));
    }
    ck_assert(!explain_codes(slice_of("no code at all"), &b));
    buf_clear(&b);
}
END_TEST

START_TEST(the_tables_that_came_with_the_settings_are_read_when_they_are_needed_as_often_as_that_is)
{
    static const char flat[] = "account=\nhostname=client.example.org\n"
                               "explanations=[a]%0Acode:%20535%0Aadvice:%20a%0A\n"
                               "explanations=[mine]%0Acode:%205xx%0Aadvice:%20ask%20Bob%0A\n";
    struct config c;
    struct error err;
    struct explain *t;

    ck_assert(config_decode(&c, slice_of(flat), &err));
    t = explanations_of(&c);
    ck_assert_uint_eq(explain_count(t), 0);
    explain_free(t);
    c.handed_over = file_sealed("settings", slice_of(flat), &err);
    ck_assert_int_gt(c.handed_over, 0);
    for (int i = 0; i < 2; i++) {
        t = explanations_of(&c);
        expect(t, "", "535 no", "mine");
        expect(t, "", "450 no", NULL);
        explain_free(t);
    }
    config_end(&c);
    ck_assert_int_eq(c.handed_over, 0);
}
END_TEST

/* ---------------------------------------------------------------- codes alone, and what is pasted */

START_TEST(codes_without_words_find_the_entries_that_know_them)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        { "535 5.7.139",
            "microsoft-smtp-auth-off microsoft-security-defaults microsoft-basic-off microsoft-refused " },
        { "535-5.7.139",
            "microsoft-smtp-auth-off microsoft-security-defaults microsoft-basic-off microsoft-refused " },
        { " 5.7.139 ",
            "microsoft-smtp-auth-off microsoft-security-defaults microsoft-basic-off microsoft-refused " },
        { "(#5.7.57)", "microsoft-not-authenticated " }, { "599", "" }, { "", "" }, { "no", "" },
        { "535 5.7.139 Authentication", "" }, { "5.7.139.1", "" }
    };
    struct explain *t = shipped();
    const struct explain_entry *found[10];
    struct slice example[10];
    struct buf names;

    buf_init(&names, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = explain_alike(t, slice_of(cases[i].text), found, example, 10);
        buf_reset(&names);
        for (size_t k = 0; k < n; k++) {
            ck_assert_uint_gt(example[k].len, 0);
            buf_add_format(&names, "%.*s ", SLICE_ARG(found[k]->name));
        }
        ck_assert_msg(strcmp(buf_str(&names), cases[i].names) == 0, "%s: %s", cases[i].text, buf_str(&names));
    }
    ck_assert_uint_gt(explain_alike(t, slice_of("550"), found, example, 2), 2); /* all are counted */
    buf_clear(&names);
    explain_free(t);
}
END_TEST

START_TEST(the_reply_is_found_within_what_is_pasted)
{
    static const struct {
        const char *text, *host, *reply;
    } cases[] = { { "535-5.7.8 not\r\n535 5.7.8 accepted\r\n", "", "535-5.7.8 not\n535 5.7.8 accepted" },
        { "550 5.1.1 no", "", "550 5.1.1 no" },
        { "Nov 21 14:02:03 mx postfix/smtp[99]: 4X: to=<a@b>, status=sent (250 2.0.0 Ok)\n"
          "Nov 21 14:02:04 mx postfix/smtp[99]: 4Y: to=<a@b>, status=bounced (host mx.b[1.2.3.4] said: 550 "
          "5.1.1 no (in reply to RCPT TO command))\n"
          "Nov 21 14:02:05 mx postfix/qmgr[98]: 4Y: removed\n",
            "",
            "Nov 21 14:02:04 mx postfix/smtp[99]: 4Y: to=<a@b>, status=bounced (host mx.b[1.2.3.4] said: 550 "
            "5.1.1 no (in reply to RCPT TO command))" },
        { "msmtp: authentication failed (method PLAIN)\n"
          "msmtp: server message: 535-5.7.8 Username not accepted\n"
          "msmtp: server message: 535 5.7.8 - gsmtp\n"
          "msmtp: could not send mail\n",
            "",
            "msmtp: server message: 535-5.7.8 Username not accepted\nmsmtp: server message: 535 5.7.8 - "
            "gsmtp" },
        { "host=smtp.x tls=on smtpstatus=535 smtpmsg='535 5.7.8 no' exitcode=EX_NOPERM\n\nbye\n", "",
            "host=smtp.x tls=on smtpstatus=535 smtpmsg='535 5.7.8 no' exitcode=EX_NOPERM" },
        { "Return-Path: <>\nSubject: Undelivered\n\n  550 trouble at the mill\n\nReporting-MTA: dns; us\n\n"
          "Final-Recipient: rfc822; a@b\nStatus: 5.7.1\nremote-mta: dns; mx.example.com\n"
          "Diagnostic-Code: smtp; 550-5.7.1 not\n    5.7.1 you\nAction: failed\n\nSubject: 550 spam\n",
            "mx.example.com", "550-5.7.1 not\n5.7.1 you" },
        { "The response was:\n\n550 5.1.1 The account\nthat you tried does not exist.\n\n----- 554 -----\n",
            "", "550 5.1.1 The account\nthat you tried does not exist." },
        /* base64, its lines anywhere; the same without a message in front; CRLF */
        { "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: text/plain\n\nIt was 421 "
          "today.\n\n--b\n"
          "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
          "UmVwb3J0aW5nLU1UQTogZG5zOyB1cwoKUmVtb3RlLU1UQTogZG5zOyBteC5leGFtcGxlLmNv\n"
          "bQpEaWFnbm9zdGljLUNvZGU6IHNtdHA7IDU1MCA1LjcuMSBub3QgeW91Cg==\n\n--b--\n",
            "mx.example.com", "550 5.7.1 not you" },
        { "content-transfer-encoding: BASE64\r\n\r\nNTUwIDUuMS4x\r\nIG5v\r\n", "", "550 5.1.1 no" },
        { "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nNTUwIDUuMS4xIG5v\n\n--b\n\n551 "
          "5.7.1 x\n",
            "", "551 5.7.1 x" },
        /* quoted-printable: a code that is cut, and one behind the part */
        { "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
          "quoted-printable\n\nSorry:=20\n5=\n50 "
          "5.7.=31 m=C3=A4h\n\n--b\n\n554 no\n",
            "", "550 5.7.1 m\xc3\xa4h" },
        { "Content-Transfer-Encoding: quoted-printable\n\n-- =\nx\n--b\n\n550 =20x\n", "", "550 =20x" },
        /* the header of the message that came back: its body is not there */
        { "550 5.7.1 no\n--b\nContent-Type: text/rfc822-headers\n\nContent-Transfer-Encoding: "
          "base64\n\n--b--\n",
            "", "550 5.7.1 no\n--b\nContent-Type: text/rfc822-headers" },
        { "Remote-MTA: dns; a\n\nsome words\n", NULL, NULL }, { "no code\nat all\n", NULL, NULL },
        { "Status: 5.2.2\n", "", "Status: 5.2.2" }, { "", NULL, NULL } };
    struct buf host, reply;

    buf_init(&host, 4096);
    buf_init(&reply, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found = explain_paste(slice_of(cases[i].text), &host, &reply);
        ck_assert_msg(found == (cases[i].reply != NULL), "%s", cases[i].text);
        ck_assert_str_eq(buf_str(&reply), found ? cases[i].reply : "");
        ck_assert_str_eq(buf_str(&host), found ? cases[i].host : "");
        buf_reset(&host);
        buf_reset(&reply);
    }
    buf_clear(&host);
    buf_clear(&reply);
}
END_TEST

SUITE_MAIN("explain", each_entry_wins_its_own_examples_and_has_no_rival,
    each_entry_is_short_and_says_where_it_is_known_from, all_conditions_of_an_entry_have_to_fit,
    a_number_in_a_sentence_is_no_code, what_the_user_adds_comes_first,
    a_wrong_file_is_named_with_its_line_and_what_was_right_stays,
    the_tables_that_came_with_the_settings_are_read_when_they_are_needed_as_often_as_that_is,
    codes_without_words_find_the_entries_that_know_them, the_reply_is_found_within_what_is_pasted,
    advice_is_one_line_with_its_section_of_the_guide, codes_nobody_wrote_an_entry_for_are_put_into_words)
