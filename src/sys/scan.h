/*
 * scan.h - the processes of this machine as /proc shows them, and the marks by which ours are known. (Internal to sys.)
 *
 * Nothing here allocates: the spawner, which lives after a fork, uses it too.
 */
#ifndef SYS_SCAN_H
#define SYS_SCAN_H

#include <sys/types.h>

#include "base/str.h"

/*
 * A mark that a process cannot shed by accident: forks and execs inherit resource limits, also across setsid, a second fork and a cleared
 * environment, and everybody may read those of his own processes. So each program gets a soft limit of its own on real-time CPU time
 * (RLIMIT_RTTIME, in µs): a number so large (146,000 years) that as a limit it means nothing.
 *
 *     bit 62 set | 30 bits: hash of the store's mark | 32 bits: which program of the spawner, or SCAN_TAG_SPAWNER: itself
 */
#define SCAN_TAG_SPAWNER UINT64_C(0xFFFFFFFF)
#define SCAN_TAG_BIT (UINT64_C(1) << 62)
static inline uint64_t scan_tag_store(struct orch_str mark)
{
    return SCAN_TAG_BIT | (str_hash(mark) & UINT64_C(0x3FFFFFFF)) << 32;
}
static inline uint64_t scan_tag_store_of(uint64_t tag)
{
    return tag & ~UINT64_C(0xFFFFFFFF);
}
/* The tag of a process, 0 when it has none or is not ours to ask. */
uint64_t scan_tag(pid_t pid);

struct scan_process {
    int32_t pid;
    int32_t parent;
    int32_t group;
    int32_t owner;  /* for the caller; -1 after reading */
    uint64_t start; /* in clock ticks since boot: tells a process from a later one with the same pid */
    uint32_t threads;
    bool is_kernel; /* a thread of the kernel: nobody's program */
    char state;     /* as in /proc/PID/stat: R S D T Z X ...; Z also for one whose first thread alone is dead */
};

struct scan {
    struct scan_process *list; /* ascending by pid */
    uint32_t count;
    uint32_t capacity;
};

/* Room from mmap, touched only as far as it is used. 0 or an errno. */
int scan_open(struct scan *scan, uint32_t capacity);
void scan_close(struct scan *scan);
/* All processes but the caller. 0 or an errno. */
int scan_read(struct scan *scan);
struct scan_process *scan_find(const struct scan *scan, pid_t pid);
/* Gives those without an owner their parent's, down the whole tree. */
void scan_inherit_owners(struct scan *scan);

/* One process from /proc/PID/stat; false when there is none. */
bool scan_one(pid_t pid, struct scan_process *ret);
/* Sends a signal to this very process, not to a later one with its number. 0 or an errno (ESRCH: it is gone). */
int scan_signal(const struct scan_process *process, int signal);
/*
 * What the initial environment of a process says of a variable: NULL when it has none (or may not be read), else its value, terminated, in
 * buf. name ends with '='.
 */
const char *scan_environ(pid_t pid, const char *name, char *buf, size_t size);

static inline bool scan_is_alive(const struct scan_process *process)
{
    return (process->state != 'Z' && process->state != 'X' && process->state != 'x') || process->threads > 1;
}

#endif
