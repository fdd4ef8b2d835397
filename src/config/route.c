/* route: reads the aliases file when a local recipient needs it; keeps nothing between calls. */
#include "config/route.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/aliases.h"
#include "mail/address.h"

#define INCLUDE_MAX (1u << 20)
#define DEPTH_MAX 20
#define MEMBERS_MAX 10000

/* ---------------------------------------------------------------- members of aliases */

enum member_kind { MEMBER_ADDRESS, MEMBER_INCLUDE, MEMBER_SELF, MEMBER_REFUSED };

/* What a member is; *rest is the path of an include, the name behind a backslash */
static enum member_kind
member_kind(struct slice member, struct slice *rest)
{
    if (member.len >= 2 && member.p[0] == '"' && member.p[member.len - 1] == '"')
        member = slice_sub(member, 1, member.len - 2);
    *rest = member;
    if (member.len == 0 || member.p[0] == '|' || member.p[0] == '/')
        return MEMBER_REFUSED;
    if (slice_starts_nocase(member, ":include:")) {
        *rest = slice_trim(slice_from(member, strlen(":include:")));
        return MEMBER_INCLUDE;
    }
    if (member.p[0] == '\\') {
        *rest = slice_from(member, 1);
        return MEMBER_SELF;
    }
    return MEMBER_ADDRESS;
}

static bool
check_member(struct config *c, const struct aliases *a, const struct alias *entry, struct slice member,
    struct error *err)
{
    struct slice rest;
    struct address parsed;
    enum member_kind kind = member_kind(member, &rest);
    char shown[200];

    if (kind == MEMBER_ADDRESS && !address_parse(member, ADDRESS_MAILBOX, &parsed, err)) {
        err->class = ERROR_CONFIG;
        return error_context(err, "aliases: %s line %u", a->path, entry->line);
    }
    text_escape(shown, sizeof shown, member);
    if (kind == MEMBER_REFUSED) /* not an error: packages put them there */
        buf_add_format(&c->warnings, "aliases: %s line %u: %s: programs and files get no mail here\n",
            a->path, entry->line, shown);
    return true;
}

bool
route_check_aliases(struct config *c, size_t *count, struct error *err)
{
    const char *path = config_text(c, 0, CONFIG_ALIASES);
    struct aliases a = { 0 };
    struct slice members, member;
    bool ok = !path || aliases_read(&a, path, err);

    for (size_t i = 0; ok && i < a.n; i++) {
        members = a.entry[i].members;
        if (i > 0 && slice_eq_nocase(a.entry[i - 1].name, a.entry[i].name))
            buf_add_format(&c->warnings, "aliases: %s line %u: %.*s is there twice, the first counts\n",
                a.path, a.entry[i].line, SLICE_ARG(a.entry[i].name));
        while (ok && aliases_next_member(&members, &member))
            ok = check_member(c, &a, &a.entry[i], member, err);
    }
    if (ok && a.bad_line)
        ok = error_set(err, ERROR_CONFIG, "aliases: %s line %u: \"name: address, address\" is wanted", a.path,
            a.bad_line);
    *count = a.n;
    aliases_clear(&a);
    return ok;
}

/* ---------------------------------------------------------------- expansion */

struct todo {
    char *text;
    unsigned depth;
};

struct expansion {
    const struct config *c;
    struct aliases aliases;
    struct todo *todo; /* local names and addresses still to be looked at */
    size_t n, members;
    char **found; /* handed out when all is well: a recipient goes as a whole or not at all */
    size_t nfound;
    struct error *err;
};

static bool
push(struct expansion *e, struct slice text, unsigned depth)
{
    if (++e->members > MEMBERS_MAX || depth > DEPTH_MAX)
        return error_set(
            e->err, ERROR_NOUSER, "%.*s: its aliases go in a circle, or name too many", SLICE_ARG(text));
    e->todo = mem_resize(e->todo, e->n + 1, sizeof *e->todo);
    e->todo[e->n++] = (struct todo){ slice_dup(text), depth };
    return true;
}

