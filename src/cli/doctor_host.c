/*
 * doctor_host.c - see doctor_host.h. What cannot be found out is told as not there.
 */
#include "cli/doctor_host.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/cgroup.h"
#include "sys/scan.h"
#include "sys/zone.h"

#define PROCESSES_MAX 262144
#define ENVIRON_SIZE  (256 * 1024)

static int find_cgroup(bool *ret)
{
    struct arena arena;
    struct orch_str home;
    arena_init(&arena, NULL, 1 << 20);
    int r = cgroup_find_home(&arena, &home, NULL);
    *ret = r == 0 && access(home.data, W_OK) == 0;
    arena_done(&arena);
    return r;
}

static int find_zones(bool *ret)
{
    struct zonefiles zones;
    struct orch_str rules;
    zonefiles_init(&zones, NULL, NULL);
    int r = zonefiles_load(&zones, STR("Europe/Berlin"), &rules);
    *ret = r == 0;
    zonefiles_done(&zones);
    return r;
}

static void find_disk(const char *path, struct doctor_host *ret)
{
    struct statvfs fs;
    if (statvfs(path, &fs) < 0) return;
    uint64_t unit = fs.f_frsize ? fs.f_frsize : fs.f_bsize;
    ret->has_disk = true;
    ret->disk_free = unit * fs.f_bavail;
    ret->disk_size = unit * fs.f_blocks;
    ret->inodes_free = fs.f_favail;
    ret->inodes_size = fs.f_files;
}

static bool is_marked(pid_t pid, struct orch_str mark, char *buf)
{
    const char *found = scan_environ(pid, "ORCH_STORE=", buf, ENVIRON_SIZE);
    return (found && str_equal(str_from(found), mark)) || scan_tag_store_of(scan_tag(pid)) == scan_tag_store(mark);
}

/* We are left out, and so is who called us: a task of the store may ask for its state. */
static int find_processes(struct orch_str mark, struct doctor_host *ret)
{
    struct scan scan = {.count = 0};
    if (scan_open(&scan, PROCESSES_MAX) != 0) return ORCH_ERR_NO_MEMORY;
    char *buf = mem_resize(NULL, NULL, 0, ENVIRON_SIZE);
    pid_t self = getpid(), parent = getppid();
    if (buf && scan_read(&scan) == 0) {
        for (uint32_t i = 0; i < scan.count; i++) {
            const struct scan_process *process = &scan.list[i];
            if (process->is_kernel || !scan_is_alive(process) || process->pid == self || process->pid == parent)
                continue;
            if (!is_marked(process->pid, mark, buf)) continue;
            if (ret->processes < DOCTOR_PIDS_MAX) ret->pids[ret->processes] = process->pid;
            ret->processes++;
        }
    }
    if (buf) (void)mem_resize(NULL, buf, ENVIRON_SIZE, 0); /* freeing cannot fail */
    scan_close(&scan);
    return buf ? 0 : ORCH_ERR_NO_MEMORY;
}

int doctor_look_at_host(const char *path, struct orch_str mark, struct doctor_host *ret)
{
    *ret = (struct doctor_host){.processes = 0};
    bool is_short = find_cgroup(&ret->has_cgroup) == ORCH_ERR_NO_MEMORY;
    is_short |= find_zones(&ret->has_zones) == ORCH_ERR_NO_MEMORY;
    find_disk(path, ret);
    if (mark.size > 0) is_short |= find_processes(mark, ret) == ORCH_ERR_NO_MEMORY;
    return is_short ? ORCH_ERR_NO_MEMORY : 0;
}
