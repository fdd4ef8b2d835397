/* SPDX-License-Identifier: ISC */
/* control_why: what became of messages, from the history; a part of control, nobody else includes it. */
#ifndef DAEMON_CONTROL_WHY_H
#define DAEMON_CONTROL_WHY_H

#include "daemon/control_out.h"
#include "daemon/history.h"

enum { CONTROL_WHY_DEFAULT = 10, CONTROL_LOG_DEFAULT = 20, CONTROL_ERRORS_MAX = 3 };

/* An error of the last day that the peer may see */
struct control_error {
    char *id, *text;
    int64_t time_ms;
};

/* The stories of the messages that are meant, oldest first. False with err: there are none, or the history cannot be read. */
bool control_why(
    const struct control_request *q, struct control_out *o, struct spool *spool, struct error *err);
/* Events, and a last line that says where the next question may go on. */
bool control_log(const struct control_request *q, struct control_out *o, struct error *err);
/* Their inner parts, for a history that is there already. */
bool control_why_tell(const struct control_request *q, struct control_out *o, struct slice history,
    struct spool *spool, struct error *err);
void control_log_tell(const struct control_request *q, struct control_out *o, struct slice history);

/* What the history has of one message: lines in their order, of which all can be parsed. Borrows. */
struct control_story {
    struct slice id;
    struct slice *line;
    size_t n;
};
/* The next line of `rest` that the peer may see, in parts, too; false: there is none. */
bool control_story_next(
    const struct control_request *q, struct slice *rest, struct slice *line, struct history_line *l);
/* Is line `i`, which is `l`, the last one of its part of the message? */
bool control_story_ends(const struct control_story *s, size_t i, const struct history_line *l);
/* Is that part in the queue? */
bool control_story_waits(const struct history_line *l, struct spool *spool);
/* What helps against its last trouble, added; false: it went out after it, or nobody knows. */
bool control_story_advise(const struct control_request *q, const struct control_story *s, struct buf *advice);
/* control_why_json.c: the message as one line of words */
void control_story_words(const struct control_request *q, struct control_out *o,
    const struct control_story *s, struct spool *spool);

/* control_errors.c: the last errors, newest first, each text once; how many. The strings are the caller's. What cannot be read tells none. */
size_t control_errors(const struct control_request *q, struct control_error errors[CONTROL_ERRORS_MAX]);

#endif
