/* SPDX-License-Identifier: ISC */
/* queue: sends a request line and prints the answer; looks at no queue by itself. */
#include "admin/queue.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/progress.h"
#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"

enum { CONNECT_MS = 10000, ANSWER_MS = 20000, FINISH_MS = 2000, LINE_MAX_BYTES = 64 << 20 };

static int
start_own(const struct config_request *req, pid_t *pid, struct error *err)
{
    char *argv[7] = { mem_dup(path_smtprelayd), mem_dup("--ctl"), NULL, NULL, NULL, NULL, NULL };
    int fd;

    if (req->file) {
        argv[2] = mem_dup("-C");
        argv[3] = mem_dup(req->file);
    }
    if (req->file && req->name) {
        argv[4] = mem_dup(req->own ? "--as-own" : "--as");
        argv[5] = mem_dup(req->name);
    }
    fd = ask_start(argv, false, pid, err);
    for (size_t i = 0; i < 6; i++)
        free(argv[i]);
    return fd;
}

/* As sendmail does: an own file serves without the system's daemon, and so do we where nothing else is wanted */
static int
connect_daemon(const struct config_request *req, bool direct, struct error *err)
{
    char *own = req->file ? NULL : ask_own_config(req->uid), *path;
    bool other = req->file || own || direct;
    int fd;

    free(own);
    if (other)
        return ASK_NOBODY;
    path = mem_format("%s.ctl", path_socket);
    fd = ask_connect(path, "smtprelay", CONNECT_MS, err);
    free(path);
    return fd;
}

/* ---------------------------------------------------------------- the answer */

struct printer {
    bool json;
    struct buf *into; /* NULL: standard output */
    struct buf line;  /* json: what is there of one */
    struct progress progress;
};

static bool
print_json(struct printer *p, struct slice data)
{
    size_t end;

    while ((end = slice_find(data, '\n')) < data.len) {
        struct buf out;
        bool ok;
        buf_add_slice(&p->line, slice_sub(data, 0, end));
        buf_init(&out, LINE_MAX_BYTES);
        ok = !json_add_line(&out, buf_slice(&p->line)) || file_write(STDOUT_FILENO, out.data, out.len);
        buf_clear(&out);
        buf_reset(&p->line);
        if (!ok)
            return false;
        data = slice_from(data, end + 1);
    }
    buf_add_slice(&p->line, data);
    return true;
}

static bool
take_data(void *ctx, struct slice data)
{
    struct printer *p = ctx;

    if (data.len)
        progress_end(&p->progress);
    if (p->into) {
        buf_add_slice(p->into, data);
        return true;
    }
    return p->json ? print_json(p, data) : file_write(STDOUT_FILENO, data.p, data.len);
}

static void
take_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct printer *p = ctx;

    progress_show(&p->progress, done, total);
}

static void
format_words(struct buf *line, const struct queue_request *q, const char *last)
{
    for (size_t i = 0; i < q->n + (last != NULL); i++) {
        if (i > 0)
            buf_add_char(line, ' ');
        text_percent_encode(line, slice_of(i < q->n ? q->word[i] : last));
    }
}

/* Ask whoever answers; `last`: one more word, NULL = none. The exit code; err says what should be said, "" = nothing */
static int
converse(const struct config_request *req, const struct queue_request *q, const char *last,
    const struct ask_sink *to, struct error *err)
{
    struct buf line;
    pid_t pid = -1;
    int fd = connect_daemon(req, q->direct, err), code;
    bool is_started = fd == ASK_NOBODY;

    if (is_started)
        fd = start_own(req, &pid, err);
    if (fd < 0)
        return (int)err->class;
    buf_init(&line, 65536);
    format_words(&line, q, last);
    code = ask_into(fd, buf_slice(&line), to, is_started ? -1 : ANSWER_MS, err);
    buf_clear(&line);
    file_close(&fd);
    ask_finish(pid, FINISH_MS);
    return code;
}

int
queue_converse(const struct config_request *req, const struct queue_request *q,
    bool (*data)(void *ctx, struct slice lines), void *ctx, struct error *err)
{
    struct ask_sink to = { .data = data, .ctx = ctx };

    return converse(req, q, NULL, &to, err);
}

/* The same, printed; `into`: where the data lines go, NULL = out */
static int
ask_once(const struct config_request *req, const struct queue_request *q, const char *last, struct buf *into)
{
    struct printer p = { .json = q->json, .into = into };
    struct ask_sink to = { take_data, isatty(STDERR_FILENO) ? take_progress : NULL, &p };
    struct error err;
    int code;

    buf_init(&p.line, LINE_MAX_BYTES);
    progress_begin(&p.progress);
    code = converse(req, q, last, &to, &err);
    progress_end(&p.progress);
    if (*err.text)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    buf_clear(&p.line);
    return code;
}

/* False: no, or *code */
static bool
is_sure(const struct config_request *req, const struct queue_request *q, int *code)
{
    struct buf count;
    uint64_t n = 0;
    char answer[16] = "";

    buf_init(&count, 100);
    *code = ask_once(req, q, "--count", &count);
    (void)slice_number(slice_trim(buf_slice(&count)), INT64_MAX, &n);
    buf_clear(&count);
    if (*code != 0 || n <= 1)
        return *code == 0;
    fprintf(stderr, "smtprelay: remove %llu messages for good? [y/N] ", (unsigned long long)n);
    if (!fgets(answer, sizeof answer, stdin) || (answer[0] | 0x20) != 'y') {
        fprintf(stderr, "smtprelay: nothing was removed\n");
        return false;
    }
    return true;
}

int
queue_ask(const struct config_request *req, const struct queue_request *q)
{
    bool progress = q->progress && isatty(STDERR_FILENO) && q->n > 1;
    int code = 0;

    if (q->removes && !q->yes && isatty(STDIN_FILENO) && !is_sure(req, q, &code))
        return code;
    return ask_once(req, q, progress ? "--progress" : NULL, NULL);
}

int
queue_ask_into(const struct config_request *req, const struct queue_request *q, struct buf *answer)
{
    return ask_once(req, q, NULL, answer);
}
