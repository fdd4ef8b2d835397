/* SPDX-License-Identifier: ISC */
/* control_expiry: certificates and tokens in `smtprelay status`: how long they are good for, and when that is trouble. */
#ifndef DAEMON_CONTROL_EXPIRY_H
#define DAEMON_CONTROL_EXPIRY_H

#include "daemon/control.h"
#include "daemon/control_out.h"

/* Whole days from now, -1: it has expired */
int64_t control_expiry_days(int64_t expires_s);
/* A certificate that should have been renewed by now; 0 is none */
bool control_expiry_is_near(int64_t expires_s);
/* The account's own certificate, or its token: one that had expired when it was read, or that nothing renews and is about to */
bool control_expiry_is_trouble(const struct control_account *a);

/* Lines for people, and what to do */
void control_expiry_print(struct control_out *o, const struct control_account *a);
void control_expiry_print_hub(struct control_out *o, const struct control_hub *h);
/* The words of an account for programs */
void control_expiry_add(struct control_out *o, const struct control_account *a);

#endif
