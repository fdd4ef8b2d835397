/* SPDX-License-Identifier: ISC */
/* dsn: what is told, to whom, and that nobody's bytes break out of their place. */
#include "unit/suite.h"

#include <string.h>

#include "base/mem.h"
#include "mail/dsn.h"
#include "mail/envelope.h"

static const char header[] =
    "From: Alice <alice@example.org>\r\nSubject: a letter\r\nMessage-ID: <orig@example.org>\r\n\r\n";

static struct dsn_recipient
refused(const char *address)
{
    return (struct dsn_recipient){ .address = slice_of(address),
        .action = DSN_FAILED,
        .of_recipient = true,
        .code = 550,
        .enhanced = slice_of("5.1.1"),
        .relay = slice_of("smtp.example.net:587"),
        .words = slice_of("550 5.1.1 no such user"),
        .last_try = 1780300860 };
}

static struct dsn
report(const struct dsn_recipient *r, size_t n)
{
    return (struct dsn){ .hostname = slice_of("client.example.org"),
        .from = slice_of("MAILER-DAEMON@client.example.org"),
        .to = slice_of("alice@example.org"),
        .id = slice_of("NEW1"),
        .now = 1780300860,
        .zone_minutes = 120,
        .original_id = slice_of("OLD1"),
        .original_message_id = slice_of("<stored@client.example.org>"),
        .arrival = 1780300800,
        .content = slice_of(header),
        .rcpt = r,
        .n = n };
}

static char *
write_it(const struct dsn *d)
{
    struct buf out;

    buf_init(&out, 4 << 20);
    dsn_write(d, &out);
    ck_assert(!out.overflow);
    return buf_steal(&out);
}

static bool
has(const char *text, const char *line)
{
    char *whole = mem_format("\r\n%s\r\n", line);
    bool found = strstr(text, whole) != NULL;

    free(whole);
    return found;
}

/* That line is there, whole */
#define ck_has(text, line) ck_assert_msg(has(text, line), "no line '%s' in:\n%s", line, text)
#define ck_says(text, words) ck_assert_msg(strstr(text, words) != NULL, "no '%s' in:\n%s", words, text)
#define ck_not(text, words) ck_assert_msg(strstr(text, words) == NULL, "'%s' in:\n%s", words, text)

START_TEST(notify_says_what_the_sender_wants_to_hear)
{
    static const struct {
        unsigned notify;
        bool failed, delayed, relayed;
    } cases[] = {
        { 0, true, true, false },
        { ENVELOPE_NEVER, false, false, false },
        { ENVELOPE_SUCCESS, false, false, true },
        { ENVELOPE_FAILURE, true, false, false },
        { ENVELOPE_DELAY, false, true, false },
        { ENVELOPE_FAILURE | ENVELOPE_DELAY, true, true, false },
        { ENVELOPE_FAILURE | ENVELOPE_DELAY | ENVELOPE_SUCCESS, true, true, true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(dsn_is_wanted(cases[i].notify, DSN_FAILED) == cases[i].failed, "%zu", i);
        ck_assert_msg(dsn_is_wanted(cases[i].notify, DSN_DELAYED) == cases[i].delayed, "%zu", i);
        ck_assert_msg(dsn_is_wanted(cases[i].notify, DSN_RELAYED) == cases[i].relayed, "%zu", i);
    }
}
END_TEST

START_TEST(a_refusal_is_told_to_people_in_the_servers_words_and_to_programs_in_fields)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m = write_it(&d);

    ck_assert(strncmp(m, "From: Mail Delivery System <MAILER-DAEMON@client.example.org>\r\n", 63) == 0);
    ck_has(m, "To: <alice@example.org>");
    ck_has(m, "Subject: Undelivered Mail Returned to Sender");
    ck_has(m, "Auto-Submitted: auto-replied");
    ck_has(m, "Date: Mon, 01 Jun 2026 10:01:00 +0200");
    ck_has(m, "References: <orig@example.org>");
    ck_says(m, "Content-Type: multipart/report; report-type=delivery-status;");
    /* people */
    ck_has(m, "<bob@example.net>");
    ck_has(m, "    The server smtp.example.net refused this recipient and said:");
    ck_has(m, "        550 5.1.1 no such user");
    ck_says(m, "typing mistakes");
    ck_has(m, "    a letter");
    /* programs */
    ck_has(m, "Reporting-MTA: dns; client.example.org");
    ck_has(m, "X-Smtprelay-Queue-ID: OLD1");
    ck_has(m, "Arrival-Date: Mon, 01 Jun 2026 10:00:00 +0200");
    ck_has(m, "Final-Recipient: rfc822; bob@example.net");
    ck_has(m, "Action: failed");
    ck_has(m, "Status: 5.1.1");
    ck_has(m, "Remote-MTA: dns; smtp.example.net");
    ck_has(m, "Diagnostic-Code: smtp; 550 5.1.1 no such user");
    ck_has(m, "Last-Attempt-Date: Mon, 01 Jun 2026 10:01:00 +0200");
    ck_not(m, "Original-");
    ck_not(m, "Will-Retry-Until");
    /* what was sent */
    ck_has(m, "Content-Type: text/rfc822-headers");
    ck_has(m, "Message-ID: <orig@example.org>");
    free(m);
}
END_TEST

