/*
 * reserve.c - disk space kept back in a file, so that a full disk still leaves room to record what runs.
 *
 * The file is made only when the disk has four times as much free, and given up with the first write that finds the
 * disk full. Where the file system cannot reserve space there is none, but it is told all the same that the disk is
 * short.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/sqlite.h"
#include "sys/clock.h"

#define RESERVE_FREE_FACTOR 4

/* Bytes that we could still write, without the reserve; UINT64_MAX when nobody knows. */
static uint64_t free_size(const struct committer *committer)
{
    struct statvfs fs;
    uint64_t unit, blocks;
    if (fstatvfs(committer->dir_fd, &fs) < 0) return UINT64_MAX;
    unit = fs.f_frsize ? fs.f_frsize : 1;
    blocks = fs.f_bavail;
    return blocks > UINT64_MAX / unit ? UINT64_MAX : blocks * unit;
}

/* One of an earlier life serves as well; one that is smaller, or was copied without its blocks, does not. */
static bool is_there(const struct committer *committer)
{
    struct stat st;
    return fstatat(committer->dir_fd, "reserve", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size >= committer->reserve_size && (uint64_t)st.st_blocks * 512 >= committer->reserve_size;
}

static bool make(struct committer *committer)
{
    int fd = openat(committer->dir_fd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    bool ok = fallocate(fd, 0, 0, (off_t)committer->reserve_size) == 0;
    committer->cannot_reserve = !ok && errno == EOPNOTSUPP;
    (void)close(fd);                                          /* it holds nothing */
    if (!ok) (void)unlinkat(committer->dir_fd, "reserve", 0); /* then it is as small as it is */
    return ok;
}

void reserve_open(struct committer *committer)
{
    if (committer->reserve_size == 0) return;
    if (committer->reserve_size > INT64_MAX / RESERVE_FREE_FACTOR) committer->reserve_size = 0; /* nobody has as much */
    committer->has_reserve = is_there(committer);
    /* Full already: what was interrupted may be recorded from the reserve, and nothing else begins. */
    if (free_size(committer) < committer->reserve_size)
        atomic_store(&committer->is_short, true);
    else
        reserve_make(committer);
}

bool reserve_is_wanted(const struct committer *committer)
{
    return committer->reserve_size > 0 &&
           ((!committer->has_reserve && !committer->cannot_reserve) || atomic_load(&committer->is_short));
}

void reserve_make(struct committer *committer)
{
    orch_time now;
    if (!reserve_is_wanted(committer) || (now = clock_monotonic()) < committer->reserve_look_at) return;
    committer->reserve_look_at = now + RESERVE_LOOK_US;
    if (free_size(committer) < RESERVE_FREE_FACTOR * committer->reserve_size) return;
    if (!committer->has_reserve && !committer->cannot_reserve) committer->has_reserve = make(committer);
    atomic_store(&committer->is_short, false);
}

bool reserve_release(struct committer *committer)
{
    bool is_gone = committer->reserve_size > 0 && unlinkat(committer->dir_fd, "reserve", 0) == 0;
    committer->has_reserve = false;
    if (committer->reserve_size > 0) atomic_store(&committer->is_short, true);
    return is_gone;
}
