/*
 * shim.c - an object to preload: counts what a program asks of the files below one directory, and does something at
 * call n.
 *
 *   LD_PRELOAD=shim.so SHIM_DIR=/absolute/store SHIM_ACTION=eio SHIM_AT=17 SHIM_REPORT=/tmp/report orch run ...
 *
 * SHIM_ACTION, and which calls it counts:
 *   before, after   killed (SIGKILL) before or after the call                 all that change something or open it
 *   torn            a part is written, then killed                            write and its kin
 *   short           a part is written, and the call says so                   write and its kin
 *   eio             the call fails with EIO and does nothing                  all
 *   enospc          likewise with ENOSPC                                      those that need room
 *   read            a read fails with EIO                                     reads
 *   sync            what was written since the last sync is dropped, EIO      fsync, fdatasync
 *   stop            the process stops (SIGSTOP) before the call, and does it when it is let go on     all
 *   cut             all that was not synced is dropped, then killed: the power went. With SHIM_SEED each
 *                   page and each name is dropped or not as the dice fall     all
 * SHIM_FOR: for how many calls (1 when not given, 0: from then on). SHIM_MATCH: only calls count whose path has this in
 * it. SHIM_UNSYNCED: a path that an earlier life has made, and that is not on the disk for certain. SHIM_REPORT gets a
 * line for each call acted on: its number, name and path.
 *
 * Only the process that was started counts; what it forks does not. What goes past the C library (raw system calls) or
 * through a mapping is not seen: of a store that is SQLite's index (-shm), which is made anew after a crash.
 */
#undef _FILE_OFFSET_BITS /* both forms are defined below, open and open64 */
#undef _FORTIFY_SOURCE
#define _LARGEFILE64_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 4096

/* What a call is, as bits; and what it is done to. */
#define CALL_ANY   1u
#define CALL_WRITE 2u /* carries data */
#define CALL_SPACE 4u /* may find the disk full */
#define CALL_SYNC  8u
#define CALL_READ  16u

enum action {
    ACTION_NONE,
    ACTION_BEFORE,
    ACTION_AFTER,
    ACTION_TORN,
    ACTION_SHORT,
    ACTION_EIO,
    ACTION_ENOSPC,
    ACTION_READ,
    ACTION_SYNC,
    ACTION_STOP,
    ACTION_CUT
};
static const struct {
    const char *name;
    unsigned counts;
} actions[] = {
    [ACTION_NONE] = {"none", 0},
    [ACTION_BEFORE] = {"before", CALL_ANY},
    [ACTION_AFTER] = {"after", CALL_ANY},
    [ACTION_TORN] = {"torn", CALL_WRITE},
    [ACTION_SHORT] = {"short", CALL_WRITE},
    [ACTION_EIO] = {"eio", CALL_ANY},
    [ACTION_ENOSPC] = {"enospc", CALL_SPACE},
    [ACTION_READ] = {"read", CALL_READ},
    [ACTION_SYNC] = {"sync", CALL_SYNC},
    [ACTION_STOP] = {"stop", CALL_ANY | CALL_READ},
    [ACTION_CUT] = {"cut", CALL_ANY},
};

struct shim_real shim_real;

