/* SPDX-License-Identifier: ISC */
/* error: formatting of error texts; never logs, prints or exits. Control characters never get into a text. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void
error_init(struct error *err)
{
    err->class = ERROR_NONE;
    err->text[0] = '\0';
}

static void
put(struct error *err, enum error_class class, const char *raw)
{
    err->class = class;
    text_escape(err->text, sizeof err->text, slice_of(raw));
}

bool
error_set(struct error *err, enum error_class class, const char *format, ...)
{
    char raw[ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap); /* cut is fine: it is for people */
    va_end(ap);
    put(err, class, raw);
    return false;
}

bool
error_sys(struct error *err, enum error_class class, int errno_value, const char *format, ...)
{
    char raw[ERROR_TEXT_MAX], all[ERROR_TEXT_MAX + 200];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap);
    va_end(ap);
    (void)snprintf(all, sizeof all, "%s: %s", raw, strerror(errno_value));
    put(err, class, all);
    return false;
}

bool
error_context(struct error *err, const char *format, ...)
{
    char raw[ERROR_TEXT_MAX], all[2 * ERROR_TEXT_MAX + 2];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap);
    va_end(ap);
    (void)snprintf(all, sizeof all, "%s: %s", raw, err->text);
    put(err, err->class, all);
    return false;
}
