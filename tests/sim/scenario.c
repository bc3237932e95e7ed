/*
 * scenario.c - what happens under one seed.
 *
 * First a time of faults: runs begin, people interfere, the disk fails, programs misbehave, the orchestrator is killed.
 * Then calm: no more faults, people help everything to its end, and it has to end.
 */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "generate.h"
#include "watch.h"

#define WALL_START   (INT64_C(1767225600) * ORCH_SECOND) /* 2026-01-01 */
#define STILL_MAX    (1800 * ORCH_SECOND)                /* in calm, nothing waits longer for what nobody brings */
#define STEPS_MAX    400000
#define RUNS_MAX     12
#define LARGE_OUTPUT (80 * 1024)

struct scenario;

struct answer {
    struct scenario *scenario;
    int64_t number;
    enum watch_command command;
    uint64_t sequence;
    uint32_t life;
};

struct stale {
    int64_t number;
    uint32_t instance;
    uint64_t fence;
};

struct scenario {
    const struct scenario_options *options;
    struct scenario_result *result;
    struct sim *sim;
    struct watch *watch;
    double chances[FAULT_COUNT];
    uint32_t asked[FAULT_COUNT];
    uint32_t happened_capacity;
    bool is_calm;
    uint32_t life;
    bool waits_for_life; /* somebody will start it again */
    uint32_t full_left;  /* appends that find no space yet */
    struct stale stale[16];
    uint32_t stale_count;
    struct answer **answers; /* kept to the end: those of a life that crashed are never called */
    uint32_t answers_count, answers_capacity;
};

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t z = a + b * UINT64_C(0x9e3779b97f4a7c15) + c * UINT64_C(0xc2b2ae3d27d4eb4f);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

