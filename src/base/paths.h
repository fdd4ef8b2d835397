/* SPDX-License-Identifier: ISC */
/* paths: where this build was told to look; the only place with compiled-in paths. */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

extern const char path_sendmail[];   /* $(sbindir)/sendmail */
extern const char path_smtprelayd[]; /* $(sbindir)/smtprelayd */
extern const char path_worker[];     /* $(libexecdir)/smtprelay-worker */
extern const char path_config[];     /* $(sysconfdir)/smtprelay.conf */
extern const char path_socket[];     /* $(runstatedir)/smtprelay/socket */
extern const char path_queue[];      /* $(localstatedir)/spool/smtprelay */
extern const char path_data[];       /* $(datadir)/smtprelay */
extern const char version[];

#endif
