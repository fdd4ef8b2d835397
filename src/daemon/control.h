/* SPDX-License-Identifier: ISC */
/*
 * control: the server's side of the control protocol, which `mailq`, `sendmail -q`, `-bv` and `smtprelay` speak. Knows no socket
 * and no loop: the same answers come from the daemon at `Socket`.ctl and from `smtprelayd --ctl` (daemon/ctl).
 *
 *     request   NAME [ARGUMENT]\n               arguments percent-encoded (base/text)
 *     answer    data lines, each with a blank in front; empty lines while it takes longer; at last "=CODE TEXT", then the end
 *
 *     list [-v]     what waits, as Postfix's mailq prints it; with -v also what to do about it
 *     queue [F...]  the same, a line a message
 *     show F...     messages with their content
 *     retry F...    try them now; with --failed: put them back into the queue
 *     hold F...     do not try them until they are released
 *     release F...  try those that are held
 *     remove F...   remove them without a word to anybody
 *     why TEXT [N] [--json]  what became of the last N messages with that id or address; TEXT "-": of any
 *     log [P [N]]   events as they come: the last N of them, or those since P, which is what stands behind '@' in the last line
 *     status        what waits and why, by account, and what to do; CODE 1: something is in trouble, 2: somebody has to mend it
 *     run [I|R|S]   make all messages due, or those whose id, a recipient, the sender has the text in it
 *     verify A...   where mail for these addresses would go
 *     trace S U A...  the same step by step, for mail from S of the user with that uid; "-": the peer's own
 *     test [O...] [A]  walk to the smarthost step by step and tell each, with A: send a message there (daemon/control_test);
 *                   O: --account=NAME, --config=PATH (whose settings these are, without a daemon)
 *     wake          another process has added to the queue
 *
 * F is the id of a message, or an option of struct control_filter, `--older-than=2h`; all of them together say which are meant. With
 * --json data lines are words, TYPE.KEY=VALUE (percent-encoded; s text, n number, b truth), where +.KEY= begins one more object of
 * the list KEY; with --progress there are lines "+DONE TOTAL" while it lasts.
 *
 * CODE is an exit code (base/error), TEXT what goes to stderr, empty = nothing. Operators see and change all; others what is their
 * own. A request is a copy of all it needs: control_answer and control_select may run in any thread, while everything else goes on.
 * They block on disk and on a client that reads slowly: give them threads of their own, not those that commit mail.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"
#include "mail/explain.h"
#include "queue/record.h"
#include "queue/spool.h"

enum { CONTROL_NUMBER_MAX = 10000 };
enum { CONTROL_LINE_MAX = 70000 };      /* a little more than our own clients send */
enum { CONTROL_VERIFY_MAX = 16 << 20 }; /* an answer to verify and trace */
#define CONTROL_SUFFIX ".ctl"           /* behind the path of `Socket` */
#define CONTROL_GROUP "smtprelay-admin"
#define CONTROL_RUNAWAY "runaway: " /* begins the reason of a hold that only operators undo */

enum control_verb {
    CONTROL_LIST,
    CONTROL_QUEUE,
    CONTROL_SHOW,
    CONTROL_WHY,
    CONTROL_LOG,
    CONTROL_STATUS,
    CONTROL_RETRY,
    CONTROL_HOLD,
    CONTROL_RELEASE,
    CONTROL_REMOVE,
    CONTROL_RUN,
    CONTROL_VERIFY,
    CONTROL_TRACE,
    CONTROL_TEST,
    CONTROL_WAKE
};

/* Who asks */
struct control_peer {
    int64_t uid;
    bool is_operator;
};

/* A message that waits for the rate of its account */
struct control_turn {
    char id[SPOOL_ID_MAX + 1];
    int64_t at_s; /* seconds from now */
};

/* What holds the mail of an account to a rate; zeroed: nothing does */
struct control_rate {
    int64_t per_hour; /* in force, 0: none */
    char shown[32];   /* the same in words */
    char *why;        /* the peer's words, if it is slower than RateLimit for them; NULL: it is not */
    struct control_turn *turn; /* those that are over it, by id */
    size_t nturns;
    int64_t after_s; /* more may wait, and go after that; 0: all are in `turn` */
};

/* What the scheduler knows of an account */
enum control_state { CONTROL_UP, CONTROL_DOWN, CONTROL_FROZEN };
struct control_account {
    char *name;
    char *reason; /* of DOWN and FROZEN */
    enum control_state state;
    int64_t since_s; /* DOWN and FROZEN: for so many seconds */
    int64_t next_s;  /* DOWN and FROZEN: seconds until it is tried again, -1 = not planned */
    struct control_rate rate;
    /* in seconds since 1970, 0: not known */
    int64_t token_s;       /* its token expires */
    int64_t token_told_s;  /* ... as a worker told then */
    bool token_is_renewed; /* by a command, or something else that renews it all the time */
    int64_t client_s;      /* its own certificate expires */
};

/* What is known of a smarthost */
struct control_hub {
    char *account, *relay;
    int64_t expires_s; /* its certificate, in seconds since 1970; 0: not known, or nobody asks */
    int64_t alone_s;   /* it failed, and is tried last for so many seconds; 0: it is not */
};

