/* route: reads the aliases file when a local recipient needs it; keeps nothing between calls. */
#include "config/route.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "mail/address.h"

#define ALIASES_MAX (16u << 20)
#define DEPTH_MAX 20
#define MEMBERS_MAX 10000

/* ---------------------------------------------------------------- the aliases file */

struct aliases {
    const char *path;
    struct buf text;
    bool there;
};

static bool
read_aliases(const struct config *c, struct aliases *a, struct error *err)
{
    struct stat st;
    int fd;
    bool ok;

    memset(a, 0, sizeof *a);
    buf_init(&a->text, ALIASES_MAX);
    a->path = config_text(c, 0, CONFIG_ALIASES);
    if (!a->path || access(a->path, F_OK) != 0)
        return true; /* none: nobody has an alias */
    fd = file_open_regular(a->path, &st, err);
    if (fd < 0)
        return false;
    ok = file_read_all(fd, &a->text, a->path, err);
    file_close(&fd);
    a->there = ok;
    return ok;
}

/* The next logical line: continuation lines joined (as they are, line breaks are blanks), comments and empty lines left out */
static bool
next_entry(struct slice *rest, unsigned *line, struct slice *entry, unsigned *at)
{
    while (rest->len) {
        size_t end = slice_find(*rest, '\n');
        struct slice first = slice_sub(*rest, 0, end);
        *at = ++*line;
        /* a line that begins with a blank goes on with the one before */
        while (end + 1 < rest->len && (rest->p[end + 1] == ' ' || rest->p[end + 1] == '\t')) {
            end = end + 1 + slice_find(slice_from(*rest, end + 1), '\n');
            ++*line;
        }
        *entry = slice_sub(*rest, 0, end);
        *rest = slice_from(*rest, end < rest->len ? end + 1 : end);
        if (slice_trim(*entry).len == 0 || first.p[0] == '#')
            continue;
        return true;
    }
    return false;
}

/* "name: members"; the name may be quoted */
static bool
split_entry(struct slice entry, struct slice *name, struct slice *members)
{
    size_t colon = 0;
    bool quoted = false;

    while (colon < entry.len && (quoted || entry.p[colon] != ':')) {
        if (entry.p[colon] == '"')
            quoted = !quoted;
        colon++;
    }
    if (colon == entry.len)
        return false;
    *name = slice_trim(slice_sub(entry, 0, colon));
    *members = slice_from(entry, colon + 1);
    if (name->len >= 2 && name->p[0] == '"' && name->p[name->len - 1] == '"')
        *name = slice_sub(*name, 1, name->len - 2);
    return name->len > 0 && !slice_has(*name, '\n');
}

/* The next member of a list: commas outside quotes separate; comments behind '#' at a line's end do not exist here */
static bool
next_member(struct slice *rest, struct slice *member)
{
    size_t i = 0;
    bool quoted = false;

    if (rest->len == 0)
        return false;
    while (i < rest->len && (quoted || rest->p[i] != ',')) {
        if (rest->p[i] == '"')
            quoted = !quoted;
        i++;
    }
    *member = slice_trim(slice_sub(*rest, 0, i));
    *rest = slice_from(*rest, i < rest->len ? i + 1 : i);
    return true;
}

static bool
find_alias(const struct aliases *a, struct slice name, struct slice *members)
{
    struct slice rest = buf_slice(&a->text), entry, key;
    unsigned line = 0, at;

    while (next_entry(&rest, &line, &entry, &at))
        if (split_entry(entry, &key, members) && slice_eq_nocase(key, name))
            return true;
    return false;
}

bool
route_check_aliases(const struct config *c, size_t *count, struct error *err)
{
    struct aliases a;
    struct slice rest, entry, name, members, member;
    unsigned line = 0, at;
    bool ok = read_aliases(c, &a, err);

    *count = 0;
    rest = buf_slice(&a.text);
    while (ok && next_entry(&rest, &line, &entry, &at)) {
        if (!split_entry(entry, &name, &members)) {
            ok = error_set(
                err, ERROR_CONFIG, "aliases: %s line %u: \"name: address, address\" is wanted", a.path, at);
            break;
        }
        while (ok && next_member(&members, &member)) {
            struct address parsed;
            struct error why;
            if (member.len == 0 || member.p[0] == '|' || member.p[0] == '/' || member.p[0] == '"' ||
                slice_starts_nocase(member, ":include:"))
                continue; /* said when mail comes for it */
            if (!address_parse(member, ADDRESS_MAILBOX, &parsed, &why))
                ok = error_set(err, ERROR_CONFIG, "aliases: %s line %u: %s", a.path, at, why.text);
        }
        ++*count;
    }
    buf_clear(&a.text);
    return ok;
}

/* ---------------------------------------------------------------- expansion */

struct expansion {
    const struct config *c;
    struct aliases aliases;
    route_fn *found;
    void *ctx;
    char **todo; /* local names and addresses still to be looked at */
    unsigned *depth;
    size_t n, members;
    struct error *err;
};

