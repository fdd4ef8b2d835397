/* SPDX-License-Identifier: ISC */
/* setup_state: what the parts of `smtprelay setup` share, in the order in which they come. */
#ifndef ADMIN_SETUP_STATE_H
#define ADMIN_SETUP_STATE_H

#include "admin/setup_text.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/file.h"

enum { SETUP_TEXT_MAX = 1 << 21, SETUP_SECRET_MAX = 4096 };

struct setup {
    const struct config_request *req;
    struct setup_account a;
    const char *password_file;
    bool force, no_test, no_login;
    struct buf secret;
    struct buf found; /* what is in `target`; empty and !is_there: nothing */
    bool is_there;
    struct buf before;                   /* the same; empty: none, or none that can be gone on with */
    bool own;                            /* it is the caller's own file */
    bool is_typed;                       /* the password was, at a terminal */
    char *hub, *hint;                    /* "srv:domain"; what a provider's password has to be */
    char *provider, *user, *preset_user; /* the login that the provider wants of everybody */
    char *target;
};

/*
 * setup_secret.c: the password, from wherever it comes, into s->secret. False with err where there is none.
 */
bool setup_secret_get(struct setup *s, struct error *err);
/*
 * The smarthost has refused the login: let the one at the terminal type the password once more. False: there is nobody to ask, nothing
 * was typed, or it was the same again, which is not sent twice.
 */
bool setup_secret_again(struct setup *s);

/*
 * setup_put.c: write it, after a yes where something is there; without one, beside what is there (then false with err). A
 * configuration, the one before or the new one, finds its own password at any moment.
 */
bool setup_put(struct setup *s, struct error *err);

/* setup_find.c: s->a.mailhub is "srv:domain": has it a submission server? False with err; true also where that cannot be asked. */
bool setup_find(const struct setup *s, struct error *err);

#endif
