/* SPDX-License-Identifier: ISC */
/*
 * error: why something expected went wrong, in words, made where the cause is known and carried up.
 *
 * The class is the exit code (sendmail(8), "EXIT STATUS"; sysexits.h), so that nothing in between has to translate.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum error_class {
    ERROR_NONE = 0,
    ERROR_USAGE = 64,    /* wrong usage, no recipient */
    ERROR_DATA = 65,     /* malformed address or message */
    ERROR_NOUSER = 67,   /* recipients refused */
    ERROR_REFUSED = 69,  /* refused for good otherwise */
    ERROR_INTERNAL = 70, /* a bug of ours */
    ERROR_OS = 71,       /* the operating system refused */
    ERROR_IO = 74,       /* reading or writing failed */
    ERROR_TEMP = 75,     /* try again later */
    ERROR_PROTOCOL = 76, /* replies that are no SMTP */
    ERROR_ADMIN = 77,    /* the administrator's trouble: login, certificate, not permitted */
    ERROR_CONFIG = 78,   /* configuration */
};

#define ERROR_TEXT_MAX 1000

struct error {
    enum error_class class;
    char text[ERROR_TEXT_MAX]; /* "WHAT: WHY", one line; control characters in what peers said are escaped */
};

/* Start with no error. */
void error_init(struct error *err);
/* Say what went wrong; replaces what was there. Returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *err, enum error_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ": " and strerror(errno_value) behind it. */
bool error_sys(struct error *err, enum error_class class, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Put context in front of the text: "context: text". Returns false. */
bool error_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
