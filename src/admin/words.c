/* SPDX-License-Identifier: ISC */
/* words: the two forms an option may have. */
#include "admin/words.h"

#include <string.h>
#include <sysexits.h>

#include "base/mem.h"

bool
words_take_value(const char *const words[], size_t n, size_t *i, const char *name, const char **value)
{
    size_t len = strlen(name);
    const char *word = words[*i];

    if (strncmp(word, name, len) != 0 || (word[len] != '=' && word[len] != '\0'))
        return false;
    if (word[len] == '\0' && *i + 1 == n)
        fatal(EX_USAGE, "%s: a value for %s is missing", words[0], name);
    *value = word[len] ? word + len + 1 : words[++*i];
    return true;
}
