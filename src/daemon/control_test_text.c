/* SPDX-License-Identifier: ISC */
/* control_test_text: lines of a test that are not the worker's. */
#include "base/text.h"
#include "daemon/control_test.h"

void
control_test_add_text(struct buf *line, const char *key, const char *text)
{
    char shown[ERROR_TEXT_MAX];
    struct slice s = slice_make(shown, text_escape(shown, sizeof shown, slice_of(text)));

    buf_add_format(line, " s.%s=", key);
    text_percent_encode(line, s);
}

void
control_test_add_step(struct buf *line, const char *step, bool ok, const char *text)
{
    buf_add_format(line, "s.step=%s b.ok=%d", step, ok);
    control_test_add_text(line, "text", text);
}

void
control_test_add_summary(struct buf *line, const char *step, const char *account, const struct error *err)
{
    buf_add_format(line, "s.result=%s", err ? "failed" : "ok");
    control_test_add_text(line, "account", account);
    if (err)
        control_test_add_text(line, "failed_step", step);
    buf_add_format(line, " n.exit=%d", err ? (int)err->class : 0);
    control_test_add_text(line, "text", err ? err->text : "");
}

void
control_test_fail(
    struct buf *answer, const char *step, const char *account, enum error_class class, const char *text)
{
    struct error err;

    error_set(&err, class, "%s", text);
    buf_add_char(answer, ' ');
    control_test_add_step(answer, step, false, text);
    buf_add_str(answer, "\n ");
    control_test_add_summary(answer, step, account, &err);
    buf_add_char(answer, '\n');
    control_end(answer, class, "");
}
