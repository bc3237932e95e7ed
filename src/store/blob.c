/*
 * blob.c - large outputs as files: blobs/<execution>/<blob> in the store's directory.
 *
 * A file is the content, then a trailer: "ORCHBLB1", the content's size (8 bytes, little endian) and its SHA-256. The
 * trailer is at the end so that ordinary tools show the content. A file that no record names (a crash came between) is
 * written over when its number comes again.
 */
#include <errno.h>
#include <fcntl.h>
/* The digest itself, not by way of EVP: that makes itself ready at the first use, reads a configuration, takes memory
 * each time, and crashes when there is none. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"

#define TRAILER_SIZE 48
static const char magic[8] = {'O', 'R', 'C', 'H', 'B', 'L', 'B', '1'};

struct blob_name {
    char dir[48];  /* blobs/<execution> */
    char file[72]; /* blobs/<execution>/<blob> */
};

static struct blob_name name_of(int64_t number, uint64_t blob)
{
    struct blob_name name;
    (void)snprintf(name.dir, sizeof name.dir, "blobs/%lld", (long long)number);
    (void)snprintf(name.file, sizeof name.file, "%s/%llu", name.dir, (unsigned long long)blob);
    return name;
}

void store_sha256(struct orch_str bytes, unsigned char out[32])
{
    SHA256_CTX context;
    /* They return 1 whatever they are given. */
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, bytes.data ? bytes.data : "", bytes.size);
    (void)SHA256_Final(out, &context);
}

static void make_trailer(struct orch_str content, unsigned char trailer[TRAILER_SIZE])
{
    memcpy(trailer, magic, 8);
    for (int i = 0; i < 8; i++) trailer[8 + i] = (unsigned char)((uint64_t)content.size >> (8 * i));
    store_sha256(content, trailer + 16);
}

static int write_all(int fd, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t n = write(fd, next, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        next += n;
        size -= (size_t)n;
    }
    return 0;
}

static int sync_dir(int dir_fd, const char *name, struct orch_error *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return error_errno(err, errno, "cannot open %s", name);
    int code = fsync(fd) < 0 ? error_set(err, ORCH_ERR_IO, "cannot sync %s: %s", name, strerror(errno)) : 0;
    (void)close(fd); /* a directory has nothing to lose */
    return code;
}

int blob_write(int dir_fd, int64_t number, const struct store_blob *blob, bool no_sync, struct orch_error *err)
{
    struct blob_name name = name_of(number, blob->blob);
    unsigned char trailer[TRAILER_SIZE];
    int code = 0;
    make_trailer(blob->content, trailer);
    if (mkdirat(dir_fd, name.dir, 0700) < 0 && errno != EEXIST) return error_errno(err, errno, "cannot make %s", name.dir);
    int fd = openat(dir_fd, name.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_errno(err, errno, "cannot make %s", name.file);
    if (write_all(fd, blob->content.data, blob->content.size) < 0 || write_all(fd, trailer, TRAILER_SIZE) < 0)
        code = error_errno(err, errno, "cannot write %s", name.file);
    /* A failed sync is an input or output error whatever its number: what became of the pages is unknown. */
    if (code == 0 && !no_sync && fsync(fd) < 0)
        code = error_set(err, ORCH_ERR_IO, "cannot sync %s: %s", name.file, strerror(errno));
    if (close(fd) < 0 && code == 0) code = error_errno(err, errno, "cannot close %s", name.file);
    if (code == 0 && !no_sync) code = sync_dir(dir_fd, name.dir, err);
    /* Also when the directory was there: an earlier life may have ended between making it and this. */
    if (code == 0 && !no_sync) code = sync_dir(dir_fd, "blobs", err);
    return code;
}

void blob_remove(int dir_fd, int64_t number, uint64_t blob)
{
    struct blob_name name = name_of(number, blob);
    /* Best effort: no record names it, so a file that stays is only space. */
    (void)unlinkat(dir_fd, name.file, 0);
    (void)unlinkat(dir_fd, name.dir, AT_REMOVEDIR);
}

static int read_all(int fd, char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = EIO; /* it became shorter while we read */
            return -1;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int read_open(int fd, const char *name, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return error_errno(err, errno, "%s", name);
    if (!S_ISREG(st.st_mode) || st.st_size < TRAILER_SIZE ||
        (uint64_t)st.st_size > STORE_BLOB_SIZE_MAX + (uint64_t)TRAILER_SIZE)
        return error_set(err, ORCH_ERR_CORRUPT, "%s in the store is damaged: its size is %lld", name,
                         (long long)st.st_size);
    size_t size = (size_t)st.st_size - TRAILER_SIZE;
    char *content = arena_bytes(arena, size + TRAILER_SIZE);
    if (!content) return error_memory(err);
    if (read_all(fd, content, size + TRAILER_SIZE) < 0) return error_errno(err, errno, "cannot read %s", name);
    unsigned char trailer[TRAILER_SIZE];
    make_trailer(str_of(content, size), trailer);
    if (memcmp(trailer, content + size, TRAILER_SIZE) != 0)
        return error_set(err, ORCH_ERR_CORRUPT, "%s in the store is damaged: its checksum is wrong", name);
    content[size] = '\0';
    *ret = str_of(content, size);
    return 0;
}

int blob_read(int dir_fd, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
              struct orch_error *err)
{
    struct blob_name name = name_of(number, blob);
    int fd = openat(dir_fd, name.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, ORCH_ERR_NOT_FOUND, "execution %lld has no blob %llu", (long long)number,
                         (unsigned long long)blob);
    if (fd < 0) return error_errno(err, errno, "%s", name.file);
    int code = read_open(fd, name.file, arena, ret, err);
    (void)close(fd); /* it was only read */
    return code;
}
