/* SPDX-License-Identifier: ISC */
/* expand: reads the aliases files when a local recipient needs them; keeps nothing between calls. */
#include "config/expand.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/aliases.h"
#include "mail/address.h"
#include "mail/addrset.h"

#define INCLUDE_MAX (16u << 20)
#define DEPTH_MAX 20
#define LOOKED_MAX 200000 /* members, whatever they lead to */
#define SHOWN_MAX 300

/* ---------------------------------------------------------------- files */

/* All of an account's, in their order */
struct files {
    struct aliases *file;
    size_t n;
};

static void
files_clear(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        aliases_clear(&f->file[i]);
    free(f->file);
}

static bool
files_read(struct files *f, const struct config *c, size_t account, struct error *err)
{
    const struct config_value *v = config_value(c, account, CONFIG_ALIASES);

    f->n = 0;
    f->file = mem_array(v->n, sizeof *f->file);
    for (size_t i = 0; i < v->n; i++) {
        if (!*v->item[i])
            continue; /* "": none */
        if (!aliases_read(&f->file[f->n++], v->item[i], err))
            return false;
    }
    return true;
}

/* The first file that has it counts */
static struct alias *
files_find(const struct files *f, struct slice name, const char **path)
{
    for (size_t i = 0; i < f->n; i++) {
        struct alias *a = aliases_find(&f->file[i], name);
        if (a) {
            *path = f->file[i].path;
            return a;
        }
    }
    return NULL;
}

/* For names no file has */
static struct alias *
files_default(const struct files *f, const char **path)
{
    struct alias *a = files_find(f, slice_of("*"), path);

    return a ? a : files_find(f, slice_of("default"), path);
}

/* ---------------------------------------------------------------- members */

enum member_kind { MEMBER_ADDRESS, MEMBER_INCLUDE, MEMBER_SELF, MEMBER_REFUSED };

/* What a member is; *rest is the path of an include, the name behind a backslash */
static enum member_kind
member_kind(struct slice member, struct slice *rest)
{
    if (member.len >= 2 && member.p[0] == '"' && member.p[member.len - 1] == '"')
        member = slice_sub(member, 1, member.len - 2);
    *rest = member;
    if (slice_starts_nocase(member, ":include:")) {
        *rest = slice_trim(slice_from(member, strlen(":include:")));
        return MEMBER_INCLUDE;
    }
    if (member.len == 0 || member.p[0] == '|' || member.p[0] == '/' || member.p[0] == ':')
        return MEMBER_REFUSED; /* a program, a file, Exim's :fail: and the like */
    if (member.p[0] == '\\') {
        *rest = slice_from(member, 1);
        return MEMBER_SELF;
    }
    return MEMBER_ADDRESS;
}

static const char refused_words[] = "programs and files get no mail here";

/*
 * ":include:/path": only a file that is root's and nobody else may write. One that not everybody may read is not for a configuration
 * that may have been injected: its lines would go to the peer.
 */
static int
open_include(const struct config *c, struct slice file, struct error *err)
{
    char *path = slice_dup(file);
    const char *why = NULL;
    struct stat st;
    int fd = -1;

    if (*path != '/' || slice_has(file, '\0'))
        why = "an absolute path is wanted";
    else if ((fd = file_open_regular(path, &st, err)) < 0)
        err->class = err->class == ERROR_TEMP ? ERROR_TEMP : ERROR_NOUSER;
    else if (st.st_uid != 0 || (st.st_mode & 022))
        why = "the list is not root's alone to write";
    else if (config_flag(c, 0, CONFIG_FOREIGN) && !(st.st_mode & 04))
        why = "the list has to be readable by everybody";
    if (why) {
        char shown[SHOWN_MAX];
        text_escape(shown, sizeof shown, file);
        error_set(err, ERROR_NOUSER, "%s: %s", shown, why);
        file_close(&fd);
    }
    free(path);
    return fd;
}

/* ---------------------------------------------------------------- expansion */

/* What names a member */
struct origin {
    struct alias *alias; /* NULL: the caller */
    const char *path;    /* a file and a line of it; NULL: none */
    unsigned line, depth;
    bool by_default; /* an entry for names that have none leads here, so no such entry is looked at again */
};

