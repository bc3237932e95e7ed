/*
 * spawner.c - the life of the spawner: starts programs, waits for them, ends them with all they started.
 *
 * It lives after a fork of a program that may have had threads, so it takes nothing from the heap: its tables are
 * mapped once. It has one thread, blocks every signal (they come through a descriptor) and is the reaper of all orphans
 * below it. Hence: what a program started is, at any time, a tree below us, and once the program itself is gone, the
 * tops of what it left are our own children. So "is anything left of it" is one look at the list of our children, and
 * whoever is not known there is attributed by its mark (scan.h).
 */
#include "sys/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/clock.h"
#include "sys/scan.h"

#define NONE              UINT32_MAX
#define HASH_SIZE         (2 * SPAWNER_PROGRAMS_MAX) /* a power of two */
#define GROUPS_MAX        1024                       /* control groups kept open; more programs at once go without */
#define SCAN_MAX          262144
#define STACK_SIZE        (128u << 10)
#define FREEZE_PASSES_MAX 16
#define TELL_START_US     (20 * ORCH_MILLISECOND) /* see send_news */
#define KILL_AGAIN_US     (10 * ORCH_MILLISECOND)
#define KILL_AGAIN_MAX_US (200 * ORCH_MILLISECOND)

enum phase {
    PHASE_FREE,
    PHASE_RUNNING,
    PHASE_LINGER,  /* it exited, something of it has not: it may until the deadline, then SIGTERM */
    PHASE_ENDING,  /* SIGTERM was sent; SIGKILL at the deadline */
    PHASE_KILLING, /* SIGKILL was sent; again at the deadline */
    PHASE_OVER,    /* all of it is gone (or it never was): only news remain to be told */
};

struct program {
    uint64_t id;
    uint64_t attempt_hash; /* of ORCH_ATTEMPT_ID in its environment, 0 without */
    orch_time deadline;
    orch_time again_us; /* KILLING: the wait until the next try */
    int32_t pid;
    uint32_t group;      /* control group slot, or NONE */
    uint32_t seen_round; /* the last look in which something of it was alive */
    uint32_t seen_count;
    uint32_t next_free;                /* FREE: list; else: list of those with news */
    uint32_t busy_next, busy_previous; /* list of those that exited or are being ended */
    uint16_t generation;
    uint8_t phase;
    bool is_busy;
    bool exited; /* the program itself was waited for; pid is no longer ours */
    bool stopped;
    bool has_news; /* is on the news list */
    bool tell_started, tell_failed, tell_ended;
    bool sweep_term, sweep_kill;
    int32_t error; /* FAILED */
    enum spawn_stage stage;
    int32_t status; /* of wait */
    uint64_t cpu_us;
    uint64_t memory_peak;
    uint32_t left_behind;
};

struct spawner_state {
    int fd, signal_fd, children_fd, home_fd, groups_fd;
    pid_t self, parent;
    bool closing; /* the orchestrator is gone: everything ends, then we do */
    bool look;    /* something exited: look who is left */
    bool send_full;
    orch_time tell_at; /* when news must be told at the latest; ORCH_TIME_NEVER: there are none */
    uint32_t acks;     /* answers to STOP that are due */
    uint64_t tag_base, tag_max;
    struct program *programs; /* SPAWNER_PROGRAMS_MAX */
    uint32_t programs_used;   /* highest ever used + 1 */
    uint32_t programs_alive;  /* neither FREE nor OVER */
    uint32_t free_first;
    uint32_t busy_first;
    uint32_t news_first, news_last;
    uint32_t *by_id, *by_pid; /* HASH_SIZE each: index + 1, linear probing */
    uint32_t round;
    uint32_t strays; /* children in the last look that belong to nobody we know */
    int *group_fds;  /* GROUPS_MAX */
    uint32_t groups_made, groups_max;
    uint32_t group_number_last;
    uint32_t *group_numbers; /* GROUPS_MAX: the name of the group in a slot */
    bool *group_killed;      /* GROUPS_MAX */
    uint32_t *groups_free;   /* a stack */
    uint32_t groups_free_count;
    char groups_name[64];
    char *data; /* SPAWNER_DATA_MAX for what comes in a memfd */
    char *inline_data;
    char **strings; /* SPAWNER_STRINGS_MAX and a few */
    char *stack;
    char *environ_buf; /* 64 KiB */
    struct scan scan, scan_before;
    char mark_env[4200];
};

