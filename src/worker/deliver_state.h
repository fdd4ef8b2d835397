/* SPDX-License-Identifier: ISC */
/* deliver_state: what the parts of deliver share; nobody else includes it. */
#ifndef WORKER_DELIVER_STATE_H
#define WORKER_DELIVER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "ipc/job.h"
#include "mail/status.h"
#include "smtp/connect.h"
#include "smtp/mx.h"
#include "smtp/race.h"
#include "smtp/session.h"
#include "worker/avoid.h"
#include "worker/head.h"

enum { DELIVER_HUBS_MAX = 32, DELIVER_TARGETS_MAX = 64, DELIVER_PINS_MAX = 16 };

struct transaction;

/* One message, smarthost after smarthost, until one takes it or refuses it */
struct deliver_turn {
    struct avoid asked;  /* those that have had their say; no search of this message looks at them again */
    struct avoid blamed; /* of these those it says something of, if another one takes the message */
    struct avoid lost;   /* those whose session was lost */
    struct status_fact *
        word; /* what the first one said of each recipient, which is the answer if none is better; NULL: none has */
    bool is_frozen;                                /* ... and that is for the administrator to mend */
    char relay[200], tls_info[100], mechanism[32]; /* ... of its session */
    bool others;                                   /* the session was lost, and there are other smarthosts */
};

struct worker {
    int sock;
    const struct config *c;
    struct config_hub hub[DELIVER_HUBS_MAX];
    size_t nhubs;
    unsigned char pins[DELIVER_PINS_MAX][32];
    size_t npins;
    struct head_settings complete;
    struct session_options options;
    struct session session;
    bool served;  /* a job */
    bool is_mute; /* the daemon could not be told what it has to hear: this worker has to end */
    bool warm;
    bool told;       /* until when token and own certificate are good */
    char relay[200]; /* host:port of the session */
    char host[256];  /* A-labels of it */
    bool is_direct;
    char domain[256]; /* direct: whose hosts the session is with */
    /* of several smarthosts: */
    struct avoid avoid;  /* those that failed of late */
    struct avoid late;   /* those that work, but take their time to greet */
    struct avoid failed; /* in this search */
    struct avoid passed; /* those before the session's, which were not to be had */
    size_t known;        /* how many there are to choose from */
    struct deliver_turn turn;
    const char *only; /* a probe: which one is to be looked at */
    bool verbose;
    bool waits;         /* the daemon knows that this job takes long */
    struct steps steps; /* of a test, as session_options.steps says */
    struct connect_info info;
    int64_t start_us, session_us, sent_us;
};

/* One host to connect to */
struct target {
    char *name;      /* as configuration or DNS say it */
    char host[256];  /* A-labels, when it has been tried */
    char relay[200]; /* host:port */
    uint16_t port;
    enum config_tls tls;
    struct tls_options tls_options; /* when it has been tried */
    bool tried;
    bool again;                 /* another of its addresses may do better */
    struct connect_peers peers; /* those that did not do */
    int64_t begun_ms;
    int64_t first_ms; /* the same of the first of its addresses */
};

struct search;
/*
 * Bring up a session on `fd` with the target the worker is aimed at; `begun`: the TLS that has begun there, or NULL (both taken over).
 * False with *fact.
 */
typedef bool deliver_greeter(
    struct search *s, int fd, struct tls *begun, const struct target *t, struct status_fact *fact);

/* The search for a session: hosts in the order they are preferred, a slow one beside those that come after it. */
struct search {
    struct worker *w;
    deliver_greeter *greet;
    struct target target[DELIVER_TARGETS_MAX];
    size_t n;
    bool (*more)(struct search *s); /* add those that come next; false: there are none. NULL: all are there */
    size_t asked;                   /* `more`: configured ones whose targets are there */
    bool remembers;                 /* what fails is left alone by later searches */
    const struct mx_list *mx;       /* direct: where the hosts are from */
    bool is_here;                   /* direct: this very machine has answered */
    bool is_closed;                 /* no more are to be begun */
    struct connect_options way;     /* what is the same for all, and the last one's host and port */
    char *proxy_host;
    struct race *race;
    int64_t next;             /* when the next one begins, though others are under way */
    int64_t patient;          /* the same if the one before is connected, and only silent */
    int64_t slow;             /* when this takes long enough to say so */
    struct status_fact *fact; /* of the last one that failed */
    bool is_untold;           /* that is not in the log so far */
    char *refusal; /* what only an administrator can mend, of the first one that said so; NULL: nothing */
    size_t failed, absent; /* how many; those that do not exist */
};

/* deliver_settings.c */
/* Take what w->c says, which the worker goes on borrowing from. False with err (78). */
bool deliver_settle(struct worker *w, struct error *err);

/* deliver_search.c */
struct search *deliver_search_new(struct worker *w, deliver_greeter *greet, struct status_fact *fact);
void deliver_search_free(struct search *s);
void deliver_search_add(struct search *s, const char *name, uint16_t port, enum config_tls tls);
/* Something in the place of a host has failed. */
void deliver_search_failed(struct search *s, const char *relay, const struct status_fact *fact);
/* A session with the first that is to be had. False with the search's fact, that of the last one; the others are in the log. */
bool deliver_search(struct search *s);

/* deliver_hubs.c */
/* A session for the account, or for w->domain. False with *fact. */
bool deliver_open(struct worker *w, struct status_fact *fact);
/* Is there another smarthost that is not known to fail, and has not been asked? */
bool deliver_has_others(const struct worker *w);
/* A better smarthost than the session's is to be tried again. */
bool deliver_is_second_best(const struct worker *w);

/* deliver_next.c */
/* What became of the transaction is no last word, and there is another smarthost to be asked: nothing is settled any more. */
bool deliver_turn_next(struct worker *w, struct transaction *t);
/*
 * All have been asked; the facts are the last one's, or (`opened` false) say why there is no session with any other. Where nobody has
 * taken anything of it, the first one's word takes their place; the daemon is told of those that put off what another one took.
 */
void deliver_turn_settle(struct worker *w, struct transaction *t, bool opened);
void deliver_turn_end(struct worker *w);

/* deliver_mx.c */
bool deliver_open_direct(struct worker *w, struct status_fact *fact);

/* deliver_open.c */
/* The session ends, if there is one. */
void deliver_hang_up(struct worker *w);
/* Host as A-labels without the final dot. False with *fact. */
bool deliver_to_ascii(const char *host, char out[256], struct status_fact *fact);
/* What follows is with this one. */
void deliver_aim(struct worker *w, const struct target *t);
/* A connected socket, each step told where somebody looks on; -1 with err. */
int deliver_connect(
    struct worker *w, const struct connect_options *o, struct connect_info *info, struct error *err);
bool deliver_greet(
    struct worker *w, int fd, struct tls *begun, enum session_tls tls, struct status_fact *fact);
/* Where that is the policy, the same once more in clear; false, with *fact as it was, where it is not. */
bool deliver_greet_bare(struct search *s, const struct target *t, struct status_fact *fact);
enum session_tls deliver_tls_mode(enum config_tls tls);
/* Into the log: the next one is tried because of this. */
void deliver_tell_of_hub(struct worker *w, const char *relay, const struct status_fact *fact);
/* The same where the next one is another address of that host. */
void deliver_tell_of_address(struct worker *w, const char *relay, const struct status_fact *fact);
/* The same of the last one, where the answer is another one's word. */
void deliver_tell_last_hub(struct worker *w, const char *relay, const struct status_fact *fact);
/* The daemon remembers it for the jobs that come, whoever does them. */
void deliver_tell_health(struct worker *w, const char *relay, enum job_health health);

#endif
