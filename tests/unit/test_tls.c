/* SPDX-License-Identifier: ISC */
/* tls: how it begins, how it fails, and that bytes pass; against an OpenSSL server on a socket pair. */
#include "unit/suite.h"
#include "unit/tlspeer.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- handshake */

START_TEST(versions_below_the_least_are_refused)
{
    static const struct {
        int server;
        const char *least;
        const char *got; /* NULL: refused */
    } cases[] = {
        { TLS1_VERSION, NULL, NULL },
        { TLS1_1_VERSION, NULL, NULL },
        { TLS1_2_VERSION, NULL, "TLSv1.2" },
        { TLS1_2_VERSION, "1.3", NULL },
        { 0, "1.3", "TLSv1.3" },
        { TLS1_VERSION, "1.0", "TLSv1" },
        { TLS1_1_VERSION, "1.0", "TLSv1.1" },
        { TLS1_VERSION, "1.1", NULL },
    };
    struct world w = tlspeer_world(&tlspeer_good);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
        struct manners m = { .max_version = cases[i].server };
        struct tls_info info;
        struct outcome o;

        options.min_version = cases[i].least;
        tlspeer_connect(&o, &w, &m, options);
        if (cases[i].got == NULL) {
            ck_assert_int_eq(o.failure, TLS_FAILURE_HANDSHAKE);
            ck_assert_int_eq(o.err.class, ERROR_ADMIN);
            ck_assert_msg(strstr(o.err.text, "TLS version") != NULL, "%s", o.err.text);
        } else {
            ck_assert_msg(o.tls != NULL, "%zu: %s", i, o.err.text);
            tls_info(o.tls, &info);
            ck_assert_str_eq(info.version, cases[i].got);
        }
        tlspeer_hang_up(&o);
    }
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_name_goes_out_as_sni_and_an_address_does_not)
{
    static const struct paper both = {
        .cn = "x", .san = "DNS:" TLSPEER_HOST ",IP:192.0.2.1", .from_days = -1, .to_days = 9
    };
    static const char *const cases[][2] = { { TLSPEER_HOST, TLSPEER_HOST }, { "192.0.2.1", "-" } };
    struct world w = tlspeer_world(&both);

    for (size_t i = 0; i < 2; i++) {
        char text[100] = "";
        struct outcome o;
        ssize_t n;

        tlspeer_connect(&o, &w, &tlspeer_plain, tlspeer_strict(&w, cases[i][0]));
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        n = tlspeer_read(&o, text, sizeof text - 1, clock_deadline(10000));
        ck_assert_int_eq(n, (ssize_t)strlen(cases[i][1]));
        ck_assert_str_eq(text, cases[i][1]);
        ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 0);
        tlspeer_hang_up(&o);
    }
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_client_certificate_is_used_and_its_absence_is_named)
{
    static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct world w = tlspeer_world(&tlspeer_good);
    char *mine = tlspeer_pem(&w.client, true), *cert = tlspeer_pem(&w.client, false),
         *theirs = tlspeer_pem(&w.server, true);

    for (size_t i = 0; i < 4; i++) {
        struct manners m = { .want_client = true, .max_version = version[i / 2], .say = "hello" };
        struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
        struct outcome o;
        char text[10];
        ssize_t n = -1;

        if (i % 2 == 0) {
            options.cert_pem = slice_of(cert);
            options.key_pem = slice_of(mine);
        }
        tlspeer_connect(&o, &w, &m, options);
        if (o.tls != NULL)
            n = tlspeer_read(&o, text, sizeof text, clock_deadline(10000));
        ck_assert_msg((n == 5) == (i % 2 == 0), "%zu: %s", i, o.err.text);
        if (i % 2 == 1)
            ck_assert_int_eq(o.err.class, ERROR_ADMIN);
        tlspeer_hang_up(&o);
    }
    for (size_t i = 0; i < 3; i++) {
        struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
        struct outcome o;

        options.cert_pem = slice_of(i == 0 ? "nonsense" : cert);
        options.key_pem = slice_of(i == 2 ? theirs : NULL);
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CONFIG);
        ck_assert_int_eq(o.err.class, ERROR_CONFIG);
        tlspeer_hang_up(&o);
    }
    free(mine), free(cert), free(theirs);
    tlspeer_free(&w);
}
END_TEST

START_TEST(broken_settings_are_named)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct tls_options bad[4];
    static const char *const why[] = { "TLS_CA_File", "TLSMinVersion", "host name", "host name" };
    char *long_name = mem_alloc(1000);

    memset(long_name, 'a', 999);
    for (size_t i = 0; i < 4; i++)
        bad[i] = tlspeer_strict(&w, TLSPEER_HOST);
    bad[0].ca_pem = slice_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    bad[1].min_version = "1.4";
    bad[2].host = "";
    bad[3].host = long_name;
    for (size_t i = 0; i < 4; i++) {
        struct outcome o;

        tlspeer_connect(&o, &w, &tlspeer_plain, bad[i]);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CONFIG);
        ck_assert_msg(strstr(o.err.text, why[i]) != NULL, "%s", o.err.text);
        tlspeer_hang_up(&o);
    }
    free(long_name);
    tlspeer_free(&w);
}
END_TEST

