/* SPDX-License-Identifier: ISC */
/*
 * import: what other programs' configurations say, in our settings. Pure: text in, settings and notes out.
 *
 * A parser (import_ssmtp and so on) reads its texts by import_open() and import_beside(), which ask whoever knows files, and says
 * what it found by import_set(), what it could not carry by import_leave(), and what is different now by import_tell(). No key is
 * dropped in silence. What is written at last is the writer's matter (admin/import_text).
 */
#ifndef ADMIN_IMPORT_H
#define ADMIN_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

enum { IMPORT_TEXT_MAX = 1 << 20, IMPORT_NOTES_MAX = 1 << 16 };

struct import_source {
    char *path; /* as the other program knows it, without any other root */
    char *text;
    size_t len;
};

/* Where something stands; line 0: `path` says all ("msmtp's default"). */
struct import_at {
    const char *path;
    unsigned line;
};

/* One value of a setting, of group `group` (0 = outside of accounts) */
struct import_item {
    enum config_key key; /* CONFIG_AUTH_PASS: goes into a file of its own */
    size_t group;
    char *text;
    char *origin;
};

struct import;
/* Look `path` up: true with its content (at most IMPORT_TEXT_MAX) in `text`; false with err.class ERROR_NONE: there is none. */
typedef bool import_reader(struct import *im, const char *path, struct buf *text, struct error *err);

struct import {
    const char *program;           /* whose configuration it is, NULL: nobody's yet */
    const char *home;              /* what ~ stands for; NULL: unknown */
    import_reader *read;           /* NULL: only what import_add_source() gave is there */
    void *ctx;                     /* the reader's */
    struct import_source **source; /* [0] is the main file */
    size_t sources;
    struct import_item *item;
    size_t items;
    size_t groups;    /* 1 + groups of accounts */
    struct buf left;  /* lines: what could not be carried */
    struct buf told;  /* lines: what is different now */
    bool verified;    /* the other program checked certificates */
    unsigned secrets; /* in the names of the secret files, above 1: "smtprelay.secret2" */
    char *spool;      /* where its mail waits, NULL: it has no queue */
};

/* One parser: im->source[0] is the main file. False with err when there is nothing to make a configuration of. */
typedef bool import_parser(struct import *im, struct error *err);
import_parser import_ssmtp, import_msmtp, import_nullmailer, import_dma, import_esmtp, import_postfix,
    import_exim;

/* The programs we know. */
struct import_program {
    const char *name;
    const char *const
        *paths; /* where the main file may be, NULL at the end; "~/" is the home, "$/" XDG_CONFIG_HOME */
    import_parser *parse;
    const char *spool; /* the usual one, if we can take it over */
    bool server;       /* a whole mail server: its file lies about on machines that never used it to relay */
};
/* By name; NULL when we do not know it. */
const struct import_program *import_find_program(struct slice name);
/* Number `i`; NULL behind the last. */
const struct import_program *import_program_at(size_t i);
/* Whose it is, by path and then by content; NULL when it cannot be told. */
const struct import_program *import_recognise(const char *path, struct slice text);

void import_begin(struct import *im);
void import_end(struct import *im);
/* A text that needs no reader. */
const struct import_source *import_add_source(struct import *im, const char *path, struct slice text);
/* Read by the reader, once; NULL when there is none (what cannot be read is noted). Relative names begin at "/". */
const struct import_source *import_open(struct import *im, const char *path);
/* `name` in the folder of the main file. */
const struct import_source *import_beside(struct import *im, const char *name);
/* An absolute path of what a user wrote: "~" is the home; NULL when it cannot be made one. Fresh memory. */
char *import_path(const struct import *im, struct slice text);

/* Lines without their ends (LF or CRLF), a byte order mark and blanks at their ends; comment lines and empty ones are there, too. */
struct import_lines {
    struct slice rest;
    struct slice line;
    struct import_at at;
};
void import_lines_begin(struct import_lines *l, const struct import_source *s);
bool import_lines_next(struct import_lines *l);
/* The next line that is neither empty nor begins with '#', without blanks at both ends. */
bool import_lines_next_content(struct import_lines *l);
/* What stands before the first `sep`, which is cut off; all of it, or nothing of an empty one. */
struct slice import_cut(struct slice *rest, char sep);
/* Cut the first word (blanks end it) off `rest`; false when there is none. */
bool import_word(struct slice *rest, struct slice *word);
/*
 * The same with quotes as a shell has them ("…" and '…', \ before a character), into `out`. False when there is none, or a quote is
 * not closed (then *rest is not empty).
 */