const char *sim_fault_text(enum sim_fault fault)
{
    static const char *const texts[] = {
#define SIM_FAULT_TEXT(name, text) text,
        SIM_FAULT_LIST(SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
    };
    return texts[fault];
}

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {
#define SIM_FAULT_NAME(name, text) #name,
        SIM_FAULT_LIST(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
    };
    return names[fault];
}

static void trace(const struct scenario *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trace(const struct scenario *s, const char *format, ...)
{
    if (!s->options->trace) return;
    va_list arguments;
    printf("%10.3f  ", (double)sim_now(s->sim) / 1e6);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static bool is_allowed(const struct scenario *s, enum sim_fault fault, uint32_t ordinal)
{
    if (!s->options->is_limited) return true;
    for (uint32_t i = 0; i < s->options->allowed_count; i++)
        if (s->options->allowed[i].fault == fault && s->options->allowed[i].ordinal == ordinal) return true;
    return false;
}

/* Whether it happens this time. */
static bool strikes(struct scenario *s, enum sim_fault fault)
{
    uint32_t ordinal = s->asked[fault]++;
    if (s->is_calm || unit(mix(s->options->seed, fault + 1, ordinal)) >= s->chances[fault]) return false;
    if (!is_allowed(s, fault, ordinal)) return false;
    struct scenario_result *result = s->result;
    if (result->happened_count == s->happened_capacity) {
        s->happened_capacity = s->happened_capacity ? s->happened_capacity * 2 : 64;
        result->happened = realloc(result->happened, s->happened_capacity * sizeof *result->happened);
        if (!result->happened) abort();
    }
    result->happened[result->happened_count++] = (struct happened){fault, ordinal, s->sim ? sim_now(s->sim) : 0};
    if (s->sim) trace(s, "! %s", sim_fault_text(fault));
    return true;
}

/* How much, when it does: 64 bits that belong to it. */
static uint64_t amount(const struct scenario *s, enum sim_fault fault)
{
    return mix(s->options->seed, fault + 1001, s->asked[fault]);
}

static orch_time span(uint64_t bits, orch_time from, orch_time to)
{
    return from + (orch_time)(unit(bits) * (double)(to - from));
}

/* Each seed has some kinds of faults, some often: all at once would hide what few do. */
static void draw_chances(struct scenario *s)
{
    static const struct {
        enum sim_fault fault;
        double usual;
    } usual[] = {
        {FAULT_CRASH_AT_APPEND, 0.02},
        {FAULT_CRASH_AT_COMMIT, 0.02},
        {FAULT_CRASH_AT_START, 0.03},
        {FAULT_CRASH_AT_END, 0.03},
        {FAULT_CRASH_AT_NEWS, 0.005},
        {FAULT_CRASH_AT_ANY_TIME, 0.1},
        {FAULT_CRASH_IN_RECOVERY, 0.2},
        {FAULT_DISK_FULL, 0.01},
        {FAULT_DISK_FAILS, 0.01},
        {FAULT_DISK_SLOW, 0.05},
        {FAULT_ATTEMPT_FAILS, 0.25},
        {FAULT_ATTEMPT_FAILS_FOR_GOOD, 0.04},
        {FAULT_ATTEMPT_HANGS, 0.05},
        {FAULT_ATTEMPT_SLOW, 0.15},
        {FAULT_ATTEMPT_REFUSED, 0.03},
        {FAULT_ATTEMPT_IGNORES_STOP, 0.3},
        {FAULT_LARGE_OUTPUT, 0.05},
        {FAULT_LATE_REPORT, 0.3},
        {FAULT_CLOCK_JUMP, 0.3},
        {FAULT_CANCEL, 0.02},
        {FAULT_PAUSE, 0.06},
        {FAULT_RESUME, 0.3},
        {FAULT_APPROVE, 0.5},
        {FAULT_REJECT, 0.1},
        {FAULT_SIGNAL, 0.4},
        {FAULT_RETRY, 0.2},
        {FAULT_RETRY_FROM, 0.1},
        {FAULT_HASTEN, 0.02},
        {FAULT_NEW_RUN, 0.05},
        {FAULT_NEW_VERSION, 0.05},
    };
    _Static_assert(sizeof usual / sizeof *usual == FAULT_COUNT, "each has its usual chance");
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        double how = unit(mix(s->options->seed, 5000 + i, 0));
        /* People help in most worlds; of the rest a third is away, a few are frequent. */
        bool helps =
            usual[i].fault == FAULT_RESUME || usual[i].fault == FAULT_APPROVE || usual[i].fault == FAULT_SIGNAL;
        s->chances[usual[i].fault] = helps        ? usual[i].usual
                                     : how < 0.35 ? 0
                                     : how < 0.85 ? usual[i].usual
                                                  : usual[i].usual * 4;
    }
}

/*
 * Hooks.
 */
static void on_attempt(void *user, const struct action_attempt *attempt, struct sim_attempt *ret)
{
    struct scenario *s = user;
    uint64_t bits = mix(s->options->seed, str_hash(attempt->key), attempt->fence);
    *ret = (struct sim_attempt){.duration = span(bits, ORCH_SECOND / 1000, 4 * ORCH_SECOND),
                                .stop_duration = span(bits, 0, ORCH_SECOND / 10)};
    if (strikes(s, FAULT_ATTEMPT_REFUSED)) {
        ret->is_refused = true;
        return;
    }
    if (strikes(s, FAULT_ATTEMPT_FAILS))
        ret->failure = bits % 3 == 0 ? FAILURE_SIGNAL : bits % 3 == 1 ? FAILURE_EXIT : FAILURE_ERROR;
    if (strikes(s, FAULT_ATTEMPT_FAILS_FOR_GOOD)) ret->failure = FAILURE_PERMANENT;
    if (strikes(s, FAULT_ATTEMPT_SLOW)) ret->duration = span(bits, 5 * ORCH_SECOND, 60 * ORCH_SECOND);
    if (strikes(s, FAULT_ATTEMPT_HANGS)) ret->duration = ORCH_TIME_NEVER;
    if (strikes(s, FAULT_ATTEMPT_IGNORES_STOP)) ret->stop_duration = ORCH_TIME_NEVER;
    bool is_large = strikes(s, FAULT_LARGE_OUTPUT);
    char *output = arena_bytes(attempt->arena, is_large ? LARGE_OUTPUT + 64 : 64);
    if (!output) abort();
    size_t size = (size_t)snprintf(output, 64, "{\"fence\":%llu", (unsigned long long)attempt->fence);
    if (is_large) {
        memcpy(output + size, ",\"text\":\"", 9);
        size += 9;
        memset(output + size, 'x', LARGE_OUTPUT);
        size += LARGE_OUTPUT;
        output[size++] = '"';
    }
    output[size++] = '}';
    ret->output = str_of(output, size);
}

static void on_began(void *user, const struct action_attempt *attempt)
{
    struct scenario *s = user;
    trace(s, "  program  %.*s try %u of %.*s, fence %llu", STR_ARG(attempt->task_path), attempt->attempt_number,
          STR_ARG(attempt->execution_id), (unsigned long long)attempt->fence);
    watch_began(s->watch, attempt);
    int64_t number = 0;
    if (store_execution_number(attempt->execution_id, &number)) {
        const struct core *core = watch_core(s->watch, number);
        uint32_t instance = core ? core_find(core, attempt->task_path) : CORE_NONE;
        if (instance != CORE_NONE) s->stale[s->stale_count++ % 16] = (struct stale){number, instance, attempt->fence};
    }
    if (strikes(s, FAULT_CRASH_AT_START)) sim_crash(s->sim);
}

static void on_ended(void *user, const struct action_attempt *attempt, bool by_crash)
{
    struct scenario *s = user;
    trace(s, "  program  %.*s of %.*s is over%s", STR_ARG(attempt->task_path), STR_ARG(attempt->execution_id),
          by_crash ? " with the crash" : "");
    watch_ended(s->watch, attempt, by_crash);
    if (!by_crash && strikes(s, FAULT_CRASH_AT_END)) sim_crash(s->sim);
}

static void on_append(void *user, struct sim_append *ret)
{
    struct scenario *s = user;
    uint64_t bits = amount(s, FAULT_CRASH_AT_APPEND);
    ret->latency = span(bits, ORCH_SECOND / 20000, ORCH_SECOND / 100);
    ret->is_kept = bits >> 7 & 1;
    if (strikes(s, FAULT_DISK_SLOW)) ret->latency = span(bits, ORCH_SECOND / 10, 3 * ORCH_SECOND);
    if (strikes(s, FAULT_DISK_FULL)) s->full_left = 1 + (uint32_t)(bits >> 20) % 8;
    if (s->is_calm) s->full_left = 0;
    if (s->full_left) {
        s->full_left--;
        ret->status = ORCH_ERR_FULL;
    }
    if (strikes(s, FAULT_DISK_FAILS)) ret->status = ORCH_ERR_IO;
    if (strikes(s, FAULT_CRASH_AT_APPEND)) sim_crash(s->sim);
}

static void on_durable(void *user, const struct store_entry *entries, uint32_t count)
{
    struct scenario *s = user;
    if (s->options->trace) {
        struct arena arena;
        arena_init(&arena, NULL, 0);
        for (uint32_t i = 0; i < count; i++) {
            struct core_transitions list = {0};
            struct orch_error err = ORCH_ERROR_INIT;
            (void)transitions_decode(entries[i].record, &arena, &list, &err);
            for (uint32_t n = 0; n < list.count; n++) {
                struct buf text;
                buf_init(&text, NULL, 0);
                transition_format_json(&list.items[n], entries[i].first_seq + n, &text);
                trace(s, "durable %lld %.*s", (long long)entries[i].number, (int)(text.size < 300 ? text.size : 300),
                      text.data);
                buf_done(&text);
            }
        }
        arena_done(&arena);
    }
    watch_durable(s->watch, entries, count);
    if (strikes(s, FAULT_CRASH_AT_COMMIT)) sim_crash(s->sim);
}

static int on_read_file(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                        struct orch_error *err)
{
    struct scenario *s = user;
    (void)size_max;
    if (!str_ends_with(str_from(path), STR("other.yaml")))
        return error_set(err, ORCH_ERR_NOT_FOUND, "%s is not there", path);
    *ret = arena_str(arena, str_from(s->result->definitions[2]));
    return ret->data ? 0 : error_memory(err);
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    struct scenario *s = user;
    (void)items;
    (void)count;
    if (sim_is_crashed(s->sim)) return;
    /* A start is answered when its first transition is told. */
    if (first_seq == 1 && !execution->parent) watch_answered(s->watch, execution->number, WATCH_START, 1);
    if (strikes(s, FAULT_CRASH_AT_NEWS)) sim_crash(s->sim);
}

/*
 * People.
 */
static void on_answer(void *user, int status)
{
    struct answer *answer = user;
    struct scenario *s = answer->scenario;
    if (status || sim_is_crashed(s->sim) || answer->life != s->life) return;
    watch_answered(s->watch, answer->number, answer->command, answer->sequence);
}

static struct answer *expect(struct scenario *s, const struct engine_execution *execution, enum watch_command command)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer) abort();
    if (s->answers_count == s->answers_capacity) {
        s->answers_capacity = s->answers_capacity ? s->answers_capacity * 2 : 64;
        s->answers = realloc(s->answers, s->answers_capacity * sizeof *s->answers);
        if (!s->answers) abort();
    }
    s->answers[s->answers_count++] = answer;
    *answer = (struct answer){s, execution->number, command, 0, s->life};
    return answer;
}