START_TEST(envelope_id_and_original_recipient_come_back)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.orcpt = slice_of("rfc822;Bob.Old@example.org");
    d.envid = slice_of("QQ 314+159");
    m = write_it(&d);
    ck_has(m, "Original-Envelope-Id: QQ 314+159");
    ck_has(m, "Original-Recipient: rfc822; Bob.Old@example.org");
    free(m);
    r.orcpt = slice_of("rfc 822;x@y");
    m = write_it(&d);
    ck_not(m, "Original-Recipient");
    free(m);
}
END_TEST

START_TEST(the_whole_message_comes_back_only_when_asked_for)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *all = mem_format("%sthe text\r\n", header), *m;

    d.content = slice_of(all);
    m = write_it(&d);
    ck_not(m, "the text");
    ck_has(m, "Its header is attached.");
    free(m);
    d.full = true;
    m = write_it(&d);
    ck_has(m, "Content-Type: message/rfc822");
    ck_has(m, "the text");
    ck_has(m, "It is attached.");
    free(m);
    free(all);
}
END_TEST

START_TEST(a_message_without_a_message_id_is_named_by_the_stored_one)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    d.content = slice_of("Subject: x\r\n\r\n");
    m = write_it(&d);
    ck_has(m, "References: <stored@client.example.org>");
    free(m);
    d.content = slice_of("Message-ID: <a b@x>\r\n\r\n");
    m = write_it(&d);
    ck_has(m, "References: <stored@client.example.org>");
    free(m);
}
END_TEST

START_TEST(a_delay_says_that_nothing_has_to_be_done_and_until_when_it_is_tried)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.action = DSN_DELAYED;
    r.code = 451;
    r.enhanced = slice_of("4.3.0");
    r.words = slice_of("451 4.3.0 come back later");
    d.retry_until = 1780732800;
    m = write_it(&d);
    ck_has(m, "Subject: Delayed Mail (still being retried)");
    ck_says(m, "need not send it again");
    ck_has(m, "It is tried until Sat, 06 Jun 2026 10:00:00 +0200.");
    ck_has(m, "Action: delayed");
    ck_has(m, "Status: 4.3.0");
    ck_has(m, "Will-Retry-Until: Sat, 06 Jun 2026 10:00:00 +0200");
    ck_not(m, "typing mistakes");
    free(m);
}
END_TEST

START_TEST(what_has_waited_too_long_says_how_long_and_the_last_words)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.is_expired = true;
    r.code = 0;
    r.enhanced = slice_of("");
    r.words = slice_of("smtp.example.net:587: Connection refused");
    d.now = d.arrival + 5 * 86400 + 100;
    m = write_it(&d);
    ck_has(m, "    It was tried for 5 days without success.");
    ck_has(m, "        smtp.example.net:587: Connection refused");
    ck_has(m, "Action: failed");
    ck_has(m, "Status: 4.4.7");
    ck_has(m, "Diagnostic-Code: X-smtprelay; smtp.example.net:587: Connection refused");
    free(m);
}
END_TEST

