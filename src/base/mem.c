/* SPDX-License-Identifier: ISC */
/* mem: allocation that ends the program instead of failing, and the two ways a program may give up. */
#include "base/mem.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

enum { FATAL_MAX = 4096 };

static const char *program_name = "smtprelay"; /* set once by main() */

void
mem_program(const char *name)
{
    program_name = name;
}

void
fatal(int code, const char *format, ...)
{
    char raw[FATAL_MAX], shown[FATAL_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap); /* cut is fine: it is for people */
    va_end(ap);
    (void)text_escape(
        shown, sizeof shown, slice_of(raw)); /* it may quote an argument that somebody else has made */
    fprintf(stderr, "%s: %s\n", program_name, shown);
    exit(code);
}

void
fatal_unless_printed(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fatal(EX_IOERR, "cannot write to standard output");
}

void
panic_at(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s: internal error: %s:%d: %s\n", program_name, file, line, what);
    abort();
}

static noreturn void
out_of_memory(size_t n)
{
    /* no stdio buffers here: they may want memory */
    char text[160];
    int len =
        snprintf(text, sizeof text, "%s: out of memory: %zu bytes were not to be had\n", program_name, n);

    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(EX_OSERR); /* nobody is listening; the exit code says it */
    _exit(EX_OSERR);
}

void *
mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *
mem_array(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *
mem_resize(void *old, size_t n, size_t size)
{
    size_t total;
    void *p;

    if (__builtin_mul_overflow(n, size, &total))
        out_of_memory(SIZE_MAX);
    p = realloc(old, total ? total : 1);
    if (!p)
        out_of_memory(total);
    return p;
}

char *
mem_dupn(const char *s, size_t n)
{
    char *p;

    if (n == SIZE_MAX)
        out_of_memory(n);
    p = mem_alloc(n + 1);
    if (n)
        memcpy(p, s, n);
    return p;
}

char *
mem_dup(const char *s)
{
    return s ? mem_dupn(s, strlen(s)) : NULL;
}

char *
mem_format(const char *format, ...)
{
    va_list ap;
    char *p = NULL;
    int n;

    va_start(ap, format);
    n = vasprintf(&p, format, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(0);
    return p;
}

#ifdef __GLIBC__
void
mem_trim(void)
{
    (void)malloc_trim(0); /* whether there was something makes no difference */
}
#else
void
mem_trim(void)
{
}
#endif

void
mem_wipe(void *p, size_t n)
{
    if (p && n)
        explicit_bzero(p, n);
}

void
mem_free_secret(char *s)
{
    if (s)
        mem_wipe(s, strlen(s));
    free(s);
}
