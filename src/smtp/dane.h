/* SPDX-License-Identifier: ISC */
/*
 * dane: the TLSA records of an SMTP server (RFC 7672): looked up, and those kept that count for SMTP. What they match is smtp/tls's.
 */
#ifndef SMTP_DANE_H
#define SMTP_DANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "smtp/answer.h"
#include "smtp/tls.h"

#define DANE_RECORDS_MAX 64

struct dane {
    struct tls_tlsa record[DANE_RECORDS_MAX]; /* of usages 2 and 3; their data lies in `answer` */
    size_t n;
    char base[ANSWER_NAME_SIZE]; /* the name they were found at, which SNI says */
    struct buf answer;
};

enum dane_outcome {
    DANE_NONE,    /* there are none, or DNSSEC has not proved them: TLS as without */
    DANE_FOUND,   /* TLS is a must, also where n is 0: then with whatever certificate */
    DANE_UNKNOWN, /* nobody knows: the host must not be used now; err (ERROR_TEMP) says why */
};

/*
 * Only for a host whose name DNSSEC has proved. `canonical`: where its CNAMEs lead to, whose address DNSSEC has proved if
 * `is_secure`; else a record of the name itself may still count (RFC 7672, 2.2.2). dane_clear in any case.
 */
enum dane_outcome dane_find(const char *host, const char *canonical, bool is_secure, uint16_t port,
    const char *servers, int64_t deadline, struct dane *d, struct error *err);
void dane_clear(struct dane *d);

#endif
