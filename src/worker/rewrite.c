/* SPDX-License-Identifier: ISC */
/* rewrite: domains first, then what the account may use, then the human part of what gave way. */
#include "worker/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/addrlist.h"

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

/* ---------------------------------------------------------------- phrases */

#define TEXT_MAX_BYTES 240   /* of a display name that is made of what was found */
#define PHRASE_MAX_BYTES 800 /* with encoded-words */

/* A display name in the making: encoded-words stay what they are, the text between them becomes quoted strings */
struct phrase {
    struct buf *out;
    struct buf text; /* to be quoted */
};

static void
phrase_begin(struct phrase *p, struct buf *out)
{
    p->out = out;
    buf_init(&p->text, TEXT_MAX_BYTES);
}

/* The last character may have been cut */
static void
trim_character(struct buf *b)
{
    size_t n = 0;

    while (n < 3 && n < b->len && ((unsigned char)b->data[b->len - 1 - n] & 0xc0) == 0x80)
        n++;
    if (b->overflow && n < b->len && (unsigned char)b->data[b->len - 1 - n] >= 0xc0)
        buf_truncate(b, b->len - 1 - n);
}

static void
phrase_flush(struct phrase *p)
{
    struct slice s;

    trim_character(&p->text);
    s = slice_trim(buf_slice(&p->text));
    if (s.len && p->out->len + s.len < PHRASE_MAX_BYTES) {
        buf_add_str(p->out, " \"");
        for (size_t i = 0; i < s.len; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                buf_add_char(p->out, '\\');
            buf_add_char(p->out, s.p[i]);
        }
        buf_add_char(p->out, '"');
    }
    buf_reset(&p->text);
}

static void
phrase_end(struct phrase *p)
{
    phrase_flush(p);
    buf_clear(&p->text);
}

/* Control characters are blanks, and blanks in a row are one */
static void
add_character(struct phrase *p, char c)
{
    const struct buf *t = &p->text;

    if (ascii_is_control(c) || c == ' ') {
        if (t->len == 0 || t->data[t->len - 1] == ' ')
            return;
        c = ' ';
    }
    buf_add_char(&p->text, c);
}

static void
phrase_add(struct phrase *p, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        add_character(p, text.p[i]);
}

/* May it stand in a phrase (RFC 2047, 5, rule 3)? */
static bool
is_encoded_word(struct slice s)
{
    size_t marks = 0;

    if (s.len < 8 || s.len > 75 || !slice_starts(s, "=?") || s.p[s.len - 2] != '?' || s.p[s.len - 1] != '=')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        marks += c == '?';
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (c == '\0' || !strchr("!*+-/=_?", c)))
            return false;
    }
    return marks == 4;
}

static bool
is_blank(char c)
{
    return ascii_is_control(c) || c == ' ';
}

/* A quoted string at `at`: its content; returns its length */
static size_t
add_quoted(struct phrase *p, struct slice s, size_t at)
{
    size_t i = at + 1;

    for (; i < s.len && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
        add_character(p, s.p[i]);
    }
    return (i < s.len ? i + 1 : i) - at;
}

static size_t
add_word(struct phrase *p, struct slice s, size_t at)
{
    size_t n = 0;
    struct slice word;

    while (at + n < s.len && !is_blank(s.p[at + n]) && s.p[at + n] != '"')
        n += s.p[at + n] == '\\' && at + n + 1 < s.len ? 2 : 1;
    word = slice_sub(s, at, n);
    if (!is_encoded_word(word)) {
        for (size_t i = 0; i < word.len; i++) {
            if (word.p[i] == '\\' && i + 1 < word.len)
                i++;
            add_character(p, word.p[i]);
        }
        return n;
    }
    phrase_flush(p);
    if (p->out->len + n < PHRASE_MAX_BYTES) {
        buf_add_char(p->out, ' ');
        buf_add_slice(p->out, word);
    }
    return n;
}

