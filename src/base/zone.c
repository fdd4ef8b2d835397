/* SPDX-License-Identifier: ISC */
/* zone: see zone.h. What the file does not say by itself, the C library may find out. */
#include "base/zone.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"

#define ZONE_FILE "/etc/localtime"
#define ZONE_FILE_MAX 8192 /* most have 100 to 3600 bytes */
#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define HOURS_MAX 24

/* The numbers of a header, in their order there */
enum { ISUT, ISSTD, LEAPS, TIMES, TYPES, CHARS, COUNTS };

struct part {
    uint32_t n[COUNTS];
    size_t bytes; /* behind the header */
};

static uint64_t
big_endian(const char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* A header, whose times have so many bytes, and all it announces */
static bool
parse_part(struct slice file, size_t time_bytes, struct part *part)
{
    const uint32_t *n = part->n;

    if (file.len < HEADER_BYTES || !slice_starts(file, "TZif") || file.p[4] < '2')
        return false;
    for (size_t i = 0; i < COUNTS; i++)
        part->n[i] = (uint32_t)big_endian(file.p + 20 + 4 * i, 4);
    for (size_t i = 0; i < COUNTS; i++)
        if (n[i] > file.len)
            return false; /* before they are multiplied */
    part->bytes = n[TIMES] * (time_bytes + 1) + n[TYPES] * (size_t)TYPE_BYTES + n[CHARS] +
                  n[LEAPS] * (time_bytes + 4) + n[ISSTD] + n[ISUT];
    return n[TYPES] > 0 && part->bytes <= file.len - HEADER_BYTES;
}

/* The number at the beginning of `s`, taken from it */
static bool
take_number(struct slice *s, int32_t max, int32_t *v)
{
    size_t digits = 0;

    for (*v = 0; digits < s->len && digits < 3 && ascii_is_digit(s->p[digits]); digits++)
        *v = *v * 10 + (s->p[digits] - '0');
    *s = slice_from(*s, digits);
    return digits > 0 && *v <= max;
}

/* "CET-1" or "<+0530>-5:30": a zone that is always so far from UTC. With summer time there is more behind it. */
static bool
parse_rule(struct slice rule, int32_t *seconds)
{
    size_t name = 0;
    int32_t part, sign = -1;

    if (rule.len && rule.p[0] == '<')
        name = slice_find(rule, '>') + 1;
    else
        while (name < rule.len && ascii_is_alpha(rule.p[name]))
            name++;
    rule = slice_from(rule, name);
    if (rule.len && (rule.p[0] == '-' || rule.p[0] == '+')) {
        sign = rule.p[0] == '-' ? 1 : -1;
        rule = slice_from(rule, 1);
    }
    if (!take_number(&rule, HOURS_MAX, seconds))
        return false;
    *seconds *= 3600 * sign;
    for (int32_t unit = 60; unit > 0 && rule.len && rule.p[0] == ':'; unit /= 60) {
        rule = slice_from(rule, 1);
        if (!take_number(&rule, 59, &part))
            return false;
        *seconds += part * unit * sign;
    }
    return rule.len == 0;
}

bool
zone_find(struct slice file, int64_t when, int32_t *seconds)
{
    struct part part;
    struct slice rule;
    size_t i, type;

    if (!parse_part(file, 4, &part))
        return false;
    file = slice_from(file, HEADER_BYTES + part.bytes);
    if (!parse_part(file, 8, &part) || part.n[LEAPS] > 0)
        return false;
    const char *times = file.p + HEADER_BYTES, *of_time = times + 8 * (size_t)part.n[TIMES];
    const char *types = of_time + part.n[TIMES];
    for (i = part.n[TIMES]; i > 0 && (int64_t)big_endian(times + 8 * (i - 1), 8) > when; i--)
        ;
    if (i == part.n[TIMES]) { /* after the last change the rule holds */
        rule = slice_from(file, HEADER_BYTES + part.bytes);
        if (rule.len < 2 || rule.p[0] != '\n')
            return false;
        rule = slice_from(rule, 1);
        return parse_rule(slice_sub(rule, 0, slice_find(rule, '\n')), seconds);
    }
    if (i == 0)
        return false; /* before the first one: of no use to anybody */
    type = (unsigned char)of_time[i - 1];
    if (type >= part.n[TYPES])
        return false;
    *seconds = (int32_t)(uint32_t)big_endian(types + TYPE_BYTES * type, 4);
    return true;
}

/* What the C library says */
static int32_t
ask_library(time_t when)
{
    struct tm tm;

    return localtime_r(&when, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

int32_t
zone_seconds(time_t when)
{
    struct buf file;
    int32_t seconds = 0;
    ssize_t n = -1;
    int fd;

    if (getenv("TZ"))
        return ask_library(when);
    buf_init(&file, ZONE_FILE_MAX);
    fd = open(ZONE_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        n = file_read_some(fd, buf_reserve(&file, ZONE_FILE_MAX), ZONE_FILE_MAX);
    file_close(&fd);
    if (n < 0 || n == ZONE_FILE_MAX || !zone_find(slice_make(file.data, (size_t)n), when, &seconds))
        seconds = ask_library(when);
    buf_clear(&file);
    return seconds;
}
