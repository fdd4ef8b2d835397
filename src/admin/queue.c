/* queue: sends a request line and copies the answer; looks at no queue by itself. */
#include "admin/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"

enum { CONNECT_MS = 10000, ANSWER_MS = 20000, FINISH_MS = 2000 };

static int
start_own(const struct config_request *req, pid_t *pid, struct error *err)
{
    char *argv[5] = { mem_dup(path_smtprelayd), mem_dup("--ctl"), NULL, NULL, NULL };
    int fd;

    if (req->file) {
        argv[2] = mem_dup("-C");
        argv[3] = mem_dup(req->file);
    }
    fd = ask_start(argv, false, pid, err);
    for (size_t i = 0; i < 4; i++)
        free(argv[i]);
    return fd;
}

/* As sendmail does: an own file serves without the system's daemon */
static int
connect_daemon(const struct config_request *req, struct error *err)
{
    char *own = req->file ? NULL : ask_own_config(req->uid), *path;
    bool other = req->file || own;
    int fd;

    free(own);
    if (other)
        return ASK_NOBODY;
    path = mem_format("%s.ctl", path_socket);
    fd = ask_connect(path, "smtprelay", CONNECT_MS, err);
    free(path);
    return fd;
}

int
queue_ask(const struct config_request *req, const char *const words[], size_t n)
{
    return queue_ask_to(req, words, n, STDOUT_FILENO);
}

int
queue_ask_to(const struct config_request *req, const char *const words[], size_t n, int out)
{
    struct error err;
    struct buf line;
    bool own;
    pid_t pid = -1;
    int fd = connect_daemon(req, &err), code = 0;

    own = fd == ASK_NOBODY;
    if (own)
        fd = start_own(req, &pid, &err);
    if (fd < 0) {
        fprintf(stderr, "smtprelay: %s\n", err.text);
        return (int)err.class;
    }
    buf_init(&line, 65536);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(&line, ' ');
        text_percent_encode(&line, slice_of(words[i]));
    }
    code = ask(fd, buf_slice(&line), out, own ? -1 : ANSWER_MS, &err);
    if (*err.text)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    buf_clear(&line);
    file_close(&fd);
    ask_finish(pid, FINISH_MS);
    return code;
}