static void begin_run(struct scenario *s, uint32_t which)
{
    struct engine *engine = sim_engine(s->sim);
    struct engine_version *version;
    struct orch_error err = ORCH_ERROR_INIT;
    if (!engine || s->result->runs >= RUNS_MAX) return;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct diags *diags = ARENA_NEW(&arena, struct diags);
    if (!diags) abort();
    diags_init(diags, &arena);
    struct orch_str text = str_from(s->result->definitions[which]);
    int r = engine_load(engine, text, STR("flow.yaml"), diags, &version, &err);
    if (r) {
        watch_fail(s->watch, "a drawn definition is refused: %s %.*s", err.message,
                   diags->count ? (int)diags->items[0].message.size : 0,
                   diags->count ? diags->items[0].message.data : "");
        arena_done(&arena);
        return;
    }
    struct value parameters;
    r = workflow_parameters(engine_version_workflow(version), value_null(), false, &arena, NULL, &parameters, &err);
    struct engine_start start = {.version = version, .parameters = parameters, .by = STR("ann")};
    struct engine_execution *execution;
    if (!r) r = engine_start(engine, &start, &execution, &err);
    if (r)
        watch_fail(s->watch, "a run cannot be started: %s", err.message);
    else {
        s->result->runs++;
        trace(s, "run %lld begins", (long long)execution->number);
    }
    (void)engine_version_unref(version);
    arena_done(&arena);
}

