/* SPDX-License-Identifier: ISC */
/* rewrite: domains first, then what the account may use, then the human part of what gave way. */
#include "worker/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/addrlist.h"
#include "worker/human.h"

#define LIST_MAX (8u << 20)
#define ADDRESS_BYTES 2000 /* an address with its domain as A-labels fits well */

/* ---------------------------------------------------------------- settings */

enum rewrite_policy
rewrite_policy_of(const char *text)
{
    static const struct {
        const char *word;
        enum rewrite_policy policy;
    } words[] = { { "keep", REWRITE_KEEP }, { "qualify", REWRITE_QUALIFY }, { "force", REWRITE_FORCE } };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_is_nocase(slice_of(text), words[i].word))
            return words[i].policy;
    return REWRITE_AUTO;
}

bool
rewrite_judges(const struct rewrite *r)
{
    return r->from && (r->policy == REWRITE_AUTO || r->policy == REWRITE_FORCE);
}

/* Signed mail is relayed with `keep`: no domain in it may change, only one that is missing is added */
struct rewrite
rewrite_for_sender(const struct rewrite *r)
{
    struct rewrite copy = *r;

    if (r->policy == REWRITE_KEEP)
        copy.nown = 0;
    return copy;
}

/* ---------------------------------------------------------------- domains */

static bool
is_own_name(const struct rewrite *r, struct slice domain)
{
    for (size_t i = 0; i < r->nown; i++)
        if (slice_is_nocase(domain, r->own_names[i]))
            return true;
    return false;
}

static bool
is_rewritten(const struct rewrite *r, struct slice domain)
{
    return r->domain && is_own_name(r, domain);
}

/* As A-labels (RFC 5891) */
static bool
add_ascii(struct slice domain, struct buf *out, struct error *err)
{
    char *copy, *ascii = NULL;
    int result;

    if (text_is_ascii(domain)) {
        buf_add_slice(out, domain);
        return true;
    }
    copy = slice_dup(domain);
    result = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    free(copy);
    if (result != IDN2_OK)
        return error_set(err, ERROR_DATA, "domain %.*s: %s", SLICE_ARG(domain), idn2_strerror(result));
    buf_add_str(out, ascii);
    idn2_free(ascii);
    return true;
}

/* The domain that goes out */
static bool
add_domain(const struct rewrite *r, const struct address *a, struct buf *out, struct error *err)
{
    struct slice domain = a->domain;

    if (!a->has_domain || is_rewritten(r, domain))
        domain = slice_of(r->domain ? r->domain : r->hostname);
    return add_ascii(domain, out, err);
}

static bool
add_address(const struct rewrite *r, const struct address *a, struct buf *out, struct error *err)
{
    buf_add_slice(out, a->local);
    buf_add_char(out, '@');
    return add_domain(r, a, out, err);
}

bool
rewrite_path(const struct rewrite *r, const char *address, struct buf *out, bool *utf8, struct error *err)
{
    struct address a;

    if (!address_parse(slice_of(address), ADDRESS_NULL, &a, err))
        return false;
    if (a.is_null)
        return true;
    if (a.is_utf8_local)
        *utf8 = true;
    return add_address(r, &a, out, err);
}

/* ---------------------------------------------------------------- lists */

struct listing {
    const struct rewrite *r;
    struct slice value;
    struct buf *out;
    size_t copied; /* of the value */
    bool utf8, failed;
    struct error *err;
};

/* An encoded-word is no local part */
static bool
is_address(const struct addrlist_item *item)
{
    return !item->error && item->spec.end > item->spec.start &&
           (item->address.has_domain || !slice_starts(item->address.local, "=?"));
}

/* Everything up to the addr-spec as it was, then the address as it has to be */
static void
on_listed(void *ctx, const struct addrlist_item *item)
{
    struct listing *l = ctx;
    const struct address *a = &item->address;

    if (l->failed || !is_address(item))
        return;
    l->utf8 = l->utf8 || a->is_utf8_local;
    if (a->has_domain && text_is_ascii(a->domain) && !is_rewritten(l->r, a->domain))
        return;
    buf_add_slice(l->out, slice_sub(l->value, l->copied, item->spec.start - l->copied));
    l->failed = !add_address(l->r, a, l->out, l->err);
    l->copied = item->spec.end;
}

static void
run_list(struct slice value, addrlist_fn *fn, void *ctx)
{
    struct addrlist *list = mem_alloc(sizeof *list);

    addrlist_init(list, 0, fn, ctx);
    addrlist_push(list, value);
    addrlist_end(list);
    free(list);
}

