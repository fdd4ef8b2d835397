/* SPDX-License-Identifier: ISC */
/* flat: settings as lines of text, from helper to daemon and worker; see config.h. */
#include "config/config.h"

#include <string.h>

#include "base/text.h"

#define VALUE_MAX (8u << 20)

void
config_encode(const struct config *c, size_t account, bool secrets, struct buf *out)
{
    buf_add_str(out, "account=\n");
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const struct config_value *v = &c->account[account].value[i];
        if (!v->set || (config_info((enum config_key)i)->secret && !secrets))
            continue;
        for (size_t k = 0; k < v->n; k++) {
            buf_add_format(out, "%s=", config_info((enum config_key)i)->name);
            text_percent_encode(out, slice_of(v->item[k]));
            buf_add_char(out, '\n');
        }
    }
}

void
config_encode_all(const struct config *c, struct buf *out)
{
    for (size_t a = 0; a < c->n; a++)
        config_encode(c, a, false, out);
}

static bool
set_line(struct config *c, struct slice name, struct slice encoded, struct buf *value, struct error *err)
{
    const struct config_info *info;

    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        info = config_info(key);
        if (!slice_is(name, info->name))
            continue;
        buf_reset(value);
        return text_percent_decode(value, encoded) && !value->overflow &&
               config_set(c, c->n - 1, key, buf_slice(value), info->type != CONFIG_LIST, "handed over", err);
    }
    return false;
}

bool
config_decode(struct config *c, struct slice flat, struct error *err)
{
    struct slice line, name;
    struct buf value;
    bool ok = true;

    memset(c, 0, sizeof *c);
    buf_init(&c->warnings, 65536);
    buf_init(&value, VALUE_MAX);
    while (ok && slice_cut(&flat, '\n', &line)) {
        ok = slice_cut(&line, '=', &name);
        if (ok && slice_is(name, "account")) {
            ok = c->n <= CONFIG_ACCOUNTS_MAX;
            if (ok)
                (void)config_add_account(c);
        } else if (!ok || !slice_is(name, CONFIG_FLAT_EXPLANATIONS)) {
            ok = ok && c->n > 0 && set_line(c, name, line, &value, err);
        }
    }
    buf_wipe(&value);
    if (ok && c->n > 0)
        return true;
    config_end(c);
    return error_set(err, ERROR_INTERNAL, "settings: cannot be read as they were handed over");
}
