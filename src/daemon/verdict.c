/* SPDX-License-Identifier: ISC */
/* verdict: counting and wording; what a reply means was decided before (mail/status). */
#include "daemon/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TEXT_MAX 3000
#define NAMED_MAX 1500 /* of the text, for naming recipients; the rest is counted */

/* The worst first: what a caller should try again, then what the administrator has to mend, then refusals. */
static const enum error_class ranking[] = { ERROR_INTERNAL, ERROR_OS, ERROR_IO, ERROR_TEMP, ERROR_ADMIN,
    ERROR_PROTOCOL, ERROR_CONFIG, ERROR_NOUSER, ERROR_DATA, ERROR_REFUSED };

static size_t rank(enum error_class class)
{
    size_t i = 0;

    while (i < sizeof ranking / sizeof ranking[0] && ranking[i] != class)
        i++;
    return i;
}

/* A recipient as the caller named it */
struct tally {
    bool delivered;                       /* at least one member has it */
    const struct verdict_member *failed;  /* its worst failure */
    const struct verdict_member *partial; /* it was served, but for this member, which was refused */
};

/* How many have it, of how many */
struct served {
    size_t n, of;
};

static void
count(struct tally *tally, const struct verdict_member *members, size_t nmembers)
{
    for (size_t i = 0; i < nmembers; i++) {
        struct tally *t = &tally[members[i].recipient];
        if (members[i].delivered)
            t->delivered = true;
        else if (!t->failed || rank(members[i].class) < rank(t->failed->class))
            t->failed = &members[i];
    }
}

static bool
same_failure(const struct verdict_member *a, const struct verdict_member *b)
{
    return !a->of_recipient && !b->of_recipient && a->class == b->class && strcmp(a->text, b->text) == 0;
}

/* What is said of a recipient; of one that others have got it under, the member is named, too */
static char *
line_of(const char *name, const struct tally *t, const struct verdict_member *m)
{
    return t->delivered ? mem_format("%.300s (%.300s): %.600s", name, m->address, m->text)
                        : mem_format("%.300s: %.600s", name, m->text);
}

/* "a@x: why; b@x: why; and 3 more" */
static void
name_failures(struct buf *out, const char *const *names, const struct tally *tally, size_t n)
{
    size_t left = 0;
    bool first = true;

    for (size_t i = 0; i < n; i++) {
        if (!tally[i].failed)
            continue;
        if (out->len > NAMED_MAX) {
            left++;
            continue;
        }
        if (!first)
            buf_add_str(out, "; ");
        first = false;
        char *line = line_of(names[i], &tally[i], tally[i].failed);
        buf_add_str(out, line);
        free(line);
    }
    if (left)
        buf_add_format(out, "; and %zu more", left);
}

static void
word(struct verdict *v, const char *const *names, const struct tally *tally, size_t n, struct served served)
{
    const struct verdict_member *worst = NULL;
    size_t failed = 0, alike = 0;

    for (size_t i = 0; i < n; i++) {
        if (!tally[i].failed)
            continue;
        failed++;
        if (!worst || rank(tally[i].failed->class) < rank(worst->class))
            worst = tally[i].failed;
    }
    if (!worst)
        return;
    v->class = worst->class;
    for (size_t i = 0; i < n; i++)
        alike += tally[i].failed && same_failure(tally[i].failed, worst);
    if (served.n == 0 && alike == failed) {
        buf_add_str(&v->text, worst->text); /* one trouble for all: no need to name each */
        return;
    }
    if (served.n > 0)
        buf_add_format(&v->text, "%zu of %zu recipients have it, not these: ", served.n, served.of);
    name_failures(&v->text, names, tally, n);
}

/* Served in part: who was refused is named, and it is a success */
static bool
is_served_in_part(const struct tally *tally, size_t n, size_t served)
{
    for (size_t i = 0; i < n; i++)
        if (tally[i].failed && tally[i].failed->class != ERROR_NOUSER &&
            tally[i].failed->class != ERROR_REFUSED && tally[i].failed->class != ERROR_DATA)
            return false;
    return served > 0;
}

static void
name_refused(struct verdict *v, const char *const *names, const struct tally *tally, size_t n)
{
    v->refused = mem_array(n, sizeof *v->refused);
    for (size_t i = 0; i < n; i++)
        if (tally[i].failed)
            v->refused[v->nrefused++] = line_of(names[i], &tally[i], tally[i].failed);
}

/* Without a queue no DSN tells of them: then it is said here */
static void
name_partial(struct verdict *v, const char *const *names, const struct tally *tally, size_t n)
{
    v->refused = mem_array(n, sizeof *v->refused);
    for (size_t i = 0; i < n; i++)
        if (tally[i].partial)
            v->refused[v->nrefused++] = line_of(names[i], &tally[i], tally[i].partial);
}

/* Recipients as the caller named them; where one of them got it in part, members */
static struct served
count_served(
    const struct tally *tally, size_t nrecipients, const struct verdict_member *members, size_t nmembers)
{
    struct served all = { 0, nrecipients }, each = { 0, nmembers };
    bool in_part = false;

    for (size_t i = 0; i < nrecipients; i++) {
        all.n += tally[i].delivered;
        in_part = in_part || (tally[i].delivered && tally[i].failed);
    }
    for (size_t i = 0; i < nmembers; i++)
        each.n += members[i].delivered;
    return in_part ? each : all;
}

void
verdict_make(struct verdict *v, const char *const *names, size_t nrecipients,
    const struct verdict_member *members, size_t nmembers, bool has_queue)
{
    struct tally *tally = mem_array(nrecipients ? nrecipients : 1, sizeof *tally);
    struct served served;

    memset(v, 0, sizeof *v);
    v->class = ERROR_NONE;
    buf_init(&v->text, TEXT_MAX);
    count(tally, members, nmembers);
    for (size_t i = 0; i < nrecipients; i++) {
        /* one that aliases expanded counts as refused if all its members are; deferred members are still to be told of */
        if (!tally[i].delivered || !tally[i].failed || tally[i].failed->class == ERROR_TEMP)
            continue;
        tally[i].partial = tally[i].failed;
        tally[i].failed = NULL;
    }
    served = count_served(tally, nrecipients, members, nmembers);
    if (has_queue && is_served_in_part(tally, nrecipients, served.n))
        name_refused(v, names, tally, nrecipients);
    else
        word(v, names, tally, nrecipients, served);
    if (!has_queue && v->class == ERROR_NONE)
        name_partial(v, names, tally, nrecipients);
    free(tally);
}

void
verdict_clear(struct verdict *v)
{
    for (size_t i = 0; i < v->nrefused; i++)
        free(v->refused[i]);
    free(v->refused);
    buf_clear(&v->text);
    memset(v, 0, sizeof *v);
}
