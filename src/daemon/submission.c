/* SPDX-License-Identifier: ISC */
/* submission: bookkeeping of one message; which account and what a fact means is decided elsewhere. */
#include "daemon/submission.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/memfile.h"
#include "mail/status.h"

#define MEMORY_MAX (1u << 20)

void
submission_init(struct submission *s)
{
    memset(s, 0, sizeof *s);
    record_init(&s->record);
    s->fd = s->fd_read = -1;
    buf_init(&s->used, 3000);
}

void
submission_count(struct submission *s, struct submission_load *load)
{
    s->load = load;
}

/* It holds so much more, or less, in memory */
static void
hold(struct submission *s, uint64_t recipients, uint64_t bytes)
{
    if (!s->load)
        return;
    s->load->recipients += recipients;
    s->load->bytes += bytes;
}

static void
let_go(struct submission *s, uint64_t recipients, uint64_t bytes)
{
    if (!s->load)
        return;
    s->load->recipients -= recipients;
    s->load->bytes -= bytes;
}

void
submission_clear(struct submission *s)
{
    let_go(s, s->record.envelope.n, s->in_memory ? s->size : 0);
    for (size_t i = 0; i < s->record.envelope.n; i++) {
        free(s->member[i].account);
        free(s->member[i].text);
        free(s->member[i].relay);
        free(s->member[i].words);
    }
    for (size_t i = 0; i < s->nnamed; i++)
        free(s->named[i]);
    free(s->member);
    free(s->named);
    buf_clear(&s->used);
    addrset_clear(&s->seen);
    record_clear(&s->record);
    file_close(&s->fd);
    file_close(&s->fd_read);
    submission_init(s);
}

bool
submission_take(struct submission *s, struct record *r, int fd)
{
    size_t n = r->envelope.n;

    s->record = *r;
    record_init(r);
    s->mode = 'q';
    s->size = s->record.content_size;
    s->cap = n ? n : 1;
    s->member = mem_array(s->cap, sizeof *s->member);
    for (size_t i = 0; i < n; i++) {
        char state = s->record.envelope.rcpt[i].state;
        s->member[i].account = mem_dup("");
        s->member[i].tried = state != ENVELOPE_OPEN;
        s->member[i].delivered = state == ENVELOPE_DONE;
        s->member[i].class =
            state == ENVELOPE_FAILED || state == ENVELOPE_RETURNED ? ERROR_NOUSER : ERROR_NONE;
    }
    s->fd_read = file_reopen(fd);
    return s->fd_read >= 0;
}

size_t
submission_name(struct submission *s, const char *name)
{
    s->named = mem_resize(s->named, s->nnamed + 1, sizeof(char *));
    s->named[s->nnamed] = mem_dup(name);
    return s->nnamed++;
}

void
submission_add(struct submission *s, size_t recipient, const char *address, const char *account,
    unsigned notify, const char *orcpt)
{
    if (addrset_has(&s->seen, address))
        return;
    size_t i = envelope_add(&s->record.envelope, address, notify, orcpt);
    (void)addrset_add(&s->seen, s->record.envelope.rcpt[i].address); /* it is not there */
    if (i >= s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->member = mem_resize(s->member, s->cap, sizeof *s->member);
    }
    memset(&s->member[i], 0, sizeof s->member[i]);
    s->member[i].recipient = recipient;
    s->member[i].account = mem_dup(account);
    hold(s, 1, 0);
}

static int
temp_file(const char *folder, struct error *err)
{
    const char *tmpdir = getenv("TMPDIR");
    const char *const dirs[] = { folder ? folder : "", tmpdir && *tmpdir ? tmpdir : "/var/tmp", "/var/tmp",
        "/tmp", NULL };

    return file_temp(dirs, err);
}

bool
submission_begin(struct submission *s, struct error *err)
{
    s->fd = memfile_open("smtprelay");
    s->in_memory = s->fd >= 0;
    if (s->fd < 0)
        s->fd = temp_file(NULL, err);
    s->size = 0;
    s->content_begun = true;
    return s->fd >= 0 && record_begin(s->fd, &s->record, err);
}

/* The message has grown: from memory to a file of the same layout. */
static bool
move_to_file(struct submission *s, const char *folder, struct error *err)
{
    char piece[16384];
    uint64_t at = 0, all = s->record.content_offset + s->size;
    int fd = temp_file(folder, err);

    while (fd >= 0 && at < all) {
        size_t n = all - at < sizeof piece ? (size_t)(all - at) : sizeof piece;
        if (!file_pread(s->fd, piece, n, (off_t)at) || !file_pwrite(fd, piece, n, (off_t)at)) {
            error_sys(err, ERROR_IO, errno, "cannot write the message to a temporary file");
            file_close(&fd);
        }
        at += n;
    }
    if (fd < 0)
        return false;
    file_close(&s->fd);
    s->fd = fd;
    let_go(s, 0, s->size);
    s->in_memory = false;
    return true;
}