bool
rewrite_list(const struct rewrite *r, struct slice value, struct buf *out, bool *utf8, struct error *err)
{
    struct listing l = { .r = r, .value = value, .out = out, .err = err };

    run_list(value, on_listed, &l);
    buf_add_slice(out, slice_from(value, l.copied));
    *utf8 = *utf8 || l.utf8;
    return !l.failed;
}

static void
on_searched(void *ctx, const struct addrlist_item *item)
{
    struct buf *out = ctx;

    if (out->len == 0 && !item->error && item->address.is_utf8_local)
        address_format(out, &item->address);
}

void
rewrite_find_utf8(struct slice value, struct buf *out)
{
    run_list(value, on_searched, out);
}

/* ---------------------------------------------------------------- what the account may use */

/* An address as all who mean the same mailbox write it: no needless quotes, A-labels. False when it is none. */
static bool
add_canonical(const struct rewrite *r, struct slice text, struct buf *out)
{
    struct address a, local;
    struct error ignored;
    struct buf name;

    if (!address_parse(text, 0, &a, &ignored))
        return false;
    buf_init(&name, ADDRESS_BYTES);
    local = (struct address){ .local = a.local, .is_quoted = a.is_quoted };
    address_format(&name, &local);
    buf_add_slice(out, buf_slice(&name));
    buf_add_char(out, '@');
    buf_clear(&name);
    return add_domain(r, &a, out, &ignored) && !out->overflow;
}

static struct slice
domain_of(struct slice address)
{
    return slice_from(address, slice_find_last(address, '@'));
}

/* An address, or "@domain"; `address` is canonical. Case is no matter to any provider. */
static bool
matches(const struct rewrite *r, struct slice pattern, struct slice address)
{
    struct buf b;
    bool ok;

    buf_init(&b, ADDRESS_BYTES);
    if (pattern.len && pattern.p[0] == '@') {
        struct error ignored;
        buf_add_char(&b, '@');
        ok = add_ascii(slice_from(pattern, 1), &b, &ignored) &&
             slice_eq_nocase(buf_slice(&b), domain_of(address));
    } else {
        ok = add_canonical(r, pattern, &b) && slice_eq_nocase(buf_slice(&b), address);
    }
    buf_clear(&b);
    return ok;
}

static bool
is_allowed(const struct rewrite *r, struct slice address)
{
    struct slice own = slice_of(r->from);

    if (matches(r, own, address))
        return true;
    if (r->policy == REWRITE_FORCE)
        return false;
    if (!r->is_shared && matches(r, domain_of(own), address))
        return true;
    for (size_t i = 0; i < r->nallowed; i++)
        if (matches(r, slice_of(r->allowed[i]), address))
            return true;
    return false;
}

/* As is_allowed(), of an address as it came */
static bool
may_use(const struct rewrite *r, struct slice address)
{
    struct buf b;
    bool ok;

    buf_init(&b, ADDRESS_BYTES);
    ok = add_canonical(r, address, &b) && is_allowed(r, buf_slice(&b));
    buf_clear(&b);
    return ok;
}

const char *
rewrite_sender(const struct rewrite *r, const char *sender)
{
    if (!*sender)
        return r->replaces_null && rewrite_null_sender(r) ? r->from : sender;
    return !rewrite_judges(r) || may_use(r, slice_of(sender)) ? sender : r->from;
}

const char *
rewrite_null_sender(const struct rewrite *r)
{
    return r->policy == REWRITE_KEEP ? NULL : r->from;
}

/* ---------------------------------------------------------------- From */

struct judging {
    const struct rewrite *r;
    struct slice value;
    bool keep_utf8;
    size_t n;
    bool all_allowed, all_real;
    struct human human;
    struct buf *reply_to;
    bool utf8;
};

/* Names that lead nowhere from outside (RFC 6761, 6762, 8375, and what routers and installers invent) */
static bool
is_nowhere(struct slice domain)
{
    static const char *const ends[] = { ".localhost", ".localdomain", ".local", ".lan", ".internal",
        ".invalid", ".home.arpa" };

    if (!slice_has(domain, '.'))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (slice_ends_nocase(domain, ends[i]))
            return true;
    return domain.p[0] == '[';
}

/* At this machine, as far as anybody outside can tell */
static bool
is_local(const struct rewrite *r, const struct address *a)
{
    return !a->has_domain || is_own_name(r, a->domain) || slice_is_nocase(a->domain, r->hostname) ||
           slice_eq_nocase(a->domain, human_host(r)) || slice_is_nocase(a->domain, "localhost") ||
           slice_is_nocase(a->domain, "localhost.localdomain");
}