static struct engine_execution *pick_execution(struct scenario *s, uint64_t bits)
{
    struct engine *engine = sim_engine(s->sim);
    if (!engine || !engine->executions_count) return NULL;
    uint32_t skip = (uint32_t)(bits % engine->executions_count);
    struct engine_execution *execution = engine->executions;
    while (skip-- && execution->next) execution = execution->next;
    return execution;
}

static uint32_t pick_waiting(const struct core *core, enum reason reason)
{
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (instance->state == TASK_WAITING && instance->reason == reason &&
            !core_get_frame(core, instance->frame)->dropped)
            return i;
    }
    return CORE_NONE;
}

static void set_sequence(struct answer *answer, const struct engine_execution *execution)
{
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    answer->sequence = summary.sequence;
}

static void approve(struct scenario *s, struct engine_execution *execution, bool approved)
{
    struct orch_error err = ORCH_ERROR_INIT;
    uint32_t waiting = pick_waiting(execution->core, REASON_APPROVAL);
    if (waiting == CORE_NONE) return;
    struct buf path;
    buf_init(&path, NULL, 0);
    core_path(execution->core, waiting, &path);
    struct answer *answer = expect(s, execution, WATCH_APPROVE);
    int r = engine_approve(s->sim ? sim_engine(s->sim) : NULL, execution, buf_str(&path), approved, STR("bob"),
                           STR_NONE, on_answer, answer, &err);
    if (!r) set_sequence(answer, execution);
    buf_done(&path);
}

static void signal_event(struct scenario *s, struct engine_execution *execution, uint64_t bits)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct answer *answer = expect(s, execution, WATCH_SIGNAL);
    if (!engine_signal(sim_engine(s->sim), execution, bits & 1 ? STR("e0") : STR("e1"), STR("{\"n\":1}"), STR("bob"),
                       on_answer, answer, &err))
        set_sequence(answer, execution);
}

static int note_newest(void *user, const struct store_execution *row)
{
    int64_t *number = user;
    if (!row->parent && row->state >= EXECUTION_SUCCEEDED) *number = row->number;
    return *number != 0;
}

