/* SPDX-License-Identifier: ISC */
/* Who calls: what the kernel says of him, read as administrators do. */
#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/peercred.h"
#include "base/unit.h"

START_TEST(the_unit_is_the_service_also_where_it_has_cgroups_of_its_own)
{
    static const struct {
        const char *cgroups, *unit;
    } cases[] = {
        { "0::/system.slice/cron.service\n", "cron.service" },
        { "0::/system.slice/php-fpm.service/pool/www\n", "php-fpm.service" },
        { "0::/system.slice/php-fpm.service/spoofed.service\n", "php-fpm.service" },
        { "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope" },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/backup.service\n", "backup.service" },
        { "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "init.scope" },
        { "0::/user.slice/user-1000.slice/user@1000.service\n", "user@1000.service" },
        { "0::/machine.slice/libpod-0123.scope/container\n", "libpod-0123.scope" },
        { "0::/docker/0123\n", "0123" },
        { "0::/\n", "" },
        { "", "" },
        { "9:name=systemd:/system.slice/old.service\n8:pids:/\n0::/system.slice/new.service\n",
            "new.service" },
        { "2:cpu:/\n1:name=systemd:/system.slice/cron.service\n", "cron.service" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *unit = slice_dup(unit_name(slice_of(cases[i].cgroups)));
        ck_assert_str_eq(unit, cases[i].unit);
        free(unit);
    }
}
END_TEST

START_TEST(what_is_no_unix_socket_says_nothing_of_a_user)
{
    int in[2], tcp = socket(AF_INET, SOCK_STREAM, 0), pair[2];
    struct peercred cred;

    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert(!peercred_get(in[0], &cred));
    ck_assert(!peercred_get(tcp, &cred));
    ck_assert(peercred_get(pair[0], &cred));
    ck_assert_int_eq(cred.uid, getuid());
    for (int i = 0; i < 2; i++) {
        file_close(&in[i]);
        file_close(&pair[i]);
    }
    file_close(&tcp);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("who");
    TCase *t = tcase_create("who");
    SRunner *r;
    int failed;

    tcase_add_test(t, the_unit_is_the_service_also_where_it_has_cgroups_of_its_own);
    tcase_add_test(t, what_is_no_unix_socket_says_nothing_of_a_user);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
