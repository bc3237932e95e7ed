/*
 * spawner_end.c - which programs have ended, who of them is left, and how they are ended.
 *
 * The spawner is the reaper of all orphans below it. Hence what a program started is, at any time, a tree below us, and
 * once the program itself is gone, the tops of what it left are our own children. So "is anything left of it" is one
 * look at the list of our children, and whoever is not known there is attributed by its mark (scan.h).
 */
#include "sys/spawner_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/clock.h"

#define FREEZE_PASSES_MAX 16
#define KILL_AGAIN_MAX_US (200 * ORCH_MILLISECOND)

/*
 * Who is left.
 */

/* The program in whose control group a process is, or SPAWNER_NONE. */
static uint32_t owner_by_group(const struct spawner_state *s, pid_t pid)
{
    char path[64], text[8192];
    const char *line, *at;
    uint32_t number = 0;
    ssize_t size;
    int fd;

    if (s->groups_made == 0) return SPAWNER_NONE;
    (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return SPAWNER_NONE;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0) return SPAWNER_NONE;
    text[size] = '\0';
    line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    at = line ? strstr(line, s->groups_name) : NULL;
    if (!at) return SPAWNER_NONE;
    at += strlen(s->groups_name);
    if (*at++ != '/') return SPAWNER_NONE;
    while (*at >= '0' && *at <= '9') number = number * 10 + (uint32_t)(*at++ - '0');
    for (uint32_t i = 0; i < s->programs_used; i++) {
        const struct program *p = &s->programs[i];

        if (p->phase != PHASE_FREE && p->group != SPAWNER_NONE && s->group_numbers[p->group] == number) return i;
    }
    return SPAWNER_NONE;
}

/* The program that a process belongs to, or SPAWNER_NONE. Not fast: for those that are no program's first process. */
static uint32_t owner_of(struct spawner_state *s, pid_t pid)
{
    uint64_t tag = scan_tag(pid);
    const char *attempt;
    pid_t group, session;
    uint64_t hash = 0;

    if (tag && scan_tag_store_of(tag) == s->tag_base) {
        uint32_t index = (uint32_t)(tag & 0xFFFF);

        if (index < s->programs_used && s->programs[index].generation == (uint16_t)(tag >> 16) &&
            s->programs[index].phase > PHASE_FREE && s->programs[index].phase < PHASE_OVER) {
            return index;
        }
    }
    attempt = scan_environ(pid, "ORCH_ATTEMPT_ID=", s->environ_buf, SPAWNER_ENVIRON_SIZE);
    if (attempt) hash = str_hash(str_from(attempt)) | 1;
    group = getpgid(pid);
    session = getsid(pid);
    for (uint32_t i = 0; i < s->programs_used; i++) {
        const struct program *p = &s->programs[i];

        if (p->phase == PHASE_FREE || p->phase == PHASE_OVER) continue;
        if ((hash && p->attempt_hash == hash) || p->pid == group || p->pid == session) return i;
    }
    return owner_by_group(s, pid);
}

/*
 * One look at our children: counts in each program what it left. Returns false when it reaped somebody on the way: then
 * children may have come to us behind our back, and the look must be repeated.
 */
static bool look_at_children(struct spawner_state *s)
{
    char text[4096];
    pid_t pid = 0;
    bool complete = true;
    off_t at = 0;
    ssize_t size;

    s->round++;
    s->strays = 0;
    if (s->children_fd < 0) return true;
    while ((size = pread(s->children_fd, text, sizeof(text), at)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            uint32_t owner;

            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            if (pid == 0) continue;
            if (spawner_find(s, s->by_pid, (uint64_t)pid) == SPAWNER_NONE) { /* an orphan */
                if (waitpid(pid, NULL, WNOHANG) == pid) {
                    complete = false;
                } else {
                    owner = owner_of(s, pid);
                    if (owner == SPAWNER_NONE &&
                        s->programs_alive == 1) { /* no mark at all, but nobody else can have left it */
                        for (owner = 0;
                             s->programs[owner].phase == PHASE_FREE || s->programs[owner].phase == PHASE_OVER;)
                            owner++;
                    }
                    if (owner == SPAWNER_NONE) {
                        s->strays++;
                        if (s->programs_alive == 0) (void)kill(pid, SIGKILL);
                    } else {
                        struct program *p = &s->programs[owner];

                        if (p->seen_round != s->round) p->seen_count = 0;
                        p->seen_round = s->round;
                        p->seen_count++;
                        if (p->phase == PHASE_KILLING)
                            (void)kill(pid, SIGKILL); /* our child: the number cannot be another's */
                    }
                }
            }
            pid = 0;
        }
        at += size;
        if ((size_t)size < sizeof(text) / 2) break; /* the kernel fills what it is given, but for the end */
    }
    return complete;
}