/*
 * Tables.
 */
static uint32_t hash_of(uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 40) & (HASH_SIZE - 1);
}

static uint64_t key_in(const struct spawner_state *s, const uint32_t *table, uint32_t index)
{
    return table == s->by_id ? s->programs[index].id : (uint64_t)(uint32_t)s->programs[index].pid;
}

static uint32_t table_find(const struct spawner_state *s, const uint32_t *table, uint64_t key)
{
    for (uint32_t at = hash_of(key); table[at]; at = (at + 1) & (HASH_SIZE - 1)) {
        if (key_in(s, table, table[at] - 1) == key) return table[at] - 1;
    }
    return NONE;
}

static void table_add(struct spawner_state *s, uint32_t *table, uint32_t index)
{
    uint32_t at = hash_of(key_in(s, table, index));

    while (table[at]) at = (at + 1) & (HASH_SIZE - 1); /* never full: twice as many places as programs */
    table[at] = index + 1;
}

static void table_remove(struct spawner_state *s, uint32_t *table, uint32_t index)
{
    uint32_t at = hash_of(key_in(s, table, index)), hole;

    while (table[at] != index + 1) {
        if (!table[at]) return;
        at = (at + 1) & (HASH_SIZE - 1);
    }
    /* Close the gap: move back whoever was pushed past it. */
    hole = at;
    for (;;) {
        uint32_t home;

        at = (at + 1) & (HASH_SIZE - 1);
        if (!table[at]) break;
        home = hash_of(key_in(s, table, table[at] - 1));
        if (((at - home) & (HASH_SIZE - 1)) >= ((at - hole) & (HASH_SIZE - 1))) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole] = 0;
}

static void busy_add(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (p->is_busy) return;
    p->is_busy = true;
    p->busy_previous = NONE;
    p->busy_next = s->busy_first;
    if (s->busy_first != NONE) s->programs[s->busy_first].busy_previous = index;
    s->busy_first = index;
}

static void busy_remove(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (!p->is_busy) return;
    p->is_busy = false;
    if (p->busy_previous != NONE)
        s->programs[p->busy_previous].busy_next = p->busy_next;
    else
        s->busy_first = p->busy_next;
    if (p->busy_next != NONE) s->programs[p->busy_next].busy_previous = p->busy_previous;
}

static void news_add(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (p->has_news) return;
    p->has_news = true;
    p->next_free = NONE;
    if (s->news_first == NONE)
        s->news_first = index;
    else
        s->programs[s->news_last].next_free = index;
    s->news_last = index;
}

static uint32_t program_new(struct spawner_state *s)
{
    uint32_t index = s->free_first;
    uint16_t generation;

    if (index != NONE)
        s->free_first = s->programs[index].next_free;
    else if (s->programs_used < SPAWNER_PROGRAMS_MAX)
        index = s->programs_used++;
    else
        return NONE;
    generation = (uint16_t)(s->programs[index].generation + 1);
    s->programs[index] = (struct program){.generation = generation, .group = NONE, .pid = -1};
    return index;
}

static void program_free(struct spawner_state *s, uint32_t index)
{
    table_remove(s, s->by_id, index);
    s->programs[index].phase = PHASE_FREE;
    s->programs[index].next_free = s->free_first;
    s->free_first = index;
}

/*
 * Control groups: a few are made as they are needed and used again; making one costs more than starting in one.
 */
static void groups_off(struct spawner_state *s)
{
    if (s->groups_fd >= 0) close(s->groups_fd);
    s->groups_fd = -1;
}

