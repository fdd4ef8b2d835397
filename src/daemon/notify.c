/* SPDX-License-Identifier: ISC */
/* notify: a datagram to a Unix socket; that is all libsystemd does, too. */
#include "daemon/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slice.h"

void
notify_send(const char *text)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* abstract */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)); /* nobody listens: nobody needs it */
    file_close(&fd);
}

void
notify_reloading(void)
{
    char text[80];
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return;
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
        (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_send(text);
}

int64_t
notify_watchdog_ms(void)
{
    uint64_t us, pid;

    if (!slice_number(slice_of(getenv("WATCHDOG_USEC")), INT64_MAX, &us))
        return 0;
    if (getenv("WATCHDOG_PID") &&
        (!slice_number(slice_of(getenv("WATCHDOG_PID")), INT32_MAX, &pid) || (pid_t)pid != getpid()))
        return 0; /* another process is meant */
    return us / 1000 > INT32_MAX ? 0 : us < 1000 ? 1 : (int64_t)(us / 1000);
}
