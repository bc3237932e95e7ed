/*
 * process.c - the orchestrator's side of the spawner.
 *
 * Nothing here waits, except closing: what the socket cannot take at once is queued, and goes on with the next news.
 * News always come: every start and every stop has an answer.
 */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/cgroup.h"
#include "sys/clock.h"
#include "sys/scan.h"
#include "sys/spawner.h"

#define CLOSE_WAIT_US     (5 * ORCH_SECOND)
#define CLOSE_LOOK_US     (100 * ORCH_MILLISECOND) /* between two looks whether the spawner has been stopped */
#define CLOSE_STOPPED_MAX 2

/* A message that the socket could not take; its data follow it. */
struct queued {
    struct queued *next;
    size_t size; /* of message and inline data */
    int fds[4];  /* duplicates of ours */
    int fd_count;
    char bytes[];
};

struct spawner {
    int fd;
    pid_t pid;
    bool gone;        /* its end is closed */
    uint32_t running; /* started or to be, whose end was not told yet */
    struct queued *queue_first, *queue_last;
    struct spawner_packet packet;
    uint32_t packet_at; /* next of packet.news */
    struct buf buf;     /* for building messages */
};

int spawner_open(const struct spawner_options *options, struct spawner **ret, struct orch_error *err)
{
    struct spawner *spawner;
    struct spawner_setup setup = {.parent = getpid(), .mark = options->mark};
    struct arena arena;
    struct orch_str home;
    sigset_t all, before;
    int fds[2];
    pid_t pid;

    if (options->mark.size > 4096 || (options->mark.size > 0 && memchr(options->mark.data, '\0', options->mark.size))) {
        return error_set(err, ORCH_ERR_INVALID, "the mark of a spawner is a text of at most 4096 bytes");
    }
    spawner = mem_resize(NULL, NULL, 0, sizeof(*spawner));
    if (!spawner) return error_memory(err);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        int code = errno;

        (void)mem_resize(NULL, spawner, sizeof(*spawner), 0);
        return error_errno(err, code, "cannot make a socket for the spawner");
    }
    arena_init(&arena, NULL, 64 << 20);
    if (options->use_cgroup && cgroup_find_home(&arena, &home, NULL) == 0) setup.cgroup_home = home.data;
    setup.fd = fds[1];
    /* Blocked before the fork, so that no handler of ours ever runs in the child. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        spawner_run(&setup);
    }
    int code = errno;

    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    arena_done(&arena);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        (void)mem_resize(NULL, spawner, sizeof(*spawner), 0);
        return error_errno(err, code, "cannot fork the spawner");
    }
    *spawner = (struct spawner){.fd = fds[0], .pid = pid};
    buf_init(&spawner->buf, NULL, sizeof(struct spawner_message) + SPAWNER_DATA_MAX);
    *ret = spawner;
    return 0;
}

int spawner_fd(const struct spawner *spawner)
{
    return spawner->fd;
}

static struct queued *queued_free(struct queued *queued)
{
    for (int i = 0; i < queued->fd_count; i++) close(queued->fds[i]);
    (void)mem_resize(NULL, queued, sizeof(*queued) + queued->size, 0);
    return NULL;
}

/* 0 sent, EAGAIN: not now, or another errno. */
static int send_now(const struct spawner *spawner, const char *bytes, size_t size, const int *fds, int fd_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd_count > 0) {
        struct cmsghdr *c;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
        c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t)fd_count * sizeof(int));
    }
    do {
        sent = sendmsg(spawner->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return 0;
    return errno == ENOBUFS || errno == ETOOMANYREFS ? EAGAIN : errno;
}

static void send_queue(struct spawner *spawner)
{
    while (spawner->queue_first) {
        struct queued *first = spawner->queue_first;
        int result = send_now(spawner, first->bytes, first->size, first->fds, first->fd_count);

        if (result == EAGAIN) return;
        if (result != 0) spawner->gone = true;
        spawner->queue_first = first->next;
        if (!spawner->queue_first) spawner->queue_last = NULL;
        (void)queued_free(first);
    }
}

/* Sends, or queues with descriptors of its own. */
static int send_or_queue(struct spawner *spawner, const char *bytes, size_t size, const int *fds, int fd_count,
                         struct orch_error *err)
{
    struct queued *queued;

    if (spawner->gone) return error_set(err, ORCH_ERR_IO, "the process spawner is gone");
    send_queue(spawner);
    if (!spawner->queue_first) {
        int result = send_now(spawner, bytes, size, fds, fd_count);

        if (result == 0) return 0;
        if (result != EAGAIN) {
            if (result == EPIPE || result == ECONNRESET || result == ENOTCONN) spawner->gone = true;
            return error_set(err, ORCH_ERR_IO, "cannot reach the process spawner: %s", strerror(result));
        }
    }
    queued = mem_resize(NULL, NULL, 0, sizeof(*queued) + size);
    if (!queued) return error_memory(err);
    *queued = (struct queued){.size = size};
    memcpy(queued->bytes, bytes, size);
    for (; queued->fd_count < fd_count; queued->fd_count++) {
        int fd = fcntl(fds[queued->fd_count], F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            int code = errno;

            (void)queued_free(queued);
            return error_errno(err, code, "cannot keep a descriptor for a program");
        }
        queued->fds[queued->fd_count] = fd;
    }
    if (spawner->queue_last)
        spawner->queue_last->next = queued;
    else
        spawner->queue_first = queued;
    spawner->queue_last = queued;
    return 0;
}

static int memfd_of(struct orch_str data, struct orch_error *err)
{
    int fd = memfd_create("orch-arguments", MFD_CLOEXEC);
    size_t at = 0;

    if (fd < 0) return error_errno(err, errno, "cannot make room for the arguments of a program");
    while (at < data.size) {
        ssize_t written = write(fd, data.data + at, data.size - at);

        if (written >= 0) {
            at += (size_t)written;
        } else if (errno != EINTR) {
            int code = errno;

            close(fd);
            return error_errno(err, code, "cannot store the arguments of a program");
        }
    }
    return fd;
}

static bool add_string(struct buf *buf, struct orch_str s)
{
    if (s.size > 0 && memchr(s.data, '\0', s.size)) return false;
    buf_add(buf, s);
    buf_add_char(buf, '\0');
    return true;
}

int spawner_start(struct spawner *spawner, const struct spawn_request *request, struct orch_error *err)
{
    struct spawner_message message = {.type = SPAWNER_START, .id = request->id};
    const int wanted[3] = {request->stdin_fd, request->stdout_fd, request->stderr_fd};
    struct buf *buf = &spawner->buf;
    size_t size;
    int fds[4], fd_count = 0, result;
    bool valid;

    if (request->argv_count == 0) return error_set(err, ORCH_ERR_INVALID, "no program to start");
    if (spawner->running >= SPAWNER_PROGRAMS_MAX) {
        return error_set(err, ORCH_ERR_OVERLOADED, "%d programs are running already", SPAWNER_PROGRAMS_MAX);
    }
    if ((uint64_t)request->argv_count + request->env_count > SPAWNER_STRINGS_MAX) {
        return error_set(err, ORCH_ERR_LIMIT, "more than %d arguments and environment variables", SPAWNER_STRINGS_MAX);
    }
    size = request->working_dir.size + 1;
    for (uint32_t i = 0; i < request->argv_count && size <= SPAWNER_DATA_MAX; i++) size += request->argv[i].size + 1;
    for (uint32_t i = 0; i < request->env_count && size <= SPAWNER_DATA_MAX; i++) size += request->env[i].size + 1;
    if (size > SPAWNER_DATA_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "arguments and environment are larger than 2 MiB");
    buf_clear(buf);
    buf_add(buf, str_of((const char *)&message, sizeof(message))); /* its place */
    valid = add_string(buf, request->working_dir);
    for (uint32_t i = 0; i < request->argv_count; i++) valid = add_string(buf, request->argv[i]) && valid;
    for (uint32_t i = 0; i < request->env_count; i++) valid = add_string(buf, request->env[i]) && valid;
    if (!valid) return error_set(err, ORCH_ERR_INVALID, "an argument or environment variable holds a NUL byte");
    if (buf->failed) return error_memory(err);
    size = buf->size - sizeof(message);
    message.argv_count = request->argv_count;
    message.env_count = request->env_count;
    message.data_size = (uint32_t)size;
    for (int i = 0; i < 3; i++) {
        message.has_fd[i] = wanted[i] >= 0;
        if (wanted[i] >= 0) fds[fd_count++] = wanted[i];
    }
    if (size > SPAWNER_INLINE_MAX) {
        int fd = memfd_of(str_of(buf->data + sizeof(message), size), err);

        if (fd < 0) return fd;
        fds[fd_count++] = fd;
        message.has_memfd = true;
        size = 0;
    }
    memcpy(buf->data, &message, sizeof(message));
    result = send_or_queue(spawner, buf->data, sizeof(message) + size, fds, fd_count, err);
    if (message.has_memfd) close(fds[fd_count - 1]);
    if (result == 0) spawner->running++;
    return result;
}

int spawner_stop(struct spawner *spawner, uint64_t id, orch_time grace_us)
{
    struct spawner_message message = {.type = SPAWNER_STOP, .id = id, .grace_us = grace_us < 0 ? 0 : grace_us};

    return send_or_queue(spawner, (const char *)&message, sizeof(message), NULL, 0, NULL);
}

bool spawner_read(struct spawner *spawner, struct spawn_news *ret, struct orch_error *err)
{
    while (spawner->packet_at >= spawner->packet.count) {
        ssize_t size;

        /* One that was not full was the last: most likely, and if not the descriptor is still readable. */
        if (spawner->packet.count > 0 && spawner->packet.count < SPAWNER_PACKET_NEWS - 1) {
            spawner->packet.count = spawner->packet_at = 0;
            return false;
        }
        if (!spawner->gone) send_queue(spawner);
        do {
            size = recv(spawner->fd, &spawner->packet, sizeof(spawner->packet), MSG_DONTWAIT);
        } while (size < 0 && errno == EINTR);
        spawner->packet_at = 0;
        if (size < 0) {
            int code = errno;

            spawner->packet.count = 0;
            if (code == EAGAIN) return false;
            spawner->gone = true;
            (void)error_errno(err, code, "cannot read from the process spawner");
            return false;
        }
        if ((size_t)size < offsetof(struct spawner_packet, news)) {
            spawner->packet.count = 0;
            spawner->gone = true;
            (void)error_set(err, ORCH_ERR_IO, "the process spawner is gone");
            return false;
        }
    }
    *ret = spawner->packet.news[spawner->packet_at++];
    if (ret->type != SPAWN_STARTED && spawner->running > 0) spawner->running--;
    return true;
}

bool spawner_is_stopped(const struct spawner *spawner)
{
    struct scan_process process;

    /* Its number is its own until we wait for it. */
    if (spawner->gone || !scan_one(spawner->pid, &process) || (process.state != 'T' && process.state != 't'))
        return false;
    (void)kill(spawner->pid, SIGCONT);
    return true;
}

void spawner_kill(struct spawner *spawner)
{
    if (!spawner->gone) (void)kill(spawner->pid, SIGKILL);
}

/* Until its end of the socket is closed. */
static bool wait_for_close(struct spawner *spawner)
{
    orch_time now = clock_monotonic(), deadline = now + CLOSE_WAIT_US, look_at = now + CLOSE_LOOK_US;
    int stopped = 0;

    while (now < deadline) { /* later: something cannot be killed, and the spawner goes on trying without us */
        struct pollfd fd = {.fd = spawner->fd, .events = POLLIN};
        orch_time until = deadline < look_at ? deadline : look_at;

        if (poll(&fd, 1, until > now ? (int)((until - now) / ORCH_MILLISECOND) + 1 : 0) > 0) {
            ssize_t size = recv(spawner->fd, &spawner->packet, sizeof(spawner->packet), MSG_DONTWAIT);

            if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return true;
        }
        now = clock_monotonic();
        if (now < look_at) continue;
        look_at = now + CLOSE_LOOK_US;
        if (spawner_is_stopped(spawner) && ++stopped > CLOSE_STOPPED_MAX) spawner_kill(spawner);
    }
    return false;
}

bool spawner_end(struct spawner *spawner)
{
    int status = 0;
    bool gone;

    if (!spawner) return true;
    (void)shutdown(spawner->fd, SHUT_WR); /* it sees the end, kills what runs, and goes */
    gone = wait_for_close(spawner);
    close(spawner->fd);
    if (gone) {
        /* ECHILD: the embedding program waits for any child and was quicker. */
        while (waitpid(spawner->pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    while (spawner->queue_first) {
        struct queued *next = spawner->queue_first->next;

        (void)queued_free(spawner->queue_first);
        spawner->queue_first = next;
    }
    buf_done(&spawner->buf);
    (void)mem_resize(NULL, spawner, sizeof(*spawner), 0);
    return gone && WIFEXITED(status);
}

struct spawner *spawner_close(struct spawner *spawner)
{
    (void)spawner_end(spawner); /* who wants to know how it went asks that one */
    return NULL;
}
