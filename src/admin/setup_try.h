/* SPDX-License-Identifier: ISC */
/* setup_try: the test of a configuration that is not written yet. */
#ifndef ADMIN_SETUP_TRY_H
#define ADMIN_SETUP_TRY_H

#include <stdbool.h>

#include "admin/test.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Test `text` as if it stood in the file o->request.name; it is in memory only, whatever happens to this process. False with err: it
 * could not be tried; else *code is test_run()'s, which has said what is wrong, and *outcome what it knows besides.
 */
bool setup_try(const struct test_options *o, struct slice text, int *code, struct test_outcome *outcome,
    struct error *err);
/* test_run() in a process of its own, so that Ctrl-C ends the test and not its caller. The exit code. */
int setup_try_file(const struct test_options *o);

#endif
