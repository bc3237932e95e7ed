/*
 * lock.c - the store's directory and the lock that makes one process its owner.
 *
 * The lock is one of the open file (F_OFD_SETLK): the kernel takes it back when the process ends, however that comes
 * about, and unlike a lock of the process it also keeps a second store of the same process out. The file is never
 * removed, so there is no moment at which two processes hold locks on two files of the same name.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"
#include "sys/file.h"

static int check_safe(const char *path, const struct stat *st, struct orch_error *err)
{
    uid_t self = geteuid();
    if (st->st_uid == self || self == 0) return 0;
    if (S_ISLNK(st->st_mode))
        return error_set(err, ORCH_ERR_DENIED, "%s is a link that belongs to somebody else", path);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0) return 0;
    (void)error_set(err, ORCH_ERR_DENIED, "%s belongs to somebody else and others may write to it", path);
    error_hint(err, "use a directory of your own");
    return ORCH_ERR_DENIED;
}

int directory_open(const char *path, bool make, bool *ret_made, int *ret_fd, struct orch_error *err)
{
    struct stat st;
    bool made = false;
    if (lstat(path, &st) < 0) {
        if (errno != ENOENT || !make) return error_errno(err, errno, "%s", path);
        int code = file_make_dirs(path, err);
        if (code < 0) return code;
        made = true;
        if (lstat(path, &st) < 0) return error_errno(err, errno, "%s", path);
    }
    int code = check_safe(path, &st, err);
    if (code < 0) return code;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR) return error_set(err, ORCH_ERR_INVALID, "%s is not a directory", path);
    if (fd < 0) return error_errno(err, errno, "%s", path);
    /* Again what is really open, where a link led. */
    if (fstat(fd, &st) < 0) {
        code = error_errno(err, errno, "%s", path);
    } else {
        code = check_safe(path, &st, err);
    }
    if (code < 0) {
        (void)close(fd); /* nothing was written */
        return code;
    }
    *ret_made = made;
    *ret_fd = fd;
    return 0;
}

/* The content: the owner's process number, and once the store is complete its mark, a line each. */
#define LOCK_SIZE_MAX 128

#define LOCK_TRIES 500 /* a second */

static void lock_read(int fd, long *ret_pid, char ret_mark[33])
{
    char text[LOCK_SIZE_MAX + 1];
    ssize_t size = pread(fd, text, LOCK_SIZE_MAX, 0);
    *ret_pid = 0;
    ret_mark[0] = '\0';
    if (size <= 0) return;
    struct orch_str s = str_of(text, (size_t)size);
    size_t end = str_find(s, STR("\n"), 0);
    int64_t pid = 0;
    if (end == SIZE_MAX || !str_to_int64(str_of(text, end), &pid)) return;
    *ret_pid = (long)pid;
    if (s.size != end + 1 + 32 + 1) return;
    memcpy(ret_mark, text + end + 1, 32);
    ret_mark[32] = '\0';
}

static int lock_write(int fd, const char *path, const char *mark, struct orch_error *err)
{
    char text[LOCK_SIZE_MAX];
    int size = snprintf(text, sizeof text, "%ld\n%s%s", (long)getpid(), mark, mark[0] ? "\n" : "");
    int written = 0;
    while (written < size) {
        ssize_t n = pwrite(fd, text + written, (size_t)(size - written), written);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_errno(err, errno, "cannot write %s/lock", path);
        written += (int)n;
    }
    if (ftruncate(fd, size) < 0) return error_errno(err, errno, "cannot write %s/lock", path);
    return 0;
}

/*
 * Takes it if it is free. An owner that was killed may have left a child which has not come to closing what it inherited
 * (the spawner does so first of all): such a lock is free in a moment.
 */
static int lock_try(int fd, const char *path, struct orch_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    long pid = 0;
    char mark[33];
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
        if (errno != EAGAIN && errno != EACCES) return error_errno(err, errno, "cannot lock %s/lock", path);
        lock_read(fd, &pid, mark);
        if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH) break;
        const struct timespec moment = {.tv_nsec = 2000000};
        (void)nanosleep(&moment, NULL); /* cut short, it is tried again sooner */
    }
    if (pid > 0)
        error_set(err, ORCH_ERR_CONCURRENCY, "process %ld owns the store %s", pid, path);
    else
        error_set(err, ORCH_ERR_CONCURRENCY, "another process owns the store %s", path);
    error_hint(err, "wait for it (orch ps), or keep this run elsewhere: --store DIR");
    return ORCH_ERR_CONCURRENCY;
}

int lock_take(int dir_fd, const char *path, int *ret_fd, char ret_mark[33], struct orch_error *err)
{
    struct stat st;
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return error_errno(err, errno, "%s/lock", path);
    long pid = 0;
    char mark[33];
    int code = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) ? error_set(err, ORCH_ERR_CORRUPT, "%s/lock is no file", path)
                                                           : lock_try(fd, path, err);
    if (code == 0) {
        lock_read(fd, &pid, mark);
        code = lock_write(fd, path, mark, err);
    }
    if (code < 0) {
        (void)close(fd); /* it was only looked at */
        return code;
    }
    memcpy(ret_mark, mark, sizeof mark);
    *ret_fd = fd;
    return 0;
}

int lock_note(int fd, const char *path, const char *mark, struct orch_error *err)
{
    return lock_write(fd, path, mark, err);
}

bool lock_is_noted(int dir_fd)
{
    long pid = 0;
    char mark[33] = "";
    int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return true;
    lock_read(fd, &pid, mark);
    (void)close(fd); /* nothing was written */
    return mark[0] != '\0';
}

bool lock_is_held(const char *path)
{
    char name[4096 + 8];
    int size = snprintf(name, sizeof name, "%s/lock", path);
    if (size < 0 || (size_t)size >= sizeof name) return false;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a pipe in its place holds nobody up */
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd); /* nothing was written */
    return held;
}