static struct {
    enum action action;
    long at, until; /* until 0: no end */
    uint64_t seed;
    pid_t pid;
    int report;
    const char *dir, *match;
    size_t dir_size;
    bool follows; /* keeps what is not synced */
    pthread_mutex_t lock;
    long count;
    char *paths[FDS_MAX]; /* of descriptors below the directory */
} shim = {.report = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Casts an object pointer to a function pointer as POSIX has it. */
#define REAL(name, type, ...)                       \
    static type (*real_##name)(__VA_ARGS__);        \
    if (!real_##name) {                             \
        void *found = dlsym(RTLD_NEXT, #name);      \
        if (!found) abort();                        \
        memcpy(&real_##name, &found, sizeof found); \
    }
#define FIND(member, name)                               \
    do {                                                 \
        void *found = dlsym(RTLD_NEXT, name);            \
        if (!found) abort();                             \
        memcpy(&shim_real.member, &found, sizeof found); \
    } while (0)

static long number_of(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void shim_open(void)
{
    FIND(open, "open64");
    FIND(close, "close");
    FIND(pread, "pread64");
    FIND(pwrite, "pwrite64");
    FIND(ftruncate, "ftruncate64");
    FIND(unlink, "unlink");
    FIND(link, "link");
    FIND(rename, "rename");
    const char *action = getenv("SHIM_ACTION"), *report = getenv("SHIM_REPORT");
    shim.dir = getenv("SHIM_DIR");
    if (!shim.dir || !action) return;
    shim.dir_size = strlen(shim.dir);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(action, actions[i].name) == 0) shim.action = (enum action)i;
    shim.at = number_of("SHIM_AT", 1);
    long calls = number_of("SHIM_FOR", 1);
    shim.until = calls ? shim.at + calls : 0;
    shim.seed = (uint64_t)number_of("SHIM_SEED", 0);
    shim.follows = shim.action == ACTION_CUT || shim.action == ACTION_SYNC;
    if (shim.follows) undo_open(getenv("SHIM_BACKUP") ? getenv("SHIM_BACKUP") : "/tmp");
    shim.match = getenv("SHIM_MATCH");
    if (shim.follows && getenv("SHIM_UNSYNCED")) undo_note_create(getenv("SHIM_UNSYNCED"));
    if (report) shim.report = shim_real.open(report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    shim.pid = getpid();
}

static bool is_ours(void)
{
    return shim.pid != 0 && getpid() == shim.pid; /* a forked spawner has other files on its hands */
}

/*
 * Paths.
 */
static bool is_below(const char *path)
{
    return strncmp(path, shim.dir, shim.dir_size) == 0 && (path[shim.dir_size] == '/' || path[shim.dir_size] == '\0');
}

static bool path_of_fd(int fd, char out[SHIM_PATH_SIZE])
{
    bool found = false;
    if (!is_ours() || fd < 0 || fd >= FDS_MAX) return false;
    int saved = errno;
    pthread_mutex_lock(&shim.lock);
    if (shim.paths[fd]) {
        snprintf(out, SHIM_PATH_SIZE, "%s", shim.paths[fd]);
        found = true;
    }
    pthread_mutex_unlock(&shim.lock);
    errno = saved;
    return found;
}

static void remember(int fd, const char *path)
{
    if (fd < 0 || fd >= FDS_MAX) return;
    int saved = errno;
    char *copy = path ? strdup(path) : NULL;
    pthread_mutex_lock(&shim.lock);
    free(shim.paths[fd]);
    shim.paths[fd] = copy;
    pthread_mutex_unlock(&shim.lock);
    errno = saved;
}

/* The path of what is named relative to a directory's descriptor; false when it is not below ours. */
static bool path_at(int dir_fd, const char *name, char out[SHIM_PATH_SIZE])
{
    char base[SHIM_PATH_SIZE], link[64];
    if (!is_ours()) return false;
    int saved = errno, consumed = 0, fd = -1;
    ssize_t size = 0;
    if (sscanf(name, "/proc/self/fd/%d/%n", &fd, &consumed) == 1 && consumed > 0) {
        dir_fd = fd;
        name += consumed;
    }
    if (name[0] == '/') {
        snprintf(out, SHIM_PATH_SIZE, "%s", name);
    } else {
        if (dir_fd == AT_FDCWD)
            size = getcwd(base, sizeof base) ? (ssize_t)strlen(base) : -1;
        else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
            size = readlink(link, base, sizeof base - 1);
        }
        if (size >= 0) base[size] = '\0';
        if (size >= 0 && snprintf(out, SHIM_PATH_SIZE, "%s/%s", base, name) >= SHIM_PATH_SIZE) size = -1;
    }
    errno = saved;
    return size >= 0 && is_below(out);
}

/*
 * Acting.
 */
_Noreturn static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void report(long n, const char *name, const char *path)
{
    char line[SHIM_PATH_SIZE + 64];
    int size = snprintf(line, sizeof line, "%ld\t%s\t%s\n", n, name, path);
    REAL(write, ssize_t, int, const void *, size_t);
    if (shim.report >= 0 && real_write(shim.report, line, (size_t)size) != size) abort();
}

/*
 * Counts a call. ACTION_NONE: it goes on as it is. What kills beforehand does not return; a failure's errno is set.
 * *ret_n is the call's number.
 */
static enum action strike(const char *name, unsigned call, const char *path, long *ret_n)
{
    *ret_n = 0;
    if ((actions[shim.action].counts & call) == 0 || (shim.match && !strstr(path, shim.match))) return ACTION_NONE;
    long n = __atomic_add_fetch(&shim.count, 1, __ATOMIC_SEQ_CST);
    if (n < shim.at || (shim.until && n >= shim.until)) return ACTION_NONE;
    report(n, name, path);
    *ret_n = n;
    switch (shim.action) {
    case ACTION_BEFORE: die();
    case ACTION_STOP: kill(getpid(), SIGSTOP); break;
    case ACTION_CUT:
        undo_lock();
        undo_all(shim.seed ? shim.seed * 2654435761u + (uint64_t)n : 0);
        die();
    case ACTION_SYNC:
        undo_lock();
        undo_file(path);
        undo_unlock();
        errno = EIO;
        break;
    case ACTION_EIO:
    case ACTION_READ: errno = EIO; break;
    case ACTION_ENOSPC: errno = ENOSPC; break;
    case ACTION_NONE:
    case ACTION_AFTER:
    case ACTION_TORN:
    case ACTION_SHORT: break;
    }
    return shim.action;
}

static bool fails(enum action action)
{
    return action == ACTION_EIO || action == ACTION_ENOSPC || action == ACTION_READ || action == ACTION_SYNC;
}

static void after(enum action action)
{
    if (action == ACTION_AFTER) die();
}

/* How much of a write is done: from nothing but a byte to all but one. */
static size_t part_of(size_t size, long n)
{
    if (size < 2) return size;
    switch (n % 4) {
    case 0: return 1;
    case 1: return size / 2;
    case 2: return size - 1;
    default: return size > 512 ? size - size % 512 - (size % 512 ? 0 : 512) : size / 3; /* whole sectors */
    }
}

/*
 * The calls. Each looks up the path, strikes, does the real thing, and keeps the books.
 */
static int shim_open_at(const char *name, int (*real)(int, const char *, int, ...), int dir_fd, const char *file,
                        int flags, mode_t mode)
{
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_at(dir_fd, file, path)) return real(dir_fd, file, flags, mode);
    enum action action = strike(name, CALL_ANY | (flags & O_CREAT ? CALL_SPACE : 0), path, &n);
    if (fails(action)) return -1;
    if (shim.follows) undo_lock();
    bool makes = shim.follows && (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = real(dir_fd, file, flags, mode);
    remember(fd, path);
    if (makes && fd >= 0) undo_note_create(path);
    if (shim.follows) undo_unlock();
    after(action);
    return fd;
}

static mode_t mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

#define DEFINE_OPENAT(name)                                                   \
    int name(int dir_fd, const char *file, int flags, ...)                    \
    {                                                                         \
        REAL(openat64, int, int, const char *, int, ...)                      \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        mode_t mode = mode_of(flags, list);                                   \
        va_end(list);                                                         \
        return shim_open_at(#name, real_openat64, dir_fd, file, flags, mode); \
    }
#define DEFINE_OPEN(name)                                                       \
    int name(const char *file, int flags, ...)                                  \
    {                                                                           \
        REAL(openat64, int, int, const char *, int, ...)                        \
        va_list list;                                                           \
        va_start(list, flags);                                                  \
        mode_t mode = mode_of(flags, list);                                     \
        va_end(list);                                                           \
        return shim_open_at(#name, real_openat64, AT_FDCWD, file, flags, mode); \
    }
/* The forms that a fortified program calls. */
#define DEFINE_OPEN_2(name)                                                  \
    int name(const char *file, int flags);                                   \
    int name(const char *file, int flags)                                    \
    {                                                                        \
        REAL(openat64, int, int, const char *, int, ...)                     \
        return shim_open_at(#name, real_openat64, AT_FDCWD, file, flags, 0); \
    }
#define DEFINE_OPENAT_2(name)                                              \
    int name(int dir_fd, const char *file, int flags);                     \
    int name(int dir_fd, const char *file, int flags)                      \
    {                                                                      \
        REAL(openat64, int, int, const char *, int, ...)                   \
        return shim_open_at(#name, real_openat64, dir_fd, file, flags, 0); \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)
DEFINE_OPEN_2(__open_2)
DEFINE_OPEN_2(__open64_2)
DEFINE_OPENAT_2(__openat_2)
DEFINE_OPENAT_2(__openat64_2)

int close(int fd)
{
    REAL(close, int, int)
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_of_fd(fd, path)) return real_close(fd);
    enum action action = strike("close", CALL_ANY, path, &n);
    remember(fd, NULL);
    int result = real_close(fd); /* also when it is to fail: the kernel closes it in any case */
    after(action);
    if (!fails(action)) return result;
    errno = shim.action == ACTION_ENOSPC ? ENOSPC : EIO;
    return -1;
}

/* at < 0: at the descriptor's place. */
static ssize_t shim_write(const char *name, int fd, const void *data, size_t size, off_t at)
{
    REAL(write, ssize_t, int, const void *, size_t)
    char path[SHIM_PATH_SIZE];
    long n = 0;
    bool is_known = path_of_fd(fd, path);
    enum action action = is_known ? strike(name, CALL_ANY | CALL_WRITE | CALL_SPACE, path, &n) : ACTION_NONE;
    if (fails(action)) return -1;
    if (action == ACTION_TORN || action == ACTION_SHORT) size = part_of(size, n);
    bool follows = is_known && shim.follows;
    if (follows) {
        undo_lock();
        undo_note_write(path, fd, data, size, at);
    }
    ssize_t result = at < 0 ? real_write(fd, data, size) : shim_real.pwrite(fd, data, size, at);
    if (follows) undo_unlock();
    if (action == ACTION_TORN) die();
    after(action);
    return result;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return shim_write("write", fd, data, size, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return shim_write("pwrite", fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return shim_write("pwrite64", fd, data, size, at);
}

/* Vectors are written piece by piece: fewer bytes than asked for are a short write, which is allowed. */
static ssize_t shim_writev(const char *name, int fd, const struct iovec *vector, int count, off_t at)
{
    for (int i = 0; i < count; i++)
        if (vector[i].iov_len > 0) return shim_write(name, fd, vector[i].iov_base, vector[i].iov_len, at);
    return 0;
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    REAL(writev, ssize_t, int, const struct iovec *, int)
    char path[SHIM_PATH_SIZE];
    return path_of_fd(fd, path) ? shim_writev("writev", fd, vector, count, -1) : real_writev(fd, vector, count);
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t at)
{
    REAL(pwritev, ssize_t, int, const struct iovec *, int, off_t)
    char path[SHIM_PATH_SIZE];
    return path_of_fd(fd, path) ? shim_writev("pwritev", fd, vector, count, at) : real_pwritev(fd, vector, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t at)
{
    return pwritev(fd, vector, count, at);
}

static bool read_fails(const char *name, int fd)
{
    char path[SHIM_PATH_SIZE];
    long n;
    return shim.action == ACTION_READ && path_of_fd(fd, path) && fails(strike(name, CALL_READ, path, &n));
}

ssize_t read(int fd, void *data, size_t size)
{
    REAL(read, ssize_t, int, void *, size_t)
    return read_fails("read", fd) ? -1 : real_read(fd, data, size);
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    return read_fails("pread", fd) ? -1 : shim_real.pread(fd, data, size, at);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at)
{
    return read_fails("pread64", fd) ? -1 : shim_real.pread(fd, data, size, at);
}

static int shim_sync(const char *name, int (*real)(int), int fd)
{
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_of_fd(fd, path)) return real(fd);
    enum action action = strike(name, CALL_ANY | CALL_SYNC, path, &n);
    if (fails(action)) return -1;
    if (shim.follows) undo_lock();
    int result = real(fd);
    if (shim.follows && result == 0) undo_synced(path);
    if (shim.follows) undo_unlock();
    after(action);
    return result;
}

int fsync(int fd)
{
    REAL(fsync, int, int)
    return shim_sync("fsync", real_fsync, fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync, int, int)
    return shim_sync("fdatasync", real_fdatasync, fd);
}

static int shim_ftruncate(const char *name, int fd, off_t size)
{
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_of_fd(fd, path)) return shim_real.ftruncate(fd, size);
    enum action action = strike(name, CALL_ANY | CALL_SPACE, path, &n);
    if (fails(action)) return -1;
    if (shim.follows) {
        undo_lock();
        undo_note_truncate(path, fd, size);
    }
    int result = shim_real.ftruncate(fd, size);
    if (shim.follows) undo_unlock();
    after(action);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return shim_ftruncate("ftruncate", fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return shim_ftruncate("ftruncate64", fd, size);
}

/* What only has to succeed or fail: nothing of it is taken back. */
#define SIMPLE_FD(name, call, parameters, arguments, ...)        \
    int name parameters                                          \
    {                                                            \
        REAL(name, int, __VA_ARGS__)                             \
        char path[SHIM_PATH_SIZE];                               \
        long n;                                                  \
        if (!path_of_fd(fd, path)) return real_##name arguments; \
        enum action action = strike(#name, call, path, &n);      \
        if (fails(action)) return -1;                            \
        int result = real_##name arguments;                      \
        after(action);                                           \
        return result;                                           \
    }
SIMPLE_FD(fallocate, CALL_ANY | CALL_SPACE, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), int, int,
          off_t, off_t)
SIMPLE_FD(fallocate64, CALL_ANY | CALL_SPACE, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size), int,
          int, off64_t, off64_t)
SIMPLE_FD(fchmod, CALL_ANY, (int fd, mode_t mode), (fd, mode), int, mode_t)
SIMPLE_FD(fchown, CALL_ANY, (int fd, uid_t user, gid_t group), (fd, user, group), int, uid_t, gid_t)

static int shim_remove(const char *name, int dir_fd, const char *file, int flags)
{
    REAL(unlinkat, int, int, const char *, int)
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_at(dir_fd, file, path)) return real_unlinkat(dir_fd, file, flags);
    enum action action = strike(name, CALL_ANY, path, &n);
    if (fails(action)) return -1;
    if (shim.follows) {
        undo_lock();
        undo_note_remove(path);
    }
    int result = real_unlinkat(dir_fd, file, flags);
    if (shim.follows) undo_unlock();
    after(action);
    return result;
}

int unlink(const char *file)
{
    return shim_remove("unlink", AT_FDCWD, file, 0);
}

int unlinkat(int dir_fd, const char *file, int flags)
{
    return shim_remove("unlinkat", dir_fd, file, flags);
}

int rmdir(const char *file)
{
    return shim_remove("rmdir", AT_FDCWD, file, AT_REMOVEDIR);
}

static int shim_mkdir(const char *name, int dir_fd, const char *file, mode_t mode)
{
    REAL(mkdirat, int, int, const char *, mode_t)
    char path[SHIM_PATH_SIZE];
    long n;
    if (!path_at(dir_fd, file, path)) return real_mkdirat(dir_fd, file, mode);
    enum action action = strike(name, CALL_ANY | CALL_SPACE, path, &n);
    if (fails(action)) return -1;
    if (shim.follows) undo_lock();
    int result = real_mkdirat(dir_fd, file, mode);
    if (shim.follows && result == 0) undo_note_create(path);
    if (shim.follows) undo_unlock();
    after(action);
    return result;
}

int mkdir(const char *file, mode_t mode)
{
    return shim_mkdir("mkdir", AT_FDCWD, file, mode);
}

int mkdirat(int dir_fd, const char *file, mode_t mode)
{
    return shim_mkdir("mkdirat", dir_fd, file, mode);
}

/* The path that counts is the new one. */
static enum action strike_path(const char *name, int dir_fd, const char *file, unsigned call)
{
    char path[SHIM_PATH_SIZE];
    long n;
    return path_at(dir_fd, file, path) ? strike(name, call, path, &n) : ACTION_NONE;
}

#define SIMPLE_PATH(name, call, dir_fd, file, parameters, arguments, ...) \
    int name parameters                                                   \
    {                                                                     \
        REAL(name, int, __VA_ARGS__)                                      \
        enum action action = strike_path(#name, dir_fd, file, call);      \
        if (fails(action)) return -1;                                     \
        int result = real_##name arguments;                               \
        after(action);                                                    \
        return result;                                                    \
    }
SIMPLE_PATH(rename, CALL_ANY | CALL_SPACE, AT_FDCWD, to, (const char *from, const char *to), (from, to), const char *,
            const char *)
SIMPLE_PATH(renameat, CALL_ANY | CALL_SPACE, fd, to, (int from_fd, const char *from, int fd, const char *to),
            (from_fd, from, fd, to), int, const char *, int, const char *)
SIMPLE_PATH(link, CALL_ANY | CALL_SPACE, AT_FDCWD, to, (const char *from, const char *to), (from, to), const char *,
            const char *)
SIMPLE_PATH(utimensat, CALL_ANY, fd, file, (int fd, const char *file, const struct timespec times[2], int flags),
            (fd, file, times, flags), int, const char *, const struct timespec *, int)
SIMPLE_PATH(fchmodat, CALL_ANY, fd, file, (int fd, const char *file, mode_t mode, int flags), (fd, file, mode, flags),
            int, const char *, mode_t, int)
SIMPLE_PATH(chmod, CALL_ANY, AT_FDCWD, file, (const char *file, mode_t mode), (file, mode), const char *, mode_t)

/* The owner's socket is made in the directory too. */
int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    REAL(bind, int, int, const struct sockaddr *, socklen_t)
    const struct sockaddr_un *local = (const struct sockaddr_un *)address;
    enum action action = address->sa_family == AF_UNIX && local->sun_path[0]
                             ? strike_path("bind", AT_FDCWD, local->sun_path, CALL_ANY | CALL_SPACE)
                             : ACTION_NONE;
    if (fails(action)) return -1;
    int result = real_bind(fd, address, size);
    after(action);
    return result;
}
