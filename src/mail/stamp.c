/* SPDX-License-Identifier: ISC */
/* stamp: dates by arithmetic and tables, and foreign text made fit for a trace field. */
#include "mail/stamp.h"

#include <string.h>

enum { VALUE_MAX = 255 };

/* ---------------------------------------------------------------- dates */

#define DAY_S 86400
#define FIRST_S INT64_C(-2208988800) /* 1900-01-01 00:00:00 */
#define LAST_S INT64_C(253402300799) /* 9999-12-31 23:59:59 */

struct civil {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday; /* 0 is Sunday */
};

/*
 * The Gregorian calendar in eras of 400 years that begin on 1 March, so that the leap day is a year's last. `when` is in the
 * range above.
 */
static struct civil
civil_of(int64_t when)
{
    int64_t days = (when - FIRST_S) / DAY_S - 25567; /* since 1970; 25567 from 1900 till then */
    int64_t of_day = (when - FIRST_S) % DAY_S;
    int64_t z = days + 719468; /* since 0000-03-01 */
    int64_t era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int month = (int)((5 * doy + 2) / 153); /* 0 is March */
    struct civil c;

    c.day = (int)(doy - (153 * month + 2) / 5 + 1);
    c.month = month < 10 ? month + 3 : month - 9;
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(of_day / 3600);
    c.minute = (int)(of_day / 60 % 60);
    c.second = (int)(of_day % 60);
    c.weekday = (int)((z + 3) % 7); /* 0000-03-01 was a Wednesday */
    return c;
}

static int
cut_zone(int minutes)
{
    const int most = 23 * 60 + 59;

    return minutes > most ? most : minutes < -most ? -most : minutes;
}

/* Seconds as a clock of that zone counts them, within the years that can be written. */
static int64_t
local_seconds(int64_t when, int zone_minutes)
{
    if (when < FIRST_S)
        when = FIRST_S;
    if (when > LAST_S)
        when = LAST_S;
    when += (int64_t)zone_minutes * 60;
    return when < FIRST_S ? FIRST_S : when > LAST_S ? LAST_S : when;
}

/* "+0530", of minutes east of Greenwich; beyond a day it is cut to 23:59 */
static void
add_zone(struct buf *out, int zone_minutes)
{
    int z = cut_zone(zone_minutes);
    int m = z < 0 ? -z : z;

    buf_add_format(out, "%c%02d%02d", z < 0 ? '-' : '+', m / 60, m % 60);
}

void
stamp_date(struct buf *out, int64_t when, int zone_minutes)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
        "Nov", "Dec" };
    struct civil c = civil_of(local_seconds(when, cut_zone(zone_minutes)));

    buf_add_format(out, "%s, %02d %s %04d %02d:%02d:%02d ", days[c.weekday], c.day, months[c.month - 1],
        (int)c.year, c.hour, c.minute, c.second);
    add_zone(out, zone_minutes);
}

/* ---------------------------------------------------------------- foreign text */

static bool
is_word_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* A domain or literal for our own fields: what cannot stand in one becomes '-', and so does a dot without a label. */
static void
add_host(struct buf *out, struct slice host)
{
    bool literal = host.len > 2 && host.len <= VALUE_MAX && host.p[0] == '[' && host.p[host.len - 1] == ']';
    char last = '.';

    host = slice_sub(host, 0, VALUE_MAX);
    if (host.len == 0)
        buf_add_str(out, "localhost");
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        bool edge = literal && (i == 0 || i + 1 == host.len);
        bool dot = c == '.' && last != '.' && i + 1 < host.len;
        last = edge || dot || is_word_byte(c) || (literal && (c == ':' || c == '.')) ? c : '-';
        buf_add_char(out, last);
    }
}

/* An atom: for protocol names and queue ids. */
static void
add_word(struct buf *out, struct slice s)
{
    s = slice_sub(s, 0, VALUE_MAX);
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, is_word_byte(s.p[i]) ? s.p[i] : '-');
}

/* Text inside a comment (RFC 5322 3.2.2). */
static void
add_comment(struct buf *out, struct slice s)
{
    s = slice_sub(s, 0, VALUE_MAX);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '(' || c == ')' || c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, c < 32 || c > 126 ? '?' : c);
    }
}

/* ---------------------------------------------------------------- fields */

void
stamp_message_id(struct buf *out, struct slice id, int64_t when, struct slice host)
{
    struct civil c = civil_of(local_seconds(when, 0));

    buf_add_format(
        out, "<%04d%02d%02d%02d%02d%02d.", (int)c.year, c.month, c.day, c.hour, c.minute, c.second);
    add_word(out, id.len ? id : slice_of("0"));
    buf_add_char(out, '@');
    add_host(out, host);
    buf_add_char(out, '>');
}

static void
add_local_caller(struct buf *out, const struct stamp_received *r)
{
    const char *lead = r->software.len ? ", from " : "from ";

    if (r->login.len) {
        buf_add_str(out, lead);
        add_comment(out, r->login);
        lead = ", ";
    }
    if (r->has_uid)
        buf_add_format(out, "%s%s %llu", lead, r->login.len ? "uid" : "userid", (unsigned long long)r->uid);
}

void
stamp_received(struct buf *out, const struct stamp_received *r)
{
    bool local = r->helo.len == 0 && r->peer.len == 0;

    buf_add_str(out, "Received: ");
    if (!local) {
        buf_add_str(out, "from ");
        add_host(out, r->helo.len ? r->helo : slice_of("unknown"));
        if (r->peer.len) {
            buf_add_str(out, " (");
            add_comment(out, r->peer);
            buf_add_char(out, ')');
        }
        buf_add_str(out, "\r\n\t");
    }
    buf_add_str(out, "by ");
    add_host(out, r->by);
    if (r->software.len || (local && (r->login.len || r->has_uid))) {
        buf_add_str(out, " (");
        add_comment(out, r->software);
        if (local)
            add_local_caller(out, r);
        buf_add_char(out, ')');
    }
    if (r->with.len) {
        buf_add_str(out, " with ");
        add_word(out, r->with);
    }
    if (r->id.len) {
        buf_add_str(out, "\r\n\tid ");
        add_word(out, r->id);
    }
    buf_add_str(out, ";\r\n\t");
    stamp_date(out, r->when, r->zone_minutes);
    buf_add_str(out, "\r\n");
}
