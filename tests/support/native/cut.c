/* Ends the process at a chosen call that changes a file: `kill -9` at an exact place. And keeps a record of these
   calls, from which `tests/support/disk.py` tells what a power cut may leave of them.

   Preloaded into a node by `tests/support/cuts.py`. Only regular files count: what goes to sockets and pipes does
   not outlive the process.

   TROUPE_CUT_AT    the how-manieth call is the last one; it is not made, 0 or not there: none is
   TROUPE_CUT_TORN  1: of that call, if it writes more than one byte, half is made
   TROUPE_CUT_SAY   a file descriptor that is told which call it was, and of which file
   TROUPE_CUT_LOG   a file that every call is appended to once it is made */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PATH_SIZE 4096

/* One call at a time: the record has them in the order in which they were made. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static long made, last;
static int torn, say = -1, record = -1;

static long order(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void read_orders(void) {
    const char *path = getenv("TROUPE_CUT_LOG");
    last = order("TROUPE_CUT_AT", 0);
    torn = (int)order("TROUPE_CUT_TORN", 0);
    say = (int)order("TROUPE_CUT_SAY", -1);
    if (path)
        record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void all_of(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t done = REAL(write)(fd, at, size);
        if (done <= 0)
            _exit(99); /* a record with a hole would be worth nothing */
        at += done;
        size -= (size_t)done;
    }
}

/* A line of the call, the place, the two sizes and the path; then the data. */
static void note(char call, const char *path, int64_t at, const void *data, size_t size) {
    char line[PATH_SIZE + 80];
    if (record < 0)
        return;
    int length = snprintf(line, sizeof line, "%c %lld %zu %s\n", call, (long long)at, size, path);
    all_of(record, line, (size_t)length);
    all_of(record, data, data ? size : 0);
}

static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_SIZE - 1);
    path[length > 0 ? length : 0] = 0;
}

static int counts(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

static int is_last(void) { return ++made == last; }

static void end(const char *call, const char *path) {
    char line[PATH_SIZE + 40];
    const char *name = strrchr(path, '/');
    int length = snprintf(line, sizeof line, "cut %s %s\n", call, name ? name + 1 : path);
    if (say >= 0)
        all_of(say, line, (size_t)length);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static ssize_t put(int fd, const void *data, size_t size, int64_t at, int is_at) {
    ssize_t done = is_at ? REAL(pwrite64)(fd, data, size, at) : REAL(write)(fd, data, size);
    if (done > 0) {
        char path[PATH_SIZE];
        path_of(fd, path);
        note('w', path, is_at ? at : lseek(fd, 0, SEEK_CUR) - done, data, (size_t)done);
    }
    return done;
}

static ssize_t put_counted(const char *call, int fd, const void *data, size_t size, int64_t at, int is_at) {
    pthread_mutex_lock(&one_at_a_time);
    if (is_last()) {
        char path[PATH_SIZE];
        if (torn && size > 1)
            put(fd, data, size / 2, at, is_at);
        path_of(fd, path);
        end(call, path);
    }
    ssize_t done = put(fd, data, size, at, is_at);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    return counts(fd) ? put_counted("write", fd, data, size, 0, 0) : REAL(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return counts(fd) ? put_counted("pwrite", fd, data, size, at, 1) : REAL(pwrite64)(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

/* A call on a descriptor without data: `when` says of which descriptors, `size` the new length or 0. */
#define ON_FILE(name, parameters, arguments, when, letter, length) \
    int name parameters { \
        char path[PATH_SIZE]; \
        if (!(when)) \
            return REAL(name) arguments; \
        path_of(fd, path); \
        pthread_mutex_lock(&one_at_a_time); \
        if (is_last()) \
            end(#name, path); \
        int outcome = REAL(name) arguments; \
        if (outcome == 0) \
            note(letter, path, (int64_t)(length), NULL, 0); \
        pthread_mutex_unlock(&one_at_a_time); \
        return outcome; \
    }

ON_FILE(fsync, (int fd), (fd), 1, 's', 0)
ON_FILE(fdatasync, (int fd), (fd), 1, 's', 0)
ON_FILE(ftruncate, (int fd, off_t size), (fd, size), counts(fd), 't', size)
ON_FILE(ftruncate64, (int fd, off64_t size), (fd, size), counts(fd), 't', size)

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&one_at_a_time);
    if (is_last())
        end("rename", to);
    int outcome = REAL(rename)(from, to);
    if (outcome == 0)
        note('r', from, 0, to, strlen(to));
    pthread_mutex_unlock(&one_at_a_time);
    return outcome;
}

int unlink(const char *path) {
    pthread_mutex_lock(&one_at_a_time);
    if (is_last())
        end("unlink", path);
    int outcome = REAL(unlink)(path);
    if (outcome == 0)
        note('u', path, 0, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return outcome;
}