static void program_over(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    p->phase = PHASE_OVER;
    p->tell_ended = true;
    s->programs_alive--;
    spawner_busy_remove(s, index);
    spawner_group_give_back(s, p);
    spawner_news_add(s, index);
    s->tell_at = 0;
}

static void look(struct spawner_state *s, orch_time now)
{
    uint32_t next;
    int passes = 0;
    bool had_programs = s->programs_alive > 0;

    s->look = false;
    if (s->busy_first == SPAWNER_NONE && s->programs_alive > 0) return;
    while (!look_at_children(s) && ++passes < 100) {
    }
    if (passes == 100) s->look = true; /* somebody forks and dies as fast as we look: come back at once */
    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = next) {
        struct program *p = &s->programs[i];

        next = p->busy_next;
        if (!p->exited) continue;
        if (p->seen_round != s->round && passes < 100) {
            program_over(s, i);
        } else if (p->phase == PHASE_RUNNING) {
            p->phase = PHASE_LINGER;
            p->deadline = now + SPAWN_LINGER_US;
        }
    }
    if (had_programs && s->programs_alive == 0 && s->strays > 0) s->look = true; /* nobody can claim them any more */
}

void spawner_reap(struct spawner_state *s)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        uint32_t index;

        if (pid <= 0) return;
        s->look = true;
        index = spawner_find(s, s->by_pid, (uint64_t)pid);
        if (index == SPAWNER_NONE) continue;
        spawner_unindex(s, s->by_pid, index);
        s->programs[index].exited = true;
        s->programs[index].status = status;
        s->programs[index].cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        s->programs[index].memory_peak = (uint64_t)usage.ru_maxrss * 1024;
        spawner_busy_add(s, index);
    }
}

/*
 * Ending.
 */
static void signal_one(void *user, int pid)
{
    (void)kill(pid, *(const int *)user);
}

static bool is_new(const struct scan *before, const struct scan_process *process)
{
    const struct scan_process *same = scan_find(before, process->pid);

    return !same || same->start != process->start || same->owner < 0;
}

/* Reads all processes and says whose they are, for the programs that are to be swept. */
static void sweep_read(struct spawner_state *s)
{
    (void)scan_read(&s->scan);
    for (uint32_t i = 0; i < s->scan.count; i++) {
        struct scan_process *process = &s->scan.list[i];
        uint32_t owner;

        if (process->is_kernel) continue;
        owner = spawner_find(s, s->by_pid, (uint64_t)process->pid);

        if (owner == SPAWNER_NONE) owner = spawner_find(s, s->by_pid, (uint64_t)process->group);
        if (owner == SPAWNER_NONE) {
            uint64_t tag = scan_tag(process->pid);

            if (process->parent == s->self || (tag && scan_tag_store_of(tag) == s->tag_base))
                owner = owner_of(s, process->pid);
            if (owner == SPAWNER_NONE && process->parent == s->self && s->programs_alive == 1) {
                for (owner = 0; s->programs[owner].phase == PHASE_FREE || s->programs[owner].phase == PHASE_OVER;)
                    owner++;
            }
        }
        if (owner != SPAWNER_NONE) process->owner = (int32_t)owner;
    }
    scan_inherit_owners(&s->scan);
}

/*
 * Sends a signal to all that belongs to programs chosen by `kills`: groups as a whole, in one step that no fork in them
 * can outrun, the others one by one. fresh: only those that were not there at the look before. Returns how many it sent
 * to, groups not counted.
 */
static uint32_t sweep_signal(struct spawner_state *s, bool kills, int signal, bool fresh)
{
    uint32_t count = 0;

    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = s->programs[i].busy_next) {
        struct program *p = &s->programs[i];

        if (kills ? p->sweep_kill : p->sweep_term) {
            if (!p->exited) (void)kill(-p->pid, signal);
        }
    }
    for (uint32_t i = 0; i < s->scan.count; i++) {
        const struct scan_process *process = &s->scan.list[i];
        const struct program *p;

        if (process->owner < 0 || !scan_is_alive(process)) continue;
        p = &s->programs[process->owner];
        if (!(kills ? p->sweep_kill : p->sweep_term)) continue;
        if (fresh && !is_new(&s->scan_before, process)) continue;
        count++;
        if (p->exited || process->group != p->pid) (void)scan_signal(process, signal);
    }
    return count;
}

