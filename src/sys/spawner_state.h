/*
 * spawner_state.h - what the spawner knows of its programs. (Internal to the spawner: its process and no other has
 * one.)
 *
 * spawner.c is its life (socket, starting, loop), spawner_table.c its tables and control groups, spawner_end.c waiting
 * for programs and ending them, spawner_exec.c the birth of one.
 */
#ifndef SYS_SPAWNER_STATE_H
#define SYS_SPAWNER_STATE_H

#include "sys/scan.h"
#include "sys/spawner.h"

#define SPAWNER_NONE          UINT32_MAX
#define SPAWNER_HASH_SIZE     (2 * SPAWNER_PROGRAMS_MAX) /* a power of two */
#define SPAWNER_GROUPS_MAX    1024 /* control groups kept open; more programs at once go without */
#define SPAWNER_STACK_SIZE    (128u << 10)
#define SPAWNER_ENVIRON_SIZE  (64u << 10)
#define SPAWNER_KILL_AGAIN_US (10 * ORCH_MILLISECOND)

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
    uint32_t group;      /* control group slot, or SPAWNER_NONE */
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
    uint32_t *by_id, *by_pid; /* SPAWNER_HASH_SIZE each: index + 1, linear probing */
    uint32_t round;
    uint32_t strays; /* children in the last look that belong to nobody we know */
    int *group_fds;  /* SPAWNER_GROUPS_MAX */
    uint32_t groups_made, groups_max;
    uint32_t group_number_last;
    uint32_t *group_numbers; /* SPAWNER_GROUPS_MAX: the name of the group in a slot */
    bool *group_killed;      /* SPAWNER_GROUPS_MAX */
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
 * spawner_table.c
 */
/* The program with this key in by_id or by_pid, or SPAWNER_NONE. */
uint32_t spawner_find(const struct spawner_state *s, const uint32_t *table, uint64_t key);
void spawner_index(struct spawner_state *s, uint32_t *table, uint32_t index);
void spawner_unindex(struct spawner_state *s, uint32_t *table, uint32_t index);
/* The list of programs that exited or are being ended; adding twice is fine. */
void spawner_busy_add(struct spawner_state *s, uint32_t index);
void spawner_busy_remove(struct spawner_state *s, uint32_t index);
/* The list of programs with news to tell, in order. */
void spawner_news_add(struct spawner_state *s, uint32_t index);
uint32_t spawner_program_new(struct spawner_state *s); /* SPAWNER_NONE when full */
void spawner_program_free(struct spawner_state *s, uint32_t index);
/* A control group for a program, SPAWNER_NONE when it goes without. */
uint32_t spawner_group_take(struct spawner_state *s);
void spawner_group_give_back(struct spawner_state *s, struct program *p);
int spawner_group_kill(struct spawner_state *s, struct program *p); /* 0 or an errno */
void spawner_groups_off(struct spawner_state *s);

/*
 * spawner_end.c
 */
/* Waits for everybody who is dead. */
void spawner_reap(struct spawner_state *s);
void spawner_stop_program(struct spawner_state *s, uint64_t id, orch_time grace_us, orch_time now);
void spawner_kill_program(struct spawner_state *s, uint32_t index, orch_time now);
/* Does what is due: looks who is left, tells to end, kills. Returns when to come back. */
orch_time spawner_act(struct spawner_state *s);

#endif
