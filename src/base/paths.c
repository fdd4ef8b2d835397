/* SPDX-License-Identifier: ISC */
/* paths: compiled once for installation and once for each root of the tests (see Makefile), never set at run time. */
#include "base/paths.h"

#include "config.h"

const char path_sendmail[] = SBINDIR "/sendmail";
const char path_smtprelayd[] = SBINDIR "/smtprelayd";
const char path_worker[] = LIBEXECDIR "/smtprelay-worker";
const char path_config[] = SYSCONFDIR "/smtprelay.conf";
const char path_socket[] = RUNSTATEDIR "/smtprelay/socket";
const char path_queue[] = LOCALSTATEDIR "/spool/smtprelay";
const char path_data[] = DATADIR "/smtprelay";
const char version[] = SMTPRELAY_VERSION;
