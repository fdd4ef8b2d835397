/* SPDX-License-Identifier: ISC */
/* rewrite: a message leaves with a sender that the account may use, and nothing people want to know is lost. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "mail/header.h"
#include "worker/head.h"

static char received[] = "Received: r\r\n", message_id[] = "<new@h.example>", date[] = "NOW",
            login_address[] = "www-data@web1.example.org", empty[] = "";
static char own0[] = "web1.example.org", own1[] = "localhost", own2[] = "localhost.localdomain",
            own3[] = "web1";
static char *const own_names[] = { own0, own1, own2, own3 };
static char allowed0[] = "shop@shop.example", allowed1[] = "@sub.example",
            allowed2[] = "@b\xc3\xbc"
                         "cher.example";
static char *const allowed[] = { allowed0, allowed1, allowed2 };

static struct rewrite
rules_of(enum rewrite_policy policy)
{
    return (struct rewrite){ .hostname = "web1.example.org",
        .own_names = own_names,
        .nown = 4,
        .policy = policy,
        .from = "alerts@mail.example",
        .allowed = allowed,
        .nallowed = 3 };
}

/* '|' stands for CRLF */
static void
add_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            buf_add_str(out, "\r\n");
        else
            buf_add_char(out, *text);
}

static bool
pass(const struct rewrite *rules, const struct record *r, struct slice in, bool utf8, struct buf *out,
    bool *needs_utf8)
{
    struct head_settings s = { .rewrite = *rules };
    struct head h;
    struct error err;
    bool ok;

    head_init(&h, &s, r, utf8);
    (void)head_push(&h, in);
    ok = head_end(&h, &err);
    buf_reset(out);
    if (ok)
        head_write(&h, NULL, slice_of(""), out);
    *needs_utf8 = h.needs_utf8;
    head_clear(&h);
    return ok;
}

/* `in` without Date, Message-ID and To, which every case gets in front; `want` likewise. What came out comes out again. */
#define REST "Date: D|Message-ID: <i@x.example>|To: b@y.example|"

static void
check(const struct rewrite *rules, struct record *r, const char *in, const char *want)
{
    struct buf text, out, again, expected;
    bool utf8 = false, ignored;

    buf_init(&text, 1u << 20);
    buf_init(&out, 1u << 20);
    buf_init(&again, 1u << 20);
    buf_init(&expected, 1u << 20);
    r->received = received;
    add_text(&text, REST);
    add_text(&text, in);
    add_text(&text, "|");
    add_text(&expected, "Received: r|" REST);
    add_text(&expected, want);
    add_text(&expected, "|");
    ck_assert_msg(pass(rules, r, buf_slice(&text), false, &out, &utf8), "%s", in);
    if (utf8)
        ck_assert(pass(rules, r, buf_slice(&text), true, &out, &utf8));
    ck_assert_msg(slice_eq(buf_slice(&out), buf_slice(&expected)), "%s:\ngot  %s\nwant %s", in, buf_str(&out),
        buf_str(&expected));
    r->received = NULL;
    ck_assert(pass(rules, r, buf_slice(&out), utf8, &again, &ignored));
    ck_assert_msg(slice_eq(buf_slice(&out), buf_slice(&again)), "%s: not the same the second time:\n%s", in,
        buf_str(&again));
    buf_clear(&text);
    buf_clear(&out);
    buf_clear(&again);
    buf_clear(&expected);
}

struct one {
    const char *in, *want;
};

static struct record
record_of(char *sender, char *full_name)
{
    struct record r;

    memset(&r, 0, sizeof r);
    r.message_id = message_id;
    r.date = date;
    r.login_address = login_address;
    r.full_name = full_name;
    r.envelope.sender = sender;
    return r;
}

