/*
 * process_marked.c - ending what an earlier life of the orchestrator left behind, when its spawner died with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/cgroup.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/scan.h"

#define SCAN_MAX          262144
#define FREEZE_PASSES_MAX 16
#define ENVIRON_SIZE      65536

struct search {
    struct orch_str mark;
    struct scan scan;
    char *environ_buf;
    pid_t ancestors[64]; /* never ended, and never the way down to others */
    int ancestor_count;
    uint32_t found;
};

/* The caller and those it descends from. */
static void find_ancestors(struct search *search)
{
    struct scan_process process;
    pid_t pid = getpid();

    while (pid > 1 && search->ancestor_count < 64) {
        search->ancestors[search->ancestor_count++] = pid;
        if (!scan_one(pid, &process)) break;
        pid = process.parent;
    }
}

static bool is_ancestor(const struct search *search, pid_t pid)
{
    for (int i = 0; i < search->ancestor_count; i++) {
        if (search->ancestors[i] == pid) return true;
    }
    return pid == 1;
}

/*
 * The tag tells at once. Words are asked for only where the tag was taken off, of those whose parent is none of their
 * own any more: who has a parent of the same origin is found with it. To read the words of a process is to wait for its
 * memory, and what others of this machine do with theirs may take long, or for ever: nobody's start depends on it.
 */
static bool is_marked(struct search *search, const struct scan_process *process)
{
    uint64_t tag = scan_tag(process->pid), store = scan_tag_store(search->mark);
    const char *mark;

    /* A spawner goes by itself when its orchestrator is gone, unless it was stopped. */
    if (tag == (store | SCAN_TAG_SPAWNER)) return process->state == 'T' || process->state == 't';
    if (tag != 0) return scan_tag_store_of(tag) == store; /* one in a billion of other stores has our hash */
    if (!is_ancestor(search, process->parent)) return false;
    mark = scan_environ(process->pid, "ORCH_STORE=", search->environ_buf, ENVIRON_SIZE);
    return mark && str_equal(str_from(mark), search->mark);
}

/* Reads all processes; those to be ended get owner 0. Returns how many there are. */
static uint32_t find_marked(struct search *search)
{
    uint32_t count = 0;

    (void)scan_read(&search->scan);
    for (uint32_t i = 0; i < search->scan.count; i++) {
        struct scan_process *process = &search->scan.list[i];

        if (process->is_kernel || !scan_is_alive(process) || is_ancestor(search, process->pid)) continue;
        if (is_marked(search, process)) process->owner = 0;
    }
    scan_inherit_owners(&search->scan);
    for (uint32_t i = 0; i < search->scan.count; i++) {
        struct scan_process *process = &search->scan.list[i];

        if (!scan_is_alive(process) || is_ancestor(search, process->pid)) process->owner = -1;
        if (process->owner == 0) count++;
    }
    return count;
}

/* Returns how many could be reached. */
static uint32_t signal_marked(struct search *search, int signal)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < search->scan.count; i++) {
        const struct scan_process *process = &search->scan.list[i];

        if (process->owner == 0 && scan_signal(process, signal) != EPERM) count++;
    }
    return count;
}

/* Directories that dead spawners of this mark left among the control groups, with what runs in them. */
static void remove_groups(struct search *search, orch_time deadline)
{
    struct kernel_entry {
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    _Alignas(8) char buf[8192];
    char prefix[32];
    struct arena arena;
    struct orch_str home;
    int fd = -1;
    long size;

    arena_init(&arena, NULL, 64 << 20);
    if (cgroup_find_home(&arena, &home, NULL) == 0) fd = open(home.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    arena_done(&arena);
    if (fd < 0) return;
    cgroup_prefix(search->mark, prefix);
    while ((size = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < size;) {
            const struct kernel_entry *entry = (const struct kernel_entry *)(const void *)(buf + at);

            at += entry->size;
            if (strncmp(entry->name, prefix, strlen(prefix)) == 0) (void)cgroup_remove(fd, entry->name, deadline);
        }
    }
    close(fd);
}

int process_kill_marked(struct orch_str mark, orch_time timeout_us, struct orch_error *err)
{
    struct search search = {.mark = mark};
    orch_time deadline = clock_monotonic() + timeout_us;
    uint32_t count, most;
    int code = scan_open(&search.scan, SCAN_MAX);

    if (code != 0) return error_errno(err, code, "cannot look for processes of an earlier run");
    search.environ_buf = mem_resize(NULL, NULL, 0, ENVIRON_SIZE);
    if (!search.environ_buf) {
        scan_close(&search.scan);
        return error_memory(err);
    }
    find_ancestors(&search);
    most = count = find_marked(&search);
    if (count > 0) {
        /* Freeze until nobody new shows, then kill: see spawner.c. */
        for (int pass = 0; pass < FREEZE_PASSES_MAX; pass++) {
            uint32_t before = count;

            (void)signal_marked(&search, SIGSTOP);
            count = find_marked(&search);
            if (count > most) most = count;
            if (count <= before) break;
        }
    }
    while (count > 0) {
        if (signal_marked(&search, SIGKILL) == 0 && find_marked(&search) == 0) break;
        (void)poll(NULL, 0, 2); /* they are not our children: nothing tells of their end */
        count = find_marked(&search);
        if (count > most) most = count;
        if (count > 0 && clock_monotonic() > deadline) {
            (void)mem_resize(NULL, search.environ_buf, ENVIRON_SIZE, 0);
            scan_close(&search.scan);
            return error_set(err, ORCH_ERR_TIMEOUT, "%u processes of an earlier run cannot be ended", count);
        }
    }
    remove_groups(&search, deadline);
    (void)mem_resize(NULL, search.environ_buf, ENVIRON_SIZE, 0);
    scan_close(&search.scan);
    return most > INT32_MAX ? INT32_MAX : (int)most;
}