bool import_quoted_word(struct slice *rest, struct buf *out);
/* yes, on, true, 1; anything else is not */
bool import_is_yes(struct slice text);

/* Keys and values as they were found, so that each is either used or named as left. */
struct import_pair {
    char *key, *value;
    struct import_at at;
    bool used;
};
struct import_pairs {
    struct import_pair *pair;
    size_t n;
};
/* Why a key is not carried; one that ends with '*' means all that begin so. A NULL key ends a table. */
struct import_reason {
    const char *key, *why;
};
void import_pairs_add(struct import_pairs *p, struct slice key, struct slice value, struct import_at at);
/* The last one of this name (without case), all of them used from now on; NULL when there is none. */
struct import_pair *import_pairs_find(struct import_pairs *p, const char *key);
/* Is there one with a value? It is not used by that. */
bool import_pairs_has(const struct import_pairs *p, const char *key);
/* Its value as a slice, empty when there is none. */
struct slice import_pairs_value(struct import_pairs *p, const char *key);
/* This one was found, and is not carried; NULL: nothing to say. */
void import_leave_pair(struct import *im, const struct import_pair *pair, const char *why);
void import_pairs_clear(struct import_pairs *p);
/* Name all that were not used, with their reasons; those with the reason "" in one note: they are about the program itself. */
void import_pairs_leave(struct import *im, struct import_pairs *p, const struct import_reason *why);

/* A new group of accounts with this name (made unique). */
size_t import_add_group(struct import *im, struct slice name, struct import_at at);
/* The value of a setting, or its only item (an empty one: the list is empty); false, and noted, when our configuration cannot have it. */
bool import_set(
    struct import *im, size_t group, enum config_key key, struct slice value, struct import_at at);
/* One more item of a list. */
bool import_add(
    struct import *im, size_t group, enum config_key key, struct slice value, struct import_at at);
void import_unset(struct import *im, size_t group, enum config_key key);
/* NULL when it has none. */
const char *import_get(const struct import *im, size_t group, enum config_key key);

enum import_tls { IMPORT_TLS_NONE, IMPORT_TLS_IMPLICIT, IMPORT_TLS_STARTTLS, IMPORT_TLS_OPPORTUNISTIC };
/* Port number or name of a service; 0 when it is none. */
uint16_t import_port(struct slice text);
/* Cut "host", "host:port", "[host]:port", "[v6]:port"; a port that is none is 0. */
void import_split_hub(struct slice text, struct slice *host, struct slice *port);
/* Add a smarthost with its port. */
bool import_add_hub(struct import *im, size_t group, struct slice host, uint16_t port, struct import_at at);
void import_set_tls(struct import *im, size_t group, enum import_tls tls, uint16_t port, struct import_at at);
/* AuthUser and password; an empty password is noted as one to be filled in. */
void import_set_login(struct import *im, size_t group, struct slice user, struct slice pass,
    struct import_at user_at, struct import_at pass_at);
/* The same from two keys; a password without a login is noted. */
void import_set_login_pairs(
    struct import *im, size_t group, struct import_pairs *p, const char *user_key, const char *pass_key);
/* A command line as a shell reads it, as AuthPassCommand; false, and noted, when it cannot be one. */
bool import_set_command(struct import *im, size_t group, struct slice command, struct import_at at);
/* A file with CA certificates; the system's own needs no setting. */
void import_set_ca(struct import *im, size_t group, struct slice path, struct import_at at);
/* A domain for addresses without one; whatever stands before an '@' does not count. */
void import_set_domain(struct import *im, struct slice domain, struct import_at at);
/* "90s" of a number of seconds, or noted. */
void import_set_seconds(
    struct import *im, enum config_key key, struct slice seconds, const char *name, struct import_at at);
/* The first line of /etc/mailname or so, empty when there is none. */
struct slice import_first_line(const struct import_source *s);
/* What all programs need at the end: login without TLS, certificate checks. False with err when there is no smarthost. */
bool import_finish(struct import *im, struct error *err);

/* Notes: "PATH line N: KEY: WHY"; foreign bytes are made harmless, and no secret belongs here. */
void import_leave(struct import *im, struct import_at at, struct slice key, const char *why);
void import_tell(struct import *im, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