static void sweep(struct spawner_state *s)
{
    bool terms = false, kills = false;

    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = s->programs[i].busy_next) {
        terms |= s->programs[i].sweep_term;
        kills |= s->programs[i].sweep_kill;
    }
    if (!terms && !kills) return;
    sweep_read(s);
    if (terms) {
        (void)sweep_signal(s, false, SIGTERM, false);
        (void)sweep_signal(s, false, SIGCONT, false); /* or what is stopped would never get it */
    }
    if (kills) {
        /* Freeze before the blow, or a parent would see its child die and start another. */
        uint32_t fresh = sweep_signal(s, true, SIGSTOP, false);

        for (int pass = 0; fresh > 0 && pass < FREEZE_PASSES_MAX; pass++) {
            struct scan swap = s->scan_before;

            s->scan_before = s->scan;
            s->scan = swap;
            sweep_read(s);
            fresh = sweep_signal(s, true, SIGSTOP, true);
        }
        (void)sweep_signal(s, true, SIGKILL, false);
    }
    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = s->programs[i].busy_next) {
        s->programs[i].sweep_term = s->programs[i].sweep_kill = false;
    }
}

static void program_term(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];
    int signal = SIGTERM;

    spawner_busy_add(s, index);
    p->phase = PHASE_ENDING;
    if (p->group == SPAWNER_NONE) {
        p->sweep_term = true;
        return;
    }
    cgroup_each(s->group_fds[p->group], signal_one, &signal);
    signal = SIGCONT;
    cgroup_each(s->group_fds[p->group], signal_one, &signal);
}

void spawner_kill_program(struct spawner_state *s, uint32_t index, orch_time now)
{
    struct program *p = &s->programs[index];

    spawner_busy_add(s, index);
    if (p->phase != PHASE_KILLING)
        p->again_us = SPAWNER_KILL_AGAIN_US;
    else if (p->again_us < KILL_AGAIN_MAX_US)
        p->again_us *= 2;
    p->deadline = now + p->again_us;
    p->phase = PHASE_KILLING;
    s->look = true;
    /* The first blow at a control group is enough unless something left it, which shows when the blow is repeated. */
    if (p->group == SPAWNER_NONE || spawner_group_kill(s, p) != 0 || p->again_us > SPAWNER_KILL_AGAIN_US)
        p->sweep_kill = true;
}

void spawner_stop_program(struct spawner_state *s, uint64_t id, orch_time grace_us, orch_time now)
{
    uint32_t index = spawner_find(s, s->by_id, id);
    struct program *p;
    orch_time deadline;

    if (index == SPAWNER_NONE || s->programs[index].phase == PHASE_OVER) return;
    p = &s->programs[index];
    if (!p->exited) p->stopped = true;
    deadline = grace_us < ORCH_TIME_NEVER - now ? now + grace_us : ORCH_TIME_NEVER;
    switch ((enum phase)p->phase) {
    case PHASE_RUNNING:
    case PHASE_LINGER:
        p->deadline = deadline;
        program_term(s, index);
        break;
    case PHASE_ENDING:
        if (deadline < p->deadline) p->deadline = deadline;
        break;
    case PHASE_KILLING:
    case PHASE_OVER:
    case PHASE_FREE: break;
    }
}

/* Does what is due; returns when to come back. */
orch_time spawner_act(struct spawner_state *s)
{
    orch_time now = clock_monotonic(), next_due = ORCH_TIME_NEVER;
    uint32_t next;

    if (s->look) look(s, now);
    if (s->busy_first == SPAWNER_NONE) return s->look ? now : ORCH_TIME_NEVER;
    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = next) {
        struct program *p = &s->programs[i];

        next = p->busy_next;
        if (p->phase == PHASE_RUNNING || p->deadline > now) continue;
        if (p->phase == PHASE_LINGER) {
            p->left_behind = p->seen_count;
            program_term(s, i);
            p->deadline = now + SPAWN_LEFT_GRACE_US;
        } else {
            spawner_kill_program(s, i, now);
        }
    }
    sweep(s);
    if (s->look) look(s, now);
    for (uint32_t i = s->busy_first; i != SPAWNER_NONE; i = s->programs[i].busy_next) {
        if (s->programs[i].phase != PHASE_RUNNING && s->programs[i].deadline < next_due)
            next_due = s->programs[i].deadline;
    }
    return s->look ? now : next_due;
}