static void
add_found(struct expansion *e, const struct address *a)
{
    struct buf b;

    buf_init(&b, 1000);
    address_format(&b, a);
    e->found = mem_resize(e->found, e->nfound + 1, sizeof *e->found);
    e->found[e->nfound++] = buf_steal(&b);
}

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
static void
deliver_local(struct expansion *e, struct slice name)
{
    const char *root = config_text(e->c, 0, CONFIG_ROOT);
    struct address a = { .local = name };
    struct error ignored; /* root was checked when it was set */
    char *copy = slice_dup(name);
    struct passwd *pw = find_user(copy);

    if (root && pw && (int64_t)pw->pw_uid < config_number(e->c, 0, CONFIG_MIN_USER_ID))
        (void)address_parse(slice_of(root), 0, &a, &ignored);
    add_found(e, &a);
    free(copy);
}

static bool push_members(struct expansion *e, struct slice name, struct slice members, unsigned depth);

/* ":include:/path": addresses on lines and between commas, only of a file that is root's and nobody else may write */
static bool
include(struct expansion *e, struct slice name, struct slice file, unsigned depth)
{
    char *path = slice_dup(file);
    struct stat st;
    struct buf b;
    struct slice rest, line;
    bool ok;
    int fd;

    if (depth > DEPTH_MAX || *path != '/') {
        free(path);
        return error_set(e->err, ERROR_NOUSER, "%.*s: alias names :include:%.*s, which will not do",
            SLICE_ARG(name), SLICE_ARG(file));
    }
    fd = file_open_regular(path, &st, e->err);
    if (fd < 0) {
        e->err->class = e->err->class == ERROR_TEMP ? ERROR_TEMP : ERROR_NOUSER;
        free(path);
        return error_context(e->err, "%.*s: alias", SLICE_ARG(name));
    }
    buf_init(&b, INCLUDE_MAX);
    if (st.st_uid != 0 || (st.st_mode & 02))
        ok = error_set(e->err, ERROR_NOUSER, "%.*s: alias names %s, which is not root's alone to write",
            SLICE_ARG(name), path);
    else
        ok = file_read_all(fd, &b, path, e->err);
    rest = buf_slice(&b);
    while (ok && slice_cut(&rest, '\n', &line)) {
        line = slice_trim(line);
        ok = (line.len && line.p[0] == '#') || push_members(e, name, line, depth);
    }
    file_close(&fd);
    buf_clear(&b);
    free(path);
    return ok;
}

/* One of `name`'s members; its own name among them means the mailbox of that name */
static bool
push_member(struct expansion *e, struct slice name, struct slice member, unsigned depth)
{
    struct slice rest;

    switch (member_kind(member, &rest)) {
    case MEMBER_REFUSED:
        return error_set(e->err, ERROR_NOUSER, "%.*s: alias %.*s: programs and files get no mail here",
            SLICE_ARG(name), SLICE_ARG(rest));
    case MEMBER_INCLUDE:
        return include(e, name, rest, depth + 1);
    case MEMBER_SELF:
        if (rest.len == 0 || slice_has(rest, '@') || ++e->members > MEMBERS_MAX)
            return error_set(e->err, ERROR_NOUSER, "%.*s: alias \\%.*s: a local name is wanted",
                SLICE_ARG(name), SLICE_ARG(rest));
        deliver_local(e, rest);
        return true;
    case MEMBER_ADDRESS:
        break;
    }
    if (!slice_eq_nocase(member, name))
        return push(e, member, depth);
    if (++e->members <= MEMBERS_MAX)
        deliver_local(e, name);
    return true;
}

static bool
push_members(struct expansion *e, struct slice name, struct slice members, unsigned depth)
{
    struct slice member;

    while (aliases_next_member(&members, &member))
        if (!push_member(e, name, member, depth))
            return false;
    return true;
}

static bool
is_local(const struct config *c, const struct address *a)
{
    const struct config_value *own = config_value(c, 0, CONFIG_OWN_NAMES);

    if (!a->has_domain)
        return true;
    for (size_t i = 0; i < own->n; i++)
        if (slice_is_nocase(a->domain, own->item[i]))
            return true;
    return false;
}

static bool
expand_local(struct expansion *e, const struct address *a, unsigned depth)
{
    struct alias *alias;
    struct buf name;
    bool ok = true;

    buf_init(&name, 1000);
    address_add_local(&name, a);
    alias = aliases_find(&e->aliases, buf_slice(&name));
    if (!alias) {
        deliver_local(e, buf_slice(&name));
    } else if (!alias->used) { /* once is enough, and a circle ends */
        alias->used = true;
        ok = push_members(e, alias->name, alias->members, depth + 1);
    }
    buf_clear(&name);
    return ok;
}

