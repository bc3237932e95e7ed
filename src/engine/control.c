/*
 * control.c - commands from other processes, over a Unix socket in the store's directory: one JSON object a line each
 * way.
 *
 * The directory lets nobody else in (0700), and the peer's user is looked at besides.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_LINE_MAX        (1u * 1024 * 1024)
#define CONTROL_CLIENTS_MAX     64
#define CONTROL_TIMEOUT_SECONDS 30

struct client {
    uv_pipe_t pipe; /* first: libuv hands it back */
    struct control *control;
    struct buf line;
    struct client *next, *previous;
    uint32_t waiting; /* answers that are still to come: it is freed after them */
    bool closing, closed;
};

struct control {
    uv_pipe_t listener;
    struct engine *engine;
    struct client *clients;
    uint32_t clients_count;
    int directory;
    uv_pipe_t refused; /* who is sent away for want of memory */
    bool refusing;     /* it is open */
    bool closing, closed;
};

static void client_free(struct client *client)
{
    if (!client->closed || client->waiting) return;
    struct control *control = client->control;
    if (client->next) client->next->previous = client->previous;
    if (client->previous)
        client->previous->next = client->next;
    else
        control->clients = client->next;
    control->clients_count--;
    buf_done(&client->line);
    free(client);
}

static void client_closed(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;
    client->closed = true;
    client_free(client);
}

static void client_close(struct client *client)
{
    if (client->closing) return;
    client->closing = true;
    uv_close((uv_handle_t *)&client->pipe, client_closed);
}

/*
 * Answers are short and requests come one by one, so an answer fits into the socket's buffer: who does not read is let
 * go. Not by uv_write: that would raise SIGPIPE for a peer that went away, and to ignore it is not ours to decide.
 */
static void answer_send(struct client *client, struct buf *text)
{
    uv_os_fd_t fd;
    buf_add_char(text, '\n');
    bool sent = !client->closing && !text->failed && uv_fileno((uv_handle_t *)&client->pipe, &fd) == 0 &&
                send(fd, text->data, text->size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)text->size;
    if (!sent) client_close(client);
    buf_done(text);
}

static void answer_error(struct client *client, const struct orch_error *err)
{
    struct buf text;
    buf_init(&text, NULL, CONTROL_LINE_MAX);
    buf_printf(&text, "{\"error\":{\"code\":\"%s\",\"message\":", orch_error_name(err->code));
    json_format_string(str_from(err->message), &text);
    buf_add_text(&text, ",\"hint\":");
    json_format_string(str_from(err->hint), &text);
    buf_add_text(&text, "}}");
    answer_send(client, &text);
}

static void recorded(void *user, int status)
{
    struct client *client = user;
    client->waiting--;
    if (client->closed) {
        client_free(client);
        return;
    }
    if (status) {
        struct orch_error err = ORCH_ERROR_INIT;
        error_set(&err, status, "it could not be recorded: %s", orch_error_text(status));
        answer_error(client, &err);
        return;
    }
    struct buf text;
    buf_init(&text, NULL, CONTROL_LINE_MAX);
    buf_add_text(&text, "{\"ok\":true}");
    answer_send(client, &text);
}

static struct orch_str text_of(struct value request, const char *key)
{
    const struct value *value = value_get(request, str_from(key));
    return value && value->kind == VALUE_STRING ? value_str(*value) : STR_NONE;
}

static int carry_out(struct client *client, struct value request, struct orch_error *err)
{
    struct engine *engine = client->control->engine;
    struct orch_str command = text_of(request, "command"), id = text_of(request, "execution"),
                    by = text_of(request, "by");
    int64_t number;
    if (!command.size) return error_set(err, ORCH_ERR_USAGE, "the request has no command");
    if (!store_execution_number(id, &number))
        return error_set(err, ORCH_ERR_NOT_FOUND, "\"%.*s\" is no run", STR_ARG(id));
    struct engine_execution *execution = engine_find(engine, number);
    if (str_is(command, "retry")) {
        int r = engine_retry(engine, number, text_of(request, "from"), by, &execution, err);
        return r ? r : batch_wait(engine, recorded, client, err);
    }
    if (!execution || execution->ended) {
        error_set(err, ORCH_ERR_STATE, "run %.*s is not running", STR_ARG(id));
        error_hint(err, "orch show %.*s  says how it stands", STR_ARG(id));
        return ORCH_ERR_STATE;
    }
    if (str_is(command, "cancel"))
        return engine_cancel(engine, execution, by, text_of(request, "reason"), recorded, client, err);
    if (str_is(command, "pause")) return engine_pause(engine, execution, by, recorded, client, err);
    if (str_is(command, "resume")) return engine_unpause(engine, execution, by, recorded, client, err);
    if (str_is(command, "approve")) {
        const struct value *approved = value_get(request, STR("approved"));
        return engine_approve(engine, execution, text_of(request, "task"),
                              approved && approved->kind == VALUE_BOOL && approved->boolean, by,
                              text_of(request, "comment"), recorded, client, err);
    }
    if (str_is(command, "signal")) {
        const struct value *data = value_get(request, STR("data"));
        struct buf json;
        buf_init(&json, NULL, CONTROL_LINE_MAX);
        if (data) json_format(*data, 0, &json);
        int r = json.failed ? error_memory(err)
                            : engine_signal(engine, execution, text_of(request, "name"), buf_str(&json), by, recorded,
                                            client, err);
        buf_done(&json);
        return r;
    }
    return error_set(err, ORCH_ERR_USAGE, "unknown command \"%.*s\"", STR_ARG(command));
}

