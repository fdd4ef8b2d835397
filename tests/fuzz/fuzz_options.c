/* SPDX-License-Identifier: ISC */
/*
 * Any words on the command line: no crash; never more recipients than words, each of them one; and with a recipient or -t nothing
 * but sending (or -bv) is done, for every other action would end with 0 and no mail sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sendmail/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 200 };

static bool
is_word(const char *s, char *const *argv, int argc)
{
    for (int i = 1; i < argc; i++)
        if (s >= argv[i] && s <= argv[i] + strlen(argv[i]))
            return true;
    return false;
}

static void
check(const struct options *o, char *const *argv, int argc)
{
    const char *const texts[] = { o->config, o->sender, o->full_name, o->notify, o->ret, o->envid, o->tag,
        o->queue_match, NULL };

    ensure(o->nrecipients < (size_t)argc || o->nrecipients == 0);
    for (size_t i = 0; i < o->nrecipients; i++)
        ensure(is_word(o->recipients[i], argv, argc));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ensure(!texts[i] || is_word(texts[i], argv, argc));
    if (o->from_header)
        ensure(o->action == OPTIONS_SEND);
    if (o->nrecipients)
        ensure(o->action == OPTIONS_SEND || o->action == OPTIONS_VERIFY);
    ensure(!o->mode || strchr("ibq", o->mode));
    ensure(!o->queue_match || (o->queue_by && *o->queue_match));
    if (o->envid)
        for (const char *c = o->envid; *c; c++)
            ensure(*c > ' ' && *c < 127);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_dupn((const char *)data, size), *argv[WORDS_MAX + 1], *recipients[WORDS_MAX + 1];
    struct options o;
    struct error err;
    int argc = 0;

    /* words end with NUL or a line break, which makes corpora readable */
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\n')
            text[i] = '\0';
    for (size_t i = 0; i < size && argc < WORDS_MAX; i += strlen(text + i) + 1)
        argv[argc++] = text + i;
    argv[argc] = NULL;
    error_init(&err);
    if (options_parse(argc, argv, &o, recipients, &err))
        check(&o, argv, argc);
    else
        ensure(err.class == ERROR_USAGE && err.text[0]);
    free(text);
    return 0;
}
