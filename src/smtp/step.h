/* SPDX-License-Identifier: ISC */
/*
 * step: what happens on the way to a session and through a transaction, told step by step to who wants to see it
 * (`smtprelay test`).
 *
 * A step is one line of words as base/text encodes them, TYPE.KEY=VALUE (s text, n number, b truth), where +.KEY= begins one more
 * object of the list KEY: "s.step=tls b.ok=1 n.us=1200 n.round_trips=1 s.text=... +.notes= s.text=...". Of what peers say nothing
 * goes into it that is not escaped. All functions take NULL: nobody looks.
 */
#ifndef SMTP_STEP_H
#define SMTP_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "mail/status.h"

enum { STEP_LINE_MAX = 15000 };

struct steps {
    void (*tell)(void *ctx, struct slice words);
    void *ctx;
    struct buf head, lists; /* of the step under way */
    int64_t begun_us;
    bool has_names; /* an address of the host is known */
};

void steps_init(struct steps *s, void (*tell)(void *ctx, struct slice words), void *ctx);
void steps_clear(struct steps *s);
/* The next step begins now; what was said of one that did not come to its end is forgotten. */
void steps_begin(struct steps *s);

/* What is known of the step under way */
void steps_text(struct steps *s, const char *key, struct slice text);
void steps_number(struct steps *s, const char *key, int64_t number);
void steps_flag(struct steps *s, const char *key, bool flag);
/* One more object of a list, and what belongs to it */
void steps_item(struct steps *s, const char *list);
void steps_item_text(struct steps *s, const char *key, struct slice text);
void steps_item_number(struct steps *s, const char *key, int64_t number);
/* A line for people, below the step */
void steps_note(struct steps *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* It has ended well; the next one begins. */
void steps_done(struct steps *s, const char *name, unsigned round_trips, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* It has failed, with this fact; the next one begins. */
void steps_failed(struct steps *s, const struct status_fact *fact);

#endif
