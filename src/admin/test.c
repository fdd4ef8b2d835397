/* SPDX-License-Identifier: ISC */
/* test: asks, reads the steps as they come, and finds advice; knows nothing of SMTP. */
#include "admin/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/queue.h"
#include "admin/test_show.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/explanations.h"

enum { ANSWER_LINE_MAX = 1 << 20, ADVICE_MAX = 4000 };

struct test {
    const struct test_options *o;
    struct test_show show;
    struct buf line; /* what is there of one */
    json_t *failed;  /* the step that counts, NULL: none */
    json_t *summary; /* NULL: it has not come */
};

/* ---------------------------------------------------------------- advice */

/* Where the tables know nothing better: by the step, and what it was ("": any) */
static const struct {
    const char *step, *cause, *advice;
} advices[] = {
    { "configuration", "",
        "mend the setting that is named and see smtprelay check; smtprelay.conf(5) has them all." },
    { "secret", "",
        "see AuthPass, AuthPassFile and AuthPassCommand in smtprelay.conf(5), and the rights of the file." },
    { "account", "",
        "an operator may test at once; smtprelay status says what is known of the account, and when it is "
        "tried again." },
    { "permission", "", "ask an operator: root, or a member of smtprelay-admin." },
    { "recipient", "", "see aliases(5), and smtprelay check ADDRESS for the way of an address." },
    { "names", "", "is mailhub spelt rightly? Does the machine resolve any name: see /etc/resolv.conf." },
    { "connection", "timeout",
        "a firewall drops the packets, or the port is wrong: many networks block port 25; try 587 or 465." },
    { "connection", "",
        "nobody listens there, or a firewall refuses: is the port right (465 with implicit TLS, 587 with "
        "STARTTLS)?" },
    { "tls", "certificate",
        "if it is a certificate of your own CA, name that as TLS_CA_File; if you know that key to be the "
        "server's, pin it by TLSFingerprint as shown above; is the clock of this machine right?" },
    { "tls", "handshake",
        "if the server speaks plain text on this port, set UseTLS = \"starttls\" (587); else see "
        "TLSMinVersion." },
    { "tls", "", "the server or something between ended the handshake: is this a TLS port (465)?" },
    { "greeting", "timeout",
        "a server that waits for TLS says nothing: UseTLS = \"implicit\" is for port 465, \"starttls\" for "
        "587." },
    { "greeting", "garbage", "whatever listens there does not speak SMTP: is the port right?" },
    { "greeting", "",
        "the server does not want this client, often because of its address (dynamic, or on a block list): "
        "its words say why; with a login use port 587 or 465, not 25." },
    { "ehlo", "", "the server does not like the name in EHLO: set hostname to this machine's full name." },
    { "starttls", "not-offered",
        "UseTLS = \"implicit\" for port 465; something between may take STARTTLS away; UseTLS = false sends "
        "in clear." },
    { "starttls", "", "try UseTLS = \"implicit\" with port 465." },
    { "login", "not-offered",
        "without TLS no password is sent; else choose one of the mechanisms offered by AuthMethod." },
    { "login", "garbage",
        "the server breaks off the login by something that makes no sense: another AuthMethod may go; tell "
        "its administrator." },
    { "login", "",
        "check AuthUser and the password; many providers want one made for programs (app password)." },
    { "mail", "", "the server does not take this sender: set From to an address the account may use." },
    { "rcpt", "",
        "the server does not take this recipient: without a login it may only take its own domains." },
    { "data", "", "the server does not want the message before it has seen it; its words say why." },
    { "message", "", "the server does not take the message; its words say why." },
};

/* The host of "host:port" or "[v6]:port" */
static struct slice
host_of(const char *relay)
{
    struct slice s = slice_of(relay);

    s = slice_sub(s, 0, slice_find_last(s, ':'));
    return s.len > 2 && s.p[0] == '[' ? slice_sub(s, 1, s.len - 2) : s;
}

static bool
advise_by_step(const char *step, const char *cause, struct buf *out)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (strcmp(advices[i].step, step) == 0 &&
            (!*advices[i].cause || strcmp(advices[i].cause, cause) == 0)) {
            buf_add_str(out, advices[i].advice);
            return true;
        }
    return false;
}

static bool
advise(const struct test *t, struct buf *out)
{
    const char *text = json_text_of(t->summary, "text"), *step = json_text_of(t->summary, "failed_step");
    struct explain *table;
    bool found;

    if (!*step)
        return false;
    table = explanations_load(t->o->request.uid, NULL);
    found = explain_advise(table, host_of(json_text_of(t->summary, "relay")), slice_of(text), out) ||
            advise_by_step(step, json_text_of(t->failed, "cause"), out);
    explain_free(table);
    return found;
}

