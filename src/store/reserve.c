/*
 * reserve.c - disk space kept back in a file, so that a full disk still leaves room to record what runs.
 *
 * The file is made only when the disk has sixteen times as much free, and given up with the first write that finds
 * the disk full. Where the file system cannot reserve space there is none.
 */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/sqlite.h"

#define RESERVE_FREE_FACTOR 16

void reserve_make(struct committer *committer)
{
    if (committer->reserve_size == 0 || committer->reserve_size > INT64_MAX / RESERVE_FREE_FACTOR ||
        committer->has_reserve)
        return;
    struct statvfs fs;
    if (fstatvfs(committer->dir_fd, &fs) < 0) return;
    uint64_t blocks = RESERVE_FREE_FACTOR * committer->reserve_size / (fs.f_frsize ? fs.f_frsize : 1);
    if (fs.f_bavail < blocks) return;
    int fd = openat(committer->dir_fd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    bool ok = fallocate(fd, 0, 0, (off_t)committer->reserve_size) == 0;
    (void)close(fd);                                          /* it holds nothing */
    if (!ok) (void)unlinkat(committer->dir_fd, "reserve", 0); /* then it is as small as it is */
    committer->has_reserve = ok;
    if (ok) atomic_store(&committer->is_short, false);
}

bool reserve_release(struct committer *committer)
{
    /* One of an earlier life serves as well. */
    bool is_gone = committer->reserve_size > 0 && unlinkat(committer->dir_fd, "reserve", 0) == 0;
    committer->has_reserve = false;
    if (committer->reserve_size > 0) atomic_store(&committer->is_short, true);
    return is_gone;
}