/* Of runs that are over. */
static int64_t pick_finished(struct scenario *s)
{
    struct store_filter filter = {.count_max = 20};
    struct orch_error err = ORCH_ERROR_INIT;
    int64_t number = 0;
    (void)store_each_execution(sim_durable(s->sim), &filter, note_newest, &number, &err);
    return number;
}

static void retry_run(struct scenario *s, int64_t number, uint32_t instance)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    struct buf path;
    buf_init(&path, NULL, 0);
    const struct core *core = watch_core(s->watch, number);
    if (instance != CORE_NONE && core && core_instance_count(core))
        core_path(core, instance % core_instance_count(core), &path);
    trace(s, "retry of %lld from \"%.*s\"", (long long)number, STR_ARG(buf_str(&path)));
    int r = engine_retry(sim_engine(s->sim), number, buf_str(&path), STR("ann"), &execution, &err);
    if (r) trace(s, "  refused: %s", err.message);
    /* What makes no sense is refused; anything else should not happen. */
    if (r && r != ORCH_ERR_STATE && r != ORCH_ERR_NOT_FOUND) watch_fail(s->watch, "retry: %s", err.message);
    buf_done(&path);
}

static void report_late(struct scenario *s, uint64_t bits)
{
    struct engine *engine = sim_engine(s->sim);
    struct orch_error err = ORCH_ERROR_INIT;
    uint32_t known = s->stale_count < 16 ? s->stale_count : 16;
    if (!engine || !known) return;
    const struct stale *stale = &s->stale[bits % known];
    struct engine_execution *execution = engine_find(engine, stale->number);
    if (!execution) return;
    const struct core_instance *instance = core_get_instance(execution->core, stale->instance);
    if (instance && instance->detail && instance->detail->fence == stale->fence && instance->state == TASK_RUNNING)
        return; /* it is the one */
    struct action_result result = {.output = STR("{\"late\":true}")};
    int r = engine_report(engine, execution, stale->instance, stale->fence, &result, &err);
    if (r != ORCH_ERR_STATE && r != ORCH_ERR_NOT_FOUND)
        watch_fail(s->watch, "F1: a late answer was taken: run %lld, fence %llu (%s)", (long long)stale->number,
                   (unsigned long long)stale->fence, r ? err.message : "");
}

static void people(struct scenario *s)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine *engine = sim_engine(s->sim);
    if (!engine) return;
    if (strikes(s, FAULT_NEW_RUN)) begin_run(s, 0);
    if (strikes(s, FAULT_NEW_VERSION)) begin_run(s, 1);
    if (strikes(s, FAULT_RETRY)) {
        int64_t number = pick_finished(s);
        if (number) retry_run(s, number, CORE_NONE);
    }
    if (strikes(s, FAULT_RETRY_FROM)) {
        int64_t number = pick_finished(s);
        if (number) retry_run(s, number, (uint32_t)(amount(s, FAULT_RETRY_FROM) >> 40));
    }
    if (strikes(s, FAULT_LATE_REPORT)) report_late(s, amount(s, FAULT_LATE_REPORT));
    struct engine_execution *execution = pick_execution(s, amount(s, FAULT_NEW_RUN));
    if (!execution || execution->ended) return;
    if (strikes(s, FAULT_PAUSE)) {
        struct answer *answer = expect(s, execution, WATCH_PAUSE);
        if (!engine_pause(engine, execution, STR("bob"), on_answer, answer, &err)) set_sequence(answer, execution);
    }
    if (strikes(s, FAULT_RESUME)) {
        struct answer *answer = expect(s, execution, WATCH_RESUME);
        if (!engine_unpause(engine, execution, STR("bob"), on_answer, answer, &err)) set_sequence(answer, execution);
    }
    if (strikes(s, FAULT_APPROVE)) approve(s, execution, true);
    if (strikes(s, FAULT_REJECT)) approve(s, execution, false);
    if (strikes(s, FAULT_SIGNAL)) signal_event(s, execution, amount(s, FAULT_SIGNAL));
    if (strikes(s, FAULT_HASTEN)) engine_hasten(engine, execution);
    if (strikes(s, FAULT_CANCEL)) {
        struct answer *answer = expect(s, execution, WATCH_CANCEL);
        if (!engine_cancel(engine, execution, STR("bob"), STR("enough"), on_answer, answer, &err))
            set_sequence(answer, execution);
    }
}

