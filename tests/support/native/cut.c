/* Ends the process at a chosen call that changes a file: `kill -9` at an exact place.

   Preloaded into a node by tests/support/cuts.py. TROUPE_CUT_AT: the how-manieth of these calls is the last one;
   it is not made, or, with TROUPE_CUT_TORN=1 and a write of more than one byte, half of it is. TROUPE_CUT_SAY: a
   file descriptor that is told which call it was, and of which file. Only regular files count: what goes to
   sockets and pipes does not outlive the process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long made;
static long last;
static int torn, say = -1;

__attribute__((constructor)) static void read_orders(void) {
    const char *text = getenv("TROUPE_CUT_AT");
    last = text ? atol(text) : 0;
    text = getenv("TROUPE_CUT_TORN");
    torn = text && *text == '1';
    text = getenv("TROUPE_CUT_SAY");
    say = text ? atoi(text) : -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void end(const char *call, const char *path) {
    char line[512];
    const char *name = strrchr(path, '/');
    int length = snprintf(line, sizeof line, "cut %s %.200s\n", call, name ? name + 1 : path);
    if (say >= 0 && length > 0 && REAL(write)(say, line, (size_t)length) < 0) {
        /* nobody listens any more */
    }
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int is_last(void) { return last > 0 && atomic_fetch_add(&made, 1) + 1 >= last; }

static int is_last_on(int fd) {
    struct stat about;
    return last > 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && is_last();
}

static void end_on(const char *call, int fd) {
    char link[64], path[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    end(call, path);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (is_last_on(fd)) {
        if (torn && size > 1 && REAL(write)(fd, data, size / 2) < 0)
            end_on("write refused", fd);
        end_on("write", fd);
    }
    return REAL(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    if (is_last_on(fd)) {
        if (torn && size > 1 && REAL(pwrite64)(fd, data, size / 2, at) < 0)
            end_on("pwrite refused", fd);
        end_on("pwrite", fd);
    }
    return REAL(pwrite64)(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

#define ON_FILE(name, parameters, arguments) \
    int name parameters { \
        if (is_last_on(fd)) \
            end_on(#name, fd); \
        return REAL(name) arguments; \
    }

ON_FILE(fsync, (int fd), (fd))
ON_FILE(fdatasync, (int fd), (fd))
ON_FILE(ftruncate, (int fd, off_t size), (fd, size))
ON_FILE(ftruncate64, (int fd, off64_t size), (fd, size))

int rename(const char *from, const char *to) {
    if (is_last())
        end("rename", to);
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    if (is_last())
        end("unlink", path);
    return REAL(unlink)(path);
}