static void on_line(struct client *client, struct orch_str line)
{
    struct arena arena;
    struct value request;
    struct orch_error err = ORCH_ERROR_INIT;
    struct json_limits limits = {.depth_max = 32, .nodes_max = 100000};
    arena_init(&arena, NULL, 16u * 1024 * 1024);
    int r = json_parse(line, &limits, &arena, &request, &err);
    if (!r) {
        client->waiting++; /* before: the answer may come at once */
        r = carry_out(client, request, &err);
        if (r) client->waiting--;
    }
    if (r) answer_error(client, &err);
    arena_done(&arena);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct client *client = (struct client *)handle;
    char *room = buf_reserve(&client->line, 4096);
    *ret = uv_buf_init(room, room ? 4096 : 0);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *unused)
{
    (void)unused;
    struct client *client = (struct client *)stream;
    if (count < 0) {
        client_close(client);
        return;
    }
    client->line.size += (size_t)count;
    size_t from = 0;
    while (!client->closing) {
        size_t end = str_find(buf_str(&client->line), STR("\n"), from);
        if (end == SIZE_MAX) break;
        on_line(client, str_of(client->line.data + from, end - from));
        from = end + 1;
    }
    memmove(client->line.data, client->line.data + from, client->line.size - from);
    client->line.size -= from;
}

static bool same_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void on_connect(uv_stream_t *listener, int status);

static void refused(uv_handle_t *handle)
{
    struct control *control = handle->data;
    control->refusing = false;
    if (!control->closing) on_connect((uv_stream_t *)&control->listener, 0); /* who came meanwhile */
}

/* libuv listens no more until the one who came is accepted. Without memory for him he is let in and sent away. */
static void refuse(struct control *control)
{
    if (control->refusing) return; /* he waits until that one is gone */
    control->refusing = true;
    uv_pipe_init(&control->engine->loop, &control->refused, 0);
    control->refused.data = control;
    (void)uv_accept((uv_stream_t *)&control->listener, (uv_stream_t *)&control->refused); /* EAGAIN: he has gone */
    uv_close((uv_handle_t *)&control->refused, refused);
}

static void on_connect(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    if (status < 0) return;
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        refuse(control);
        return;
    }
    client->control = control;
    buf_init(&client->line, NULL, CONTROL_LINE_MAX);
    uv_pipe_init(&control->engine->loop, &client->pipe, 0);
    client->next = control->clients;
    if (client->next) client->next->previous = client;
    control->clients = client;
    control->clients_count++;
    uv_os_fd_t fd;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) || uv_fileno((uv_handle_t *)&client->pipe, &fd) ||
        !same_user(fd) || control->clients_count > CONTROL_CLIENTS_MAX ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read))
        client_close(client);
}

/* A path of any length: the directory is opened, and the socket named below its descriptor. */
static int socket_address(int directory, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/sock", directory);
    return size > 0 && (size_t)size < sizeof ret->sun_path ? 0 : -1;
}

int control_open(struct engine *engine, struct orch_error *err)
{
    struct control *control = calloc(1, sizeof *control);
    struct sockaddr_un address;
    if (!control) return error_memory(err);
    control->engine = engine;
    control->directory = open(engine->store_dir.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->directory < 0 || fd < 0 || socket_address(control->directory, &address)) goto fail;
    /* The store's lock is ours, so a socket that is there is a dead owner's. */
    (void)unlinkat(control->directory, "sock", 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) goto fail;
    uv_pipe_init(&engine->loop, &control->listener, 0);
    control->listener.data = control;
    engine->control = control;
    int r = uv_pipe_open(&control->listener, fd);
    if (!r) {
        fd = -1;
        r = uv_listen((uv_stream_t *)&control->listener, 16, on_connect);
    }
    if (r) {
        if (fd >= 0) close(fd);
        return error_set(err, ORCH_ERR_IO, "cannot listen in %s: %s", engine->store_dir.data, uv_strerror(r));
    }
    uv_unref((uv_handle_t *)&control->listener);
    return 0;
fail:;
    int saved = errno;
    if (fd >= 0) close(fd);
    if (control->directory >= 0) close(control->directory);
    free(control);
    return error_errno(err, saved, "cannot make a socket in %s", engine->store_dir.data);
}

static void listener_closed(uv_handle_t *handle)
{
    ((struct control *)handle->data)->closed = true;
}