struct expansion {
    const struct config *c;
    size_t account;
    const struct expand_hooks *hooks;
    struct files files;
    char **found; /* handed out when all is well: a recipient goes as a whole or not at all */
    size_t nfound, max, looked;
    struct addrset seen;
    char **include; /* each is read once, and a circle of them ends */
    size_t nincludes;
    bool circle;
    struct error *err;
};

static void
tell(const struct expansion *e, const struct origin *from, struct slice what, const char *rest)
{
    char shown[SHOWN_MAX];
    char *text;

    if (!e->hooks->step)
        return;
    text_escape(shown, sizeof shown, what);
    text = mem_format("%s: %s", shown, rest);
    e->hooks->step(e->hooks->ctx, from->depth, text);
    free(text);
}

/* "FILE line N: what: why" */
static bool
refuse(const struct expansion *e, const struct origin *from, struct slice what, const char *why)
{
    char shown[SHOWN_MAX];

    text_escape(shown, sizeof shown, what);
    error_set(e->err, ERROR_NOUSER, "%s: %s", shown, why);
    return from->path ? error_context(e->err, "%s line %u", from->path, from->line) : false;
}

static bool
add_found(struct expansion *e, const struct address *a)
{
    struct buf b;
    char *text;

    buf_init(&b, 1000);
    address_format(&b, a);
    text = buf_steal(&b);
    if (addrset_has(&e->seen, text)) {
        free(text);
        return true;
    }
    if (e->nfound == e->max) {
        free(text);
        return error_set(e->err, ERROR_REFUSED, "its aliases lead to more than %zu addresses", e->max);
    }
    if ((e->nfound & (e->nfound - 1)) == 0)
        e->found = mem_resize(e->found, e->nfound ? 2 * e->nfound : 1, sizeof *e->found);
    e->found[e->nfound++] = text;
    return addrset_add(&e->seen, text);
}

/* A login as it is written, else in lower case */
static struct passwd *
find_user(const char *name)
{
    struct passwd *pw = getpwnam(name);
    char *lower;

    if (pw)
        return pw;
    lower = mem_dup(name);
    for (char *p = lower; *p; p++)
        *p = ascii_lower(*p);
    pw = getpwnam(lower);
    free(lower);
    return pw;
}

/* A local name without alias: accounts of the system go to root, others are qualified by the worker */
static bool
deliver_local(struct expansion *e, const struct origin *from, struct slice name)
{
    const char *root = config_text(e->c, e->account, CONFIG_ROOT);
    int64_t limit = config_number(e->c, e->account, CONFIG_MIN_USER_ID);
    struct address a = { .local = name };
    struct error ignored; /* root was checked when it was set */
    char *copy = slice_dup(name), *text;
    struct passwd *pw = find_user(copy);
    bool of_system = pw && (int64_t)pw->pw_uid < limit;

    if (of_system && root) {
        (void)address_parse(slice_of(root), 0, &a, &ignored);
        text = mem_format("uid %lld is below MinUserId (%lld), so its mail is root's", (long long)pw->pw_uid,
            (long long)limit);
    } else if (of_system) {
        text = mem_format("uid %lld is below MinUserId (%lld), but root is not set", (long long)pw->pw_uid,
            (long long)limit);
    } else {
        text = mem_dup(pw ? "a user without an alias" : "no alias, and no user of this machine");
    }
    tell(e, from, name, text);
    free(text);
    free(copy);
    return add_found(e, &a);
}

static bool follow(struct expansion *e, const struct origin *from, struct slice members);

static bool
was_included(struct expansion *e, struct slice path)
{
    for (size_t i = 0; i < e->nincludes; i++)
        if (slice_is(path, e->include[i]))
            return true;
    e->include = mem_resize(e->include, e->nincludes + 1, sizeof *e->include);
    e->include[e->nincludes++] = slice_dup(path);
    return false;
}

/* Addresses on lines and between commas, behind '#' comments */
static bool
include(struct expansion *e, const struct origin *from, struct slice file)
{
    struct origin next = { from->alias, NULL, 1, from->depth + 1, from->by_default };
    struct slice rest, line;
    struct buf b;
    int fd;
    bool ok;

    if (was_included(e, file))
        return e->circle = true;
    next.path = e->include[e->nincludes - 1];
    fd = open_include(e->c, file, e->err);
    if (fd < 0)
        return error_context(e->err, "%s line %u", from->path, from->line);
    tell(e, from, file, "an included list");
    buf_init(&b, INCLUDE_MAX);
    ok = file_read_all(fd, &b, next.path, e->err);
    rest = buf_slice(&b);
    for (; ok && slice_cut(&rest, '\n', &line); next.line++) {
        line = slice_trim(line);
        ok = (line.len && line.p[0] == '#') || follow(e, &next, line);
    }
    file_close(&fd);
    buf_clear(&b);
    return ok;
}