static bool
expand_one(struct expansion *e, const char *text, unsigned depth)
{
    struct address a;

    if (!address_parse(slice_of(text), ADDRESS_MAILBOX, &a, e->err)) {
        e->err->class = depth ? ERROR_NOUSER : e->err->class;
        return false;
    }
    if (is_local(e->c, &a))
        return expand_local(e, &a, depth);
    add_found(e, &a);
    return true;
}

static bool
expand_all(struct expansion *e, const char *address)
{
    const char *path = config_text(e->c, 0, CONFIG_ALIASES);
    bool ok = (!path || aliases_read(&e->aliases, path, e->err)) && push(e, slice_of(address), 0);

    while (ok && e->n) {
        struct todo next = e->todo[--e->n];
        ok = expand_one(e, next.text, next.depth);
        free(next.text);
    }
    if (ok && e->nfound == 0)
        return error_set(e->err, ERROR_NOUSER, "%s: its alias leads to nobody", address);
    return ok;
}

bool
route_recipient(const struct config *c, const char *address, route_fn *found, void *ctx, struct error *err)
{
    struct expansion e = { .c = c, .err = err };
    struct address a;
    bool ok;

    if (!address_parse(slice_of(address), 0, &a, err))
        return false;
    if (!is_local(c, &a)) {
        found(ctx, address);
        return true;
    }
    ok = expand_all(&e, address);
    for (size_t i = 0; i < e.nfound; i++) {
        if (ok)
            found(ctx, e.found[i]);
        free(e.found[i]);
    }
    while (e.n)
        free(e.todo[--e.n].text);
    free(e.todo);
    free(e.found);
    aliases_clear(&e.aliases);
    return ok;
}

/* ---------------------------------------------------------------- accounts */

/* An address, or "@domain" */
static bool
address_matches(const struct config_value *v, const char *address)
{
    struct slice a = slice_of(address);

    for (size_t i = 0; i < v->n; i++) {
        struct slice pattern = slice_of(v->item[i]);
        if (pattern.len && pattern.p[0] == '@'
                ? slice_eq_nocase(slice_from(a, slice_find_last(a, '@')), pattern)
                : slice_eq_nocase(a, pattern))
            return true;
    }
    return false;
}

static bool
user_matches(const struct config_value *v, int64_t uid)
{
    uint64_t n;

    for (size_t i = 0; i < v->n; i++) {
        struct passwd *pw = getpwnam(v->item[i]);
        if ((pw && (int64_t)pw->pw_uid == uid) ||
            (slice_number(slice_of(v->item[i]), UINT32_MAX, &n) && (int64_t)n == uid))
            return true;
    }
    return false;
}

size_t
route_account(const struct config *c, const char *sender, int64_t uid, const char *recipient)
{
    for (size_t a = 1; a < c->n; a++) {
        const struct config_value *s = config_value(c, a, CONFIG_SENDER),
                                  *u = config_value(c, a, CONFIG_FOR_USER),
                                  *r = config_value(c, a, CONFIG_RECIPIENT);
        if (!s->set && !u->set && !r->set)
            continue; /* serves only as a fallback */
        if ((!s->set || address_matches(s, sender)) && (!u->set || user_matches(u, uid)) &&
            (!r->set || address_matches(r, recipient)))
            return a;
    }
    return 0;
}

bool
route_may_use(const struct config *c, size_t account, int64_t uid)
{
    const struct config_value *u = config_value(c, account, CONFIG_FOR_USER);

    return !u->set || user_matches(u, uid);
}

static bool
names_user(const struct config_value *v, int64_t uid, const char *login)
{
    for (size_t i = 0; i < v->n; i++)
        if ((*login && strcmp(v->item[i], login) == 0))
            return true;
    return user_matches(v, uid);
}

bool
route_is_allowed(const struct config *c, int64_t uid, const char *login)
{
    const struct config_value *allow = config_value(c, 0, CONFIG_ALLOW_USERS),
                              *deny = config_value(c, 0, CONFIG_DENY_USERS);

    if (uid < 0 && (allow->n > 0 || deny->n > 0))
        return false; /* nobody can say who that is */
    if (names_user(deny, uid, login))
        return false;
    return allow->n == 0 || names_user(allow, uid, login);
}
