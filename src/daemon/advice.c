/* SPDX-License-Identifier: ISC */
/* advice: most days nothing goes wrong, so the table is made when it is first asked for. */
#include "daemon/advice.h"

#include "config/explanations.h"

const struct explain *
advice_table(struct core *c)
{
    if (!c->explain)
        c->explain = explanations_of(&c->config);
    return c->explain;
}

void
advice_forget(struct core *c)
{
    explain_free(c->explain);
    c->explain = NULL;
}
