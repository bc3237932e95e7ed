/*
 * log_end.c - orch.db-end: how far the log goes for certain.
 *
 * After a crash SQLite reads the log up to the first frame whose checksum is wrong and takes what follows for a
 * transaction that was cut short. That is right for the end of a log and wrong for damage in it: commits that were
 * acknowledged would be gone without a word. So after each commit the number of frames is noted here, and a log that
 * has fewer is not believed.
 *
 * The note is not synced. It is written after the log was, so what the disk has of it is never ahead: after a loss of
 * power it may tell of less, then the end of the log is believed as far as it can be read. Before a log begins anew or
 * is cut the note is taken back, and that is synced.
 *
 * 24 bytes: "ORCHEND1", the log's salts, the number of frames and CRC-32C of all that, both little endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "store/sqlite.h"

#define END_SIZE 24
static const char magic[8] = {'O', 'R', 'C', 'H', 'E', 'N', 'D', '1'};

static void put_le32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t sum_of(const unsigned char bytes[END_SIZE])
{
    return crc32c(str_of((const char *)bytes, END_SIZE - 4));
}

static int put(int fd, const struct vfs_log *end)
{
    unsigned char bytes[END_SIZE];
    memcpy(bytes, magic, 8);
    memcpy(bytes + 8, end->salts, 8);
    put_le32(bytes + 16, end->frames);
    put_le32(bytes + 20, sum_of(bytes));
    ssize_t size = pwrite(fd, bytes, sizeof bytes, 0);
    if (size >= 0 && size != (ssize_t)sizeof bytes) errno = ENOSPC;
    return size == (ssize_t)sizeof bytes ? 0 : -1;
}

enum log_end_state log_end_read(int dir_fd, struct vfs_log *ret)
{
    unsigned char bytes[END_SIZE + 1];
    *ret = (struct vfs_log){.frames = 0};
    int fd = openat(dir_fd, "orch.db-end", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? LOG_END_NONE : LOG_END_DAMAGED;
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    (void)close(fd);                    /* it was only read */
    if (size == 0) return LOG_END_NONE; /* it was just made */
    if (size != END_SIZE || memcmp(bytes, magic, 8) != 0 || get_le32(bytes + 20) != sum_of(bytes))
        return LOG_END_DAMAGED;
    memcpy(ret->salts, bytes + 8, 8);
    ret->frames = get_le32(bytes + 16);
    return ret->frames > 0 ? LOG_END_NOTED : LOG_END_NONE;
}

int log_end_check(int dir_fd, sqlite3 *db, const char *database, struct orch_error *err)
{
    struct vfs_log end, log = {.frames = 0};
    /* What is not readable tells nothing; the log is as it is. */
    if (log_end_read(dir_fd, &end) != LOG_END_NOTED) return 0;
    bool is_same = vfs_get_index(db, &log) && log.frames > 0 && memcmp(log.salts, end.salts, sizeof end.salts) == 0;
    if (is_same && log.frames >= end.frames) return 0;
    uint32_t found = is_same ? log.frames : 0;
    (void)error_set(
        err, ORCH_ERR_CORRUPT,
        "%s-wal is damaged: it had %u frames and can be read up to frame %u; what was committed after that is "
        "in question",
        database, end.frames, found);
    damage_hint(err);
    return ORCH_ERR_CORRUPT;
}

int log_end_open(int dir_fd, const char *path, int *ret_fd, struct orch_error *err)
{
    int fd = openat(dir_fd, "orch.db-end", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_errno(err, errno, "%s/orch.db-end", path);
    *ret_fd = fd;
    return 0;
}

void log_end_note(struct log_end *end, sqlite3 *db)
{
    struct vfs_log log;
    if (end->fd < 0 || !vfs_get_log(db, &log)) return;
    /* One that fails leaves the note behind the log, where it does no harm. */
    if (put(end->fd, &log) == 0) end->is_noted = true;
}

int log_end_clear(struct log_end *end, const char *database, struct orch_error *err)
{
    const struct vfs_log none = {.frames = 0};
    if (end->fd < 0 || !end->is_noted) return 0;
    if (put(end->fd, &none) < 0 || fdatasync(end->fd) < 0)
        return error_set(err, ORCH_ERR_IO, "cannot write %s-end: %s", database, strerror(errno));
    end->is_noted = false;
    return 0;
}