START_TEST(what_was_passed_on_is_told_as_such)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.action = DSN_RELAYED;
    r.code = 250;
    r.enhanced = slice_of("2.0.0");
    r.words = slice_of("250 2.0.0 queued as 77");
    m = write_it(&d);
    ck_has(m, "Subject: Mail Was Passed On");
    ck_has(m, "Action: relayed");
    ck_has(m, "Status: 2.0.0");
    ck_not(m, "refused");
    free(m);
}
END_TEST

START_TEST(a_status_code_always_fits_the_action)
{
    static const struct {
        const char *enhanced, *status;
    } cases[] = { { "5.7.1", "5.7.1" }, { "4.7.1", "5.0.0" }, { "", "5.0.0" }, { "5.1", "5.0.0" },
        { "5..1.1", "5.0.0" }, { "5.1.1.1", "5.0.0" }, { "5.1234.1", "5.0.0" }, { "5.1.x", "5.0.0" },
        { "5.123.123", "5.123.123" }, { "5.1.", "5.0.0" } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dsn_recipient r = refused("bob@example.net");
        struct dsn d = report(&r, 1);
        char *want = mem_format("Status: %s", cases[i].status), *m;
        r.enhanced = slice_of(cases[i].enhanced);
        m = write_it(&d);
        ck_has(m, want);
        free(m);
        free(want);
    }
}
END_TEST

START_TEST(utf8_addresses_and_words_leave_the_fields_ascii)
{
    struct dsn_recipient r = refused("jos\xc3\xa9@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.words = slice_of("550 unbekannt: jos\xc3\xa9");
    m = write_it(&d);
    ck_has(m, "Final-Recipient: utf-8; jos\\x{E9}@example.net");
    ck_has(m, "Diagnostic-Code: smtp; 550 unbekannt: jos\\x{E9}");
    ck_has(m, "<jos\xc3\xa9@example.net>");
    ck_has(m, "Content-Transfer-Encoding: 8bit");
    free(m);
}
END_TEST

/* Outside the copy of the message nothing but printable text, and lines no longer than they may be */
static void
check_lines(const char *m, size_t len)
{
    size_t column = 0;

    for (size_t i = 0; i < len; i++) {
        if (m[i] == '\r')
            ck_assert(i + 1 < len && m[i + 1] == '\n');
        else if (m[i] == '\n')
            ck_assert(i > 0 && m[i - 1] == '\r');
        else
            ck_assert_msg(!ascii_is_control(m[i]), "control character %d", m[i]);
        column = m[i] == '\n' ? 0 : column + 1;
        ck_assert_uint_le(column, 999);
    }
}

START_TEST(hostile_words_and_addresses_stay_in_their_place)
{
    static const char evil[] =
        "550 \x1b[2J\r\nBcc: all@example.net\r\n\r\n--=_NEW1_0_smtprelay\r\nContent-Type: text/html\r\n";
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *m;

    r.words = r.enhanced = r.address = slice_make(evil, sizeof evil); /* with its NUL */
    r.orcpt = slice_of("rfc822;a\r\nX: y");
    r.relay = slice_of("[evil\r\nX: y");
    d.envid = slice_of("1\r\nX: y");
    d.to = d.from = d.hostname = d.original_id = slice_of("a>\r\nX: y\r\n\r\n");
    m = write_it(&d);
    check_lines(m, strlen(m));
    ck_not(m, "\r\nBcc");
    ck_not(m, "\r\nX: y");
    ck_not(m, "\r\nContent-Type: text/html");
    ck_not(m, "\r\n--=_NEW1_0");
    ck_says(m, "=_NEW1_1_smtprelay");
    free(m);
}
END_TEST

START_TEST(long_words_are_folded_and_cut)
{
    struct dsn_recipient r = refused("bob@example.net");
    struct dsn d = report(&r, 1);
    char *words = mem_alloc(5001), *m;

    memset(words, 'x', 5000);
    r.words = slice_of(words);
    m = write_it(&d);
    check_lines(m, strlen(m));
    free(m);
    for (size_t i = 0; i < 5000; i += 7)
        words[i] = ' ';
    m = write_it(&d);
    check_lines(m, strlen(m));
    free(m);
    free(words);
}
END_TEST

START_TEST(thousands_of_recipients_are_all_in_the_fields_and_some_in_the_text)
{
    enum { N = 3000 };
    struct dsn_recipient *r = mem_array(N, sizeof *r);
    struct dsn d = report(r, N);
    char *m;

    for (size_t i = 0; i < N; i++)
        r[i] = refused("bob@example.net");
    r[N - 1].address = slice_of("last@example.net");
    m = write_it(&d);
    ck_says(m, "and 2900 more recipients");
    ck_has(m, "Final-Recipient: rfc822; last@example.net");
    ck_not(m, "<last@");
    free(m);
    free(r);
}
END_TEST

START_TEST(a_header_that_is_none_or_broken_is_copied_as_lines)
{
    static const char *const contents[] = { "", "\r\n", "no header\r\n", "Subject: x", "A: b\nC: d\r\r\n\n",
        "\nX\n" };

    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct dsn_recipient r = refused("bob@example.net");
        struct dsn d = report(&r, 1);
        char *m;
        d.content = slice_of(contents[i]);
        m = write_it(&d);
        check_lines(m, strlen(m));
        free(m);
        d.full = true;
        m = write_it(&d);
        check_lines(m, strlen(m));
        free(m);
    }
}
END_TEST

