/* SPDX-License-Identifier: ISC */
/* json: words into objects; all but ASCII is escaped, so that no byte of a message reaches a terminal. */
#include "admin/json.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

enum { VALUE_MAX = 1 << 20 };

/* JSON is UTF-8; what is not is shown as everywhere else */
json_t *
json_text(const char *text)
{
    json_t *v = json_string(text);
    struct buf shown;

    if (v)
        return v;
    buf_init(&shown, 8 * VALUE_MAX);
    text_add_escaped(&shown, slice_of(text));
    v = json_string(buf_str(&shown));
    buf_clear(&shown);
    return v;
}

const char *
json_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_t *
value_of(char type, const char *text)
{
    return type == 'n'   ? json_integer(strtoll(text, NULL, 10))
           : type == 'b' ? json_boolean(text[0] == '1')
           : type == 's' ? json_text(text)
                         : NULL;
}

/* One more object of the list `key`, which is the whole's now */
static json_t *
begin_object(json_t *whole, const char *key)
{
    json_t *list = json_object_get(whole, key), *part = json_object();

    if (!list) {
        list = json_array();
        if (json_object_set_new(whole, key, list) != 0)
            list = NULL;
    }
    return list && json_array_append_new(list, part) == 0 ? part : NULL;
}

/* "TYPE.KEY=VALUE" */
static bool
add_word(json_t *whole, json_t **part, struct slice word)
{
    struct slice key;
    struct buf value;
    char *name;
    bool ok;

    if (word.len < 4 || word.p[1] != '.')
        return false;
    buf_init(&value, VALUE_MAX);
    char type = word.p[0];
    word = slice_from(word, 2);
    ok = slice_cut(&word, '=', &key) && text_percent_decode(&value, word) &&
         !slice_has(buf_slice(&value), '\0');
    name = mem_dupn(key.p, key.len);
    if (ok && type == '+') {
        *part = begin_object(whole, name);
        ok = *part != NULL;
    } else if (ok) {
        ok = json_object_set_new(*part, name, value_of(type, buf_str(&value))) == 0;
    }
    free(name);
    buf_clear(&value);
    return ok;
}

json_t *
json_parse_line(struct slice words)
{
    json_t *whole = json_object(), *part = whole;
    struct slice word;
    bool ok = true;

    while (ok && slice_cut(&words, ' ', &word))
        ok = word.len == 0 || add_word(whole, &part, word);
    if (ok)
        return whole;
    json_decref(whole);
    return NULL;
}

bool
json_add_line(struct buf *out, struct slice words)
{
    json_t *whole = json_parse_line(words);
    char *text = whole ? json_dumps(whole, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    if (text)
        buf_add_format(out, "%s\n", text);
    free(text);
    json_decref(whole);
    return text != NULL;
}
