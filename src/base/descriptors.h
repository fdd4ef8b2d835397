/* SPDX-License-Identifier: ISC */
/* descriptors: all that are open from a number on, before another program is executed. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

/* Close them. For a child of one thread: nothing else may open or close any meanwhile. */
void descriptors_close_from(int lowest);
/* They end with execve (close-on-exec). */
void descriptors_end_from(int lowest);

#endif
