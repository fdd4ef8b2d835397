/* SPDX-License-Identifier: ISC */
/*
 * human: what people are to see of a sender whose address gives way: "root on web1 (Cron Daemon)". Pure.
 */
#ifndef WORKER_HUMAN_H
#define WORKER_HUMAN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "worker/rewrite.h"

/* The first mailbox of a field, as it is told to people */
struct human {
    bool is_local;      /* at this machine, which has to be named then */
    struct slice name;  /* as it stood there, with quotes */
    struct slice inner; /* of a comment, without its parentheses */
    struct buf local;   /* what the local part means */
    struct buf domain;
};

/* How people call the machine: the first label of a name of three and more, else all of it. */
struct slice human_host(const struct rewrite *r);
/* As a display name, with a blank in front, encoded-words as they are; nothing where there is nothing to say. */
void human_add(struct buf *out, const struct rewrite *r, const struct human *h);

#endif
