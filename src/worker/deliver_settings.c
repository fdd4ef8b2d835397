/* SPDX-License-Identifier: ISC */
/* deliver_settings: what the configuration says, as the head, the session and the search for a smarthost want it. */
#include <stdlib.h>

#include "base/mem.h"
#include "ipc/job.h"
#include "worker/deliver_state.h"

#define END_MS 600000 /* RFC 5321, 4.5.3.2.6: ten minutes for the answer to the last byte */

static struct slice
text_slice(const struct config *c, enum config_key key)
{
    return slice_of(config_text(c, 0, key));
}

static bool
take_hubs(struct worker *w, struct error *err)
{
    const struct config_value *v = config_value(w->c, 0, CONFIG_MAILHUB);

    for (size_t i = 0; i < v->n && w->nhubs < DELIVER_HUBS_MAX; i++)
        if (!config_hub_parse(w->c, 0, v->item[i], &w->hub[w->nhubs++], err))
            return false;
    return w->nhubs > 0 || error_set(err, ERROR_CONFIG, "mailhub: not set");
}

static void
on_dialog(void *ctx, char who, struct slice line)
{
    struct worker *w = ctx;
    char *text;

    if (!w->verbose)
        return;
    text = mem_format("%c: %.*s", who, SLICE_ARG(line));
    (void)job_send_text(w->sock, JOB_STEP, 0, text); /* nobody may be looking any more */
    free(text);
}

/* Not its work but the smarthost's takes long: the daemon may have another worker meanwhile */
static void
on_slow(void *ctx)
{
    struct worker *w = ctx;

    if (!w->waits)
        (void)job_send_text(w->sock, JOB_WAITS, 0, ""); /* nobody may be looking any more */
    w->waits = true;
}

bool
deliver_settle(struct worker *w, struct error *err)
{
    const struct config *c = w->c;
    const struct config_value *pins = config_value(c, 0, CONFIG_TLS_FINGERPRINT);
    const struct config_value *own = config_value(c, 0, CONFIG_OWN_NAMES),
                              *add = config_value(c, 0, CONFIG_ADD_HEADER),
                              *allowed = config_value(c, 0, CONFIG_FROM_ALLOWED);

    for (size_t i = 0; i < pins->n && i < DELIVER_PINS_MAX; i++)
        w->npins += config_pin_parse(pins->item[i], w->pins[w->npins]);
    w->complete =
        (struct head_settings){ .rewrite = { .hostname = config_text(c, 0, CONFIG_HOSTNAME),
                                    .domain = config_text(c, 0, CONFIG_REWRITE_DOMAIN),
                                    .own_names = own->item,
                                    .nown = own->n,
                                    .policy = rewrite_policy_of(config_text(c, 0, CONFIG_FROM_POLICY)),
                                    .from = config_text(c, 0, CONFIG_FROM),
                                    .allowed = allowed->item,
                                    .nallowed = allowed->n,
                                    .is_shared = config_flag(c, 0, CONFIG_OWN_SENDER),
                                    .replaces_null = config_flag(c, 0, CONFIG_NO_NULL_SENDER) },
            .add_header = add->item,
            .nadd = add->n };
    w->options = (struct session_options){ .tls_options = { .verify = config_flag(c, 0, CONFIG_TLS_VERIFY),
                                               .ca_pem = text_slice(c, CONFIG_CA_PEM),
                                               .ca_dir = config_text(c, 0, CONFIG_TLS_CA_DIR),
                                               .pins = (const unsigned char(*)[32])w->pins,
                                               .npins = w->npins,
                                               .min_version = config_text(c, 0, CONFIG_TLS_MIN_VERSION),
                                               .cert_pem = text_slice(c, CONFIG_CERT_PEM),
                                               .key_pem = text_slice(c, CONFIG_KEY_PEM) },
        .ehlo_name = w->complete.rewrite.hostname,
        .user = config_text(c, 0, CONFIG_AUTH_USER),
        .secret = config_text(c, 0, CONFIG_AUTH_PASS),
        .method = config_text(c, 0, CONFIG_AUTH_METHOD),
        .plaintext_auth = config_flag(c, 0, CONFIG_ALLOW_PLAINTEXT_AUTH),
        .greeting_ms = config_number(c, 0, CONFIG_CONNECT_TIMEOUT),
        .timeout_ms = config_number(c, 0, CONFIG_TIMEOUT),
        .end_ms = END_MS,
        .hook = on_dialog,
        .slow = on_slow,
        .hook_ctx = w };
    if (!take_hubs(w, err))
        return false;
    w->is_direct = w->hub[0].kind == CONFIG_HUB_DIRECT;
    if (w->is_direct) { /* whoever they are, they get no password */
        w->options.user = w->options.secret = NULL;
        w->options.method = NULL;
    }
    return true;
}
