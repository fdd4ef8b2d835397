/* SPDX-License-Identifier: ISC */
/* settings: receiving and applying; what a setting means is config's. */
#include "daemon/settings.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/status.h"

bool
settings_receive(struct config *c, struct start_options *o, int helper_sock, struct error *err)
{
    struct start_packet p;
    int r = start_receive(helper_sock, &p, err);

    config_begin(c);
    if (r != 1)
        return r == 0 ? error_set(err, ERROR_TEMP,
                            "smtprelayd: its main process has ended; it has to be started again")
                      : false;
    if (p.type != START_SETTINGS) {
        file_close(&p.fd);
        return error_set(err, p.class ? p.class : ERROR_INTERNAL, "%s", p.text);
    }
    if (o)
        start_options_parse(p.text, o);
    config_end(c);
    return settings_take(c, &p, err);
}

bool
settings_take(struct config *c, struct start_packet *packet, struct error *err)
{
    struct buf flat;
    bool ok;

    log_offer(packet->log_fd); /* the log may be in a folder that only the helper can write to */
    packet->log_fd = -1;
    config_begin(c);
    buf_init(&flat, 64u << 20);
    ok = file_read_all(packet->fd, &flat, "settings", err);
    if (ok) {
        config_end(c); /* decoding begins anew */
        ok = config_decode(c, buf_slice(&flat), err);
    }
    buf_clear(&flat);
    if (ok && packet->fd > 0) { /* what is seldom needed is read from it when it is */
        c->handed_over = packet->fd;
        packet->fd = -1;
    }
    file_close(&packet->fd);
    return ok;
}

void
settings_open_log(const struct config *c)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    const char *level = config_text(c, 0, CONFIG_LOG_LEVEL);
    enum log_level l = LOG_LEVEL_INFO;
    struct error err;

    for (size_t i = 0; level && i < 4; i++)
        if (strcasecmp(level, levels[i]) == 0)
            l = (enum log_level)i;
    if (!log_open("smtprelay", config_text(c, 0, CONFIG_LOG_FILE), l, &err)) {
        struct error ignored;
        (void)log_open(
            "smtprelay", NULL, l, &ignored); /* a log file that cannot be opened must not stop mail */
        log_line(LOG_LEVEL_WARNING, "LogFile: %s", err.text);
    }
    for (size_t a = 0; a < c->n; a++)
        if (!config_flag(c, a, CONFIG_TLS_VERIFY))
            log_line(LOG_LEVEL_WARNING, "account %s: TLSVerify = false: certificates are not checked",
                config_account_name(c, a));
}

/* A fact that is no reply says where by itself, mostly */
char *
settings_fact_text(const struct job_fact *f)
{
    bool named = f->relay[0] && strncmp(f->text, f->relay, strlen(f->relay)) == 0;
    const char *maybe = f->maybe_sent ? "; the message may have been sent" : "";

    if (f->cause == STATUS_REPLY)
        return mem_format(
            "%s: %s: %s%s", f->relay, status_stage_name((enum status_stage)f->stage), f->text, maybe);
    if (f->relay[0] && !named && f->stage > STATUS_RESOLVE)
        return mem_format("%s: %s%s", f->relay, f->text, maybe);
    return mem_format("%s%s", f->text, maybe);
}
