/* SPDX-License-Identifier: ISC */
/* relay: bytes to and from a socket, for a process that stands between two who talk. */
#ifndef BASE_RELAY_H
#define BASE_RELAY_H

#include <stdbool.h>

/*
 * Copy what comes on `in` to `sock`, and what comes on `sock` to `out`, until `sock` has said all; the end of `in` is passed on
 * (shutdown). `in` and `out` may be the same, `sock` a stream socket; all stay the caller's, non-blocking or not. False when
 * `sock` broke off or `out` took no more.
 */
bool relay(int in, int out, int sock);
/*
 * The same for a session of `sendmail -bs` with a daemon that has just been connected to: its greeting is taken, the word that makes
 * the session a plain one is given (src/README.md, `X-BS`), and all else is passed on, beginning with the next greeting. A
 * refusal is passed on, too.
 */
bool relay_session(int in, int out, int sock);

#endif
