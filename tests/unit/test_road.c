/* SPDX-License-Identifier: ISC */
/* road: what waits together, and what is parked together. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/road.h"
#include "daemon/park.h"

static void
set(struct config *c, size_t a, enum config_key key, const char *text)
{
    struct error err;

    ck_assert_msg(config_set(c, a, key, slice_of(text), false, "t", &err), "%s", err.text);
}

/* The default account has a smarthost, "direct" delivers directly */
static void
make(struct config *c)
{
    struct error err;

    config_begin(c);
    (void)config_add_account(c);
    set(c, 0, CONFIG_MAILHUB, "mail.example.net");
    set(c, 1, CONFIG_MAILHUB, "direct");
    set(c, 1, CONFIG_NAME, "direct");
    set(c, 0, CONFIG_REWRITE_DOMAIN, "own.example");
    ck_assert_msg(config_complete(c, "m.example", NULL, &err), "%s", err.text);
}

static const struct {
    size_t account;
    const char *recipient, *road;
} roads[] = {
    { 0, "bob@example.org", "default" },
    { 1, "bob@Example.ORG", "direct/example.org" },
    { 1, "bob", "direct/own.example" },
    { 1, "\"a@b\"@example.org", "direct/example.org" },
    { 1, "bob@[192.0.2.1]", "direct/[192.0.2.1]" },
};

START_TEST(a_domain_is_a_road_of_its_own_in_direct_delivery_alone)
{
    struct config c;

    make(&c);
    for (size_t i = 0; i < sizeof roads / sizeof roads[0]; i++) {
        char *road = road_name(&c, roads[i].account, roads[i].recipient);
        ck_assert_str_eq(road, roads[i].road);
        ck_assert_uint_eq(road_account(&c, road), roads[i].account);
        free(road);
    }
    ck_assert_uint_eq(road_account(&c, "gone/example.org"), c.n);
    ck_assert_uint_eq(road_account(&c, "gone"), c.n);
    config_end(&c);
}
END_TEST

START_TEST(a_message_that_waits_for_several_domains_is_on_no_single_road)
{
    struct envelope e;
    struct config c;
    char *road;

    make(&c);
    envelope_init(&e);
    (void)envelope_add(&e, "a@x.example", 0, NULL);
    (void)envelope_add(&e, "b@X.example", 0, NULL);
    road = road_of(&c, 1, &e);
    ck_assert_str_eq(road, "direct/x.example");
    free(road);
    size_t i = envelope_add(&e, "a@y.example", 0, NULL);
    road = road_of(&c, 1, &e);
    ck_assert_str_eq(road, "direct");
    free(road);
    e.rcpt[i].state = ENVELOPE_DONE;
    road = road_of(&c, 1, &e);
    ck_assert_str_eq(road, "direct/x.example");
    free(road);
    envelope_clear(&e);
    config_end(&c);
}
END_TEST

/* `domains` recipients at as many domains, of `size` bytes each: how many records; each has to be in one */
static size_t
pack(size_t domains, uint64_t size)
{
    struct submission s;
    struct parcel *list;
    size_t n = 0, recipients = 0;
    bool fits;

    submission_init(&s);
    s.record.id = mem_dup("ID");
    s.size = size;
    for (size_t i = 0; i < domains; i++) {
        char address[64], road[64];
        (void)snprintf(address, sizeof address, "bob@d%zu.example", i);
        (void)snprintf(road, sizeof road, "direct/d%zu.example", i);
        submission_add(&s, submission_name(&s, address), address, road, 0, NULL);
    }
    list = park_pack(&s, PARK_DEFERRED, "why", &fits);
    ck_assert(fits);
    for (const struct parcel *p = list; p; p = p->next, n++) {
        recipients += p->record.envelope.n;
        if (p->record.envelope.n > 1)
            ck_assert_str_eq(p->record.account, "direct");
    }
    ck_assert_uint_eq(recipients, domains);
    park_free(NULL, list);
    submission_clear(&s);
    return n;
}

START_TEST(a_message_to_a_thousand_domains_is_not_copied_a_thousand_times)
{
    ck_assert_uint_eq(pack(1, 1000), 1);
    ck_assert_uint_eq(pack(10, 1000), 10);
    ck_assert_uint_eq(pack(1000, 1000), 51);
    ck_assert_uint_eq(pack(1000, 30u << 20), 5);
    ck_assert_uint_eq(pack(3, 30u << 20), 3);
}
END_TEST

SUITE_MAIN("road", a_domain_is_a_road_of_its_own_in_direct_delivery_alone,
    a_message_that_waits_for_several_domains_is_on_no_single_road,
    a_message_to_a_thousand_domains_is_not_copied_a_thousand_times)
