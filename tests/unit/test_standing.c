/* SPDX-License-Identifier: ISC */
/* standing: which addresses others see, and whom an SPF record names. */
#include "unit/suite.h"

#include "worker/standing.h"

static const struct {
    const char *address;
    bool private;
} addresses[] = {
    { "10.0.0.1", true },
    { "11.0.0.1", false },
    { "172.15.255.255", false },
    { "172.16.0.1", true },
    { "172.31.255.255", true },
    { "172.32.0.0", false },
    { "192.168.1.1", true },
    { "100.64.0.1", true },
    { "100.128.0.1", false },
    { "127.0.0.1", true },
    { "198.51.100.7", false },
    { "fd00::1", true },
    { "fe80::1", true },
    { "febf::1", true },
    { "fec0::1", false },
    { "::1", true },
    { "2001:db8::1", false },
};

START_TEST(addresses_that_are_translated_on_the_way_are_known)
{
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        ck_assert_msg(
            standing_is_private(addresses[i].address) == addresses[i].private, "%s", addresses[i].address);
}
END_TEST

static const struct {
    const char *record, *address;
    bool names, asks_on;
} records[] = {
    { "v=spf1 ip4:192.0.2.1 -all", "192.0.2.1", true, false },
    { "v=spf1 +IP4:192.0.2.0/24 -all", "192.0.2.200", true, false },
    { "v=spf1 ip4:192.0.2.0/25 -all", "192.0.2.200", false, false },
    { "v=spf1 -ip4:192.0.2.1 ~all", "192.0.2.1", false, false },
    { "v=spf1 ip4:192.0.2.0/33 -all", "192.0.2.1", false, false },
    { "v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", true, false },
    { "v=spf1 ip6:2001:db8::/32 -all", "2001:db9::1", false, false },
    { "v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", false, false },
    { "v=spf1 mx -all", "192.0.2.1", false, true },
    { "v=spf1 a:x.example -all", "192.0.2.1", false, true },
    { "v=spf1 include:x.example ?all", "192.0.2.1", false, true },
    { "v=spf1 redirect=x.example", "192.0.2.1", false, true },
    { "v=spf1 -all", "192.0.2.1", false, false },
    { "v=spf1", "192.0.2.1", false, false },
};

START_TEST(an_spf_record_names_addresses_by_itself_or_by_others)
{
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct slice record = slice_of(records[i].record);
        ck_assert_msg(standing_spf_names(record, records[i].address) == records[i].names, "%s: %s",
            records[i].record, records[i].address);
        ck_assert_msg(standing_spf_asks_on(record) == records[i].asks_on, "%s", records[i].record);
    }
}
END_TEST

SUITE_MAIN("standing", addresses_that_are_translated_on_the_way_are_known,
    an_spf_record_names_addresses_by_itself_or_by_others)
