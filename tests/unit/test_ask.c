/* SPDX-License-Identifier: ISC */
/* ask: what a client makes of the daemon's answer. */
#include "unit/suite.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

/* What `ask` makes of an answer: "CODE|output|text" */
static char *
asked(const char *answer)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct error err;
    struct buf out;
    int pair[2], file = file_temp(dirs, &err), code;
    char *all;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert(file_write(pair[1], answer, strlen(answer)));
    ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    code = ask(pair[0], slice_of("list"), file, 5000, &err);
    close(pair[0]);
    close(pair[1]);
    buf_init(&out, 1u << 20);
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
    struct error read_err;
    ck_assert(file_read_all(file, &out, "output", &read_err));
    file_close(&file);
    all = mem_format("%d|%s|%s", code, buf_str(&out), err.text);
    buf_clear(&out);
    return all;
}

START_TEST(an_answer_is_copied_and_ends_as_it_says)
{
    static const struct {
        const char *answer, *result;
    } cases[] = {
        { " one\n two\n=0 \n", "0|one\ntwo\n|" },
        { " \n\n\n  x\n=67 nobody there\n", "67|\n x\n|nobody there" },
        { "=0 a note\n", "0||a note" },
        { " one\n=75 later\n more after the end\n", "75|one\n|later" },
        { "", "75||smtprelayd: ended without an answer" },
        { " one\n tw", "75|one\ntw|smtprelayd: ended without an answer" },
        { " one\n=0 ", "75|one\n|smtprelayd: ended without an answer" },
        { "220 hello\n", "75||smtprelayd: an answer that is not understood" },
        { "=\n", "75||smtprelayd: an answer that is not understood" },
        { "=3 x\n", "75||smtprelayd: an answer that is not understood" },
        { "=99 x\n", "75||smtprelayd: an answer that is not understood" },
        { "=75 \x1b[2J\n", "75||\\x1B[2J" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = asked(cases[i].answer);
        ck_assert_str_eq(got, cases[i].result);
        free(got);
    }
}
END_TEST

SUITE_MAIN("ask", an_answer_is_copied_and_ends_as_it_says)