/* Talk to a peer that is no TLS server: it has sent `say`, then stays silent or closes. In one go, or after `steps` */
static enum tls_failure
against(struct slice say, bool closes, int steps, struct error *err)
{
    struct tls_options options = { .host = TLSPEER_HOST, .verify = false };
    enum tls_failure failure;
    struct tls *t;
    int pair[2];

    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    if (say.len > 0)
        ck_assert_int_eq(write(pair[1], say.p, say.len), (ssize_t)say.len);
    if (closes)
        (void)shutdown(pair[1], SHUT_WR);
    error_init(err);
    t = tls_begin(pair[0], &options);
    while (steps-- > 0)
        ck_assert_int_eq(tls_step(t), say.len > 3 || closes ? TLS_STEP_FAILED : TLS_STEP_READ);
    t = tls_finish(t, clock_deadline(closes ? 10000 : 50), &failure, err);
    ck_assert_ptr_null(t);
    close(pair[0]);
    close(pair[1]);
    return failure;
}

START_TEST(a_handshake_that_is_cut_off_is_temporary_and_one_that_is_no_tls_is_not)
{
    struct error err;

    for (int steps = 0; steps < 3; steps++) {
        ck_assert_int_eq(against(slice_of(""), true, steps, &err), TLS_FAILURE_LOST);
        ck_assert_int_eq(err.class, ERROR_TEMP);
        ck_assert_int_eq(against(slice_of("\x16\x03\x03"), true, steps, &err), TLS_FAILURE_LOST);
        ck_assert_int_eq(against(slice_of(""), false, steps, &err), TLS_FAILURE_TIMEOUT);
        ck_assert_int_eq(err.class, ERROR_TEMP);
        ck_assert_int_eq(
            against(slice_of("220 mail.example.net ESMTP\r\n"), false, steps, &err), TLS_FAILURE_HANDSHAKE);
        ck_assert_int_eq(err.class, ERROR_ADMIN);
        ck_assert_msg(strstr(err.text, "does not speak TLS") != NULL, "%s", err.text);
        ck_assert_int_eq(
            against(slice_make("\x15\x03\x03\0\x02\x02\x28", 7), false, steps, &err), TLS_FAILURE_HANDSHAKE);
    }
}
END_TEST

static bool
is_heard(struct outcome *o, int ms)
{
    struct pollfd p = { .fd = o->fd, .events = POLLIN };
    enum tls_step next = tls_step(o->tls);

    while (next != TLS_STEP_HEARD && poll(&p, 1, ms) > 0) {
        next = tls_step(o->tls);
        ck_assert_int_ne(next, TLS_STEP_FAILED);
    }
    return next == TLS_STEP_HEARD;
}

START_TEST(in_steps_the_peer_is_heard_when_it_speaks_behind_the_handshake_and_its_word_stays_to_be_read)
{
    struct world w = tlspeer_world(&tlspeer_good);

    for (int i = 0; i < 2; i++) {
        struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
        struct manners m = { .say = "220", .max_version = i ? TLS1_2_VERSION : 0 };
        struct outcome o;
        char text[10];
        int gate[2];

        ck_assert_int_eq(pipe(gate), 0);
        m.gate = gate[0];
        tlspeer_start(&o, &w, &m);
        o.tls = tls_begin(o.fd, &options);
        while (!tls_is_shaken(o.tls))
            ck_assert(!is_heard(&o, 100));
        ck_assert(!is_heard(&o, 20)); /* session tickets are none */
        ck_assert_int_eq(write(gate[1], "!", 1), 1);
        ck_assert(is_heard(&o, 10000));
        o.tls = tls_finish(o.tls, clock_deadline(0), &o.failure, &o.err);
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 3);
        ck_assert(tlspeer_hang_up(&o));
        close(gate[0]);
        close(gate[1]);
    }
    tlspeer_free(&w);
}
END_TEST

/* ---------------------------------------------------------------- bytes */

START_TEST(the_end_is_the_end_with_or_without_close_notify)
{
    struct world w = tlspeer_world(&tlspeer_good);

    for (int i = 0; i < 4; i++) {
        struct manners m = {
            .say = "hello", .no_notify = i % 2 == 0, .max_version = i / 2 == 0 ? TLS1_2_VERSION : 0
        };
        struct outcome o;
        char text[10];
        size_t done;
        enum tls_io io;

        tlspeer_connect(&o, &w, &m, tlspeer_strict(&w, TLSPEER_HOST));
        ck_assert_int_eq(tlspeer_read(&o, text, 2, clock_deadline(10000)), 2);
        ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 3);
        ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 0);
        io = tls_read_some(o.tls, text, sizeof text, &done, &o.err);
        ck_assert(io == TLS_IO_EOF || io == TLS_IO_ERROR);
        tlspeer_hang_up(&o);
    }
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_silent_peer_gives_want_read_and_a_deadline_ends_the_wait)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct manners m = { .say = "x", .bulk = 1 };
    struct outcome o;
    char text[10];
    size_t done;

    tlspeer_connect(&o, &w, &m, tlspeer_strict(&w, TLSPEER_HOST));
    ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 1);
    ck_assert_int_eq(tls_read_some(o.tls, text, sizeof text, &done, &o.err), TLS_IO_WANT_READ);
    ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(20)), -1);
    ck_assert_int_eq(o.err.class, ERROR_TEMP);
    ck_assert(tlspeer_write(&o, "y", 1, clock_deadline(10000)));
    ck_assert_int_eq(tlspeer_read(&o, text, sizeof text, clock_deadline(10000)), 1);
    tlspeer_hang_up(&o);
    tlspeer_free(&w);
}
END_TEST

