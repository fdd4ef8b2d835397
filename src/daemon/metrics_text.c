/* SPDX-License-Identifier: ISC */
/* metrics_text: the text of the file; nothing else. */
#include "base/text.h"
#include "daemon/metrics.h"

static void
add_label(struct buf *b, const char *text)
{
    struct buf shown;

    buf_init(&shown, 4096);
    text_add_escaped(&shown, slice_of(text));
    for (size_t i = 0; i < shown.len; i++) {
        if (shown.data[i] == '"' || shown.data[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, shown.data[i]);
    }
    buf_clear(&shown);
}

static void
add_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_add_format(b, "# HELP smtprelay_%s %s\n# TYPE smtprelay_%s %s\n", name, help, name, type);
}

static void
add_one(struct buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
    add_head(b, name, type, help);
    buf_add_format(b, "smtprelay_%s %llu\n", name, (unsigned long long)value);
}

static void
add_counts(struct buf *b, const struct metrics_counts *c)
{
    add_one(b, "messages_submitted_total", "counter", "Messages handed in.", c->submitted);
    add_one(b, "messages_queued_total", "counter", "Messages that were taken into the queue.", c->queued);
    add_one(b, "messages_sent_total", "counter",
        "Messages that the smarthost has taken for all who were left.", c->sent);
    add_one(
        b, "messages_deferred_total", "counter", "Attempts after which a message still waited.", c->deferred);
    add_one(b, "messages_refused_total", "counter",
        "Messages of the queue that were refused to somebody for good.", c->refused);
    add_one(b, "messages_expired_total", "counter", "Messages given up after QueueLifetime.", c->expired);
    add_one(b, "messages_failed_total", "counter",
        "Messages that were not taken, as their callers were told.", c->failed);
    add_head(b, "delivery_seconds", "summary", "From the hand-in of a message until it was sent.");
    buf_add_format(b, "smtprelay_delivery_seconds_sum %.3f\nsmtprelay_delivery_seconds_count %llu\n",
        c->delivery_s, (unsigned long long)c->sent);
}

static void
add_accounts(struct buf *b, const struct metrics_view *v, const char *name, const char *help, bool frozen)
{
    add_head(b, name, "gauge", help);
    for (size_t i = 0; i < v->naccounts; i++) {
        const struct metrics_account *a = &v->account[i];
        buf_add_format(b, "smtprelay_%s{account=\"", name);
        add_label(b, a->name);
        buf_add_format(b, "\"} %d\n", frozen ? a->frozen : a->up);
    }
}

static void
add_certificates(struct buf *b, const struct metrics_view *v)
{
    add_head(b, "certificate_expiry_timestamp_seconds", "gauge", "When a smarthost's certificate expires.");
    for (size_t i = 0; i < v->ncertificates; i++) {
        const struct metrics_certificate *c = &v->certificate[i];
        buf_add_str(b, "smtprelay_certificate_expiry_timestamp_seconds{account=\"");
        add_label(b, c->account);
        buf_add_str(b, "\",smarthost=\"");
        add_label(b, c->relay);
        buf_add_format(b, "\"} %lld\n", (long long)c->expires_s);
    }
}

static void
add_expiry(struct buf *b, const struct metrics_view *v, const char *name, const char *help, bool of_token)
{
    add_head(b, name, "gauge", help);
    for (size_t i = 0; i < v->nlogins; i++) {
        const struct metrics_login *l = &v->login[i];
        int64_t at = of_token ? l->token_s : l->client_s;
        if (!at)
            continue;
        buf_add_format(b, "smtprelay_%s{account=\"", name);
        add_label(b, l->account);
        buf_add_format(b, "\"} %lld\n", (long long)at);
    }
}

void
metrics_write(struct buf *b, const struct metrics_view *v)
{
    add_head(b, "build_info", "gauge", "Always 1; the version is in the label.");
    buf_add_str(b, "smtprelay_build_info{version=\"");
    add_label(b, v->version);
    buf_add_str(b, "\"} 1\n");
    add_one(b, "start_time_seconds", "gauge", "When the daemon began, in seconds since 1970.",
        (uint64_t)v->start_s);
    add_one(b, "config_last_reload_successful", "gauge",
        "Could the configuration be used when it was last read? If not, the one before stays.", !v->broken);
    add_one(b, "config_last_reload_success_timestamp_seconds", "gauge",
        "When the configuration in force was read, in seconds since 1970.", (uint64_t)v->loaded_s);
    add_counts(b, &v->counts);
    add_one(b, "queue_messages", "gauge", "Messages in the queue.", v->messages);
    add_one(b, "queue_bytes", "gauge", "Size of the queue's files; counted less often when there are many.",
        v->bytes);
    add_one(b, "queue_oldest_seconds", "gauge",
        "Age of the oldest message in the queue, without the time its account was frozen.",
        (uint64_t)v->oldest_s);
    add_one(b, "queue_failed_messages", "gauge", "Messages that could not be returned, under failed/.",
        v->failed);
    add_one(b, "queue_corrupt_files", "gauge", "Files that could not be read, under corrupt/.", v->corrupt);
    add_accounts(
        b, v, "account_up", "Did the last attempt of this account reach its smarthost and log in?", false);
    add_accounts(b, v, "account_frozen", "Does the account wait for an administrator?", true);
    add_certificates(b, v);
    add_expiry(b, v, "client_certificate_expiry_timestamp_seconds",
        "When the account's own certificate (TLSCert) expires.", false);
    add_expiry(b, v, "token_expiry_timestamp_seconds",
        "When the account's token expired or expires, as it was last read.", true);
    add_one(b, "workers", "gauge", "Worker processes.", v->workers);
    add_one(b, "workers_busy", "gauge", "Worker processes with a message.", v->workers_busy);
    add_one(b, "workers_max", "gauge", "The setting Workers.", v->workers_max);
}
