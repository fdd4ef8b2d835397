/* SPDX-License-Identifier: ISC */
/* session_state: what the parts of session share; nobody else includes it. */
#ifndef SMTP_SESSION_STATE_H
#define SMTP_SESSION_STATE_H

#include "smtp/session.h"

/* session_login.c */
/* AUTH, where there is a user; false with *fact. */
bool session_login(struct session *s, struct status_fact *fact);

#endif
