/* SPDX-License-Identifier: ISC */
/* base: the pieces everything else trusts. */
#include "unit/suite.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/passfd.h"
#include "base/text.h"

START_TEST(a_buffer_never_grows_beyond_its_maximum)
{
    struct buf b;

    buf_init(&b, 10);
    buf_add_str(&b, "12345678");
    buf_add_str(&b, "90");
    ck_assert(!b.overflow);
    buf_add_char(&b, 'x');
    ck_assert(b.overflow);
    ck_assert_uint_eq(b.len, 10);
    ck_assert_str_eq(buf_str(&b), "1234567890");
    buf_reset(&b);
    ck_assert(!b.overflow);
    buf_add_format(&b, "%s", "12345678901");
    ck_assert(b.overflow && b.len == 0);
    buf_clear(&b);
}
END_TEST

START_TEST(a_buffer_gives_its_bytes_in_order)
{
    struct buf b;
    char *s;

    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        buf_add_format(&b, "%d,", i);
    buf_consume(&b, 2);
    ck_assert(slice_starts(buf_slice(&b), "1,2,3,"));
    buf_truncate(&b, 3);
    s = buf_steal(&b);
    ck_assert_str_eq(s, "1,2");
    ck_assert_ptr_null(b.data);
    free(s);
}
END_TEST

START_TEST(numbers_from_outside_are_range_checked)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t value;
    } cases[] = {
        { "0", 9, true, 0 },
        { "9", 9, true, 9 },
        { "10", 9, false, 0 },
        { "", 9, false, 0 },
        { "-1", 9, false, 0 },
        { "+1", 9, false, 0 },
        { " 1", 9, false, 0 },
        { "1x", 9, false, 0 },
        { "5", 3, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999999", UINT64_MAX, false, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 0;
        ck_assert_msg(
            slice_number(slice_of(cases[i].text), cases[i].max, &v) == cases[i].ok, "%s", cases[i].text);
        ck_assert_uint_eq(v, cases[i].value);
    }
}
END_TEST

START_TEST(slices_are_cut_and_trimmed)
{
    struct slice rest = slice_of("a,b,,c"), part;

    ck_assert(slice_cut(&rest, ',', &part));
    ck_assert_slice(part, "a");
    ck_assert(slice_cut(&rest, ',', &part) && slice_cut(&rest, ',', &part));
    ck_assert_slice(part, "");
    ck_assert(slice_cut(&rest, ',', &part));
    ck_assert_slice(part, "c");
    ck_assert(!slice_cut(&rest, ',', &part));
    ck_assert_slice(slice_trim(slice_of(" \t x y\r\n")), "x y");
    ck_assert_slice(slice_trim(slice_of("\r\n")), "");
    ck_assert(slice_eq_nocase(slice_of("MaIl"), slice_of("mAiL")));
    ck_assert(!slice_eq_nocase(slice_of("mail"), slice_of("mails")));
}
END_TEST

START_TEST(no_control_character_survives_escaping)
{
    static const struct {
        const char *raw, *want;
    } cases[] = {
        { "plain text", "plain text" }, { "a\r\nb\nc\td", "a b c d" }, { "\x1b[31mred", "\\x1B[31mred" },
        { "\x7f", "\\x7F" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "\xff\xfe", "\\xFF\\xFE" },
        { "\xc2\x9b", "\\xC2\\x9B" },          /* C1 CSI */
        { "\xe2\x80\xae", "\\xE2\\x80\\xAE" }, /* right-to-left override */
        { "\xe2\x80\x8f", "\\xE2\\x80\\x8F" }, /* right-to-left mark */
        { "\xe2\x80\xa8", "\\xE2\\x80\\xA8" }, /* line separator */
        { "\xd8\x9c", "\\xD8\\x9C" },          /* Arabic letter mark */
        { "\xe2\x80\x94\xe2\x80\x99", "\xe2\x80\x94\xe2\x80\x99" },
        { "\xc0\xaf", "\\xC0\\xAF" },                   /* overlong */
        { "\xed\xa0\x80", "\\xED\\xA0\\x80" },          /* surrogate */
        { "\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
    };
    char out[100];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_escape(out, sizeof out, slice_of(cases[i].raw));
        ck_assert_str_eq(out, cases[i].want);
    }
}
END_TEST

START_TEST(escaping_fits_any_size)
{
    char out[64];

    for (size_t size = 1; size < sizeof out; size++) {
        memset(out, 'Z', sizeof out);
        size_t n = text_escape(out, size,
            slice_of("ab\x01"
                     "cd\xc3\xbc"
                     "ef 0123456789 0123456789 0123456789"));
        ck_assert_uint_lt(n, size);
        ck_assert_uint_eq(strlen(out), n);
        ck_assert(text_is_utf8(slice_of(out)));
        ck_assert_int_eq(out[size], 'Z');
    }
}
END_TEST

