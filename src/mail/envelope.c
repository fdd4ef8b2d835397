/* SPDX-License-Identifier: ISC */
/* envelope: sender, recipients and their DSN parameters in memory; knows no file and no peer. */
#include "mail/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/slice.h"

void
envelope_init(struct envelope *e)
{
    memset(e, 0, sizeof *e);
}

void
envelope_clear(struct envelope *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->rcpt[i].address);
        free(e->rcpt[i].orcpt);
    }
    free(e->rcpt);
    free(e->sender);
    free(e->envid);
    envelope_init(e);
}

void
envelope_set_sender(struct envelope *e, const char *sender)
{
    char *copy = mem_dup(sender);

    free(e->sender);
    e->sender = copy;
}

size_t
envelope_add(struct envelope *e, const char *address, unsigned notify, const char *orcpt)
{
    struct recipient r = {
        .address = mem_dup(address), .notify = notify, .orcpt = mem_dup(orcpt), .state = ENVELOPE_OPEN
    };

    if (e->n == e->cap) {
        e->cap = e->cap ? e->cap * 2 : 4;
        e->rcpt = mem_resize(e->rcpt, e->cap, sizeof *e->rcpt);
    }
    e->rcpt[e->n] = r;
    return e->n++;
}

size_t
envelope_open(const struct envelope *e)
{
    size_t open = 0;

    for (size_t i = 0; i < e->n; i++)
        open += e->rcpt[i].state == ENVELOPE_OPEN;
    return open;
}

const char *
envelope_notify_text(unsigned notify)
{
    static const char *const text[] = { "", "SUCCESS", "FAILURE", "SUCCESS,FAILURE", "DELAY", "SUCCESS,DELAY",
        "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY" };

    if (notify & ENVELOPE_NEVER)
        return "NEVER";
    return text[(notify >> 1) & 7];
}

bool
envelope_notify_parse(const char *text, size_t len, unsigned *notify)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = { { "never", ENVELOPE_NEVER }, { "success", ENVELOPE_SUCCESS },
        { "failure", ENVELOPE_FAILURE }, { "delay", ENVELOPE_DELAY } };
    struct slice rest = slice_make(text, len), part;
    unsigned all = 0;

    if (len == 0 || text[len - 1] == ',')
        return false;
    while (slice_cut(&rest, ',', &part)) {
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (slice_is_nocase(slice_trim(part), words[i].word))
                bit = words[i].bit;
        if (!bit)
            return false;
        all |= bit;
    }
    if ((all & ENVELOPE_NEVER) && all != ENVELOPE_NEVER)
        return false;
    *notify = all;
    return true;
}
