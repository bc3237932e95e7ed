/*
 * cgroup.c - control groups through their files. Source: Documentation/admin-guide/cgroup-v2.rst of Linux.
 */
#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/file.h"

/* The next line of a text, or false at its end. */
static bool next_line(struct orch_str *text, struct orch_str *ret)
{
    size_t end;

    if (text->size == 0) return false;
    end = str_find(*text, STR("\n"), 0);
    if (end == SIZE_MAX) end = text->size;
    *ret = str_of(text->data, end);
    if (end < text->size) end++;
    *text = str_of(text->data + end, text->size - end);
    return true;
}

/* The next word of a line of /proc/self/mountinfo; empty at its end. */
static struct orch_str next_word(struct orch_str *line)
{
    size_t end = str_find(*line, STR(" "), 0);
    struct orch_str word;

    if (end == SIZE_MAX) end = line->size;
    word = str_of(line->data, end);
    if (end < line->size) end++;
    *line = str_of(line->data + end, line->size - end);
    return word;
}

int cgroup_find_home(struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct orch_str text, line, own = STR_NONE;
    int result = file_read("/proc/self/cgroup", 1 << 20, arena, &text, err);

    if (result != 0) return result;
    while (next_line(&text, &line)) {
        if (str_starts_with(line, STR("0::/"))) own = str_of(line.data + 3, line.size - 3);
    }
    if (!own.data) return error_set(err, ORCH_ERR_NOT_FOUND, "no control group of version 2");
    result = file_read("/proc/self/mountinfo", 16 << 20, arena, &text, err);
    if (result != 0) return result;
    while (next_line(&text, &line)) {
        struct orch_str root, point, rest = line, home;
        size_t dash = str_find(line, STR(" - cgroup2 "), 0);

        if (dash == SIZE_MAX) continue;
        for (int skip = 0; skip < 3; skip++) (void)next_word(&rest);
        root = next_word(&rest);
        point = next_word(&rest);
        if (str_find(point, STR("\\"), 0) != SIZE_MAX) continue; /* an escaped blank: nobody mounts it there */
        /* What is mounted may be a part of the hierarchy: then our path is seen from its root. */
        if (!str_is(root, "/") && str_starts_with(own, root)) own = str_of(own.data + root.size, own.size - root.size);
        if (str_is(own, "/")) own.size = 0;
        home = arena_printf(arena, "%.*s%.*s", STR_ARG(point), STR_ARG(own));
        if (!home.data) return error_memory(err);
        *ret = home;
        return 0;
    }
    return error_set(err, ORCH_ERR_NOT_FOUND, "control groups of version 2 are not mounted");
}

void cgroup_prefix(struct orch_str mark, char ret[32])
{
    (void)snprintf(ret, 32, "orch-%016llx-", (unsigned long long)str_hash(mark));
}

int cgroup_make(int directory_fd, const char *name)
{
    int fd;

    if (mkdirat(directory_fd, name, 0755) != 0 && errno != EEXIST) return -errno;
    fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool cgroup_can_kill(int group_fd)
{
    return faccessat(group_fd, "cgroup.kill", W_OK, AT_EACCESS) == 0;
}

int cgroup_kill(int group_fd)
{
    int fd = openat(group_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC), result = 0;

    if (fd < 0) return errno;
    if (write(fd, "1", 1) != 1) result = errno;
    close(fd);
    return result;
}

bool cgroup_is_empty(int group_fd)
{
    char text[256];
    int fd = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0) return true;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0) return true;
    text[size] = '\0';
    return strstr(text, "populated 1") == NULL;
}

void cgroup_each(int group_fd, void (*fn)(void *user, int pid), void *user)
{
    char text[4096];
    int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC), pid = 0;
    ssize_t size;

    if (fd < 0) return;
    while ((size = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else {
                if (pid > 0) fn(user, pid);
                pid = 0;
            }
        }
    }
    close(fd);
}

/* One try at emptying and removing a group and those in it (two levels are all we make; users' programs may make more).
 */
static bool remove_once(int parent_fd, const char *name, int depth)
{
    struct kernel_entry {
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    _Alignas(8) char buf[4096];
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) return errno == ENOENT;
    if (depth == 0) (void)cgroup_kill(fd); /* takes the whole subtree */
    if (depth < 8) {
        long size;

        while ((size = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
            for (long at = 0; at < size;) {
                const struct kernel_entry *entry = (const struct kernel_entry *)(const void *)(buf + at);

                at += entry->size;
                if (entry->type == 4 /* DT_DIR */ && entry->name[0] != '.')
                    (void)remove_once(fd, entry->name, depth + 1);
            }
        }
    }
    close(fd);
    return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

bool cgroup_remove(int home_fd, const char *name, orch_time deadline)
{
    while (!remove_once(home_fd, name, 0)) {
        if (clock_monotonic() >= deadline) return false;
        (void)poll(NULL, 0, 2); /* what was killed needs a moment to be gone; nothing tells when */
    }
    return true;
}