/* Its own name among an alias's members means the mailbox of that name, and a circle ends */
static bool
expand_local(struct expansion *e, const struct origin *from, struct slice name)
{
    const char *path = NULL, *how = "the alias";
    struct alias *alias = files_find(&e->files, name, &path);
    struct origin next = { .depth = from->depth + 1, .by_default = from->by_default };
    char *text;

    if (!alias && !from->by_default) {
        alias = files_default(&e->files, &path);
        next.by_default = alias != NULL;
        how = "by the entry for all other names";
    }
    if (!alias || alias == from->alias)
        return deliver_local(e, from, name);
    if (alias->used) {
        e->circle = true;
        tell(e, from, name, "was expanded before");
        return true;
    }
    alias->used = true;
    next.alias = alias;
    next.path = path;
    next.line = alias->line;
    if (e->hooks->step) {
        char shown[SHOWN_MAX];
        text_escape(shown, sizeof shown, alias->members);
        text = mem_format("%s, %s line %u: %s", how, path, alias->line, shown);
        tell(e, from, name, text);
        free(text);
    }
    return follow(e, &next, alias->members);
}

static bool
is_local(const struct config *c, size_t account, const struct address *a)
{
    const struct config_value *own = config_value(c, account, CONFIG_OWN_NAMES);

    if (!a->has_domain)
        return true;
    for (size_t i = 0; i < own->n; i++)
        if (slice_is_nocase(a->domain, own->item[i]))
            return true;
    return false;
}

static bool
expand_address(struct expansion *e, const struct origin *from, struct slice member)
{
    struct address a;
    struct buf name;
    bool ok;

    if (!address_parse(member, ADDRESS_MAILBOX, &a, e->err)) {
        e->err->class = from->path ? ERROR_NOUSER : e->err->class;
        return from->path ? error_context(e->err, "%s line %u", from->path, from->line) : false;
    }
    if (!is_local(e->c, e->account, &a))
        return add_found(e, &a);
    buf_init(&name, 1000);
    address_add_local(&name, &a);
    ok = expand_local(e, from, buf_slice(&name));
    buf_clear(&name);
    return ok;
}

/* "\name": the mailbox of that name, whatever its alias says */
static bool
expand_self(struct expansion *e, const struct origin *from, struct slice name)
{
    struct address a;
    struct error err;

    if (!address_parse(name, 0, &a, &err) || !is_local(e->c, e->account, &a))
        return refuse(e, from, name, "behind a backslash a local name is wanted");
    return deliver_local(e, from, a.local);
}

static bool
expand_member(struct expansion *e, const struct origin *from, struct slice member)
{
    struct slice rest;
    enum member_kind kind = member_kind(member, &rest);

    if (++e->looked > LOOKED_MAX)
        return refuse(e, from, member, "its aliases name too many");
    if (from->depth > DEPTH_MAX)
        return refuse(e, from, member, "aliases and lists go too deep");
    switch (kind) {
    case MEMBER_REFUSED:
        return refuse(e, from, rest, refused_words);
    case MEMBER_INCLUDE:
        return include(e, from, rest);
    case MEMBER_SELF:
        return expand_self(e, from, rest);
    case MEMBER_ADDRESS:
        break;
    }
    return expand_address(e, from, member);
}

static bool
follow(struct expansion *e, const struct origin *from, struct slice members)
{
    struct slice member;

    while (aliases_next_member(&members, &member))
        if (!expand_member(e, from, member))
            return false;
    return true;
}

static bool
expand(struct expansion *e, const char *address)
{
    struct origin caller = { 0 };

    if (!files_read(&e->files, e->c, e->account, e->err) || !expand_address(e, &caller, slice_of(address)))
        return false;
    if (e->nfound > 0)
        return true;
    return error_set(e->err, ERROR_NOUSER, "%s: %s", address,
        e->circle ? "its aliases go in a circle" : "its alias leads to nobody");
}