void control_close(struct engine *engine)
{
    struct control *control = engine->control;
    engine->control = NULL;
    control->closing = true;
    (void)unlinkat(control->directory, "sock", 0);
    /* Whoever waited for an answer has got it: the engine was drained, or has failed and told them. */
    for (struct client *client = control->clients; client; client = client->next) client_close(client);
    uv_close((uv_handle_t *)&control->listener, listener_closed);
    while (control->clients || control->refusing || !control->closed) uv_run(&engine->loop, UV_RUN_NOWAIT);
    close(control->directory);
    free(control);
}

/*
 * The other side.
 */
static int connect_to(const char *store_path, struct orch_error *err)
{
    struct sockaddr_un address;
    int directory = open(store_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = -1;
    if (directory >= 0 && fd >= 0 && socket_address(directory, &address) == 0) {
        struct timeval timeout = {.tv_sec = CONTROL_TIMEOUT_SECONDS};
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
                         sizeof timeout); /* without it an answer is waited for longer */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        r = connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    if (directory >= 0) close(directory);
    if (r == 0) return fd;
    if (fd >= 0) close(fd);
    return error_set(err, ORCH_ERR_UNAVAILABLE, "no running orch answers in %s", store_path);
}

/* It may have recorded the command or not: who gave the command a second time might have it carried out twice. */
static int error_unanswered(bool is_gone, struct orch_error *err)
{
    if (is_gone)
        error_set(err, ORCH_ERR_IO, "the running orch went away before it answered: the command may be recorded or not");
    else
        error_set(err, ORCH_ERR_TIMEOUT, "the running orch has not answered within %d s: the command may be recorded or not",
                  CONTROL_TIMEOUT_SECONDS);
    error_hint(err, "orch show --history  tells");
    return err ? err->code : ORCH_ERR_IO;
}

static void wait_at_most(int fd, orch_time time)
{
    struct timeval most = {.tv_sec = time / ORCH_SECOND, .tv_usec = time % ORCH_SECOND};
    if (time <= 0) most = (struct timeval){.tv_usec = 1}; /* 0 would be for ever */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
}

static int peer_of(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int)peer.pid : 0;
}

static int exchange(int fd, struct orch_str request, const struct engine_control_wait *wait, struct buf *answer,
                    struct orch_error *err)
{
    orch_time timeout = wait->timeout ? wait->timeout : CONTROL_TIMEOUT_SECONDS * ORCH_SECOND;
    bool telling = wait->tell && wait->tell_after && wait->tell_after < timeout;
    wait_at_most(fd, telling ? wait->tell_after : timeout);
    for (size_t sent = 0; sent < request.size;) {
        ssize_t n = send(fd, request.data + sent, request.size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return error_set(err, ORCH_ERR_UNAVAILABLE, "the running orch went away");
        sent += (size_t)n;
    }
    for (;;) {
        char *room = buf_reserve(answer, 4096);
        if (!room) return error_memory(err);
        ssize_t n = recv(fd, room, 4096, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && telling && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            telling = false;
            wait->tell(wait->user, peer_of(fd));
            wait_at_most(fd, timeout - wait->tell_after);
            continue;
        }
        if (n <= 0) return error_unanswered(n == 0 || errno == ECONNRESET, err);
        answer->size += (size_t)n;
        if (answer->data[answer->size - 1] == '\n') return 0;
    }
}

static int code_of(struct orch_str name)
{
#define CODE(code_name, number, text, http, exit_code, retry) \
    if (str_is(name, #code_name)) return number;
    ORCH_ERROR_LIST(CODE)
#undef CODE
    return ORCH_ERR_INTERNAL;
}

int engine_control_call(const char *store_path, struct value request, struct arena *arena, struct value *ret_answer,
                        struct orch_error *err)
{
    const struct engine_control_wait wait = {0};
    return engine_control_ask(store_path, request, &wait, arena, ret_answer, err);
}

int engine_control_ask(const char *store_path, struct value request, const struct engine_control_wait *wait,
                       struct arena *arena, struct value *ret_answer, struct orch_error *err)
{
    int fd = connect_to(store_path, err);
    if (fd < 0) return fd;
    struct buf text, answer;
    buf_init(&text, NULL, CONTROL_LINE_MAX);
    buf_init(&answer, NULL, CONTROL_LINE_MAX);
    json_format(request, 0, &text);
    buf_add_char(&text, '\n');
    int r = text.failed ? error_set(err, ORCH_ERR_LIMIT, "the command is too long")
                        : exchange(fd, buf_str(&text), wait, &answer, err);
    close(fd);
    struct orch_str kept = r ? STR_NONE : arena_str(arena, buf_str(&answer));
    buf_done(&text);
    buf_done(&answer);
    if (r) return r;
    if (!kept.data) return error_memory(err);
    struct value value;
    r = json_parse(kept, NULL, arena, &value, err);
    if (r) return r;
    const struct value *error = value_get(value, STR("error"));
    if (error) {
        struct orch_str hint = text_of(*error, "hint");
        r = error_set(err, code_of(text_of(*error, "code")), "%.*s", STR_ARG(text_of(*error, "message")));
        if (hint.size) error_hint(err, "%.*s", STR_ARG(hint));
        return r;
    }
    *ret_answer = value;
    return 0;
}