static bool
push(struct expansion *e, struct slice text, unsigned depth)
{
    if (++e->members > MEMBERS_MAX || depth > DEPTH_MAX)
        return error_set(
            e->err, ERROR_NOUSER, "%.*s: its aliases go in a circle, or name too many", SLICE_ARG(text));
    e->todo = mem_resize(e->todo, e->n + 1, sizeof(char *));
    e->depth = mem_resize(e->depth, e->n + 1, sizeof *e->depth);
    e->todo[e->n] = slice_dup(text);
    e->depth[e->n++] = depth;
    return true;
}

static bool push_members(
    struct expansion *e, const char *name, struct slice members, char separator, unsigned depth);

/* ":include:/path": one address a line, only of a file that is root's */
static bool
include(struct expansion *e, const char *name, struct slice member, unsigned depth)
{
    char *path = slice_dup(slice_trim(slice_from(member, strlen(":include:"))));
    struct stat st;
    struct buf b;
    bool ok = false;
    int fd = file_open_regular(path, &st, e->err);

    buf_init(&b, 1u << 20);
    if (fd >= 0 && st.st_uid != 0)
        error_set(e->err, ERROR_NOUSER, "%s: alias names %s, which is not root's", name, path);
    else if (fd >= 0 && file_read_all(fd, &b, path, e->err))
        ok = push_members(e, name, buf_slice(&b), '\n', depth);
    if (fd < 0)
        e->err->class = ERROR_NOUSER;
    file_close(&fd);
    buf_clear(&b);
    free(path);
    return ok;
}

static bool
push_member(struct expansion *e, const char *name, struct slice member, unsigned depth)
{
    struct slice bare = member;

    if (bare.len >= 2 && bare.p[0] == '"')
        bare = slice_sub(bare, 1, bare.len - 2);
    if (bare.len == 0 || bare.p[0] == '#')
        return true;
    if (bare.p[0] == '|' || bare.p[0] == '/')
        return error_set(e->err, ERROR_NOUSER, "%s: alias %.*s: programs and files get no mail here", name,
            SLICE_ARG(bare));
    if (slice_starts_nocase(bare, ":include:"))
        return include(e, name, bare, depth);
    return push(e, member, depth);
}

static bool
push_members(struct expansion *e, const char *name, struct slice members, char separator, unsigned depth)
{
    struct slice member;

    if (separator == '\n') {
        while (slice_cut(&members, '\n', &member))
            if (!push_member(e, name, slice_trim(member), depth))
                return false;
        return true;
    }
    while (next_member(&members, &member))
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

/* A local name without alias: accounts of the system go to root, others are qualified by the worker */
static void
deliver_local(struct expansion *e, const char *name)
{
    const char *root = config_text(e->c, 0, CONFIG_ROOT);
    struct passwd *pw = getpwnam(name);

    if (root && pw && (int64_t)pw->pw_uid < config_number(e->c, 0, CONFIG_MIN_USER_ID))
        e->found(e->ctx, root);
    else
        e->found(e->ctx, name);
}

static bool
expand_one(struct expansion *e, const char *text, unsigned depth)
{
    struct address a;
    struct slice members;
    struct buf name;
    bool ok = true;

    if (!address_parse(slice_of(text), ADDRESS_MAILBOX, &a, e->err))
        return false;
    if (!is_local(e->c, &a)) {
        struct buf b;
        buf_init(&b, 1000);
        address_format(&b, &a);
        e->found(e->ctx, buf_str(&b));
        buf_clear(&b);
        return true;
    }
    buf_init(&name, 1000);
    address_add_local(&name, &a);
    /* an alias that names itself means the mailbox of that name */
    if (find_alias(&e->aliases, buf_slice(&name), &members)) {
        struct slice only = slice_trim(members);
        if (slice_eq_nocase(only, buf_slice(&name)) || (only.len && only.p[0] == '\\'))
            deliver_local(e, buf_str(&name));
        else
            ok = push_members(e, buf_str(&name), members, ',', depth + 1);
    } else {
        deliver_local(e, buf_str(&name));
    }
    buf_clear(&name);
    return ok;
}

bool
route_recipient(const struct config *c, const char *address, route_fn *found, void *ctx, struct error *err)
{
    struct expansion e = { .c = c, .found = found, .ctx = ctx, .err = err };
    struct address a;
    bool ok;

    if (!address_parse(slice_of(address), 0, &a, err))
        return false;
    if (!is_local(c, &a)) {
        found(ctx, address);
        return true;
    }
    ok = read_aliases(c, &e.aliases, err) && push(&e, slice_of(address), 0);
    while (ok && e.n) {
        char *next = e.todo[--e.n];
        ok = expand_one(&e, next, e.depth[e.n]);
        free(next);
    }
    while (e.n)
        free(e.todo[--e.n]);
    free(e.todo);
    free(e.depth);
    buf_clear(&e.aliases.text);
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

    if (names_user(deny, uid, login))
        return false;
    return allow->n == 0 || names_user(allow, uid, login);
}
