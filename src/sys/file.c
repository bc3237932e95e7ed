/*
 * file.c - files as we need them: read whole, replaced atomically, synced.
 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define PATH_SIZE_MAX  4096
#define TREE_DEPTH_MAX 64 /* what lies deeper is brought up: however deep a tree is, it can be removed */

int file_read_fd(int fd, const char *name, size_t size_max, struct arena *arena, struct orch_str *ret,
                 struct orch_error *err)
{
    struct buf buf;
    struct orch_str text;
    struct stat status;
    size_t step = 64 * 1024;

    buf_init(&buf, NULL, size_max < SIZE_MAX ? size_max + 1 : size_max); /* one more shows that there is more */
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0) {
        if ((uint64_t)status.st_size > size_max) {
            return error_set(err, ORCH_ERR_LIMIT, "%s is larger than %zu bytes", name, size_max);
        }
        /* So that the end is seen at the first read; files of /proc have no size and are not empty all the same. */
        if (status.st_size > 0) step = (size_t)status.st_size + 1;
    }
    for (;;) {
        size_t room = buf.size_max - buf.size < step ? buf.size_max - buf.size : step;
        char *at = room > 0 ? buf_reserve(&buf, room) : NULL;
        ssize_t size;

        if (!at) {
            bool limit = room == 0;

            buf_done(&buf);
            return limit ? error_set(err, ORCH_ERR_LIMIT, "%s is larger than %zu bytes", name, size_max)
                         : error_memory(err);
        }
        size = read(fd, at, room);
        if (size < 0) {
            int code = errno;

            if (code == EINTR) continue;
            buf_done(&buf);
            return error_errno(err, code, "cannot read %s", name);
        }
        if (size == 0) break;
        buf.size += (size_t)size;
        if (buf.size > size_max) {
            buf_done(&buf);
            return error_set(err, ORCH_ERR_LIMIT, "%s is larger than %zu bytes", name, size_max);
        }
        if (step > 64 * 1024 && buf.size + 1 >= step) step = 64 * 1024;
    }
    text = arena_str(arena, str_of(buf.data, buf.size));
    buf_done(&buf);
    if (!text.data) return error_memory(err);
    *ret = text;
    return 0;
}

int file_read(const char *path, size_t size_max, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct stat status;
    /* Non-blocking so that opening a FIFO nobody writes to does not hang; reading then waits again. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), flags, result;

    if (fd < 0) return error_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        return error_set(err, ORCH_ERR_INVALID, "%s is a directory", path);
    }
    flags = fcntl(fd, F_GETFL);
    if (flags >= 0) (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    result = file_read_fd(fd, path, size_max, arena, ret, err);
    close(fd);
    return result;
}

/* The directory part of a path into ret, "." when it has none. */
static bool directory_of(const char *path, char ret[PATH_SIZE_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;

    if (!slash) {
        memcpy(ret, ".", 2);
        return true;
    }
    if (size == 0) size = 1; /* "/x" */
    if (size >= PATH_SIZE_MAX) return false;
    memcpy(ret, path, size);
    ret[size] = '\0';
    return true;
}

int file_sync_dir(const char *path, struct orch_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

    if (fd < 0) return error_errno(err, errno, "cannot open %s", path);
    /* Some file systems cannot sync a directory (EINVAL): then there is nothing to be done. */
    if (fsync(fd) != 0 && errno != EINVAL) result = error_errno(err, errno, "cannot sync %s", path);
    close(fd);
    return result;
}

int file_replace(const char *path, struct orch_str content, unsigned mode, struct orch_error *err)
{
    char beside[PATH_SIZE_MAX], directory[PATH_SIZE_MAX];
    int fd, result = 0;
    int size = snprintf(beside, sizeof(beside), "%s.tmp.%d", path, (int)getpid());

    if (size < 0 || (size_t)size >= sizeof(beside) || !directory_of(path, directory)) {
        return error_set(err, ORCH_ERR_LIMIT, "the path is longer than %d bytes", PATH_SIZE_MAX);
    }
    (void)unlink(beside); /* left by a process with our number that died here */
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return error_errno(err, errno, "cannot create %s", beside);
    for (size_t at = 0; at < content.size && result == 0;) {
        ssize_t written = write(fd, content.data + at, content.size - at);

        if (written >= 0)
            at += (size_t)written;
        else if (errno != EINTR)
            result = error_errno(err, errno, "cannot write %s", beside);
    }
    if (result == 0 && fsync(fd) != 0) result = error_errno(err, errno, "cannot sync %s", beside);
    if (close(fd) != 0 && result == 0) result = error_errno(err, errno, "cannot close %s", beside);
    if (result == 0 && rename(beside, path) != 0)
        result = error_errno(err, errno, "cannot rename %s to %s", beside, path);
    if (result != 0) {
        (void)unlink(beside);
        return result;
    }
    return file_sync_dir(directory, err);
}

int file_make_dirs(const char *path, struct orch_error *err)
{
    char part[PATH_SIZE_MAX];
    size_t size = strlen(path);
    struct stat status;

    if (size == 0) return error_set(err, ORCH_ERR_INVALID, "an empty path");
    if (size >= sizeof(part)) return error_set(err, ORCH_ERR_LIMIT, "the path is longer than %d bytes", PATH_SIZE_MAX);
    if (mkdir(path, 0700) == 0) return 0; /* the usual case: only the last one is new */
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0) {
            int code = errno;

            /* A parent that may not be written to can still exist: what counts is the next one. */
            if (stat(part, &status) != 0) return error_errno(err, code, "cannot create %s", part);
            if (!S_ISDIR(status.st_mode)) return error_errno(err, ENOTDIR, "cannot create %s", part);
        }
        part[i] = path[i];
    }
    return 0;
}

