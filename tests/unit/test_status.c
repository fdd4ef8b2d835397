/* SPDX-License-Identifier: ISC */
/* status: what a failure means; each row is a promise of the exit code table. */
#include "unit/suite.h"

#include "mail/status.h"

static const struct {
    enum status_stage stage;
    enum status_cause cause;
    int code;
    enum status_scope scope;
    enum status_outcome outcome;
    int exit;
} cases[] = {
    { STATUS_RESOLVE, STATUS_NOWHERE, 0, STATUS_RECIPIENT, STATUS_BOUNCED, 67 },
    { STATUS_GREETING, STATUS_REPLY, 554, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_GREETING, STATUS_REPLY, 421, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_GREETING, STATUS_REPLY, 250, STATUS_ACCOUNT, STATUS_DEFERRED, 76 },
    { STATUS_EHLO, STATUS_REPLY, 550, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_STARTTLS, STATUS_REPLY, 454, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_STARTTLS, STATUS_NOT_OFFERED, 0, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_AUTH, STATUS_REPLY, 535, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_AUTH, STATUS_REPLY, 454, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_MAIL, STATUS_REPLY, 530, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_MAIL, STATUS_REPLY, 550, STATUS_MESSAGE, STATUS_BOUNCED, 69 },
    { STATUS_MAIL, STATUS_REPLY, 451, STATUS_MESSAGE, STATUS_DEFERRED, 75 },
    { STATUS_RCPT, STATUS_REPLY, 550, STATUS_RECIPIENT, STATUS_BOUNCED, 67 },
    { STATUS_RCPT, STATUS_REPLY, 552, STATUS_RECIPIENT, STATUS_DEFERRED, 75 },
    { STATUS_RCPT, STATUS_REPLY, 450, STATUS_RECIPIENT, STATUS_DEFERRED, 75 },
    { STATUS_RCPT, STATUS_REPLY, 421, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_RCPT, STATUS_REPLY, 530, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_DATA, STATUS_REPLY, 554, STATUS_MESSAGE, STATUS_BOUNCED, 69 },
    { STATUS_DATA, STATUS_REPLY, 250, STATUS_ACCOUNT, STATUS_DEFERRED, 76 },
    { STATUS_END, STATUS_REPLY, 250, STATUS_MESSAGE, STATUS_DELIVERED, 0 },
    { STATUS_END, STATUS_REPLY, 354, STATUS_ACCOUNT, STATUS_DEFERRED, 76 },
    { STATUS_END, STATUS_REPLY, 552, STATUS_MESSAGE, STATUS_BOUNCED, 69 },
    { STATUS_END, STATUS_REPLY, 451, STATUS_MESSAGE, STATUS_DEFERRED, 75 },
    { STATUS_END, STATUS_NETWORK, 0, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_TLS, STATUS_CERTIFICATE, 0, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_TLS, STATUS_HANDSHAKE, 0, STATUS_ACCOUNT, STATUS_FROZEN, 77 },
    { STATUS_CONNECT, STATUS_NETWORK, 0, STATUS_ACCOUNT, STATUS_DEFERRED, 75 },
    { STATUS_EHLO, STATUS_GARBAGE, 0, STATUS_ACCOUNT, STATUS_DEFERRED, 76 },
    { STATUS_LOCAL, STATUS_MALFORMED, 0, STATUS_MESSAGE, STATUS_BOUNCED, 65 },
};

START_TEST(each_failure_has_its_scope_and_exit_code)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct status s = status_judge(cases[i].stage, cases[i].cause, cases[i].code);
        ck_assert_msg(
            s.scope == cases[i].scope && s.outcome == cases[i].outcome && (int)s.class == cases[i].exit,
            "%s %d: scope %d outcome %d exit %d", status_stage_name(cases[i].stage), cases[i].code,
            (int)s.scope, (int)s.outcome, (int)s.class);
    }
}
END_TEST

START_TEST(wrong_password_never_bounces_mail)
{
    for (int code = 530; code <= 538; code++)
        for (int stage = STATUS_GREETING; stage <= STATUS_END; stage++)
            ck_assert_int_eq(
                status_judge((enum status_stage)stage, STATUS_REPLY, code).outcome, STATUS_FROZEN);
}
END_TEST

START_TEST(nobodys_host_but_our_smarthost_can_freeze_an_account)
{
    for (int stage = 0; stage < STATUS_STAGES; stage++)
        for (int cause = 0; cause < STATUS_CAUSES; cause++)
            for (int code = 200; code < 600; code++) {
                struct status s = status_judge((enum status_stage)stage, (enum status_cause)cause, code),
                              d = status_judge_direct(
                                  (enum status_stage)stage, (enum status_cause)cause, code);
                if (s.outcome == STATUS_FROZEN)
                    s = (struct status){ STATUS_ACCOUNT, STATUS_DEFERRED, ERROR_TEMP };
                ck_assert_int_eq(d.outcome, s.outcome);
                ck_assert_int_eq(d.scope, s.scope);
                ck_assert_int_eq(d.class, s.class);
            }
}
END_TEST

/* Each says that nothing was taken; a reply that is none, or none to this, does not */
START_TEST(another_server_is_asked_only_where_this_one_surely_has_nothing)
{
    for (int stage = 0; stage < STATUS_STAGES; stage++)
        for (int code = 200; code < 600; code++) {
            struct status_fact f = { .stage = (enum status_stage)stage, .cause = STATUS_REPLY, .code = code };
            bool later = (code >= 400 && code < 500 && code != 421) || (code >= 530 && code <= 538) ||
                         (stage == STATUS_RCPT && code == 552);
            ck_assert_msg(
                status_is_put_off(&f) == (stage >= STATUS_MAIL && later), "stage %d, %d", stage, code);
            f.maybe_sent = true;
            ck_assert(!status_is_put_off(&f));
        }
    for (int cause = STATUS_REPLY + 1; cause < STATUS_CAUSES; cause++)
        ck_assert(!status_is_put_off(
            &(struct status_fact){ .stage = STATUS_END, .cause = (enum status_cause)cause, .code = 451 }));
}
END_TEST

SUITE_MAIN("status", another_server_is_asked_only_where_this_one_surely_has_nothing,
    each_failure_has_its_scope_and_exit_code, wrong_password_never_bounces_mail,
    nobodys_host_but_our_smarthost_can_freeze_an_account)
