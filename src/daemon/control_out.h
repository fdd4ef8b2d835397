/* SPDX-License-Identifier: ISC */
/* control_out: lines of an answer to a client that may be slow; shared by the parts of control, nobody else includes it. */
#ifndef DAEMON_CONTROL_OUT_H
#define DAEMON_CONTROL_OUT_H

#include "daemon/control.h"

struct control_out {
    int fd;
    struct buf b;     /* not yet written */
    bool is_broken;   /* the client has gone or does not read: nothing more is of use */
    int64_t deadline; /* of the whole answer */
    int64_t alive;    /* when something was last written */
};

void control_out_begin(struct control_out *o, int fd);
/* One data line; foreign text in it is the caller's to escape (%s of control_text). */
void control_line(struct control_out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same in parts: line_begin, then adding to o->b, then line_end */
void control_line_begin(struct control_out *o);
void control_line_end(struct control_out *o);
/* A word of a line for programs; `text` NULL: none */
void control_word_text(struct control_out *o, const char *key, const char *text);
void control_word_number(struct control_out *o, const char *key, int64_t number);
void control_word_bool(struct control_out *o, const char *key, bool truth);
/* What follows belongs to one more object of this list. */
void control_word_object(struct control_out *o, const char *key);
/* Foreign text, escaped */
void control_add_text(struct control_out *o, const char *text);
/* To be called now and then: writes what is there, and that the answer still comes. False: nobody reads it. */
bool control_alive(struct control_out *o);
/* All of `text`, lines that are made already, as far as somebody reads it */
void control_out_all(struct control_out *o, struct slice text);
/* The last line, and all of it out */
void control_out_end(struct control_out *o, enum error_class class, const char *text);

/* "45s", "12m", "2h15m", "3d4h"; "812", "2.1K", "3.4M" */
void control_add_duration(struct buf *b, int64_t seconds);
void control_add_size(struct buf *b, uint64_t bytes);
/* "1 message", "3 messages" */
void control_add_count(struct buf *b, uint64_t n, const char *what);

#endif