/* Makes the group of a slot. */
static bool group_make(struct spawner_state *s, uint32_t slot)
{
    char name[16];
    int fd;

    (void)snprintf(name, sizeof(name), "%u", ++s->group_number_last);
    fd = cgroup_make(s->groups_fd, name);
    if (fd < 0) return false;
    s->group_fds[slot] = fd;
    s->group_numbers[slot] = s->group_number_last;
    s->group_killed[slot] = false;
    return true;
}

static uint32_t group_take(struct spawner_state *s)
{
    uint32_t slot;

    if (s->groups_fd < 0) return NONE;
    if (s->groups_free_count > 0) {
        slot = s->groups_free[s->groups_free_count - 1];
        if (s->group_fds[slot] < 0 && !group_make(s, slot)) return NONE;
        s->groups_free_count--;
        return slot;
    }
    if (s->groups_made == s->groups_max || !group_make(s, s->groups_made)) return NONE;
    slot = s->groups_made++;
    /* Before Linux 5.14, not ours to write, no clone3, or one that kills (see below): from now on without. */
    if (slot == 0 &&
        (!cgroup_can_kill(s->group_fds[0]) || !spawner_exec_probe(s->group_fds[0], s->stack, STACK_SIZE))) {
        groups_off(s);
        return NONE;
    }
    return slot;
}

/*
 * A group that was killed once is not used again. Since Linux 6.14 a process that is born into a group compares a
 * counter of kills of its parent's group with that of its own and, when they differ, takes itself for one that slipped
 * through a kill. (For the same reason the probe: our own group may have such a past.)
 */
static void group_give_back(struct spawner_state *s, struct program *p)
{
    uint32_t slot = p->group;

    if (slot == NONE) return;
    p->group = NONE;
    if (s->group_killed[slot]) {
        char name[16];

        close(s->group_fds[slot]);
        s->group_fds[slot] = -1;
        (void)snprintf(name, sizeof(name), "%u", s->group_numbers[slot]);
        (void)unlinkat(s->groups_fd, name,
                       AT_REMOVEDIR); /* where it must wait for a zombie it goes with us at the end */
    }
    s->groups_free[s->groups_free_count++] = slot;
}

static int group_kill(struct spawner_state *s, struct program *p)
{
    s->group_killed[p->group] = true;
    return cgroup_kill(s->group_fds[p->group]);
}

/*
 * Starting.
 */
static void program_failed(struct spawner_state *s, uint32_t index, enum spawn_stage stage, int error)
{
    struct program *p = &s->programs[index];

    p->phase = PHASE_OVER;
    p->tell_failed = true;
    p->error = error;
    p->stage = stage;
    group_give_back(s, p);
    news_add(s, index);
    s->tell_at = 0;
}

/* Splits data into its strings. Returns false when it does not hold as many as it says (cannot be: we wrote it). */
static bool split_strings(char *data, size_t size, uint32_t count, char **ret)
{
    char *end = data + size;

    for (uint32_t i = 0; i < count; i++) {
        char *nul = data < end ? memchr(data, '\0', (size_t)(end - data)) : NULL;

        if (!nul) return false;
        ret[i] = data;
        data = nul + 1;
    }
    return true;
}