START_TEST(megabytes_pass_in_both_directions)
{
    const size_t size = 3000000;
    struct world w = tlspeer_world(&tlspeer_good);
    char *data = mem_alloc(size);

    for (int i = 0; i < 2; i++) {
        struct manners m = { .say = "x", .bulk = size, .max_version = i == 0 ? TLS1_2_VERSION : 0 };
        struct outcome o;
        size_t got = 0;
        ssize_t n;

        tlspeer_connect(&o, &w, &m, tlspeer_strict(&w, TLSPEER_HOST));
        ck_assert_int_eq(tlspeer_read(&o, data, 1, clock_deadline(10000)), 1);
        ck_assert_msg(tlspeer_write(&o, data, size, clock_deadline(20000)), "%s", o.err.text);
        while ((n = tlspeer_read(&o, data, size, clock_deadline(20000))) > 0)
            got += (size_t)n;
        ck_assert_int_eq(n, 0);
        ck_assert_uint_eq(got, size);
        tlspeer_hang_up(&o);
    }
    free(data);
    tlspeer_free(&w);
}
END_TEST

START_TEST(renegotiation_is_refused)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct manners m = { .say = "hello", .max_version = TLS1_2_VERSION, .renegotiate = true };
    struct outcome o;
    char text[10];

    tlspeer_connect(&o, &w, &m, tlspeer_strict(&w, TLSPEER_HOST));
    (void)tlspeer_read(&o, text, sizeof text, clock_deadline(10000)); /* the request is in there */
    ck_assert_msg(tlspeer_hang_up(&o), "the server got its second handshake");
    tlspeer_free(&w);
}
END_TEST

/* ---------------------------------------------------------------- channel binding */

START_TEST(the_binding_is_the_exporter_over_tls_1_3_and_the_certificate_below)
{
    struct world w = tlspeer_world(&tlspeer_good);
    unsigned char want[TLS_PIN_BYTES];

    tlspeer_pin(want, &w.server, false); /* signed with SHA-256, so the same hash */
    for (int i = 0; i < 2; i++) {
        struct manners m = { .say = "x", .max_version = i == 0 ? TLS1_2_VERSION : 0 };
        struct outcome o;
        struct buf data;
        const char *type;

        buf_init(&data, 1000);
        tlspeer_connect(&o, &w, &m, tlspeer_strict(&w, TLSPEER_HOST));
        type = tls_binding(o.tls, &data);
        ck_assert_str_eq(type, i == 0 ? "tls-server-end-point" : "tls-exporter");
        ck_assert_uint_eq(data.len, 32);
        ck_assert_int_eq(memcmp(data.data, want, sizeof want) == 0, i == 0);
        buf_clear(&data);
        tlspeer_hang_up(&o);
    }
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_certificate_signed_without_a_hash_has_no_end_point)
{
    static const struct paper ed = {
        .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9, .self = true, .ed25519 = true
    };
    struct world w = tlspeer_world(&ed);
    struct manners m = { .say = "x", .max_version = TLS1_2_VERSION };
    struct tls_options options = { .host = TLSPEER_HOST };
    struct outcome o;
    struct buf data;

    buf_init(&data, 1000);
    tlspeer_connect(&o, &w, &m, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    ck_assert_ptr_null(tls_binding(o.tls, &data));
    tlspeer_hang_up(&o);
    tlspeer_free(&w);
}
END_TEST

SUITE_MAIN("tls", versions_below_the_least_are_refused, a_name_goes_out_as_sni_and_an_address_does_not,
    a_client_certificate_is_used_and_its_absence_is_named, broken_settings_are_named,
    a_handshake_that_is_cut_off_is_temporary_and_one_that_is_no_tls_is_not,
    in_steps_the_peer_is_heard_when_it_speaks_behind_the_handshake_and_its_word_stays_to_be_read,
    the_end_is_the_end_with_or_without_close_notify,
    a_silent_peer_gives_want_read_and_a_deadline_ends_the_wait, megabytes_pass_in_both_directions,
    renegotiation_is_refused, the_binding_is_the_exporter_over_tls_1_3_and_the_certificate_below,
    a_certificate_signed_without_a_hash_has_no_end_point)