/* A display name as it stood in a field, or the inside of a comment */
static void
phrase_add_words(struct phrase *p, struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        if (is_blank(s.p[i])) {
            add_character(p, ' ');
            i++;
        } else if (s.p[i] == '"') {
            i += add_quoted(p, s, i);
        } else {
            i += add_word(p, s, i);
        }
    }
}

/* ---------------------------------------------------------------- the human part */

/* How people call the machine: the first label of a name of three and more, else all of it */
static struct slice
host_of(const struct rewrite *r)
{
    struct slice host = slice_of(r->hostname), rest = host, label;
    size_t dots = 0;

    for (size_t i = 0; host.len && host.p[0] == '[' && i < r->nown; i++)
        if (r->own_names[i][0] != '[' && !slice_starts_nocase(slice_of(r->own_names[i]), "localhost"))
            rest = host = slice_of(r->own_names[i]);
    for (size_t i = 0; i < host.len; i++)
        dots += host.p[i] == '.';
    return dots >= 2 && host.p[0] != '[' && slice_cut(&rest, '.', &label) ? label : host;
}

static bool
is_word_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c > 127;
}

/* Does the text say it already, as a word? */
static bool
has_word(struct slice text, struct slice word)
{
    for (size_t i = 0; word.len && i + word.len <= text.len; i++)
        if (slice_eq_nocase(slice_sub(text, i, word.len), word) && (i == 0 || !is_word_byte(text.p[i - 1])) &&
            (i + word.len == text.len || !is_word_byte(text.p[i + word.len])))
            return true;
    return false;
}

/* The first mailbox of a field, as it is told to people */
struct human {
    bool is_local;      /* at this machine, which has to be named then */
    struct slice name;  /* as it stood there, with quotes */
    struct slice inner; /* of a comment, without its parentheses */
    struct buf local;   /* what the local part means */
    struct buf domain;
};

/* The content of "(Cron Daemon)", quotes and all; false when it is no such name (cronie writes one) */
static bool
is_comment_name(struct slice name, struct slice *inner)
{
    struct slice s = name;

    if (s.len > 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        s = slice_sub(s, 1, s.len - 2);
    if (s.len < 3 || s.p[0] != '(' || s.p[s.len - 1] != ')')
        return false;
    *inner = slice_sub(s, 1, s.len - 2);
    return true;
}

/* "root on web1 (Cron Daemon)" */
static void
add_machine(struct phrase *p, const struct rewrite *r, const struct human *h, struct slice inner)
{
    bool words = inner.len > 7 && slice_starts(inner, "=?"); /* parentheses would stand apart from them */

    phrase_add(p, buf_slice(&h->local));
    phrase_add(p, slice_of(h->local.len ? " on " : "on "));
    phrase_add(p, host_of(r));
    if (!slice_trim(inner).len)
        return;
    phrase_add(p, slice_of(words ? " " : " ("));
    phrase_add_words(p, inner);
    phrase_add(p, slice_of(words ? "" : ")"));
}

static void
add_human(struct buf *out, const struct rewrite *r, const struct human *h)
{
    struct slice inner = h->inner, host = host_of(r);
    bool named = h->name.len && !is_comment_name(h->name, &inner);
    struct phrase p;

    phrase_begin(&p, out);
    if (named) {
        phrase_add_words(&p, h->name);
        if (h->is_local && !has_word(h->name, host)) {
            phrase_add(&p, slice_of(" on "));
            phrase_add(&p, host);
        }
    } else if (h->is_local) {
        add_machine(&p, r, h, inner);
    } else if (slice_trim(inner).len) {
        phrase_add_words(&p, inner);
    } else {
        /* no '@': a name that looks like another address looks like fraud */
        phrase_add(&p, buf_slice(&h->local));
        phrase_add(&p, slice_of(" at "));
        phrase_add(&p, buf_slice(&h->domain));
    }
    phrase_end(&p);
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
           slice_eq_nocase(a->domain, host_of(r)) || slice_is_nocase(a->domain, "localhost") ||
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

    add_human(&f->value, j->r, &j->human);
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
