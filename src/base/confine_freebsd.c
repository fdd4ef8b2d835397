/* SPDX-License-Identifier: ISC */
/*
 * confine: nothing is given up. Capsicum (cap_enter(2)) knows no paths: name service, CAs and the queue would all have to be reached
 * through descriptors that were opened before.
 */
#include "base/confine.h"

unsigned
confine_enter(enum confine_profile profile, const struct confine_path *paths, size_t n)
{
    (void)profile;
    (void)paths;
    (void)n;
    return 0;
}