static void on_people(void *user, uint64_t argument)
{
    struct scenario *s = user;
    if (s->is_calm) return;
    people(s);
    if (strikes(s, FAULT_CRASH_AT_ANY_TIME)) sim_crash(s->sim);
    if (!sim_at(s->sim,
                sim_now(s->sim) + span(mix(s->options->seed, 7000, argument), ORCH_SECOND / 100, 8 * ORCH_SECOND),
                on_people, s, argument + 1))
        abort();
}

/* Whatever still waits for a person gets what it waits for. */
static void help(struct scenario *s)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine *engine = sim_engine(s->sim);
    for (struct engine_execution *e = engine ? engine->executions : NULL, *next; e; e = next) {
        struct core_summary summary;
        next = e->next;
        if (e->ended) continue;
        core_get_summary(e->core, &summary);
        if (summary.state == EXECUTION_PAUSED) (void)engine_unpause(engine, e, STR("eve"), NULL, NULL, &err);
        approve(s, e, true);
        if (pick_waiting(e->core, REASON_EVENT) != CORE_NONE) {
            signal_event(s, e, 0);
            signal_event(s, e, 1);
        }
        if (pick_waiting(e->core, REASON_HELD) != CORE_NONE) retry_run(s, e->number, CORE_NONE);
    }
}

static void on_help(void *user, uint64_t argument)
{
    struct scenario *s = user;
    if (sim_engine(s->sim)) help(s);
    sim_end_hangs(s->sim, 10 * ORCH_SECOND);
    if (!sim_at(s->sim, sim_now(s->sim) + 5 * ORCH_SECOND, on_help, s, argument)) abort();
}

/*
 * Lives.
 */
struct alive {
    int64_t numbers[256];
    uint32_t count;
};

static int note_alive(void *user, const struct store_execution *row)
{
    struct alive *alive = user;
    if (!row->parent && alive->count < 256) alive->numbers[alive->count++] = row->number;
    return 0;
}

static void recover(struct scenario *s)
{
    struct alive alive = {.count = 0};
    struct orch_error err = ORCH_ERROR_INIT;
    if (store_each_alive(sim_durable(s->sim), note_alive, &alive, &err)) watch_fail(s->watch, "store: %s", err.message);
    for (uint32_t i = 0; i < alive.count && sim_engine(s->sim); i++) {
        struct engine_execution *execution;
        if (engine_resume(sim_engine(s->sim), alive.numbers[i], &execution, &err)) {
            watch_fail(s->watch, "D1: run %lld cannot be taken up: %s", (long long)alive.numbers[i], err.message);
            return;
        }
        if (strikes(s, FAULT_CRASH_IN_RECOVERY)) sim_crash(s->sim);
    }
}

static void live(struct scenario *s)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (s->life && strikes(s, FAULT_CLOCK_JUMP)) {
        orch_time by = span(amount(s, FAULT_CLOCK_JUMP), -7200 * ORCH_SECOND, 7200 * ORCH_SECOND);
        trace(s, "the wall clock jumps by %.1f s", (double)by / 1e6);
        sim_jump_wall(s->sim, by);
    }
    s->life++;
    s->result->lives++;
    s->waits_for_life = false;
    if (sim_open(s->sim, &err)) {
        watch_fail(s->watch, "cannot open: %s", err.message);
        return;
    }
    trace(s, "life %u begins", s->life);
    recover(s);
}

static void on_live(void *user, uint64_t argument)
{
    (void)argument;
    live(user);
}

static void calm_down(struct scenario *s)
{
    s->is_calm = true;
    trace(s, "calm");
    on_help(s, 0);
}

static bool is_idle(struct scenario *s)
{
    struct engine *engine = sim_engine(s->sim);
    return engine && !engine->executions_count && !engine->committing && !engine->gathering->dirty &&
           !engine->gathering->waiters;
}