START_TEST(percent_encoding_round_trips_every_byte)
{
    char raw[256];
    struct buf enc, dec;

    for (int i = 0; i < 256; i++)
        raw[i] = (char)i;
    buf_init(&enc, 10000);
    buf_init(&dec, 10000);
    text_percent_encode(&enc, slice_make(raw, sizeof raw));
    for (size_t i = 0; i < enc.len; i++)
        ck_assert(enc.data[i] > 32 && enc.data[i] < 127 && enc.data[i] != '=');
    ck_assert(text_percent_decode(&dec, buf_slice(&enc)));
    ck_assert(slice_eq(buf_slice(&dec), slice_make(raw, sizeof raw)));
    ck_assert(!text_percent_decode(&dec, slice_of("%4")));
    ck_assert(!text_percent_decode(&dec, slice_of("%zz")));
    buf_clear(&enc);
    buf_clear(&dec);
}
END_TEST

START_TEST(the_nearest_name_is_the_one_with_the_smallest_distance)
{
    ck_assert_uint_eq(text_distance("mailhub", "mailhbu"), 2);
    ck_assert_uint_eq(text_distance("mailhub", "MAILHUB"), 0);
    ck_assert_uint_eq(text_distance("", "abc"), 3);
}
END_TEST

START_TEST(errors_are_one_line_with_their_context_in_front)
{
    struct error err;

    error_init(&err);
    ck_assert(!error_set(&err, ERROR_DATA, "bad\nline %d", 7));
    ck_assert_str_eq(err.text, "bad line 7");
    ck_assert(!error_context(&err, "file %s", "x"));
    ck_assert_str_eq(err.text, "file x: bad line 7");
    ck_assert_int_eq(err.class, ERROR_DATA);
}
END_TEST

START_TEST(descriptors_travel_with_their_packet)
{
    int pair[2], fds[PASSFD_MAX], null = open("/dev/null", O_RDONLY);
    char text[8];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    ck_assert(passfd_send(pair[0], "hello", 5, &null, 1));
    ck_assert_int_eq(passfd_receive(pair[1], text, sizeof text, fds), 5);
    ck_assert_int_ge(fds[0], 0);
    ck_assert_int_eq(fds[1], -1);
    ck_assert(passfd_send(pair[0], "too long a packet", 17, NULL, 0));
    ck_assert_int_eq(passfd_receive(pair[1], text, sizeof text, fds), -1);
    close(pair[0]);
    ck_assert_int_eq(passfd_receive(pair[1], text, sizeof text, fds), 0);
}
END_TEST

START_TEST(a_sealed_file_cannot_be_changed)
{
    struct error err;
    int fd = file_sealed("t", slice_of("content"), &err);
    char text[8] = "";

    ck_assert_int_ge(fd, 0);
    ck_assert(write(fd, "x", 1) < 0);
    ck_assert(ftruncate(fd, 0) < 0);
    ck_assert(file_pread(fd, text, 7, 0));
    ck_assert_str_eq(text, "content");
    close(fd);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    struct error err;
    struct stat st;

    ck_assert_int_eq(file_open_regular("/dev/null", &st, &err), -1);
    ck_assert_int_eq(file_open_regular("/", &st, &err), -1);
    ck_assert_int_eq(file_open_regular("/no/such/file", &st, &err), -1);
    ck_assert(strstr(err.text, "/no/such/file"));
}
END_TEST

START_TEST(a_path_becomes_absolute_by_the_folder_it_is_said_in)
{
    char *same = file_absolute("/etc/x"), *made;

    ck_assert_int_eq(chdir("/tmp"), 0);
    made = file_absolute("a/b");
    ck_assert_str_eq(same, "/etc/x");
    ck_assert_str_eq(made, "/tmp/a/b");
    free(same);
    free(made);
}
END_TEST

START_TEST(deadlines_end)
{
    ck_assert_int_eq(clock_left(CLOCK_NEVER), -1);
    ck_assert_int_eq(clock_left(clock_deadline(-5)), 0);
    ck_assert_int_gt(clock_left(clock_deadline(100000)), 0);
    ck_assert(clock_deadline(CLOCK_NEVER) == CLOCK_NEVER);
}
END_TEST

SUITE_MAIN("base", a_buffer_never_grows_beyond_its_maximum, a_buffer_gives_its_bytes_in_order,
    numbers_from_outside_are_range_checked, slices_are_cut_and_trimmed,
    no_control_character_survives_escaping, escaping_fits_any_size, percent_encoding_round_trips_every_byte,
    the_nearest_name_is_the_one_with_the_smallest_distance, errors_are_one_line_with_their_context_in_front,
    descriptors_travel_with_their_packet, a_sealed_file_cannot_be_changed, only_regular_files_are_opened,
    a_path_becomes_absolute_by_the_folder_it_is_said_in, deadlines_end)