static void program_start(struct spawner_state *s, const struct spawner_message *message, char *data, const int fds[3],
                          int error)
{
    static const char attempt_name[] = "ORCH_ATTEMPT_ID=", mark_name[] = "ORCH_STORE=";
    uint32_t index = program_new(s), strings = 1 + message->argv_count + message->env_count, env_count = 0;
    /* strings[0] is the directory, [1] room for an interpreter, then argv, NULL, env, mark, NULL. */
    char **argv = s->strings + 2, **env = argv + message->argv_count + 1;
    struct spawner_exec exec;
    struct program *p;
    pid_t pid;

    if (index == NONE) return; /* the orchestrator's side counts and does not let it come to this */
    p = &s->programs[index];
    p->id = message->id;
    table_add(s, s->by_id, index);
    if (error != 0) {
        program_failed(s, index, SPAWN_STAGE_PREPARE, error);
        return;
    }
    if (!data || message->argv_count == 0 || strings + 4 > SPAWNER_STRINGS_MAX + 8 ||
        !split_strings(data, message->data_size, strings, s->strings)) {
        program_failed(s, index, SPAWN_STAGE_PREPARE, EINVAL);
        return;
    }
    memmove(env, s->strings + 1 + message->argv_count, message->env_count * sizeof(char *));
    memmove(argv, s->strings + 1, message->argv_count * sizeof(char *));
    argv[message->argv_count] = NULL;
    for (uint32_t i = 0; i < message->env_count; i++) {
        if (strncmp(env[i], mark_name, sizeof(mark_name) - 1) == 0) continue; /* ours is the one that counts */
        if (strncmp(env[i], attempt_name, sizeof(attempt_name) - 1) == 0) {
            p->attempt_hash = str_hash(str_from(env[i] + sizeof(attempt_name) - 1)) | 1;
        }
        env[env_count++] = env[i];
    }
    env[env_count++] = s->mark_env;
    env[env_count] = NULL;

    p->group = group_take(s);
    exec = (struct spawner_exec){.argv = argv,
                                 .env = env,
                                 .directory = s->strings[0],
                                 .fds = {fds[0], fds[1], fds[2]},
                                 .cgroup_fd = p->group == NONE ? -1 : s->group_fds[p->group],
                                 .parent = s->self,
                                 .tag = s->tag_base | (uint64_t)p->generation << 16 | index,
                                 .tag_max = s->tag_max,
                                 .stack = s->stack,
                                 .stack_size = STACK_SIZE};
    pid = spawner_exec(&exec);
    if (pid < 0 && exec.cgroup_failed) { /* no clone3 here (seccomp), or no right to it: from now on without */
        groups_off(s);
        group_give_back(s, p);
        s->groups_free_count = 0;
        exec.cgroup_fd = -1;
        pid = spawner_exec(&exec);
    }
    if (pid < 0) {
        program_failed(s, index, exec.stage, exec.error);
        return;
    }
    p->pid = pid;
    p->phase = PHASE_RUNNING;
    p->tell_started = true;
    table_add(s, s->by_pid, index);
    s->programs_alive++;
    news_add(s, index);
    if (s->tell_at == ORCH_TIME_NEVER) s->tell_at = clock_monotonic() + TELL_START_US;
}

/*
 * Who is left.
 */