static void play(struct scenario *s)
{
    orch_time faults_end = span(mix(s->options->seed, 6000, 1), 10 * ORCH_SECOND, 180 * ORCH_SECOND);
    uint64_t progress = 0;
    orch_time progress_at = 0;
    live(s);
    begin_run(s, 0);
    if (mix(s->options->seed, 6000, 2) % 3 == 0) begin_run(s, 0);
    if (!sim_at(s->sim, ORCH_SECOND / 100, on_people, s, 0)) abort();
    for (s->result->steps = 0; !watch_failure(s->watch); s->result->steps++) {
        struct orch_error err = ORCH_ERROR_INIT;
        if (s->result->steps > STEPS_MAX) {
            watch_fail(s->watch, "I8: does not come to an end in %u steps", STEPS_MAX);
            break;
        }
        int r = sim_step(s->sim, &err);
        if (r < 0) trace(s, "the engine ends: %s", err.message);
        if (r < 0 && r != ORCH_ERR_IO) watch_fail(s->watch, "the engine failed: %s", err.message);
        struct engine *engine = sim_engine(s->sim);
        if (engine) watch_compare(s->watch, engine);
        if (!engine && !s->waits_for_life) {
            /* Somebody starts it again. */
            orch_time down = span(mix(s->options->seed, 6001, s->life), ORCH_SECOND / 1000, 20 * ORCH_SECOND);
            s->waits_for_life = true;
            trace(s, "dead");
            if (!sim_at(s->sim, sim_now(s->sim) + down, on_live, s, 0)) abort();
        }
        if (!s->is_calm && sim_now(s->sim) > faults_end) {
            calm_down(s);
            progress_at = sim_now(s->sim);
        }
        if (s->is_calm && is_idle(s)) break;
        if (watch_progress(s->watch) != progress) {
            progress = watch_progress(s->watch);
            progress_at = sim_now(s->sim);
        }
        if (s->is_calm && sim_now(s->sim) > progress_at + STILL_MAX) break;
        if (r == 0) break;
    }
    s->result->time = sim_now(s->sim);
    if (sim_engine(s->sim))
        watch_end(s->watch, sim_engine(s->sim));
    else
        watch_fail(s->watch, "the last life is over");
}

static char *drawn(uint64_t seed, uint32_t which, bool has_sub)
{
    struct chance chance;
    struct buf text;
    chance_init(&chance, mix(seed, 8000, which));
    buf_init(&text, NULL, 0);
    generate_definition(&chance, has_sub, &text);
    char *ret = strndup(text.data, text.size);
    buf_done(&text);
    if (!ret) abort();
    return ret;
}

void scenario_run(const struct scenario_options *options, struct scenario_result *ret)
{
    struct scenario *s = calloc(1, sizeof *s);
    if (!s) abort();
    memset(ret, 0, sizeof *ret);
    s->options = options;
    s->result = ret;
    for (uint32_t i = 0; i < 3; i++) {
        ret->definitions[i] =
            options->definitions[i] ? strdup(options->definitions[i]) : drawn(options->seed, i, i < 2);
        if (!ret->definitions[i]) abort();
    }
    if (options->trace) printf("%s%s%s", ret->definitions[0], ret->definitions[1], ret->definitions[2]);
    draw_chances(s);
    struct sim_options sim_options = {.hooks = {.user = s,
                                                .attempt = on_attempt,
                                                .attempt_began = on_began,
                                                .attempt_ended = on_ended,
                                                .append = on_append,
                                                .durable = on_durable,
                                                .read_file = on_read_file},
                                      .mark = options->seed,
                                      .wall = WALL_START,
                                      .jobs = 1 + (uint32_t)(mix(options->seed, 6000, 3) % 6),
                                      .grace_us = 2 * ORCH_SECOND,
                                      .observer = {.transitions = on_transitions, .user = s}};
    s->watch = watch_new(sim_options.jobs, sim_options.grace_us);
    s->sim = sim_new(&sim_options);
    if (!s->sim) abort();
    watch_set_sim(s->watch, s->sim);
    play(s);
    if (watch_failure(s->watch)) snprintf(ret->failure, sizeof ret->failure, "%s", watch_failure(s->watch));
    trace(s, "%s", ret->failure[0] ? ret->failure : "all was well");
    s->sim = sim_free(s->sim);
    ret->digest = watch_digest(s->watch);
    ret->transitions = watch_transitions(s->watch);
    s->watch = watch_free(s->watch);
    for (uint32_t i = 0; i < s->answers_count; i++) free(s->answers[i]);
    free(s->answers);
    free(s);
}

void scenario_result_done(struct scenario_result *result)
{
    free(result->happened);
    for (uint32_t i = 0; i < 3; i++) free(result->definitions[i]);
    memset(result, 0, sizeof *result);
}
