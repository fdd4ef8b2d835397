/* SPDX-License-Identifier: ISC */
/* json: answers made for programs (daemon/control, --json) as JSON, an object a line. */
#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/slice.h"

/* One line of words, without its ending, as one object and a newline. False: it is none. */
bool json_add_line(struct buf *out, struct slice words);

/* The same as a value, which is the caller's; NULL: it is none. */
json_t *json_parse_line(struct slice words);
/* The text that an object has under this name, which is the object's; "" where there is none. */
const char *json_text_of(const json_t *object, const char *key);
/* A text as a value; what is not UTF-8 is shown as everywhere else. */
json_t *json_text(const char *text);

#endif