/* ---------------------------------------------------------------- what is said */

static void
take_line(struct test *t, struct slice words)
{
    json_t *object = json_parse_line(words);

    if (!object)
        return;
    if (json_object_get(object, "result") && !t->summary) {
        t->summary = object;
        return;
    }
    if (*json_text_of(object, "step")) {
        test_show_step(&t->show, object);
        if (json_is_false(json_object_get(object, "ok")) &&
            !json_is_true(json_object_get(object, "goes_on")) && !t->failed)
            t->failed = json_incref(object);
    }
    json_decref(object);
}

static bool
take_data(void *ctx, struct slice data)
{
    struct test *t = ctx;
    size_t end;

    while ((end = slice_find(data, '\n')) < data.len) {
        buf_add_slice(&t->line, slice_sub(data, 0, end));
        take_line(t, buf_slice(&t->line));
        buf_reset(&t->line);
        data = slice_from(data, end + 1);
    }
    buf_add_slice(&t->line, data);
    return !ferror(stdout);
}

static void
say_failure(const struct test *t, const struct error *err)
{
    char shown[ERROR_TEXT_MAX];

    if (*err->text) {
        fprintf(stderr, "smtprelay: %s\n", err->text);
    } else if (t->summary && *json_text_of(t->summary, "failed_step") && !t->o->json &&
               !t->show.is_all_seen) {
        (void)text_escape(shown, sizeof shown, slice_of(json_text_of(t->summary, "text")));
        fprintf(
            stderr, "smtprelay: test: failed at %s: %s\n", json_text_of(t->summary, "failed_step"), shown);
    }
}

static void
tell_outcome(const struct test *t)
{
    static const int refused = 535; /* RFC 4954, 6 */

    struct test_outcome *o = t->o->outcome;

    if (!o)
        return;
    (void)snprintf(o->step, sizeof o->step, "%s", json_text_of(t->failed, "step"));
    (void)snprintf(o->cause, sizeof o->cause, "%s", json_text_of(t->failed, "cause"));
    o->is_login_refused =
        strcmp(o->step, "login") == 0 && json_integer_value(json_object_get(t->failed, "code")) == refused;
}

static void
ask(struct test *t, struct queue_request *q, int *code)
{
    struct error err;
    struct buf advice;

    error_init(&err);
    *code = queue_converse(&t->o->request, q, take_data, t, &err);
    buf_init(&advice, ADVICE_MAX);
    if (t->summary)
        test_show_end(
            &t->show, t->summary, advise(t, &advice) ? buf_str(&advice) : NULL, t->o->address != NULL);
    else
        test_show_wait(&t->show, false);
    tell_outcome(t);
    if (fflush(stdout) != 0 || ferror(stdout))
        *code = EX_IOERR;
    say_failure(t, &err);
    buf_clear(&advice);
}

int
test_run(const struct test_options *o)
{
    struct queue_request q = { .direct = o->request.uid == 0 && !o->by_daemon };
    struct test t = { .o = o };
    char *account = o->account ? mem_format("--account=%s", o->account) : NULL;
    int code;

    q.word[q.n++] = "test";
    if (account)
        q.word[q.n++] = account;
    if (o->address)
        q.word[q.n++] = o->address;
    buf_init(&t.line, ANSWER_LINE_MAX);
    test_show_begin(&t.show, o->json);
    t.show.of_setup = o->of_setup;
    t.show.is_brief = o->is_again;
    ask(&t, &q, &code);
    json_decref(t.failed);
    json_decref(t.summary);
    buf_clear(&t.line);
    free(account);
    return code;
}

int
test_ask(const struct config_request *request, const char *const words[], size_t n)
{
    struct test_options o = { .request = *request };

    for (size_t i = 1; i < n; i++) {
        if (strcmp(words[i], "--json") == 0)
            o.json = true;
        else if (strcmp(words[i], "--daemon") == 0)
            o.by_daemon = true;
        else if (strncmp(words[i], "--account=", 10) == 0)
            o.account = words[i] + 10;
        else if (words[i][0] == '-')
            fatal(EX_USAGE, "test: unknown option %s; see smtprelay --help", words[i]);
        else if (o.address)
            fatal(EX_USAGE, "test: %s: one address at a time", words[i]);
        else if (!*words[i])
            fatal(EX_USAGE, "test: the address is empty");
        else
            o.address = words[i];
    }
    return test_run(&o);
}
