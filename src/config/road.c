/* SPDX-License-Identifier: ISC */
/* road: names put together and taken apart; a domain has no slash. */
#include "config/road.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool
road_is_direct(const struct config *c, size_t account)
{
    const struct config_value *hubs = config_value(c, account, CONFIG_MAILHUB);

    return hubs->n == 1 && slice_is_nocase(slice_of(hubs->item[0]), "direct");
}

char *
road_name(const struct config *c, size_t account, const char *recipient)
{
    const char *name = config_account_name(c, account), *at = strrchr(recipient, '@');
    const char *domain = at ? at + 1 : config_text(c, account, CONFIG_REWRITE_DOMAIN);
    char *road;

    if (!road_is_direct(c, account))
        return mem_dup(name);
    if (!domain)
        domain = config_text(c, account, CONFIG_HOSTNAME);
    road = mem_format("%s/%s", name, domain ? domain : "");
    for (char *p = road + strlen(name); *p; p++)
        *p = ascii_lower(*p);
    return road;
}

char *
road_of(const struct config *c, size_t account, const struct envelope *e)
{
    char *road = NULL;

    for (size_t i = 0; i < e->n && road_is_direct(c, account); i++) {
        char *one = e->rcpt[i].state == ENVELOPE_OPEN ? road_name(c, account, e->rcpt[i].address) : NULL;
        bool differs = one && road && strcmp(one, road) != 0;
        if (road)
            free(one);
        else
            road = one;
        if (!differs)
            continue;
        free(road);
        return mem_dup(config_account_name(c, account));
    }
    return road ? road : mem_dup(config_account_name(c, account));
}

size_t
road_account_len(const char *road)
{
    struct slice text = slice_of(road);

    return slice_find_last(text, '/');
}

size_t
road_account(const struct config *c, const char *road)
{
    size_t a = config_account_find(c, road);
    char *name;

    if (a < c->n)
        return a;
    name = slice_dup(slice_sub(slice_of(road), 0, road_account_len(road)));
    a = config_account_find(c, name);
    free(name);
    return a;
}
