/*
 * scan.c - reading /proc without allocating.
 */
#include "sys/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel writes it (getdents64(2)); opendir() would allocate. */
struct kernel_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

uint64_t scan_tag(pid_t pid)
{
    struct rlimit limit;

    if (prlimit(pid, RLIMIT_RTTIME, NULL, &limit) != 0) {
        /* Another user's (a setuid program of ours): the file is readable by all. */
        char path[64], text[4096];
        const char *line;
        int fd;
        ssize_t size;
        uint64_t value = 0;

        if (errno != EPERM) return 0;
        (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return 0;
        size = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (size <= 0) return 0;
        text[size] = '\0';
        line = strstr(text, "Max realtime timeout");
        if (!line) return 0;
        line += sizeof("Max realtime timeout") - 1;
        while (*line == ' ') line++;
        while (*line >= '0' && *line <= '9') value = value * 10 + (uint64_t)(*line++ - '0');
        return value & SCAN_TAG_BIT && value >> 63 == 0 ? value : 0;
    }
    return limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur & SCAN_TAG_BIT && limit.rlim_cur >> 63 == 0
               ? limit.rlim_cur
               : 0;
}

int scan_open(struct scan *scan, uint32_t capacity)
{
    void *room = mmap(NULL, capacity * sizeof(struct scan_process), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) return errno;
    *scan = (struct scan){.list = room, .capacity = capacity};
    return 0;
}

void scan_close(struct scan *scan)
{
    if (scan->list) munmap(scan->list, scan->capacity * sizeof(struct scan_process));
    *scan = (struct scan){0};
}

/* The next decimal number of a text; moves on past it and the blank behind. */
static uint64_t next_number(const char **text)
{
    uint64_t value = 0;

    if (**text == '-') (*text)++;
    while (**text >= '0' && **text <= '9') value = value * 10 + (uint64_t)(*(*text)++ - '0');
    if (**text == ' ') (*text)++;
    return value;
}

bool scan_one(pid_t pid, struct scan_process *ret)
{
    char path[64], text[1024];
    const char *at;
    int fd;
    ssize_t size;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = '\0';
    at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || at[1] != ' ' || at[2] == '\0' || at[3] != ' ') return false;
    *ret = (struct scan_process){.pid = pid, .owner = -1, .state = at[2]};
    at += 4;
    ret->parent = (int32_t)next_number(&at);
    ret->group = (int32_t)next_number(&at);
    for (int field = 6; field < 9; field++) (void)next_number(&at);
    ret->is_kernel = next_number(&at) & 0x00200000; /* PF_KTHREAD */
    for (int field = 10; field < 20; field++) (void)next_number(&at);
    ret->threads = (uint32_t)next_number(&at);
    (void)next_number(&at);
    ret->start = next_number(&at);
    return true;
}

int scan_read(struct scan *scan)
{
    _Alignas(8) char buf[16 * 1024];
    pid_t self = getpid();
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

    scan->count = 0;
    if (fd < 0) return errno;
    for (;;) {
        long size = syscall(SYS_getdents64, fd, buf, sizeof(buf));

        if (size < 0) result = errno;
        if (size <= 0) break;
        for (long at = 0; at < size;) {
            const struct kernel_entry *entry = (const struct kernel_entry *)(const void *)(buf + at);
            const char *name = entry->name;
            pid_t pid = 0;

            at += entry->size;
            while (*name >= '0' && *name <= '9' && pid < 100000000) pid = pid * 10 + (*name++ - '0');
            if (*name != '\0' || pid == 0 || pid == self || scan->count == scan->capacity) continue;
            if (scan_one(pid, &scan->list[scan->count])) scan->count++;
        }
    }
    close(fd);
    return result;
}

struct scan_process *scan_find(const struct scan *scan, pid_t pid)
{
    uint32_t low = 0, high = scan->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (scan->list[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < scan->count && scan->list[low].pid == pid ? &scan->list[low] : NULL;
}

void scan_inherit_owners(struct scan *scan)
{
    bool changed = true;

    /* A child usually has the higher pid, so that one pass does; numbers that wrapped around need more. */
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < scan->count; i++) {
            struct scan_process *process = &scan->list[i], *parent;

            if (process->owner >= 0) continue;
            parent = scan_find(scan, process->parent);
            if (!parent || parent->owner < 0) continue;
            process->owner = parent->owner;
            changed = true;
        }
    }
}

int scan_signal(const struct scan_process *process, int signal)
{
    struct scan_process now;
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0), result = 0;

    if (fd < 0 && errno == ENOSYS) { /* before Linux 5.3: a tiny window remains */
        if (!scan_one(process->pid, &now) || now.start != process->start) return ESRCH;
        return kill(process->pid, signal) == 0 ? 0 : errno;
    }
    if (fd < 0) return errno;
    if (!scan_one(process->pid, &now) || now.start != process->start)
        result = ESRCH;
    else if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) != 0)
        result = errno;
    close(fd);
    return result;
}

const char *scan_environ(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    size_t name_size = strlen(name), used = 0;
    bool at_start = true; /* the first byte of buf begins a variable */
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    for (;;) {
        ssize_t got = read(fd, buf + used, size - 1 - used);
        char *at = buf, *end, *variable_end;

        if (got <= 0) break;
        end = buf + used + (size_t)got;
        while ((variable_end = memchr(at, '\0', (size_t)(end - at))) != NULL) {
            if (at_start && (size_t)(variable_end - at) >= name_size && memcmp(at, name, name_size) == 0) {
                close(fd);
                return at + name_size;
            }
            at = variable_end + 1;
            at_start = true;
        }
        used = (size_t)(end - at);
        if (used == size - 1) { /* longer than the room: none that we look for */
            used = 0;
            at_start = false;
        } else {
            memmove(buf, at, used);
        }
    }
    close(fd);
    return NULL;
}
