/* SPDX-License-Identifier: ISC */
/* test_show: lays out what the steps say; all of it is escaped once more, whoever said it. */
#include "admin/test_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/json.h"
#include "base/text.h"

enum { LINE_MAX_BYTES = 4000, BAR = 30 };

static const char green[] = "\033[32m", red[] = "\033[1;31m", grey[] = "\033[2m", plain[] = "\033[0m";

/* Names of steps for people */
static const struct {
    const char *step, *shown;
} names[] = {
    { "mx", "MX" },
    { "tls", "TLS" },
    { "ehlo", "EHLO" },
    { "starttls", "STARTTLS" },
    { "mail", "MAIL FROM" },
    { "rcpt", "RCPT TO" },
    { "data", "DATA" },
    { "reset", "RSET" },
};

static const char *
shown_name(const char *step)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(step, names[i].step) == 0)
            return names[i].shown;
    return step;
}

static void
print_json(const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

    if (text)
        puts(text);
    free(text);
}

static const char *
in_colour(const struct test_show *s, const char *colour)
{
    return s->colour ? colour : "";
}

void
test_show_begin(struct test_show *s, bool json)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    memset(s, 0, sizeof *s);
    s->json = json;
    s->terminal = isatty(STDOUT_FILENO);
    s->is_all_seen = s->terminal && isatty(STDERR_FILENO);
    s->colour = s->terminal && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

void
test_show_wait(struct test_show *s, bool waits)
{
    if (!s->colour || s->json || s->waits == waits)
        return;
    if (waits)
        printf("%s...%s", grey, plain);
    else
        fputs("\r\033[K", stdout);
    s->waits = waits;
    (void)fflush(stdout); /* the end looks at what went wrong */
}

/* ---------------------------------------------------------------- a step */

enum { LONG_US = 10 * 1000 * 1000 };

static void
print_time(int64_t us)
{
    if (us < LONG_US)
        printf("%7.1f ms", (double)us / 1000);
    else
        printf("%8.1f s", (double)us / 1000 / 1000);
}

/* Of a walk that was just walked: what went well then, too */
static bool
is_known(const struct test_show *s, const char *step, bool ok)
{
    static const char *const news[] = { "login", "mail", "rcpt", "data", "message" };

    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++)
        if (strcmp(step, news[i]) == 0)
            return false;
    return s->is_brief && ok;
}

static void
print_escaped(const char *text)
{
    char shown[LINE_MAX_BYTES];

    (void)text_escape(shown, sizeof shown, slice_of(text));
    fputs(shown, stdout);
}

static void
print_notes(const struct test_show *s, const json_t *step)
{
    const json_t *notes = json_object_get(step, "notes"), *note;
    size_t i;

    json_array_foreach(notes, i, note)
    {
        printf("%s%41s", in_colour(s, grey), "");
        print_escaped(json_text_of(note, "text"));
        printf("%s\n", in_colour(s, plain));
    }
}

static void
remember(struct test_show *s, const json_t *step)
{
    const json_t *us = json_object_get(step, "us");

    s->round_trips += json_integer_value(json_object_get(step, "round_trips"));
    if (!us || s->n == TEST_STEPS_MAX)
        return;
    (void)snprintf(
        s->step[s->n].name, sizeof s->step[s->n].name, "%s", shown_name(json_text_of(step, "step")));
    s->step[s->n++].us = json_integer_value(us);
}

void
test_show_step(struct test_show *s, const json_t *step)
{
    bool ok = json_is_true(json_object_get(step, "ok"));
    const json_t *us = json_object_get(step, "us"), *trips = json_object_get(step, "round_trips");
    char name[32];

    remember(s, step);
    test_show_wait(s, false);
    if (s->json) {
        print_json(step);
    } else if (!is_known(s, json_text_of(step, "step"), ok)) {
        (void)text_escape(name, sizeof name, slice_of(shown_name(json_text_of(step, "step"))));
        printf("%s%-6s%s  %-13s ", in_colour(s, ok ? green : red), ok ? "ok" : "FAILED", in_colour(s, plain),
            name);
        if (us)
            print_time(json_integer_value(us));
        else
            printf("%10s", "");
        if (trips)
            printf(" %2lld rt", (long long)json_integer_value(trips));
        else
            printf("%6s", "");
        printf("  ");
        print_escaped(json_text_of(step, "text"));
        putchar('\n');
        print_notes(s, step);
    }
    test_show_wait(s, ok);
    (void)fflush(stdout); /* the end looks at what went wrong */
}

/* ---------------------------------------------------------------- the end */

/* Each step where it lay in the whole */
static void
print_timeline(const struct test_show *s, int64_t total)
{
    int64_t at = 0;

    putchar('\n');
    for (size_t i = 0; i < s->n; i++) {
        int64_t from = at * BAR / total, to = (at + s->step[i].us) * BAR / total;
        printf("  %-13s ", s->step[i].name);
        for (int64_t k = 0; k < BAR; k++)
            putchar(k >= from && (k < to || k == from) ? '=' : '.');
        putchar(' ');
        print_time(s->step[i].us);
        putchar('\n');
        at += s->step[i].us;
    }
}

/* "12.6 ms, 4 round trips" */
static void
print_total(const struct test_show *s, int64_t total)
{
    if (total < LONG_US)
        printf("%.1f ms", (double)total / 1000);
    else
        printf("%.1f s", (double)total / 1000 / 1000);
    printf(", %lld round trip%s\n", (long long)s->round_trips, s->round_trips == 1 ? "" : "s");
}

static const char *
good_end(const struct test_show *s, bool has_message)
{
    if (has_message)
        return "the message was sent; see that it arrives, and not as spam";
    return s->of_setup ? "mail is taken"
                       : "mail is taken (no message was sent: smtprelay test ADDRESS sends one)";
}

static void
print_result(const struct test_show *s, const json_t *summary, const char *advice, bool has_message)
{
    int64_t total = 0;

    for (size_t i = 0; i < s->n; i++)
        total += s->step[i].us;
    if (s->terminal && s->n > 1 && total > 0 && !s->is_brief)
        print_timeline(s, total);
    if (s->n && !s->is_brief)
        print_total(s, total);
    if (strcmp(json_text_of(summary, "result"), "ok") == 0)
        printf("%sok%s: %s\n", in_colour(s, green), in_colour(s, plain), good_end(s, has_message));
    if (advice) {
        printf("what to do: ");
        print_escaped(advice);
        putchar('\n');
    }
}

void
test_show_end(struct test_show *s, json_t *summary, const char *advice, bool has_message)
{
    if (advice)
        (void)json_object_set_new(summary, "advice", json_text(advice)); /* without memory it is left out */
    test_show_wait(s, false);
    if (s->json)
        print_json(summary);
    else
        print_result(s, summary, advice, has_message);
}
