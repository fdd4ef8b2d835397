/* SPDX-License-Identifier: ISC */
/*
 * test: `smtprelay test`: the way to the smarthost, step by step, with advice on the first that fails. The steps are a worker's
 * (daemon/control_test); this program only shows them.
 */
#ifndef ADMIN_TEST_H
#define ADMIN_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "config/file.h"

/* What a caller may want to know besides */
struct test_outcome {
    bool is_login_refused;    /* 535: name or password are not right */
    char step[16], cause[16]; /* of the failure, as --json has them; "": none */
};

struct test_options {
    struct config_request request; /* as of the other commands; a file of its own is what is tested */
    const char *account;           /* NULL: as mail to `address` goes */
    const char *address;           /* who gets a test message; NULL: none is sent */
    bool json;                     /* an object a line, the last one sums up */
    bool by_daemon;                /* root, too, asks the daemon, as others do */
    bool of_setup;                 /* a part of it, which says itself what comes next */
    bool is_again;                 /* it was just walked: of what goes well only what is new is shown */
    struct test_outcome *outcome;  /* NULL: nobody asks */
};

/* Walk, and print each step to standard output. Returns the exit code, by what failed. */
int test_run(const struct test_options *o);
/* The same from the command line; the first word is "test". */
int test_ask(const struct config_request *request, const char *const words[], size_t n);

#endif