static struct slice
range_of(const struct judging *j, struct addrlist_range range)
{
    return slice_sub(j->value, range.start, range.end - range.start);
}

static struct slice
inside_of(struct slice comment)
{
    return comment.len > 2 ? slice_sub(comment, 1, comment.len - 2) : slice_of("");
}

/* Whom people see: a name where there is one, or what stood there in place of an address */
static void
take_human(struct judging *j, const struct addrlist_item *item)
{
    struct human *h = &j->human;
    bool good = is_address(item);

    h->name = slice_trim(range_of(j, item->name));
    h->inner = inside_of(range_of(j, item->comment));
    h->is_local = !good || is_local(j->r, &item->address);
    if (good) {
        address_add_local(&h->local, &item->address);
        buf_add_slice(&h->domain, item->address.domain);
    } else if (!item->in_angle) {
        h->name = slice_trim(range_of(j, item->entry));
    }
}

/* A mailbox for Reply-To */
static void
add_mailbox(struct judging *j, const struct addrlist_item *item, struct slice address)
{
    struct slice name = slice_trim(range_of(j, item->name)), comment = range_of(j, item->comment);

    buf_add_str(j->reply_to, j->reply_to->len ? ", " : " ");
    if (name.len) {
        buf_add_slice(j->reply_to, name);
        buf_add_str(j->reply_to, " <");
    }
    buf_add_slice(j->reply_to, address);
    if (name.len) {
        buf_add_char(j->reply_to, '>');
    } else if (comment.len) {
        buf_add_char(j->reply_to, ' ');
        buf_add_slice(j->reply_to, comment);
    }
}

static bool
is_real(const struct judging *j, const struct address *a)
{
    return !is_local(j->r, a) && !is_nowhere(a->domain) && (!a->is_utf8_local || j->keep_utf8);
}

static void
on_judged(void *ctx, const struct addrlist_item *item)
{
    struct judging *j = ctx;
    struct error ignored; /* what cannot go out is not allowed, and replaced */
    struct buf address;
    bool good;

    if (j->n++ == 0)
        take_human(j, item);
    buf_init(&address, ADDRESS_BYTES);
    good = is_address(item) && add_address(j->r, &item->address, &address, &ignored) && !address.overflow;
    j->all_allowed = j->all_allowed && good && may_use(j->r, buf_slice(&address));
    if (good && is_real(j, &item->address)) {
        add_mailbox(j, item, buf_slice(&address));
        j->utf8 = j->utf8 || item->address.is_utf8_local;
    } else {
        j->all_real = false;
    }
    buf_clear(&address);
}

/* It names nobody: then it is the machine's user */
static void
take_login(struct judging *j, const char *login)
{
    struct address a;
    struct error ignored;

    j->human.is_local = true;
    if (address_parse(slice_of(login), 0, &a, &ignored))
        address_add_local(&j->human.local, &a);
    j->all_real = false;
}

static void
replace(struct judging *j, struct rewrite_from *f)
{
    struct error ignored; /* it was checked when it was set */

    human_add(&f->value, j->r, &j->human);
    buf_add_str(&f->value, f->value.len ? " <" : " ");
    bool bracket = f->value.len > 1;
    f->utf8 = j->utf8;
    (void)rewrite_path(j->r, j->r->from, &f->value, &f->utf8, &ignored);
    buf_add_str(&f->value, bracket ? ">" : "");
    f->all_real = j->all_real;
    if (f->reply_to.overflow) { /* half of it would be none */
        buf_reset(&f->reply_to);
        f->all_real = false;
    }
}

void
rewrite_from(
    const struct rewrite *r, struct slice value, const char *login, bool keep_utf8, struct rewrite_from *f)
{
    struct judging j = {
        .r = r, .value = value, .keep_utf8 = keep_utf8, .all_allowed = true, .all_real = true
    };

    memset(f, 0, sizeof *f);
    buf_init(&f->value, LIST_MAX);
    buf_init(&f->reply_to, LIST_MAX);
    buf_init(&j.human.local, ADDRESS_BYTES);
    buf_init(&j.human.domain, ADDRESS_BYTES);
    j.reply_to = &f->reply_to;
    run_list(value, on_judged, &j);
    if (j.n == 0)
        take_login(&j, login);
    f->mailboxes = j.n;
    f->replaced = j.n == 0 || !j.all_allowed || (r->policy == REWRITE_FORCE && j.n > 1);
    if (f->replaced)
        replace(&j, f);
    buf_clear(&j.human.local);
    buf_clear(&j.human.domain);
}

void
rewrite_from_clear(struct rewrite_from *f)
{
    buf_clear(&f->value);
    buf_clear(&f->reply_to);
}
