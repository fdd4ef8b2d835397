/* SPDX-License-Identifier: ISC */
/*
 * probe: connect_host() for who wants to know all: every address of the host is looked up and tried, and each is told
 * (smtp/step: "names", "connection").
 */
#ifndef SMTP_PROBE_H
#define SMTP_PROBE_H

#include "smtp/connect.h"
#include "smtp/step.h"

/* As connect_host(). The address that is used is the first in their order that answers. */
int probe_host(const struct connect_options *o, int64_t deadline, struct steps *steps,
    struct connect_info *info, struct error *err);

#endif