static void
check_table(enum rewrite_policy policy, const struct one *t, size_t n)
{
    struct rewrite rules = rules_of(policy);

    for (size_t i = 0; i < n; i++) {
        struct record r = record_of(empty, empty);
        check(&rules, &r, t[i].in, t[i].want);
    }
}
#define CHECK_TABLE(policy, t) check_table(policy, t, sizeof(t) / sizeof(t)[0])
#define OWN "<alerts@mail.example>|"
#define UE "\xc3\xbc"

START_TEST(a_sender_nobody_can_answer_gives_way_and_keeps_its_name)
{
    static const struct one t[] = {
        /* cron, cronie, mdadm, PHP, smartd, sudo */
        { "From: root (Cron Daemon)|",
            "From: \"root on web1 (Cron Daemon)\" " OWN "X-Original-From: root (Cron Daemon)|" },
        { "From: \"(Cron Daemon)\" <user>|",
            "From: \"user on web1 (Cron Daemon)\" " OWN "X-Original-From: \"(Cron Daemon)\" <user>|" },
        { "From: mdadm monitoring <root>|",
            "From: \"mdadm monitoring on web1\" " OWN "X-Original-From: mdadm monitoring <root>|" },
        { "From: www-data <www-data@web1.example.org>|",
            "From: \"www-data on web1\" " OWN "X-Original-From: www-data <www-data@web1.example.org>|" },
        { "From: root@localhost|", "From: \"root on web1\" " OWN "X-Original-From: root@localhost|" },
        { "From: root|", "From: \"root on web1\" " OWN "X-Original-From: root|" },
        { "From: root on web1 <root>|",
            "From: \"root on web1\" " OWN "X-Original-From: root on web1 <root>|" },
        { "From: Alerts of WEB1 <root>|",
            "From: \"Alerts of WEB1\" " OWN "X-Original-From: Alerts of WEB1 <root>|" },
        { "From: \"web11\" <root@web1>|",
            "From: \"web11 on web1\" " OWN "X-Original-From: \"web11\" <root@web1>|" },
        { "From: \"a \\\"b\\\" <c>\" <root>|",
            "From: \"a \\\"b\\\" <c> on web1\" " OWN "X-Original-From: \"a \\\"b\\\" <c>\" <root>|" },
        { "From: \"j d\"@web1|", "From: \"j d on web1\" " OWN "X-Original-From: \"j d\"@web1|" },
        /* names that lead nowhere */
        { "From: x@srv|", "From: \"x at srv\" " OWN "X-Original-From: x@srv|" },
        { "From: NAS <x@nas.local>|", "From: \"NAS\" " OWN "X-Original-From: NAS <x@nas.local>|" },
        { "From: x@[192.0.2.1]|", "From: \"x at [192.0.2.1]\" " OWN "X-Original-From: x@[192.0.2.1]|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(a_real_sender_that_is_not_the_accounts_gets_the_answers)
{
    static const struct one t[] = {
        { "From: Zoe <zoe@other.example>|", "From: \"Zoe\" " OWN "Reply-To: Zoe <zoe@other.example>|" },
        { "From: zoe@other.example|", "From: \"zoe at other.example\" " OWN "Reply-To: zoe@other.example|" },
        { "From: zoe@other.example (Zoe)|", "From: \"Zoe\" " OWN "Reply-To: zoe@other.example (Zoe)|" },
        { "From: <@r.example:zoe@other.example>|",
            "From: \"zoe at other.example\" " OWN "Reply-To: zoe@other.example|" },
        { "From: Zoe | <zoe@other.example>|", "From: \"Zoe\" " OWN "Reply-To: Zoe <zoe@other.example>|" },
        /* a Reply-To that is there stays, alone; wherever it stands */
        { "Reply-To: v@x.example|From: Zoe <zoe@other.example>|",
            "Reply-To: v@x.example|From: \"Zoe\" " OWN "X-Original-From: Zoe <zoe@other.example>|" },
        { "From: Zoe <zoe@other.example>|Reply-To: v@x.example|",
            "From: \"Zoe\" " OWN "X-Original-From: Zoe <zoe@other.example>|Reply-To: v@x.example|" },
        /* an empty one says nothing */
        { "From: Zoe <zoe@other.example>|Reply-To: |",
            "From: \"Zoe\" " OWN "Reply-To: Zoe <zoe@other.example>|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(an_address_the_account_may_use_stays_to_the_byte)
{
    static const struct one t[] = {
        { "From: Alerts  <alerts@mail.example>|", "From: Alerts  <alerts@mail.example>|" },
        { "From: Alerts@MAIL.Example (x)|", "From: Alerts@MAIL.Example (x)|" },
        { "From: \"alerts\"@mail.example|", "From: \"alerts\"@mail.example|" },
        /* the domain of From, what FromAllowed says, and its A-labels */
        { "From: Boss <boss@mail.example>|", "From: Boss <boss@mail.example>|" },
        { "From: shop@shop.example|", "From: shop@shop.example|" },
        { "From: any@sub.example|", "From: any@sub.example|" },
        { "From: x@b" UE "cher.example|", "From: x@xn--bcher-kva.example|" },
        { "From: x@xn--bcher-kva.example|", "From: x@xn--bcher-kva.example|" },
        /* not its neighbours */
        { "From: x@shop.example|", "From: \"x at shop.example\" " OWN "Reply-To: x@shop.example|" },
        { "From: x@a.sub.example|", "From: \"x at a.sub.example\" " OWN "Reply-To: x@a.sub.example|" },
        { "From: x@notmail.example|", "From: \"x at notmail.example\" " OWN "Reply-To: x@notmail.example|" },
        /* several authors, all of them allowed; a group of them */
        { "From: a@mail.example, B <b@sub.example>|Sender: c@mail.example|",
            "From: a@mail.example, B <b@sub.example>|Sender: c@mail.example|" },
        { "From: We: a@mail.example;|", "From: We: a@mail.example;|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(a_domain_that_many_share_allows_nothing)
{
    struct rewrite rules = rules_of(REWRITE_AUTO);
    struct record r = record_of(empty, empty);

    rules.is_shared = true;
    check(&rules, &r, "From: Alerts <alerts@mail.example>|", "From: Alerts <alerts@mail.example>|");
    check(&rules, &r, "From: Eve <eve@mail.example>|",
        "From: \"Eve\" " OWN "Reply-To: Eve <eve@mail.example>|");
    ck_assert_str_eq(rewrite_sender(&rules, "eve@mail.example"), "alerts@mail.example");
}
END_TEST

START_TEST(several_authors_become_one_and_those_who_can_answer_are_asked)
{
    static const struct one t[] = {
        { "From: A <a@a.example>, \"B, C\" <b@b.example>|",
            "From: \"A\" " OWN "Reply-To: A <a@a.example>, \"B, C\" <b@b.example>|" },
        { "From: a@mail.example, root|", "From: \"a at mail.example\" " OWN
                                         "Reply-To: a@mail.example|X-Original-From: a@mail.example, root|" },
        { "From: We: a@a.example, B <b@b.example>;, c@c.example|",
            "From: \"a at a.example\" " OWN "Reply-To: a@a.example, B <b@b.example>, c@c.example|" },
        /* a second From field is one too many */
        { "From: a@mail.example|From: eve@x.example|", "From: a@mail.example|" },
        { "From: a@a.example|From: eve@x.example|",
            "From: \"a at a.example\" " OWN "Reply-To: a@a.example|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(a_broken_sender_is_replaced_and_shown)
{
    static const struct one t[] = {
        { "From: Cron Daemon|", "From: \"Cron Daemon on web1\" " OWN "X-Original-From: Cron Daemon|" },
        { "From: John Q. Public <john@>|",
            "From: \"John Q. Public on web1\" " OWN "X-Original-From: John Q. Public <john@>|" },
        { "From: <>|", "From: \"on web1\" " OWN "X-Original-From: <>|" },
        { "From: nobody:;|", "From: \"www-data on web1\" " OWN "X-Original-From: nobody:;|" },
        { "From: a@b@c|", "From: \"a@b@c on web1\" " OWN "X-Original-From: a@b@c|" },
        { "From: \"open <a@x.example>|",
            "From: \"open <a@x.example> on web1\" " OWN "X-Original-From: \"open <a@x.example>|" },
        { "From: (only a comment)|", "From: \"www-data on web1\" " OWN "X-Original-From: (only a comment)|" },
        /* a domain that IDNA refuses: the account's is there to be used */
        { "From: x@\xe2\x80\xae.example|", "From: =?utf-8?B?eCBhdCDigK4uZXhhbXBsZQ==?= " OWN
                                           "X-Original-From: =?utf-8?B?eEDigK4uZXhhbXBsZQ==?=|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(names_in_other_scripts_and_encoded_words_survive)
{
    static const struct one t[] = {
        { "From: =?utf-8?Q?J=C3=BCrg?= <root>|",
            "From: =?utf-8?Q?J=C3=BCrg?= \"on web1\" " OWN "X-Original-From: =?utf-8?Q?J=C3=BCrg?= <root>|" },
        { "From: =?utf-8?Q?J=C3=BCrg?= M. <j@x.example>|",
            "From: =?utf-8?Q?J=C3=BCrg?= \"M.\" " OWN "Reply-To: =?utf-8?Q?J=C3=BCrg?= M. <j@x.example>|" },
        { "From: root (=?utf-8?Q?J=C3=BCrg?=)|", "From: \"root on web1\" =?utf-8?Q?J=C3=BCrg?= " OWN
                                                 "X-Original-From: root (=?utf-8?Q?J=C3=BCrg?=)|" },
        { "From: J" UE "rg <root>|",
            "From: =?utf-8?B?SsO8cmcgb24gd2ViMQ==?= " OWN "X-Original-From: =?utf-8?B?SsO8cmc=?= <root>|" },
        { "From: J" UE "rg <j@b" UE "cher.net.example>|",
            "From: =?utf-8?B?SsO8cmc=?= " OWN
            "Reply-To: =?utf-8?B?SsO8cmc=?= <j@xn--bcher-kva.net.example>|" },
        /* what looks like an encoded-word and would break the phrase is only text */
        { "From: =?utf-8?Q?a<b>,c?= <root>|",
            "From: \"=?utf-8?Q?a on web1\" " OWN "X-Original-From: =?utf-8?Q?a<b>,c?= <root>|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

/* ASCII is enough for the account's own address: no smarthost has to offer SMTPUTF8 for one that gave way */
START_TEST(an_address_that_needs_smtputf8_does_not_ask_for_it_when_it_gives_way)
{
    static const struct one t[] = {
        { "From: Zoe <z" UE "@other.example>|",
            "From: \"Zoe\" " OWN "X-Original-From: Zoe =?utf-8?B?PHrDvEBvdGhlci5leGFtcGxlPg==?=|" },
        /* but where it is asked for anyway, answers go there */
        { "Cc: " UE "@y.example|From: Zoe <z" UE "@other.example>|",
            "Cc: " UE "@y.example|From: \"Zoe\" " OWN "Reply-To: Zoe <z" UE "@other.example>|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(sender_is_nobody_the_account_may_not_be)
{
    static const struct one t[] = {
        { "From: a@mail.example|Sender: root|", "From: a@mail.example|X-Original-Sender: root|" },
        { "Sender: www@web1|From: zoe@other.example|",
            "X-Original-Sender: www@web1|From: \"zoe at other.example\" " OWN
            "Reply-To: zoe@other.example|" },
        { "From: a@mail.example, b@mail.example|Sender: root|",
            "From: a@mail.example, b@mail.example|Sender: \"www-data on web1\" " OWN
            "X-Original-Sender: root|" },
        { "From: a@mail.example|Sender: b@mail.example|", "From: a@mail.example|Sender: b@mail.example|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(of_a_message_sent_on_the_resent_block_is_judged)
{
    static const struct one t[] = {
        { "Resent-Date: 1|Resent-Message-ID: <2>|Resent-From: Me <root>|Resent-Sender: "
          "x@x.example|Resent-To: "
          "y@y.example|From: Zoe <zoe@other.example>|Sender: s@other.example|",
            "Resent-Date: 1|Resent-Message-ID: <2>|Resent-From: \"Me on web1\" " OWN
            "X-Original-Resent-From: Me <root>|X-Original-Resent-Sender: x@x.example|Resent-To: y@y.example|"
            "From: Zoe <zoe@other.example>|Sender: s@other.example|" },
        /* also where the block comes last, and only the topmost of them */
        { "From: root|Resent-From: me@mail.example|Resent-Date: 1|Resent-Message-ID: <2>|Resent-To: "
          "b@y|Received: "
          "x|Resent-From: zoe@other.example|",
            "From: root@web1.example.org|Resent-From: me@mail.example|Resent-Date: 1|Resent-Message-ID: <2>|"
            "Resent-To: b@y|Received: x|Resent-From: zoe@other.example|" },
        /* nor does the sender of the next one come in the place of one that gave way */
        { "Resent-Date: 1|Resent-Message-ID: <2>|Resent-From: me@mail.example|Resent-Sender: x@x.example|"
          "Resent-Date: 2|Resent-Sender: z@z.example|From: zoe@other.example|",
            "Resent-To: undisclosed-recipients:;|Resent-Date: 1|Resent-Message-ID: <2>|Resent-From: "
            "me@mail.example|"
            "Resent-Sender: \"www-data on web1\" " OWN "X-Original-Resent-Sender: x@x.example|"
            "Resent-Date: 2|Resent-Sender: z@z.example|From: zoe@other.example|" },
        { "From: zoe@other.example|Resent-Date: 1|Resent-Message-ID: <2>|Resent-To: b@y|",
            "From: zoe@other.example|Resent-From: \"www-data on web1\" " OWN
            "X-Original-Resent-From: www-data@web1.example.org|Resent-Date: 1|Resent-Message-ID: "
            "<2>|Resent-To: b@y|" },
    };
    CHECK_TABLE(REWRITE_AUTO, t);
}
END_TEST

START_TEST(an_absent_from_is_judged_like_one_that_is_there)
{
    static char full[] = "Zoe \"Z\"", real[] = "zoe@other.example", may[] = "x@mail.example";
    struct rewrite rules = rules_of(REWRITE_AUTO);
    struct record r = record_of(empty, empty);

    check(&rules, &r, "", "From: \"www-data on web1\" " OWN "X-Original-From: www-data@web1.example.org|");
    r = record_of(real, full);
    check(&rules, &r, "", "From: \"Zoe \\\"Z\\\"\" " OWN "Reply-To: \"Zoe \\\"Z\\\"\" <zoe@other.example>|");
    r = record_of(may, full);
    check(&rules, &r, "", "From: \"Zoe \\\"Z\\\"\" <x@mail.example>|");
}
END_TEST

START_TEST(force_leaves_nothing_but_the_name)
{
    static const struct one t[] = {
        { "From: Zoe <zoe@other.example>|", "From: \"Zoe\" " OWN },
        { "From: Boss <boss@mail.example>|Sender: x@mail.example|", "From: \"Boss\" " OWN },
        { "From: root|", "From: \"root on web1\" " OWN },
        { "From: Me  <alerts@mail.example>|", "From: Me  <alerts@mail.example>|" },
        { "From: alerts@mail.example, alerts@mail.example|", "From: \"alerts at mail.example\" " OWN },
    };
    CHECK_TABLE(REWRITE_FORCE, t);
    struct rewrite rules = rules_of(REWRITE_FORCE);
    ck_assert_str_eq(rewrite_sender(&rules, "boss@mail.example"), "alerts@mail.example");
    ck_assert_str_eq(rewrite_sender(&rules, ""), "");
}
END_TEST

START_TEST(without_an_own_address_auto_and_force_only_qualify)
{
    struct rewrite rules = rules_of(REWRITE_AUTO);
    struct record r = record_of(empty, empty);

    rules.from = NULL;
    check(&rules, &r, "From: root (Cron Daemon)|", "From: root@web1.example.org (Cron Daemon)|");
    ck_assert_str_eq(rewrite_sender(&rules, "root"), "root");
    ck_assert_ptr_null(rewrite_null_sender(&rules));
    rules.policy = REWRITE_FORCE;
    check(&rules, &r, "From: zoe@other.example|", "From: zoe@other.example|");
}
END_TEST

START_TEST(keep_leaves_a_signed_senders_domain_and_qualify_rewrites_it)
{
    struct rewrite rules = rules_of(REWRITE_KEEP);
    struct record r = record_of(empty, empty);

    rules.domain = "example.org";
    check(&rules, &r, "From: root@web1.example.org|Reply-To: a@web1|Sender: root|",
        "From: root@web1.example.org|Reply-To: a@example.org|Sender: root@example.org|");
    rules.policy = REWRITE_QUALIFY;
    check(&rules, &r,
        "From: root@web1.example.org|From: b|Resent-From: c|Resent-Date: 1|Resent-Message-ID: <1>|",
        "From: root@example.org|From: b@example.org|Resent-To: undisclosed-recipients:;|Resent-From: "
        "c@example.org|Resent-Date: "
        "1|Resent-Message-ID: <1>|");
}
END_TEST

START_TEST(rewrite_domain_makes_an_allowed_address_of_a_local_one)
{
    struct rewrite rules = rules_of(REWRITE_AUTO);
    struct record r = record_of(empty, empty);

    rules.domain = "mail.example";
    check(&rules, &r, "From: root (Cron Daemon)|", "From: root@mail.example (Cron Daemon)|");
    check(&rules, &r, "From: Web <www-data@web1>|", "From: Web <www-data@mail.example>|");
    ck_assert_str_eq(rewrite_sender(&rules, "root"), "root");
    /* one that makes none: nobody reads there */
    rules.domain = "corp.example";
    check(&rules, &r, "From: root|", "From: \"root on web1\" " OWN "X-Original-From: root|");
}
END_TEST

START_TEST(the_envelope_is_decided_apart_and_the_null_sender_stays)
{
    struct rewrite rules = rules_of(REWRITE_AUTO);

    ck_assert_str_eq(rewrite_sender(&rules, "root"), "alerts@mail.example");
    ck_assert_str_eq(rewrite_sender(&rules, "root@web1.example.org"), "alerts@mail.example");
    ck_assert_str_eq(rewrite_sender(&rules, "zoe@other.example"), "alerts@mail.example");
    ck_assert_str_eq(rewrite_sender(&rules, "Boss@mail.example"), "Boss@mail.example");
    ck_assert_str_eq(rewrite_sender(&rules, "SHOP@shop.example"), "SHOP@shop.example");
    ck_assert_str_eq(rewrite_sender(&rules, ""), "");
    ck_assert_str_eq(rewrite_null_sender(&rules), "alerts@mail.example");
    rules.replaces_null = true;
    ck_assert_str_eq(rewrite_sender(&rules, ""), "alerts@mail.example");
    rules.policy = REWRITE_KEEP;
    ck_assert_str_eq(rewrite_sender(&rules, ""), "");
    ck_assert_str_eq(rewrite_sender(&rules, "zoe@other.example"), "zoe@other.example");
    ck_assert_ptr_null(rewrite_null_sender(&rules));
}
END_TEST

START_TEST(a_header_that_grows_too_large_is_refused_as_a_whole)
{
    struct rewrite rules = rules_of(REWRITE_AUTO);
    struct head_settings s = { .rewrite = rules };
    struct record r = record_of(empty, empty);
    struct error err;
    struct buf in;
    struct head h;

    buf_init(&in, HEAD_MAX);
    buf_add_str(&in, "From: root");
    while (in.len < HEAD_MAX - 100)
        buf_add_str(&in, ",\r\n a@x.example");
    buf_add_str(&in, "\r\n\r\n");
    head_init(&h, &s, &r, false);
    (void)head_push(&h, buf_slice(&in));
    ck_assert(!head_end(&h, &err));
    ck_assert_int_eq(err.class, ERROR_REFUSED);
    head_clear(&h);
    buf_clear(&in);
}
END_TEST

/* rewriteDomain is for addresses wherever they stand; names, comments and the rest stay */
START_TEST(local_names_get_rewrite_domain_in_every_address_field)
{
    struct rewrite rules = rules_of(REWRITE_QUALIFY);
    struct record r = record_of(empty, empty);

    check(&rules, &r,
        "From: a|Sender: b@localhost|Reply-To: c@web1.example.org|Cc: d@web1, D <d@Localhost.Localdomain>, "
        "e@x.example|"
        "Resent-Date: 1|Resent-Message-ID: <1>|Resent-From: f|Resent-Sender: g@web1|Resent-Reply-To: "
        "h|Resent-Cc: i|",
        "From: a@web1.example.org|Sender: b@localhost|Reply-To: c@web1.example.org|Cc: d@web1, D "
        "<d@Localhost.Localdomain>, e@x.example|"
        "Resent-Date: 1|Resent-Message-ID: <1>|Resent-From: f@web1.example.org|Resent-Sender: "
        "g@web1|Resent-Reply-To: "
        "h@web1.example.org|Resent-Cc: i@web1.example.org|");
    rules.domain = "example.org";
    check(&rules, &r,
        "From: a|Sender: b@localhost|Reply-To: c@web1.example.org|Cc: d@web1, D <d@Localhost.Localdomain>, "
        "e@x.example|"
        "Resent-Date: 1|Resent-Message-ID: <1>|Resent-From: f|Resent-Sender: g@web1|Resent-Reply-To: "
        "h|Resent-Cc: i|"
        "X-To: j@web1|Subject: k@web1|",
        "From: a@example.org|Sender: b@example.org|Reply-To: c@example.org|Cc: d@example.org, D "
        "<d@example.org>, e@x.example|"
        "Resent-Date: 1|Resent-Message-ID: <1>|Resent-From: f@example.org|Resent-Sender: "
        "g@example.org|Resent-Reply-To: "
        "h@example.org|Resent-Cc: i@example.org|X-To: j@web1|Subject: k@web1|");
}
END_TEST

SUITE_MAIN("rewrite", a_sender_nobody_can_answer_gives_way_and_keeps_its_name,
    a_real_sender_that_is_not_the_accounts_gets_the_answers, an_address_the_account_may_use_stays_to_the_byte,
    a_domain_that_many_share_allows_nothing, several_authors_become_one_and_those_who_can_answer_are_asked,
    a_broken_sender_is_replaced_and_shown, names_in_other_scripts_and_encoded_words_survive,
    an_address_that_needs_smtputf8_does_not_ask_for_it_when_it_gives_way,
    sender_is_nobody_the_account_may_not_be, of_a_message_sent_on_the_resent_block_is_judged,
    an_absent_from_is_judged_like_one_that_is_there, force_leaves_nothing_but_the_name,
    without_an_own_address_auto_and_force_only_qualify,
    keep_leaves_a_signed_senders_domain_and_qualify_rewrites_it,
    rewrite_domain_makes_an_allowed_address_of_a_local_one,
    the_envelope_is_decided_apart_and_the_null_sender_stays,
    a_header_that_grows_too_large_is_refused_as_a_whole,
    local_names_get_rewrite_domain_in_every_address_field)