struct removal {
    int top_fd;      /* of the tree */
    unsigned number; /* of the last name given at the top */
};

/* Moves a directory that lies too deep to the top of the tree, under a name that is not there. 0 or an errno. */
static int bring_up(int fd, const char *name, struct removal *removal)
{
    bool is_mended = false;

    for (;;) {
        char there[32];

        (void)snprintf(there, sizeof(there), "deep-%u", removal->number);
        if (renameat(fd, name, removal->top_fd, there) == 0) return 0;
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) {
            if (removal->number++ == UINT_MAX) return EMLINK;
        } else if (errno == EACCES && !is_mended) {
            /* To move it takes the right to write to it, since its ".." changes. */
            is_mended = true;
            if (fchmodat(fd, name, 0700, 0) != 0) return errno;
        } else {
            return errno;
        }
    }
}

/* Empties the directory open at fd, which it closes, except that of the top of the tree. */
static int remove_inside(int fd, struct removal *removal, int depth)
{
    struct kernel_entry { /* getdents64(2) */
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    _Alignas(8) char buf[4096];
    int result = 0;
    bool again;

    do { /* removing while reading may skip entries: until a whole pass finds nothing to remove */
        long size;

        again = false;
        if (result == 0 && lseek(fd, 0, SEEK_SET) != 0) result = errno;
        while (result == 0 && (size = syscall(SYS_getdents64, fd, buf, sizeof(buf))) != 0) {
            if (size < 0) result = errno;
            for (long at = 0; result == 0 && at < size;) {
                const struct kernel_entry *entry = (const struct kernel_entry *)(const void *)(buf + at);
                int inner;

                at += entry->size;
                if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) continue;
                again = true;
                if (unlinkat(fd, entry->name, 0) == 0 || errno == ENOENT) continue;
                /* A directory that its owner may not write to: it is to go, so its mode may change. */
                if (errno == EACCES && fchmod(fd, 0700) == 0 && unlinkat(fd, entry->name, 0) == 0) continue;
                if (errno != EISDIR && errno != EPERM) {
                    result = errno;
                    break;
                }
                if (depth == TREE_DEPTH_MAX) {
                    result = bring_up(fd, entry->name, removal);
                    continue;
                }
                inner = openat(fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (inner < 0 && errno == EACCES && fchmodat(fd, entry->name, 0700, 0) == 0) {
                    inner = openat(fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                }
                if (inner < 0) {
                    result = errno;
                    break;
                }
                result = remove_inside(inner, removal, depth + 1);
                if (result == 0 && unlinkat(fd, entry->name, AT_REMOVEDIR) != 0 && errno != ENOENT) result = errno;
            }
        }
    } while (again && result == 0);
    if (fd != removal->top_fd) close(fd);
    return result;
}

int file_remove_tree(const char *path, struct orch_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), result;

    if (fd < 0 && errno == EACCES && chmod(path, 0700) == 0) {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0 && errno == ENOENT) return 0;
    if (fd < 0) { /* a file or a link: itself */
        if ((errno == ENOTDIR || errno == ELOOP) && unlink(path) == 0) return 0;
        return error_errno(err, errno, "cannot remove %s", path);
    }
    result = remove_inside(fd, &(struct removal){.top_fd = fd}, 0);
    close(fd);
    if (result == 0 && rmdir(path) != 0 && errno != ENOENT) result = errno;
    if (result != 0) return error_errno(err, result, "cannot remove %s", path);
    return 0;
}
