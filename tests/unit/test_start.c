/* SPDX-License-Identifier: ISC */
/* What helper and daemon say to each other arrives as it was said, or not at all. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/passfd.h"
#include "ipc/start.h"
#include "unit/suite.h"

static int pair[2];

static void
open_pair(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void
close_pair(void)
{
    file_close(&pair[0]);
    file_close(&pair[1]);
}

START_TEST(what_is_said_beside_the_settings_arrives)
{
    static const struct start_options said[] = { { false, false, 0, 0, 0 }, { true, false, 4, 0, 1700000000 },
        { false, true, 2, 30000, 4102444800 }, { true, true, UINT16_MAX, INT32_MAX, 1 } };

    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct start_options heard;
        char text[START_TEXT_MAX];
        start_options_format(&said[i], text);
        start_options_parse(text, &heard);
        ck_assert_int_eq(heard.own, said[i].own);
        ck_assert_int_eq(heard.log_stderr, said[i].log_stderr);
        ck_assert_uint_eq(heard.sockets, said[i].sockets);
        ck_assert_int_eq(heard.watchdog_ms, said[i].watchdog_ms);
        ck_assert_int_eq(heard.loaded_s, said[i].loaded_s);
    }
}
END_TEST

START_TEST(what_is_unknown_beside_the_settings_is_passed_over)
{
    struct start_options heard;

    start_options_parse("", &heard);
    ck_assert_uint_eq(heard.sockets, 0);
    start_options_parse("later=1  sockets=x watchdog own= =3 stderr=1", &heard);
    ck_assert(heard.log_stderr && !heard.own && heard.sockets == 0 && heard.watchdog_ms == 0);
}
END_TEST

START_TEST(why_the_configuration_on_disk_is_broken_arrives_with_its_time)
{
    char text[START_TEXT_MAX];
    int64_t since = 0;
    const char *why = "";

    start_broken_format(4102444800, "/etc/x.conf line 3: no = here", text); /* beyond 2038 */
    ck_assert(start_broken_parse(text, &since, &why));
    ck_assert_int_eq(since, 4102444800);
    ck_assert_str_eq(why, "/etc/x.conf line 3: no = here");
    start_broken_format(1, "", text);
    ck_assert(start_broken_parse(text, &since, &why) && since == 1 && *why == '\0');
    ck_assert(!start_broken_parse("", &since, &why) && !start_broken_parse("why", &since, &why));
}
END_TEST

START_TEST(a_packet_has_just_the_descriptors_of_its_kind)
{
    static const struct {
        enum start_type type;
        size_t least, most;
    } kinds[] = { { START_SETTINGS, 1, 2 }, { START_FAILED, 0, 0 }, { START_READY, 1, 1 },
        { START_WORKER, 0, 0 }, { START_SOCKET, 1, 1 }, { START_STOP, 0, 0 }, { START_ALIVE, 0, 0 },
        { START_TROUBLE, 0, 0 }, { START_BROKEN, 0, 0 } };
    const int fds[PASSFD_MAX] = { STDIN_FILENO, STDOUT_FILENO };
    struct {
        uint32_t type, class;
        char text[START_TEXT_MAX];
    } wire;
    struct start_packet p;
    struct error err;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (size_t n = 0; n <= PASSFD_MAX; n++) {
            open_pair();
            memset(&wire, 0, sizeof wire);
            wire.type = (uint32_t)kinds[i].type;
            ck_assert(passfd_send(pair[0], &wire, sizeof wire, fds, n));
            ck_assert_int_eq(
                start_receive(pair[1], &p, &err), n >= kinds[i].least && n <= kinds[i].most ? 1 : -1);
            start_drop(&p);
            close_pair();
        }
    }
}
END_TEST

START_TEST(settings_bring_the_log_with_them)
{
    struct start_packet p;
    struct error err;

    open_pair();
    ck_assert(start_send_settings(pair[0], "sockets=2", STDIN_FILENO, STDERR_FILENO));
    ck_assert(start_send_settings(pair[0], "", STDIN_FILENO, -1));
    ck_assert_int_eq(start_receive(pair[1], &p, &err), 1);
    ck_assert(p.type == START_SETTINGS && p.fd >= 0 && p.log_fd >= 0 && p.fd != p.log_fd);
    start_drop(&p);
    ck_assert_int_eq(start_receive(pair[1], &p, &err), 1);
    ck_assert(p.fd >= 0 && p.log_fd == -1);
    start_drop(&p);
    close_pair();
}
END_TEST

START_TEST(the_last_word_of_a_process_that_ends_is_heard)
{
    struct start_packet p;
    struct error err;

    open_pair();
    /* it ends without having read all we said */
    ck_assert(start_send(pair[0], START_STOP, ERROR_NONE, "", -1));
    ck_assert(start_send(pair[1], START_FAILED, ERROR_CONFIG, "why it ends", -1));
    file_close(&pair[1]);
    ck_assert_int_eq(start_receive(pair[0], &p, &err), 1);
    ck_assert(p.type == START_FAILED && p.class == ERROR_CONFIG);
    ck_assert_str_eq(p.text, "why it ends");
    ck_assert_int_eq(start_receive(pair[0], &p, &err), 0);
    close_pair();
}
END_TEST

SUITE_MAIN("start", the_last_word_of_a_process_that_ends_is_heard, what_is_said_beside_the_settings_arrives,
    what_is_unknown_beside_the_settings_is_passed_over, a_packet_has_just_the_descriptors_of_its_kind,
    why_the_configuration_on_disk_is_broken_arrives_with_its_time, settings_bring_the_log_with_them)
