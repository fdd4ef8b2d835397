/* SPDX-License-Identifier: ISC */
/* options: sendmail's command line, one table: what every caller since 1983 has in common (sendmail(8)). */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum options_action {
    OPTIONS_SEND,
    OPTIONS_BS,
    OPTIONS_MAILQ,
    OPTIONS_ALIASES,
    OPTIONS_VERIFY,
    OPTIONS_QUEUE_RUN,
    OPTIONS_DAEMON,
    OPTIONS_FOREGROUND,
    OPTIONS_VERSION,
    OPTIONS_HELP
};

struct options {
    enum options_action action;
    const char *config;    /* -C */
    const char *sender;    /* -f, -r as given; NULL = the caller's login */
    const char *full_name; /* -F */
    bool from_header;      /* -t */
    bool keep_dots;        /* -i */
    bool verbose;
    bool quiet; /* -oeq: the exit code says it all */
    char mode;  /* 'i', 'b', 'q'; 0 = default */
    const char *notify, *ret, *envid;
    const char *tag; /* -L */
    char queue_by;   /* -q: 'I', 'R', 'S' = ids, recipients, senders that have queue_match in them; 0 = all */
    const char *queue_match;
    bool queue_timed;    /* -qTIME */
    const char *unknown; /* the first option that is not understood, for the log */
    const char *late;    /* the first recipient that looks like an option, behind another one, for the log */
    char **recipients;   /* the rest of argv */
    size_t nrecipients;
};

/*
 * Parse argv (argv[0] decides about mailq and newaliases). `recipients` has room for argc strings and is the caller's; the
 * strings are argv's. False with err (ERROR_USAGE). With recipients or -t the action is OPTIONS_SEND, or OPTIONS_VERIFY for
 * recipients alone: no other answers with exit code 0 where mail was to be sent.
 */
bool options_parse(int argc, char **argv, struct options *o, char **recipients, struct error *err);

#endif
