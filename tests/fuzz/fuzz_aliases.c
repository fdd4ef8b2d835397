/* SPDX-License-Identifier: ISC */
/* An aliases file: each entry is found by its name, the first of a name counts, and names and members hold no line break. */
#include "base/mem.h"
#include "config/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aliases a;
    struct error err;
    struct slice members, member;
    unsigned lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    ensure(aliases_take(&a, slice_make((const char *)data, size), "f", &err));
    for (size_t i = 0; i < a.n; i++) {
        const struct alias *found = aliases_find(&a, a.entry[i].name);
        size_t n = 0;
        ensure(found && slice_eq_nocase(found->name, a.entry[i].name) && found->line <= a.entry[i].line);
        ensure(a.entry[i].line >= 1 && a.entry[i].line <= lines && a.entry[i].name.len > 0);
        ensure(!slice_has(a.entry[i].name, '\n') && !slice_has(a.entry[i].members, '\n'));
        members = a.entry[i].members;
        while (aliases_next_member(&members, &member)) {
            ensure(member.len > 0);
            n++;
        }
        ensure(n <= a.entry[i].members.len);
    }
    ensure(a.bad_line <= lines);
    aliases_clear(&a);
    return 0;
}
