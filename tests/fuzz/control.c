/*
 * control.c - fuzzes the commands that a running engine takes from its socket: bytes of any kind, in pieces of any
 * size. Every line gets one answer of JSON, and the engine goes on. "r-@" in the input is the execution that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "fuzz.h"

#include "engine/engine.h"
#include "take.h"

#define INPUTS_MAX 500 /* then it begins anew: the journal of a store grows */

static char folder[64], path[80], address_path[100];
static struct engine *engine;
static struct engine_version *version;
static struct engine_execution *execution;
static struct arena arena;
static uint32_t inputs;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static void end(void)
{
    if (engine) {
        engine_version_unref(version);
        engine = engine_close(engine);
        arena_done(&arena);
    }
    if (folder[0]) (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

static void on_ended(void *user, struct engine_execution *ended)
{
    (void)user;
    if (ended == execution) execution = NULL;
}

static const char definition[] =
    "parameters: {n: {type: integer, default: 3}}\n"
    "tasks:\n"
    "  a: {approval: ok}\n"
    "  b: {approval: 'really?', timeout: 1h}\n"
    "  e: {wait: {event: go, filter: 'event.n > 1'}}\n"
    "  g: {depends_on: [a], tasks: {c: {wait: {event: stop}}, d: {depends_on: [c], approval: no}}}\n"
    "  t: {depends_on: [e], transform: 'e.output'}\n";

static void begin(void)
{
    static struct diags diags;
    struct engine_options options = {
        .store_path = path, .no_sync = true, .control = true, .observer = {.ended = on_ended}};
    struct orch_error err = ORCH_ERROR_INIT;

    snprintf(folder, sizeof(folder), "%s/orch-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    PROPERTY(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/store", folder);
    snprintf(address_path, sizeof(address_path), "%s/sock", path);
    PROPERTY(engine_open(&options, &engine, &err) == 0);
    arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    PROPERTY(engine_load(engine, str_from(definition), STR("f.yaml"), &diags, &version, &err) == 0);
    inputs = 0;
    execution = NULL;
}

static void start(void)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_start start = {.version = version, .by = STR("me")};

    PROPERTY(workflow_parameters(engine_version_workflow(version), value_null(), false, &arena, NULL, &start.parameters,
                                 &err) == 0);
    PROPERTY(engine_start(engine, &start, &execution, &err) == 0);
}

static int connect_to(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    PROPERTY(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", address_path);
    PROPERTY(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    PROPERTY(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* Takes what was answered; true once the other side has closed. */
static bool receive(int fd, struct buf *answers)
{
    for (;;) {
        char *room = buf_reserve(answers, 4096);
        PROPERTY(room);
        ssize_t n = recv(fd, room, 4096, 0);
        if (n > 0)
            answers->size += (size_t)n;
        else
            return n == 0 || errno == ECONNRESET;
    }
}

static void expect_answers(struct orch_str answers)
{
    struct arena scratch;

    arena_init(&scratch, NULL, FUZZ_MEMORY_MAX);
    while (answers.size > 0) {
        size_t stop = str_find(answers, STR("\n"), 0);
        struct value value;
        PROPERTY(stop != SIZE_MAX);
        PROPERTY(json_parse(str_of(answers.data, stop), NULL, &scratch, &value, NULL) == 0);
        PROPERTY(value_get(value, STR("ok")) || value_get(value, STR("error")));
        answers = str_of(answers.data + stop + 1, answers.size - stop - 1);
    }
    arena_done(&scratch);
}

static uint32_t count_lines(struct orch_str text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++) count += text.data[i] == '\n';
    return count;
}

struct exchange {
    int fd;
    bool closed;
    uint32_t lines; /* sent */
    struct buf answers;
};

static bool is_answered(void *user)
{
    struct exchange *exchange = user;

    if (!exchange->closed) exchange->closed = receive(exchange->fd, &exchange->answers);
    return exchange->closed || count_lines(buf_str(&exchange->answers)) >= exchange->lines;
}

static void talk(struct orch_str text, size_t piece, bool waits)
{
    struct exchange exchange = {.fd = connect_to(), .lines = count_lines(text)};

    buf_init(&exchange.answers, NULL, FUZZ_MEMORY_MAX);
    for (size_t at = 0; at < text.size && !exchange.closed;) {
        size_t left = text.size - at;
        ssize_t n = send(exchange.fd, text.data + at, left < piece ? left : piece, MSG_NOSIGNAL);
        if (n > 0) at += (size_t)n;
        uv_run(engine_loop(engine), UV_RUN_NOWAIT);
        (void)is_answered(&exchange);
    }
    /* Answers come once what was asked for is recorded. */
    if (waits) {
        PROPERTY(engine_run(engine, is_answered, &exchange, NULL) == 0);
        PROPERTY(exchange.closed || count_lines(buf_str(&exchange.answers)) == exchange.lines);
        expect_answers(buf_str(&exchange.answers));
    }
    buf_done(&exchange.answers);
    close(exchange.fd);
    uv_run(engine_loop(engine), UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct take take = {data, size};
    struct buf text;

    static bool is_noted;
    if (!is_noted) is_noted = atexit(end) == 0;
    if (inputs >= INPUTS_MAX) end();
    if (!folder[0]) begin();
    inputs++;
    if (!execution) start();
    uint32_t first = take_byte(&take);
    buf_init(&text, NULL, FUZZ_MEMORY_MAX);
    while (take.size > 0) {
        char c = (char)take_byte(&take);
        if (c == '@' && text.size > 1 && text.data[text.size - 1] == '-' && execution)
            buf_add_text(&text, engine_execution_id(execution) + 2);
        else
            buf_add_char(&text, c);
    }
    talk(buf_str(&text), 1 + (size_t)(first & 127) * 16, first < 128); /* or hangs up before the answer */
    buf_done(&text);
    return 0;
}
