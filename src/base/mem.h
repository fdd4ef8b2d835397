/* SPDX-License-Identifier: ISC */
/*
 * mem: memory that is there, or the program ends.
 *
 * Allocation failure is hopeless for us: mem_* end the program with EX_OSERR and one line, so that no
 * caller has an untested path.  Lengths that come from outside are bounded before they get here.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* The name before each fatal line, "sendmail" or so; set once in main(), must stay valid. */
void mem_program(const char *name);

/* Memory of `n` (times `size`) bytes, zeroed; never NULL, n = 0 gives one byte. Freed with free(). */
void *mem_alloc(size_t n);
void *mem_array(size_t n, size_t size);
/* As realloc() for `n` elements of `size` bytes, overflow checked; new bytes are not zeroed. */
void *mem_resize(void *p, size_t n, size_t size);
/* A copy with a NUL behind it. mem_dup(NULL) is NULL. */
char *mem_dup(const char *s);
char *mem_dupn(const char *s, size_t n);
/* Formatted into fresh memory. */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Give back to the system what was freed, where the C library keeps it: for who has been busy and now rests. */
void mem_trim(void);
/* Overwrite in a way the compiler keeps. */
void mem_wipe(void *p, size_t n);
/* Wipe a secret string and free it; NULL is fine. */
void mem_free_secret(char *s);

/* Hopeless: one line "NAME: text" on stderr (escaped as base/text does), exit `code` (sysexits.h). Only for main.c and mem.c. */
_Noreturn void fatal(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was printed to standard output is out, or fatal(EX_IOERR) says that it is not. */
void fatal_unless_printed(void);
/* Impossible: a bug of ours; says where and aborts. Compiled in always. */
_Noreturn void panic_at(const char *file, int line, const char *what);
#define panic(what) panic_at(__FILE__, __LINE__, (what))
#define ensure(cond) ((cond) ? (void)0 : panic_at(__FILE__, __LINE__, #cond))

#endif
