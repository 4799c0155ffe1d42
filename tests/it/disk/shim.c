// A disk that can be watched and made to fail, put between the gateway and the C library by LD_PRELOAD.
//
// DISK_TRACE names a file that gets every write, truncation and completed sync of the files in DISK_FOLDER, in order.
// DISK_FAIL is `sync:N` or `full:N`: the Nth sync fails once with EIO, or every write from the Nth on with ENOSPC.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static long syncs, writes, fail_sync = -1, fail_write = -1;
static const char *folder;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    folder = getenv("DISK_FOLDER");
    const char *name = getenv("DISK_TRACE"), *fail = getenv("DISK_FAIL");
    if (name) trace = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fail && !strncmp(fail, "sync:", 5)) fail_sync = atol(fail + 5);
    if (fail && !strncmp(fail, "full:", 5)) fail_write = atol(fail + 5);
}

// 0 the database, 1 its log, 2 what was acknowledged; -1 anything else.
static int file_of(int fd) {
    char link[64], path[PATH_MAX];
    if (!folder) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    size_t at = strlen(folder);
    if (strncmp(path, folder, at) || path[at] != '/') return -1;
    const char *name = strrchr(path, '/') + 1;
    if (!strcmp(name, "ledger.sqlite")) return 0;
    if (!strcmp(name, "ledger.sqlite-wal")) return 1;
    if (!strcmp(name, "acknowledged")) return 2;
    return -1;
}

static void tell(uint8_t what, uint8_t file, uint64_t offset, const void *bytes, uint32_t length) {
    if (trace < 0) return;
    uint8_t head[14];
    head[0] = what;
    head[1] = file;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 4);
    real_write(trace, head, sizeof head);
    if (bytes) real_write(trace, bytes, length);
}

static int is_full(int file) {
    return file >= 0 && file < 2 && fail_write >= 0 && ++writes >= fail_write;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int file = file_of(fd);
    if (file < 0) return real_write(fd, bytes, length);
    pthread_mutex_lock(&order);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    if (is_full(file)) errno = ENOSPC;
    else done = real_write(fd, bytes, length);
    int error = errno;
    if (done > 0) tell(1, file, at, bytes, done);
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t at) {
    int file = file_of(fd);
    if (file < 0) return real_pwrite(fd, bytes, length, at);
    pthread_mutex_lock(&order);
    ssize_t done = -1;
    if (is_full(file)) errno = ENOSPC;
    else done = real_pwrite(fd, bytes, length, at);
    int error = errno;
    if (done > 0) tell(1, file, at, bytes, done);
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return write_at(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return write_at(fd, bytes, length, at); }

static int sync_with(int (*real)(int), int fd) {
    int file = file_of(fd);
    if (file < 0) return real(fd);
    pthread_mutex_lock(&order);
    int done = -1;
    if (++syncs == fail_sync) errno = EIO;
    else done = real(fd);
    int error = errno;
    if (!done) tell(2, file, 0, 0, 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

static int cut(int fd, off_t length) {
    int file = file_of(fd);
    if (file < 0) return real_ftruncate(fd, length);
    pthread_mutex_lock(&order);
    int done = real_ftruncate(fd, length);
    if (!done) tell(3, file, length, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off_t length) { return cut(fd, length); }
