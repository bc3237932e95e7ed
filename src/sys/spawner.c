/*
 * spawner.c - the life of the spawner: starts programs, tells of them, and goes when the orchestrator does.
 *
 * It lives after a fork of a program that may have had threads, so it takes nothing from the heap: its tables are
 * mapped once. It has one thread and blocks every signal (they come through a descriptor).
 */
#include "sys/spawner_state.h"

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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/clock.h"

#define SCAN_MAX      262144
#define TELL_START_US (20 * ORCH_MILLISECOND) /* see send_news */

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
    spawner_group_give_back(s, p);
    spawner_news_add(s, index);
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
    uint32_t index = spawner_program_new(s), strings = 1 + message->argv_count + message->env_count, env_count = 0;
    /* strings[0] is the directory, [1] room for an interpreter, then argv, NULL, env, mark, NULL. */
    char **argv = s->strings + 2, **env = argv + message->argv_count + 1;
    struct spawner_exec exec;
    struct program *p;
    pid_t pid;

    if (index == SPAWNER_NONE) return; /* the orchestrator's side counts and does not let it come to this */
    p = &s->programs[index];
    p->id = message->id;
    spawner_index(s, s->by_id, index);
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

    p->group = spawner_group_take(s);
    exec = (struct spawner_exec){.argv = argv,
                                 .env = env,
                                 .directory = s->strings[0],
                                 .fds = {fds[0], fds[1], fds[2]},
                                 .cgroup_fd = p->group == SPAWNER_NONE ? -1 : s->group_fds[p->group],
                                 .parent = s->self,
                                 .tag = s->tag_base | (uint64_t)p->generation << 16 | index,
                                 .tag_max = s->tag_max,
                                 .stack = s->stack,
                                 .stack_size = SPAWNER_STACK_SIZE};
    pid = spawner_exec(&exec);
    if (pid < 0 && exec.cgroup_failed) { /* no clone3 here (seccomp), or no right to it: from now on without */
        spawner_groups_off(s);
        spawner_group_give_back(s, p);
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
    spawner_index(s, s->by_pid, index);
    s->programs_alive++;
    spawner_news_add(s, index);
    if (s->tell_at == ORCH_TIME_NEVER) s->tell_at = clock_monotonic() + TELL_START_US;
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
    if (s->news_first == SPAWNER_NONE && s->acks == 0) return;
    if (s->acks == 0 && s->tell_at > clock_monotonic()) return;
    s->tell_at = ORCH_TIME_NEVER;
    while (!s->closing && (s->news_first != SPAWNER_NONE || s->acks > 0)) {
        struct spawner_packet packet;
        uint32_t index, taken = 0;
        ssize_t sent;

        packet.count = 0;
        for (index = s->news_first; index != SPAWNER_NONE && packet.count + 2 <= SPAWNER_PACKET_NEWS;
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
            if (p->phase == PHASE_OVER) spawner_program_free(s, index);
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
            spawner_reap(s); /* one that has exited was not stopped */
            spawner_stop_program(s, message.id, message.grace_us, clock_monotonic());
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
    s->groups_max = SPAWNER_GROUPS_MAX; /* a descriptor each: leave half of what there may be to others */
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
                                .free_first = SPAWNER_NONE,
                                .busy_first = SPAWNER_NONE,
                                .news_first = SPAWNER_NONE,
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
    s->by_id = map_room(SPAWNER_HASH_SIZE * sizeof(uint32_t));
    s->by_pid = map_room(SPAWNER_HASH_SIZE * sizeof(uint32_t));
    s->group_fds = map_room(SPAWNER_GROUPS_MAX * sizeof(int));
    s->group_numbers = map_room(SPAWNER_GROUPS_MAX * sizeof(uint32_t));
    s->group_killed = map_room(SPAWNER_GROUPS_MAX * sizeof(bool));
    s->groups_free = map_room(SPAWNER_GROUPS_MAX * sizeof(uint32_t));
    s->data = map_room(SPAWNER_DATA_MAX);
    s->inline_data = map_room(SPAWNER_INLINE_MAX);
    s->strings = map_room((SPAWNER_STRINGS_MAX + 16) * sizeof(char *));
    s->stack = map_room(SPAWNER_STACK_SIZE);
    s->environ_buf = map_room(SPAWNER_ENVIRON_SIZE);
    if (scan_open(&s->scan, SCAN_MAX) != 0 || scan_open(&s->scan_before, SCAN_MAX) != 0) _exit(1);

    s->tag_base = scan_tag_store(setup->mark);
    s->tag_max = getrlimit(RLIMIT_RTTIME, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
    /* Ours as well: one that was stopped when the orchestrator died is found by the next life. Refused where the hard
     * limit is small. */
    limit = (struct rlimit){.rlim_cur = s->tag_base | SCAN_TAG_SPAWNER, .rlim_max = s->tag_max};
    (void)setrlimit(RLIMIT_RTTIME, &limit);
    (void)snprintf(s->mark_env, sizeof(s->mark_env), "ORCH_STORE=%.*s", (int)setup->mark.size,
                   setup->mark.data ? setup->mark.data : "");
    open_groups(s, setup);
}

/* There are two signals, and each waits once: one read takes them all. */
static void read_signals(struct spawner_state *s)
{
    struct signalfd_siginfo infos[4];
    ssize_t size = read(s->signal_fd, infos, sizeof(infos));

    for (size_t i = 0; size > 0 && i < (size_t)size / sizeof(infos[0]); i++) {
        /* The death of the thread that forked us is no death of the process, unless we have another parent now. */
        if (infos[i].ssi_signo == SIGUSR2 && getppid() != s->parent) s->closing = true;
    }
}

/* Everything is to end: told once, and to what is started no more. */
static void end_everything(struct spawner_state *s)
{
    orch_time now = clock_monotonic();

    for (uint32_t i = 0; i < s->programs_used; i++) {
        struct program *p = &s->programs[i];

        if (p->phase == PHASE_RUNNING || p->phase == PHASE_LINGER || p->phase == PHASE_ENDING)
            spawner_kill_program(s, i, now);
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
    bool ended = false, has_message = false, has_signal = false;

    open_state(s, setup);
    if (getppid() != s->parent) s->closing = true; /* it died while we began */
    for (;;) {
        struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->signal_fd, .events = POLLIN}};
        orch_time due;
        struct timespec wait;

        /* Only what poll has told of is asked for: each question costs as much as a tenth of a program's start. */
        if (has_message && !s->closing) (void)take_message(s);
        if (has_signal || s->closing) spawner_reap(s);
        if (s->closing && !ended) {
            ended = true;
            end_everything(s);
        }
        if (s->closing && s->programs_alive == 0) {
            if (!has_children()) break;
            s->look = true; /* strays: without a program alive each look kills them */
        }
        due = spawner_act(s);
        s->send_full = false;
        send_news(s);
        if (s->closing) {
            orch_time soon = clock_monotonic() + SPAWNER_KILL_AGAIN_US;

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
        if (ppoll(fds, 2, due == ORCH_TIME_NEVER ? NULL : &wait, NULL) <= 0) fds[0].revents = fds[1].revents = 0;
        has_message = fds[0].revents & ~POLLOUT;
        has_signal = fds[1].revents;
        if (has_signal) read_signals(s);
    }
    if (s->groups_made > 0 || s->groups_fd >= 0) {
        (void)cgroup_remove(s->home_fd, s->groups_name, clock_monotonic() + ORCH_SECOND);
    }
    _exit(0);
}
