/* json: answers made for programs (daemon/control, --json) as JSON, an object a line. */
#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H

#include "base/buf.h"
#include "base/slice.h"

/* One line of words, without its ending, as one object and a newline. False: it is none. */
bool json_add_line(struct buf *out, struct slice words);

#endif