static void
expansion_clear(struct expansion *e)
{
    for (size_t i = 0; i < e->nfound; i++)
        free(e->found[i]);
    for (size_t i = 0; i < e->nincludes; i++)
        free(e->include[i]);
    free(e->found);
    free(e->include);
    addrset_clear(&e->seen);
    files_clear(&e->files);
}

bool
expand_recipient(const struct config *c, size_t account, const char *address,
    const struct expand_hooks *hooks, struct error *err)
{
    struct expansion e = { .c = c, .account = account, .hooks = hooks, .err = err };
    struct address a;
    bool ok;

    if (!address_parse(slice_of(address), 0, &a, err))
        return false;
    if (!is_local(c, account, &a)) {
        hooks->found(hooks->ctx, address);
        return true;
    }
    e.max = hooks->max ? hooks->max : EXPAND_MAX;
    ok = expand(&e, address);
    if (!ok && err->class == ERROR_REFUSED)
        error_context(err, "%s", address);
    for (size_t i = 0; ok && i < e.nfound; i++)
        hooks->found(hooks->ctx, e.found[i]);
    expansion_clear(&e);
    return ok;
}

/* ---------------------------------------------------------------- the check */

static void
warn(struct config *c, const struct aliases *a, const struct alias *entry, struct slice what, const char *why)
{
    char shown[SHOWN_MAX];

    text_escape(shown, sizeof shown, what);
    buf_add_format(&c->warnings, "aliases: %s line %u: %s: %s\n", a->path, entry->line, shown, why);
}

/* What gets no mail is no error: packages put such members there, and a list may come later */
static bool
check_member(struct config *c, const struct aliases *a, const struct alias *entry, struct slice member,
    struct error *err)
{
    struct slice rest;
    struct address parsed;
    struct error why;
    int fd;

    switch (member_kind(member, &rest)) {
    case MEMBER_REFUSED:
        warn(c, a, entry, rest, refused_words);
        break;
    case MEMBER_INCLUDE:
        fd = open_include(c, rest, &why);
        if (fd < 0)
            buf_add_format(&c->warnings, "aliases: %s line %u: %s\n", a->path, entry->line, why.text);
        file_close(&fd);
        break;
    case MEMBER_SELF:
        break;
    case MEMBER_ADDRESS:
        if (address_parse(member, ADDRESS_MAILBOX, &parsed, err))
            break;
        err->class = ERROR_CONFIG;
        return error_context(err, "aliases: %s line %u", a->path, entry->line);
    }
    return true;
}

static bool
check_file(struct config *c, struct aliases *a, struct error *err)
{
    struct slice members, member;

    for (size_t i = 0; i < a->n; i++) {
        members = a->entry[i].members;
        if (i > 0 && slice_eq_nocase(a->entry[i - 1].name, a->entry[i].name))
            warn(c, a, &a->entry[i], a->entry[i].name, "is there twice, the first counts");
        while (aliases_next_member(&members, &member))
            if (!check_member(c, a, &a->entry[i], member, err))
                return false;
    }
    return !a->bad_line ||
           error_set(err, ERROR_CONFIG, "aliases: %s line %u: \"name: address, address\" is wanted", a->path,
               a->bad_line);
}

/* Another account has most often the same files */
static bool
was_checked(const struct config *c, size_t account)
{
    const struct config_value *v = config_value(c, account, CONFIG_ALIASES), *w;
    size_t same;

    for (size_t a = 0; a < account; a++) {
        w = config_value(c, a, CONFIG_ALIASES);
        for (same = 0; same < v->n && v->n == w->n && strcmp(v->item[same], w->item[same]) == 0; same++)
            ;
        if (same == v->n && v->n == w->n)
            return true;
    }
    return false;
}

bool
expand_check(struct config *c, size_t *count, struct error *err)
{
    bool ok = true;

    *count = 0;
    for (size_t a = 0; ok && a < c->n; a++) {
        struct files f;
        if (was_checked(c, a))
            continue;
        ok = files_read(&f, c, a, err);
        for (size_t i = 0; ok && i < f.n; i++) {
            ok = check_file(c, &f.file[i], err);
            *count += f.file[i].n;
        }
        files_clear(&f);
    }
    return ok;
}
