/* SPDX-License-Identifier: ISC */
/* machine: what the machine says about its own name. */
#ifndef CONFIG_MACHINE_H
#define CONFIG_MACHINE_H

/* gethostname(2); "" when there is none. Fresh memory, as all here. */
char *machine_node(void);
/* The node's name with its domain as /etc/hosts has it; NULL when it says nothing. Asks no name service. */
char *machine_full(const char *node);
/* What `hostname` becomes: the full name, else what the name service makes of the node's within two seconds; NULL: nothing. */
char *machine_name(const char *node);
/* The first line of /etc/mailname; NULL when there is none. */
char *machine_mailname(void);

#endif
