/*
 * spawner.h - what the two sides of the spawner's socket say to each other. (Internal to sys.)
 *
 * The socket is SOCK_SEQPACKET: a message is a message. Both sides are one program of one build, so structs are sent as
 * they are.
 */
#ifndef SYS_SPAWNER_H
#define SYS_SPAWNER_H

#include <sys/types.h>

#include "sys/process.h"

#define SPAWNER_PROGRAMS_MAX 65536       /* running at once */
#define SPAWNER_DATA_MAX     (2u << 20)  /* argv, env and directory of one program, with their NULs */
#define SPAWNER_STRINGS_MAX  131072      /* argv and env of one program */
#define SPAWNER_INLINE_MAX   (32u << 10) /* larger data comes in a memfd */
#define SPAWNER_PACKET_NEWS  32

enum spawner_message_type { SPAWNER_START, SPAWNER_STOP };

/*
 * START: followed by data_size bytes, each string with its NUL: working directory, argv, env; or, with has_memfd, these
 * are in the memfd, which is the last of the descriptors that come along.
 */
struct spawner_message {
    uint32_t type;
    uint32_t argv_count;
    uint32_t env_count;
    uint32_t data_size;
    uint64_t id;
    orch_time grace_us; /* STOP */
    bool has_fd[3];     /* stdin, stdout, stderr come along, in this order */
    bool has_memfd;
};

/* The answer to a STOP is an empty packet: it only makes the socket readable, so that a queue on the orchestrator's
 * side moves on. */
struct spawner_packet {
    uint32_t count;
    struct spawn_news news[SPAWNER_PACKET_NEWS];
};

struct spawner_setup {
    int fd; /* the spawner's end */
    pid_t parent;
    struct orch_str mark;
    const char *cgroup_home; /* NULL: none */
};

/* The life of the spawner; runs in a fresh child with all signals blocked, allocates nothing from the heap. */
_Noreturn void spawner_run(const struct spawner_setup *setup);

/*
 * spawner_exec.c: one program started by vfork.
 */
struct spawner_exec {
    char **argv; /* argv[-1] is writable: room for an interpreter in front */
    char **env;
    const char *directory; /* empty: where we are */
    int fds[3];            /* -1: stays as it is (/dev/null) */
    int cgroup_fd;         /* -1: none */
    pid_t parent;          /* the spawner's pid */
    uint64_t tag;          /* RLIMIT_RTTIME; see scan.h */
    uint64_t tag_max;      /* the hard limit, kept */
    char *stack;           /* of the child until it execs */
    size_t stack_size;
    /* Outcome. */
    volatile int error; /* errno; 0: it runs */
    volatile enum spawn_stage stage;
    bool cgroup_failed; /* it was the control group that could not be joined; nothing was started */
};
/* Returns the pid, or -1 with error and stage set. */
pid_t spawner_exec(struct spawner_exec *exec);
/* Whether a process can be born into a control group, and lives. */
bool spawner_exec_probe(int cgroup_fd, char *stack, size_t stack_size);

#endif