/* What only a running daemon knows; all zero without one. Of what is not there, nothing is said. */
struct control_snapshot {
    bool is_daemon;
    int64_t pid; /* of the process that was started; 0: not known */
    int64_t uptime_s;
    size_t workers, workers_busy, workers_max;
    size_t sessions; /* callers being served */
    int64_t next_run_s;
    int64_t retry_min_s, retry_max_s;
    int64_t warn_after_s;        /* older mail is trouble, 0: none is */
    uint64_t min_free, max_size; /* as spool_has_room has them */
    bool lacks_config;           /* without a daemon: nothing is set up */
    bool wants_queue;            /* without a daemon: the system's configuration names the queue */
    bool has_died;               /* without a daemon: one left its socket behind */
    int64_t loaded_s, broken_s;  /* as struct core_disk has them */
    char *broken;                /* why; NULL where the peer may not read it */
    char *unprotected;           /* what this system lacks of our defences; NULL: nothing */
    struct control_account *account;
    size_t naccounts;
    struct control_hub *hub;
    size_t nhubs;
    char (*active)[SPOOL_ID_MAX + 1]; /* ids under way */
    size_t nactive;
};

/* Which messages are meant: by ids (any of them) and what else is said (all of it); and how to answer */
struct control_filter {
    char **id;
    size_t nid;
    char *sender, *recipient, *reason; /* has this in it; "<>" the null sender; NULL: any */
    char *account, *unit;              /* is this */
    int64_t uid, older_s, larger;      /* -1: any */
    bool held;                         /* only those */
    bool failed;                       /* of failed/ instead of the queue */
    bool all;                          /* says that none of the above is meant */
    bool dry_run;                      /* only show what is meant */
    bool count;                        /* only count it */
    bool json, progress;
};

struct control_request {
    enum control_verb verb;
    char by;       /* run: 'I', 'R', 'S', 0 = all */
    char *text;    /* run: what is looked for; why, log: the first word; trace: the sender */
    size_t number; /* why, log: 0 = as usual */
    struct control_filter filter;
    bool verbose;   /* list */
    char *file;     /* test: --config; text is its account, NULL: as mail goes */
    char **address; /* verify, trace, test; the uid of trace is filter.uid */
    size_t naddress;
    /* set by the owner before the answer */
    struct control_peer peer;
    char *queue_dir;
    struct explain *explain; /* what errors mean; the request's own; NULL: nobody knows */
    struct control_snapshot snapshot;
};

void control_init(struct control_request *q);
void control_clear(struct control_request *q);
/*
 * A request line without its ending. False with err (64); the request is then empty but still to be cleared. Arguments may hold any
 * byte but NUL; there are no empty ones.
 */
bool control_parse(struct slice line, struct control_request *q, struct error *err);
/* The request line of words: the first is the name, the others are encoded. What control_parse understands. */
void control_format(struct buf *line, const char *const words[], size_t n);

/* The id of the operators' group, -1 = there is none; asks the system's databases. */
int64_t control_group(void);
/* Who is at the other end of a Unix socket. False (and nobody's rights): the kernel does not say. */
bool control_identify(int sock, int64_t group, struct control_peer *peer);

/* Parts of the snapshot; the strings are copied. */
void control_add_account(struct control_request *q, const char *name, enum control_state state,
    const char *reason, int64_t since_s, int64_t next_s);
void control_add_hub(
    struct control_request *q, const char *account, const char *relay, int64_t expires_s, int64_t alone_s);
void control_add_active(struct control_request *q, const char *id);

/* Does its answer say what to do about errors, so that it needs `explain`? */
bool control_explains(const struct control_request *q);
/* Has control_answer the answer? Else (run, verify, trace, test, wake, what changes messages) the owner has, with the functions below. */
bool control_is_answered(const struct control_request *q);
/* Write the whole answer to `fd`, which stays the caller's. A client that does not read gets no more of it. */
void control_answer(struct control_request *q, int fd);
/* May this peer ask that (wake, and trace for others, are the operators')? False with err (77). */
bool control_is_permitted(const struct control_request *q, struct error *err);

/* run: does it mean all that waits, so that no record needs to be looked at? */
bool control_means_all(const struct control_request *q);
/*
 * The ids of the messages that are meant; *ids is fresh memory. `client` (-1: none) hears that it takes its time. False with err (69: one
 * named by its id is not there; 75: the client has gone).
 */
bool control_select(
    struct control_request *q, int client, char (**ids)[SPOOL_ID_MAX + 1], size_t *n, struct error *err);
/* Who asks, for the reason of a hold: "root" */
char *control_peer_name(const struct control_request *q);
/*
 * Do to one message what the request says (hold, release, remove; retry with --failed), durably, under its lock; `s` is the queue
 * whose lock this process has. Waits for a moment where an attempt is just over. False with err. From any thread.
 */
bool control_change(
    const struct control_request *q, struct spool *s, const char *id, const char *who, struct error *err);
/* The end of the answer to a change of n messages, of which `failed` were not changed, because of err */
void control_changed(
    const struct control_request *q, struct buf *answer, size_t n, size_t failed, const struct error *err);
/* verify, trace: the whole answer (control_verify.c) */
void control_verify(const struct control_request *q, const struct config *c, struct buf *answer);
/* The last line: of run and wake it is all of the answer. */
void control_end(struct buf *answer, enum error_class class, const char *text);

#endif
