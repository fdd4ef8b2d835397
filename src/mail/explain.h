/* SPDX-License-Identifier: ISC */
/*
 * explain: what a reply or an error means and what helps, from a table of known ones. Pure: the text of the table is given.
 *
 * The table is made of entries (conf/explanations, smtprelay-guide(7) "EXPLANATIONS"):
 *
 *     # a comment
 *     [name]                      letters, digits and '-'
 *     code: 535 53x               any of these reply codes; x is any digit
 *     enhanced: 5.7.8 x.7.9       any of these enhanced status codes; x is any class
 *     host: gmail.com             any of these domains: the host's own or one above it, or one named in the text
 *     words: one | or another     one of these is in the text; several such lines: each of them
 *     advice: what to do, for the administrator
 *     sender: a plain sentence for whoever sent the message (reports); optional
 *     guide: SECTION              of smtprelay-guide(7) that has more to say; optional
 *     source: URL                 where it is known from
 *     example: 535 5.7.8 ...      what it has to explain; may be repeated
 *
 * A line that begins with a blank goes on with the one before. An entry fits when all its conditions do, and needs one. Of those
 * that fit the most specific one counts: a host says more than words, words more than an enhanced code, that more than a code.
 * What was added later comes before all that was there.
 */
#ifndef MAIL_EXPLAIN_H
#define MAIL_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define EXPLAIN_TEXT_MAX (1u << 20) /* of one file */

struct explain;

/* All empty slices where the table says nothing; they live as long as the table. */
struct explain_entry {
    struct slice name;
    struct slice advice; /* one line */
    struct slice sender;
    struct slice guide;
    struct slice source;
    const struct slice *example;
    size_t nexamples;
};

struct explain *explain_new(void);
void explain_free(struct explain *t);
/*
 * Add the entries of a file; the text is copied. False with err ("NAME line N: why", 78): those before the wrong one are there.
 */
bool explain_add(struct explain *t, const char *name, struct slice text, struct error *err);
size_t explain_count(const struct explain *t);
const struct explain_entry *explain_entry(const struct explain *t, size_t i);
/*
 * The entry that explains `text`: a reply ("535 5.7.8 ...", also in several lines), or an error as we word it, which may have host,
 * port and stage in front. `host` (may be empty) is who said so. NULL: none. `rivals` (may be NULL): so many others fit as well.
 */
const struct explain_entry *explain_find(
    const struct explain *t, struct slice host, struct slice text, size_t *rivals);
/*
 * For codes without a word (else none): entries with an example that has them, the first `max` of them and of their examples. Returns how
 * many there are; more than `max` says that the codes alone tell too little.
 */
size_t explain_alike(const struct explain *t, struct slice text, const struct explain_entry *found[],
    struct slice example[], size_t max);
/*
 * Add its advice as one line without an end, with the section of the guide behind it. False: nothing is known and nothing added.
 * `t` may be NULL.
 */
bool explain_advise(const struct explain *t, struct slice host, struct slice text, struct buf *out);
/*
 * What the codes in `text` mean by RFC 5321 and RFC 3463, in one line. False: there is none in it.
 */
bool explain_codes(struct slice text, struct buf *out);

#endif
