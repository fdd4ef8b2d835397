/* SPDX-License-Identifier: ISC */
/* control_expiry: a token of a command or of a timer lives for minutes and is no trouble; one that stands there for months is, at its end. */
#include "daemon/control_expiry.h"

#include "base/clock.h"
#include "mail/token.h"

enum { DAY_S = 86400 };
/* A certificate that is good for fewer days should have been renewed by now */
enum { RENEWED_DAYS = 14 };

static int64_t
now_s(void)
{
    return (int64_t)clock_wall().tv_sec;
}

int64_t
control_expiry_days(int64_t expires_s)
{
    int64_t left = expires_s - now_s();

    return left < 0 ? -1 : left / DAY_S;
}

bool
control_expiry_is_near(int64_t expires_s)
{
    return expires_s && control_expiry_days(expires_s) < RENEWED_DAYS;
}

static bool
token_is_trouble(const struct control_account *a)
{
    if (!a->token_s)
        return false;
    return a->token_s <= a->token_told_s || (!a->token_is_renewed && a->token_s - now_s() < DAY_S);
}

bool
control_expiry_is_trouble(const struct control_account *a)
{
    return token_is_trouble(a) || control_expiry_is_near(a->client_s);
}

/* ---------------------------------------------------------------- lines */

static void
begin(struct control_out *o, const char *account, const char *what)
{
    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, account);
    buf_add_format(&o->b, ": %s", what);
}

static void
end_with_days(struct control_out *o, int64_t expires_s)
{
    int64_t days = control_expiry_days(expires_s);

    if (days < 0)
        buf_add_str(&o->b, ": expired");
    else
        buf_add_format(&o->b, ": %lld %s left", (long long)days, days == 1 ? "day" : "days");
    control_line_end(o);
}

static void
print_do(struct control_out *o, const char *account, const char *what)
{
    begin(o, account, "do: ");
    buf_add_str(&o->b, what);
    control_line_end(o);
}

static void
print_token(struct control_out *o, const struct control_account *a)
{
    bool trouble = token_is_trouble(a);

    begin(o, a->name, "token: ");
    if (a->token_s <= now_s() && !trouble)
        buf_add_str(&o->b, "has run out meanwhile; the next login is with a new one");
    else
        token_describe(a->token_s, now_s(), &o->b);
    control_line_end(o);
    if (trouble)
        print_do(o, a->name,
            "put a new token where AuthPass, AuthPassFile or AuthPassCommand has it from, then run sendmail "
            "-q; a command that fetches one each time (AuthPassCommand) keeps it from running out");
}

void
control_expiry_print(struct control_out *o, const struct control_account *a)
{
    if (a->token_s)
        print_token(o, a);
    if (!a->client_s)
        return;
    begin(o, a->name, "client certificate");
    end_with_days(o, a->client_s);
    if (control_expiry_is_near(a->client_s))
        print_do(o, a->name,
            "renew the file that TLSCert names, then reload smtprelayd (SIGHUP), or logins fail from then "
            "on");
}

void
control_expiry_print_hub(struct control_out *o, const struct control_hub *h)
{
    if (!h->expires_s)
        return;
    begin(o, h->account, "certificate of ");
    control_add_text(o, h->relay);
    end_with_days(o, h->expires_s);
    if (control_expiry_is_near(h->expires_s))
        print_do(o, h->account,
            "whoever runs that smarthost has to renew its certificate, or mail waits from then on; if that "
            "is done already, smtprelay test --daemon looks at it again");
}

/* ---------------------------------------------------------------- for programs */

void
control_expiry_add(struct control_out *o, const struct control_account *a)
{
    if (a->token_s) {
        control_word_number(o, "token_expires", a->token_s);
        control_word_number(o, "token_seconds_left", a->token_s > now_s() ? a->token_s - now_s() : -1);
        control_word_bool(o, "token_renewed", a->token_is_renewed);
    }
    if (a->client_s) {
        control_word_number(o, "client_certificate_expires", a->client_s);
        control_word_number(o, "client_certificate_days_left", control_expiry_days(a->client_s));
    }
}