START_TEST(the_advice_fits_the_status_code)
{
    static const struct {
        const char *enhanced;
        int code;
        bool of_recipient;
        const char *words;
    } cases[] = {
        { "5.1.1", 550, true, "typing mistakes" },
        { "5.1.2", 550, true, "behind the @" },
        { "5.1.8", 550, false, "does not take mail from your" },
        { "5.2.2", 552, true, "mailbox is full" },
        { "5.3.4", 552, false, "too large" },
        { "5.7.1", 554, false, "has rules" },
        { "5.6.0", 554, false, "show this message to the" },
        { "", 550, true, "typing mistakes" },
        { "", 550, false, "show this message to the" },
        { "", 552, false, "too large" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dsn_recipient r = refused("bob@example.net");
        struct dsn d = report(&r, 1);
        char *m;
        r.enhanced = slice_of(cases[i].enhanced);
        r.code = cases[i].code;
        r.of_recipient = cases[i].of_recipient;
        m = write_it(&d);
        ck_says(m, cases[i].words);
        free(m);
    }
}
END_TEST

START_TEST(a_summary_counts_and_names)
{
    struct dsn_summary s = { .hostname = slice_of("client.example.org"),
        .from = slice_of("MAILER-DAEMON@client.example.org"),
        .to = slice_of("alice@example.org"),
        .id = slice_of("NEW1"),
        .now = 1780300860,
        .count = 250,
        .listed = slice_of("OLD1 <bob@example.net>\nOLD2 <carol@example.net>\n") };
    struct buf out;

    buf_init(&out, 10000);
    dsn_write_summary(&s, &out);
    ck_has(buf_str(&out), "Auto-Submitted: auto-replied");
    ck_says(buf_str(&out), "250 more messages could not be delivered");
    ck_has(buf_str(&out), "    OLD2 <carol@example.net>");
    check_lines(out.data, out.len);
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("dsn", notify_says_what_the_sender_wants_to_hear,
    a_refusal_is_told_to_people_in_the_servers_words_and_to_programs_in_fields,
    envelope_id_and_original_recipient_come_back, the_whole_message_comes_back_only_when_asked_for,
    a_message_without_a_message_id_is_named_by_the_stored_one,
    a_delay_says_that_nothing_has_to_be_done_and_until_when_it_is_tried,
    what_has_waited_too_long_says_how_long_and_the_last_words, what_was_passed_on_is_told_as_such,
    a_status_code_always_fits_the_action, utf8_addresses_and_words_leave_the_fields_ascii,
    hostile_words_and_addresses_stay_in_their_place, long_words_are_folded_and_cut,
    thousands_of_recipients_are_all_in_the_fields_and_some_in_the_text,
    a_header_that_is_none_or_broken_is_copied_as_lines, the_advice_fits_the_status_code,
    a_summary_counts_and_names)