/* The program that a process belongs to, or NONE. Not fast: for those that are no program's first process. */
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
    attempt = scan_environ(pid, "ORCH_ATTEMPT_ID=", s->environ_buf, 64 * 1024);
    if (attempt) hash = str_hash(str_from(attempt)) | 1;
    group = getpgid(pid);
    session = getsid(pid);
    for (uint32_t i = 0; i < s->programs_used; i++) {
        const struct program *p = &s->programs[i];

        if (p->phase == PHASE_FREE || p->phase == PHASE_OVER) continue;
        if ((hash && p->attempt_hash == hash) || p->pid == group || p->pid == session) return i;
    }
    return NONE;
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
    ssize_t size;

    s->round++;
    s->strays = 0;
    if (s->children_fd < 0 || lseek(s->children_fd, 0, SEEK_SET) != 0) return true;
    while ((size = read(s->children_fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            uint32_t owner;

            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            if (pid == 0) continue;
            if (table_find(s, s->by_pid, (uint64_t)pid) == NONE) { /* an orphan */
                if (waitpid(pid, NULL, WNOHANG) == pid) {
                    complete = false;
                } else {
                    owner = owner_of(s, pid);
                    if (owner == NONE &&
                        s->programs_alive == 1) { /* no mark at all, but nobody else can have left it */
                        for (owner = 0;
                             s->programs[owner].phase == PHASE_FREE || s->programs[owner].phase == PHASE_OVER;)
                            owner++;
                    }
                    if (owner == NONE) {
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
    }
    return complete;
}

static void program_over(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    p->phase = PHASE_OVER;
    p->tell_ended = true;
    s->programs_alive--;
    busy_remove(s, index);
    group_give_back(s, p);
    news_add(s, index);
    s->tell_at = 0;
}

static void look(struct spawner_state *s, orch_time now)
{
    uint32_t next;
    int passes = 0;
    bool had_programs = s->programs_alive > 0;

    s->look = false;
    if (s->busy_first == NONE && s->programs_alive > 0) return;
    while (!look_at_children(s) && ++passes < 100) {
    }
    if (passes == 100) s->look = true; /* somebody forks and dies as fast as we look: come back at once */
    for (uint32_t i = s->busy_first; i != NONE; i = next) {
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

static void reap(struct spawner_state *s)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        uint32_t index;

        if (pid <= 0) return;
        s->look = true;
        index = table_find(s, s->by_pid, (uint64_t)pid);
        if (index == NONE) continue;
        table_remove(s, s->by_pid, index);
        s->programs[index].exited = true;
        s->programs[index].status = status;
        s->programs[index].cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        s->programs[index].memory_peak = (uint64_t)usage.ru_maxrss * 1024;
        busy_add(s, index);
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
        uint32_t owner = table_find(s, s->by_pid, (uint64_t)process->pid);

        if (owner == NONE) owner = table_find(s, s->by_pid, (uint64_t)process->group);
        if (owner == NONE) {
            uint64_t tag = scan_tag(process->pid);

            if (process->parent == s->self || (tag && scan_tag_store_of(tag) == s->tag_base))
                owner = owner_of(s, process->pid);
            if (owner == NONE && process->parent == s->self && s->programs_alive == 1) {
                for (owner = 0; s->programs[owner].phase == PHASE_FREE || s->programs[owner].phase == PHASE_OVER;)
                    owner++;
            }
        }
        if (owner != NONE) process->owner = (int32_t)owner;
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

    for (uint32_t i = s->busy_first; i != NONE; i = s->programs[i].busy_next) {
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

    for (uint32_t i = s->busy_first; i != NONE; i = s->programs[i].busy_next) {
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
    for (uint32_t i = s->busy_first; i != NONE; i = s->programs[i].busy_next) {
        s->programs[i].sweep_term = s->programs[i].sweep_kill = false;
    }
}

static void program_term(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];
    int signal = SIGTERM;

    busy_add(s, index);
    p->phase = PHASE_ENDING;
    if (p->group == NONE) {
        p->sweep_term = true;
        return;
    }
    cgroup_each(s->group_fds[p->group], signal_one, &signal);
    signal = SIGCONT;
    cgroup_each(s->group_fds[p->group], signal_one, &signal);
}

static void program_kill(struct spawner_state *s, uint32_t index, orch_time now)
{
    struct program *p = &s->programs[index];

    busy_add(s, index);
    if (p->phase != PHASE_KILLING)
        p->again_us = KILL_AGAIN_US;
    else if (p->again_us < KILL_AGAIN_MAX_US)
        p->again_us *= 2;
    p->deadline = now + p->again_us;
    p->phase = PHASE_KILLING;
    s->look = true;
    /* The first blow at a control group is enough unless something left it, which shows when the blow is repeated. */
    if (p->group == NONE || group_kill(s, p) != 0 || p->again_us > KILL_AGAIN_US) p->sweep_kill = true;
}

static void program_stop(struct spawner_state *s, uint64_t id, orch_time grace_us, orch_time now)
{
    uint32_t index = table_find(s, s->by_id, id);
    struct program *p;
    orch_time deadline;

    if (index == NONE || s->programs[index].phase == PHASE_OVER) return;
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
static orch_time act(struct spawner_state *s)
{
    orch_time now = clock_monotonic(), next_due = ORCH_TIME_NEVER;
    uint32_t next;

    if (s->look) look(s, now);
    if (s->busy_first == NONE) return s->look ? now : ORCH_TIME_NEVER;
    for (uint32_t i = s->busy_first; i != NONE; i = next) {
        struct program *p = &s->programs[i];

        next = p->busy_next;
        if (p->phase == PHASE_RUNNING || p->deadline > now) continue;
        if (p->phase == PHASE_LINGER) {
            p->left_behind = p->seen_count;
            program_term(s, i);
            p->deadline = now + SPAWN_LEFT_GRACE_US;
        } else {
            program_kill(s, i, now);
        }
    }
    sweep(s);
    if (s->look) look(s, now);
    for (uint32_t i = s->busy_first; i != NONE; i = s->programs[i].busy_next) {
        if (s->programs[i].phase != PHASE_RUNNING && s->programs[i].deadline < next_due)
            next_due = s->programs[i].deadline;
    }
    return s->look ? now : next_due;
}

/*
 * The socket.
 */

/*
 * That something was started is no news that anybody waits for, and most programs have ended before it is told: it
 * waits a moment for company, which saves a message and a wake-up for each short program.
 */
static void send_news(struct spawner_state *s)
{
    if (s->news_first == NONE && s->acks == 0) return;
    if (s->acks == 0 && s->tell_at > clock_monotonic()) return;
    s->tell_at = ORCH_TIME_NEVER;
    while (!s->closing && (s->news_first != NONE || s->acks > 0)) {
        struct spawner_packet packet;
        uint32_t index, taken = 0;
        ssize_t sent;

        packet.count = 0;
        for (index = s->news_first; index != NONE && packet.count + 2 <= SPAWNER_PACKET_NEWS;
             index = s->programs[index].next_free) {
            const struct program *p = &s->programs[index];

            taken++;
            if (p->tell_started)
                packet.news[packet.count++] = (struct spawn_news){.type = SPAWN_STARTED, .id = p->id, .pid = p->pid};
            if (p->tell_failed) {
                packet.news[packet.count++] =
                    (struct spawn_news){.type = SPAWN_FAILED, .id = p->id, .error = p->error, .stage = p->stage};
            }
            if (p->tell_ended) {
                packet.news[packet.count++] = (struct spawn_news){
                    .type = SPAWN_ENDED,
                    .id = p->id,
                    .pid = p->pid,
                    .exit_code = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : -1,
                    .signal = WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0,
                    .core_dumped = WIFSIGNALED(p->status) && WCOREDUMP(p->status),
                    .stopped = p->stopped,
                    .cpu_us = p->cpu_us,
                    .memory_peak = p->memory_peak,
                    .left_behind = p->left_behind,
                };
            }
        }
        do {
            sent = send(s->fd, &packet, offsetof(struct spawner_packet, news) + packet.count * sizeof(packet.news[0]),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0) {
            if (errno == EAGAIN || errno == ENOBUFS)
                s->send_full = true;
            else
                s->closing = true;
            s->tell_at = 0; /* as soon as there is room */
            return;
        }
        s->acks = 0;
        while (taken-- > 0) {
            struct program *p;

            index = s->news_first;
            p = &s->programs[index];
            s->news_first = p->next_free;
            p->has_news = p->tell_started = false;
            if (p->phase == PHASE_OVER) program_free(s, index);
        }
    }
}

/* Takes one message; false when there is none. */
static bool take_message(struct spawner_state *s)
{
    struct spawner_message message;
    struct iovec parts[2] = {{&message, sizeof(message)}, {s->inline_data, SPAWNER_INLINE_MAX}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    struct msghdr header = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
    int received[4] = {-1, -1, -1, -1}, received_count = 0, used = 0, fds[3] = {-1, -1, -1};
    ssize_t size = recvmsg(s->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    char *data = s->inline_data;

    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) s->closing = true;
        return false;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        received_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(received, CMSG_DATA(c), (size_t)received_count * sizeof(int));
    }
    if (size == 0) { /* the other end is closed */
        s->closing = true;
        return false;
    }
    if ((size_t)size >= sizeof(message)) {
        if (message.type == SPAWNER_STOP) {
            reap(s); /* one that has exited was not stopped */
            program_stop(s, message.id, message.grace_us, clock_monotonic());
            s->acks++;
        } else if (message.data_size <= SPAWNER_DATA_MAX) {
            int error = 0;

            for (int i = 0; i < 3; i++) {
                if (!message.has_fd[i]) continue;
                if (used < received_count)
                    fds[i] = received[used++];
                else
                    error = EMFILE; /* cut off on the way: we have no room for more */
            }
            if (message.has_memfd) {
                size_t at = 0;

                data = NULL;
                if (used < received_count) {
                    ssize_t got = 1;

                    while (at < message.data_size && got > 0) {
                        got = pread(received[used], s->data + at, message.data_size - at, (off_t)at);
                        if (got > 0) at += (size_t)got;
                    }
                    if (at == message.data_size) data = s->data;
                }
            } else if ((size_t)size != sizeof(message) + message.data_size) {
                data = NULL;
            }
            program_start(s, &message, data, fds, error);
        }
    }
    for (int i = 0; i < received_count; i++) close(received[i]);
    return true;
}

/*
 * Beginning and end.
 */
static void *map_room(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) _exit(1); /* the orchestrator sees the socket close */
    return room;
}

static void close_others(int from)
{
    if (syscall(SYS_close_range, (unsigned)from, ~0u, 0) == 0) return;
    /* Before Linux 5.9. */
    long limit = sysconf(_SC_OPEN_MAX);

    if (limit < 0 || limit > 1048576) limit = 1048576;
    for (int fd = from; fd < limit; fd++) close(fd);
}

static void open_groups(struct spawner_state *s, const struct spawner_setup *setup)
{
    char prefix[32];
    struct rlimit files;

    s->home_fd = s->groups_fd = -1;
    if (!setup->cgroup_home) return;
    s->groups_max = GROUPS_MAX; /* a descriptor each: leave half of what there may be to others */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < s->groups_max)
        s->groups_max = (uint32_t)(files.rlim_cur / 2);
    s->home_fd = open(setup->cgroup_home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->home_fd < 0) return;
    cgroup_prefix(setup->mark, prefix);
    (void)snprintf(s->groups_name, sizeof(s->groups_name), "%s%d", prefix, (int)s->self);
    s->groups_fd = cgroup_make(s->home_fd, s->groups_name);
}

static void open_state(struct spawner_state *s, const struct spawner_setup *setup)
{
    const uint64_t usual[8] = {0}; /* the kernel's own struct, at least: SIG_DFL, no flags, empty mask */
    struct rlimit limit;
    sigset_t wanted;
    int null;

    *s = (struct spawner_state){.parent = setup->parent,
                                .self = getpid(),
                                .free_first = NONE,
                                .busy_first = NONE,
                                .news_first = NONE,
                                .tell_at = ORCH_TIME_NEVER,
                                .round = 1};
    /* What the orchestrator ignores would be ignored in programs too; its handlers mean nothing here. Past the C
     * library, which keeps two signals to itself and whose posix_spawn leaves one of them ignored (make starts us so).
     */
    for (int signal = 1; signal < NSIG; signal++) (void)syscall(SYS_rt_sigaction, signal, usual, NULL, (NSIG - 1) / 8);
    /* Away from the terminal: Ctrl-C is the orchestrator's affair, and a program that opens /dev/tty fails rather than
     * being stopped for ever. */
    (void)setsid();
    (void)prctl(PR_SET_NAME, "orch-spawner", 0, 0, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) _exit(1);
    /* The socket tells of the orchestrator's death, unless a child it forked holds the other end: then this signal
     * does. */
    (void)prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);

    /* Descriptors: 0-2 /dev/null, 3 the socket. All others are closed, above all those that carry locks of the store.
     */
    if (setup->fd != 3 && dup2(setup->fd, 3) < 0) _exit(1);
    close_others(4);
    null = open("/dev/null", O_RDWR);
    if (null < 0) _exit(1);
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(null, fd) < 0) _exit(1);
    }
    if (null > 2) close(null);
    (void)fcntl(3, F_SETFD, FD_CLOEXEC);
    s->fd = 3;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGUSR2);
    s->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0) _exit(1);
    s->children_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

    s->programs = map_room(SPAWNER_PROGRAMS_MAX * sizeof(struct program));
    s->by_id = map_room(HASH_SIZE * sizeof(uint32_t));
    s->by_pid = map_room(HASH_SIZE * sizeof(uint32_t));
    s->group_fds = map_room(GROUPS_MAX * sizeof(int));
    s->group_numbers = map_room(GROUPS_MAX * sizeof(uint32_t));
    s->group_killed = map_room(GROUPS_MAX * sizeof(bool));
    s->groups_free = map_room(GROUPS_MAX * sizeof(uint32_t));
    s->data = map_room(SPAWNER_DATA_MAX);
    s->inline_data = map_room(SPAWNER_INLINE_MAX);
    s->strings = map_room((SPAWNER_STRINGS_MAX + 16) * sizeof(char *));
    s->stack = map_room(STACK_SIZE);
    s->environ_buf = map_room(64 * 1024);
    if (scan_open(&s->scan, SCAN_MAX) != 0 || scan_open(&s->scan_before, SCAN_MAX) != 0) _exit(1);

    s->tag_base = scan_tag_store(setup->mark);
    s->tag_max = getrlimit(RLIMIT_RTTIME, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
    (void)snprintf(s->mark_env, sizeof(s->mark_env), "ORCH_STORE=%.*s", (int)setup->mark.size,
                   setup->mark.data ? setup->mark.data : "");
    open_groups(s, setup);
}

static void read_signals(struct spawner_state *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        /* The death of the thread that forked us is no death of the process, unless we have another parent now. */
        if (info.ssi_signo == SIGUSR2 && getppid() != s->parent) s->closing = true;
    }
}

/* Everything is to end: told once, and to what is started no more. */
static void end_everything(struct spawner_state *s)
{
    orch_time now = clock_monotonic();

    for (uint32_t i = 0; i < s->programs_used; i++) {
        struct program *p = &s->programs[i];

        if (p->phase == PHASE_RUNNING || p->phase == PHASE_LINGER || p->phase == PHASE_ENDING) program_kill(s, i, now);
    }
    s->look = true;
}

static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

_Noreturn void spawner_run(const struct spawner_setup *setup)
{
    struct spawner_state state, *s = &state;
    bool ended = false;

    open_state(s, setup);
    if (getppid() != s->parent) s->closing = true; /* it died while we began */
    for (;;) {
        struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->signal_fd, .events = POLLIN}};
        orch_time due;
        struct timespec wait;
        bool more = !s->closing && take_message(s);

        reap(s);
        if (s->closing && !ended) {
            ended = true;
            end_everything(s);
        }
        if (s->closing && s->programs_alive == 0) {
            if (!has_children()) break;
            s->look = true; /* strays: without a program alive each look kills them */
        }
        due = act(s);
        s->send_full = false;
        send_news(s);
        if (more) continue;
        if (s->closing) {
            orch_time soon = clock_monotonic() + KILL_AGAIN_US;

            fds[0].fd = -1;
            if (due > soon) due = soon;
        }
        if (s->send_full)
            fds[0].events |= POLLOUT;
        else if (!s->closing && s->tell_at < due)
            due = s->tell_at;
        if (due != ORCH_TIME_NEVER) {
            orch_time left = due - clock_monotonic();

            if (left < 0) left = 0;
            wait =
                (struct timespec){.tv_sec = (time_t)(left / ORCH_SECOND), .tv_nsec = (long)(left % ORCH_SECOND) * 1000};
        }
        if (ppoll(fds, 2, due == ORCH_TIME_NEVER ? NULL : &wait, NULL) > 0 && fds[1].revents) read_signals(s);
    }
    if (s->groups_made > 0 || s->groups_fd >= 0) {
        (void)cgroup_remove(s->home_fd, s->groups_name, clock_monotonic() + ORCH_SECOND);
    }
    _exit(0);
}
