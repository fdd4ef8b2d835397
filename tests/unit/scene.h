/* SPDX-License-Identifier: ISC */
/* scene: a pool between a helper and workers that the test plays. */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/pool.h"

struct scene {
    struct loop *loop;
    struct pool *pool;
    int helper; /* our end */
    int record;
    int controls;
    bool helper_gone;
    struct start_packet asked;
    char buffer[JOB_PACKET_MAX];
};

struct owner {
    struct scene *scene;
    const char *then; /* an account to start another job for when this one is over */
    struct owner *next;
    struct pool_job *job;
    int packets, overs;
    enum error_class class; /* NONE: done */
    bool maybe_sent;
    char text[ERROR_TEXT_MAX];
};

/* The account "narrow" has a limit of two workers. */
void scene_open(struct scene *s, size_t workers_max, int64_t idle_ms);
void scene_close(struct scene *s);
/* A job whose owner notes what becomes of it. */
struct pool_job *scene_start(
    struct scene *s, struct owner *o, const char *account, uint32_t number, bool urgent);
/* Let the pool see all that was sent so far. */
void scene_settle(struct scene *s);
/* The account a worker is asked for next, until the next call; NULL: none is. */
const char *scene_asked(struct scene *s);
/* A worker is there; our end of it. */
int scene_ready(struct scene *s);
/* The number of the job that the worker finds; 0: none; -1: it is hung up on. */
int scene_job_of(struct scene *s, int worker);
void scene_say(struct scene *s, int worker, enum job_type type, int level, const char *text);
void scene_say_fact(struct scene *s, int worker, const char *relay);
/* A worker for `account` that has done one job and is idle. */
int scene_warm_worker(struct scene *s, const char *account);

/* scene_open, without an end of idle workers, and one job of the account "a" with the worker that is there for it: our end of it. */
int scene_begin(struct scene *s, size_t workers_max, struct owner *o, uint32_t number, bool urgent);

#define SCENE_ASKED(s, account)              \
    do {                                     \
        const char *asked_ = scene_asked(s); \
        ck_assert_ptr_nonnull(asked_);       \
        ck_assert_str_eq(asked_, account);   \
    } while (0)

/* The worker finds a packet with that text */
#define SCENE_FINDS(s, worker, kind, expected)                                  \
    do {                                                                        \
        struct job_packet p_;                                                   \
        struct error err_;                                                      \
        ck_assert_int_eq(job_receive(worker, (s)->buffer, &p_, &err_), 1);      \
        ck_assert_int_eq(p_.type, kind);                                        \
        ck_assert_msg(slice_is(p_.text, expected), "%.*s", SLICE_ARG(p_.text)); \
    } while (0)

#endif
