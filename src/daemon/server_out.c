/* SPDX-License-Identifier: ISC */
/* server_out: how the server says what it says: reply codes, enhanced codes, and the exit code for our own client. */
#include <string.h>

#include "base/text.h"
#include "daemon/server_state.h"

/* Reply code and enhanced code of a class, RFC 3463 */
static const struct {
    enum error_class class;
    int code;
    const char *enhanced;
} replies[] = {
    { ERROR_USAGE, 501, "5.5.4" },
    { ERROR_DATA, 554, "5.6.0" },
    { ERROR_NOUSER, 550, "5.1.1" },
    { ERROR_REFUSED, 554, "5.0.0" },
    { ERROR_INTERNAL, 451, "4.3.0" },
    { ERROR_OS, 451, "4.3.0" },
    { ERROR_IO, 452, "4.3.1" },
    { ERROR_TEMP, 451, "4.4.1" },
    { ERROR_PROTOCOL, 451, "4.5.0" },
    { ERROR_ADMIN, 451, "4.7.0" },
    { ERROR_CONFIG, 451, "4.3.5" },
};

void
server_reply(struct server *s, const char *text)
{
    buf_add_str(&s->out, text);
    buf_add_str(&s->out, "\r\n");
}

/* one line: "CODE ENH EXnn text" to our own client, "CODE ENH text" to others */
void
server_reply_line(struct server *s, int code, char separator, const char *enhanced, enum error_class class,
    const char *text)
{
    buf_add_format(&s->out, "%d%c%s ", code, separator, enhanced);
    if (s->traits->is_own && class != ERROR_NONE)
        buf_add_format(&s->out, "EX%d ", (int)class);
    text_add_escaped(&s->out, slice_of(text));
    buf_add_str(&s->out, "\r\n");
}

void
server_reply_code(struct server *s, int code, const char *enhanced, enum error_class class, const char *text)
{
    server_reply_line(s, code, ' ', enhanced, class, text);
    if (code >= 500 && ++s->errors == s->traits->errors_limit) {
        server_reply(s, "421 4.7.0 too many errors");
        s->state = SERVER_FINISHED;
    }
}

/* "5.d.d" of RFC 3463 at the beginning of `text`, up to three digits each; "5.0.0": there is none */
static void
copy_enhanced(const char *text, char out[12])
{
    size_t n = 0, dots = 0, digits = 0;

    while (n < 11 && (ascii_is_digit(text[n]) || (text[n] == '.' && digits > 0 && dots < 2))) {
        digits = text[n] == '.' ? 0 : digits + 1;
        dots += text[n] == '.';
        out[n] = text[n];
        n++;
    }
    out[n] = '\0';
    if (dots != 2 || digits == 0 || digits > 3 || out[0] != '5' || out[1] != '.' || text[n] != ' ')
        memcpy(out, "5.0.0", 6);
}

/*
 * What the smarthost said of the message is the answer to others than our own client, whose exit code says it: "…: 552 5.3.4 too
 * big". 53x is about our login, not about the message. Its words stand last, so the first code is its own.
 */
static bool
find_refusal(const struct error *err, int *code, char enhanced[12])
{
    const char *at = err->text;

    if (err->class != ERROR_REFUSED && err->class != ERROR_NOUSER && err->class != ERROR_DATA)
        return false;
    while ((at = strstr(at, ": 5")) != NULL) {
        at += 2;
        if (at[1] < '0' || at[1] > '7' || at[1] == '3' || !ascii_is_digit(at[2]) || at[3] != ' ')
            continue;
        *code = 500 + (at[1] - '0') * 10 + (at[2] - '0');
        copy_enhanced(at + 4, enhanced);
        return true;
    }
    return false;
}

void
server_reply_error(struct server *s, const struct error *err)
{
    char enhanced[12];
    int code;

    if (!s->traits->is_own && find_refusal(err, &code, enhanced)) {
        server_reply_code(s, code, enhanced, err->class, err->text);
        return;
    }
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        if (replies[i].class == err->class) {
            server_reply_code(s, replies[i].code, replies[i].enhanced, err->class, err->text);
            return;
        }
    }
    server_reply_code(s, 451, "4.3.0", ERROR_INTERNAL, err->text);
}

/* A refusal inside a transaction: for our own client it spoils all of it (exit != 0: nobody gets the message). */
void
server_refuse(struct server *s, int code, const char *enhanced, enum error_class class, const char *text)
{
    if (s->traits->is_own)
        s->failed = true;
    server_reply_code(s, code, enhanced, class, text);
}