bool
submission_content(struct submission *s, struct slice bytes, const char *folder, struct error *err)
{
    bool full = s->load && s->load->bytes + bytes.len > SUBMISSION_BYTES_MAX;

    if (s->in_memory && (full || s->size + bytes.len > MEMORY_MAX) && !move_to_file(s, folder, err))
        return false;
    if (!file_pwrite(s->fd, bytes.p, bytes.len, (off_t)(s->record.content_offset + s->size)))
        return error_sys(err, ERROR_IO, errno, "cannot write the message to a temporary file");
    s->size += bytes.len;
    if (s->in_memory)
        hold(s, 0, bytes.len);
    return true;
}

bool
submission_finish(struct submission *s, struct error *err)
{
    if (!record_finish(s->fd, &s->record, s->size, err))
        return false;
    s->fd_read = file_reopen(s->fd);
    return s->fd_read >= 0 || error_sys(err, errno == EMFILE || errno == ENFILE ? ERROR_TEMP : ERROR_OS,
                                  errno, "cannot hand over the message");
}

static void
forget_words(struct submission_member *m)
{
    free(m->relay);
    free(m->words);
    m->relay = m->words = NULL;
    m->code = 0;
    m->enhanced[0] = '\0';
}

void
submission_said(struct submission *s, uint32_t i, const struct job_fact *f)
{
    struct submission_member *m = &s->member[i];

    forget_words(m);
    m->code = f->cause == STATUS_REPLY ? f->code : 0;
    memcpy(m->enhanced, f->enhanced, sizeof m->enhanced);
    m->relay =
        mem_dup(f->stage > STATUS_LOCAL ? f->relay : ""); /* what is refused here is nobody else's word */
    m->words = mem_dup(f->text);
}

const char *
submission_next(struct submission *s, unsigned char **bitmap)
{
    const char *account = NULL;
    size_t n = s->record.envelope.n;

    for (size_t i = 0; i < n; i++) {
        struct submission_member *m = &s->member[i];
        if (m->tried || (account && strcmp(m->account, account) != 0))
            continue;
        if (!account) {
            account = m->account;
            *bitmap = mem_alloc((n + 7) / 8);
        }
        (*bitmap)[i / 8] = (unsigned char)((*bitmap)[i / 8] | 1u << (i % 8));
        m->tried = true;
        m->class = ERROR_TEMP;
        m->maybe_sent = false;
        free(m->text);
        m->text = NULL;
        forget_words(m);
    }
    return account;
}

void
submission_delivered(struct submission *s, uint32_t i)
{
    if (i < s->record.envelope.n)
        s->member[i].delivered = true;
}

void
submission_failed(
    struct submission *s, uint32_t i, bool of_recipient, enum error_class class, const char *text)
{
    if (i >= s->record.envelope.n)
        return;
    s->member[i].delivered = false;
    s->member[i].queued = false;
    s->member[i].of_recipient = of_recipient;
    s->member[i].class = class;
    free(s->member[i].text);
    s->member[i].text = mem_dup(text);
}

void
submission_verdict(const struct submission *s, bool has_queue, struct verdict *v)
{
    size_t n = s->record.envelope.n;
    struct verdict_member *m = mem_array(n ? n : 1, sizeof *m);

    for (size_t i = 0; i < n; i++) {
        m[i].recipient = s->member[i].recipient;
        m[i].address = s->record.envelope.rcpt[i].address;
        m[i].delivered = s->member[i].delivered || s->member[i].queued;
        m[i].of_recipient = s->member[i].of_recipient;
        m[i].class = s->member[i].class;
        m[i].text = s->member[i].text ? s->member[i].text : "smtprelay-worker: no answer";
    }
    verdict_make(v, (const char *const *)s->named, s->nnamed, m, n, has_queue);
    free(m);
}

static bool
is_refused(const struct submission_member *m)
{
    return !m->delivered && (m->class == ERROR_NOUSER || m->class == ERROR_REFUSED || m->class == ERROR_DATA);
}

bool
submission_is_deferred(const struct submission_member *m)
{
    return !m->delivered && !m->queued && !is_refused(m);
}

enum envelope_state
submission_state(const struct submission_member *m)
{
    if (m->delivered)
        return ENVELOPE_DONE;
    return is_refused(m) ? ENVELOPE_FAILED : ENVELOPE_OPEN;
}

void
submission_queued(struct submission *s)
{
    for (size_t i = 0; i < s->record.envelope.n; i++)
        s->member[i].queued = s->member[i].queued || submission_is_deferred(&s->member[i]);
}
