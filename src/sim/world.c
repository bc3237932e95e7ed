/*
 * world.c - the simulated world: its time, what is to happen, and the lives of the orchestrator in it.
 */
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

/*
 * Events: a binary heap by time, then by the order they were made in.
 */
static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

bool sim_at(struct sim *sim, orch_time at, void (*fn)(void *user, uint64_t argument), void *user, uint64_t argument)
{
    if (sim->events_count == sim->events_capacity) {
        uint32_t capacity = sim->events_capacity ? sim->events_capacity * 2 : 64;
        struct sim_event *events =
            mem_resize(NULL, sim->events, sim->events_capacity * sizeof *events, capacity * sizeof *events);
        if (!events) return false;
        sim->events = events;
        sim->events_capacity = capacity;
    }
    struct sim_event event = {
        .at = at < sim->now ? sim->now : at, .order = ++sim->order, .fn = fn, .user = user, .argument = argument};
    uint32_t place = sim->events_count++;
    for (; place > 0 && is_before(&event, &sim->events[(place - 1) / 2]); place = (place - 1) / 2)
        sim->events[place] = sim->events[(place - 1) / 2];
    sim->events[place] = event;
    return true;
}

static struct sim_event event_take(struct sim *sim)
{
    struct sim_event first = sim->events[0], last = sim->events[--sim->events_count];
    uint32_t place = 0;
    for (uint32_t child; (child = 2 * place + 1) < sim->events_count; place = child) {
        if (child + 1 < sim->events_count && is_before(&sim->events[child + 1], &sim->events[child])) child++;
        if (!is_before(&sim->events[child], &last)) break;
        sim->events[place] = sim->events[child];
    }
    if (sim->events_count) sim->events[place] = last;
    return first;
}

/*
 * What the engine sees of it.
 */
static orch_time world_monotonic(void *user)
{
    return ((struct sim *)user)->now;
}

static orch_time world_wall(void *user)
{
    struct sim *sim = user;
    return sim->now + sim->wall_offset;
}

static const char *world_environment(void *user, const char *name)
{
    const struct sim_hooks *hooks = &((struct sim *)user)->options.hooks;
    return hooks->environment ? hooks->environment(hooks->user, name) : NULL;
}

static int world_read_file(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                           struct orch_error *err)
{
    const struct sim_hooks *hooks = &((struct sim *)user)->options.hooks;
    if (hooks->read_file) return hooks->read_file(hooks->user, path, size_max, arena, ret, err);
    return error_set(err, ORCH_ERR_NOT_FOUND, "%s is not there", path);
}

struct sim *sim_new(const struct sim_options *options)
{
    char mark[33];
    struct sim *sim = mem_resize(NULL, NULL, 0, sizeof *sim);
    if (!sim) return NULL;
    memset(sim, 0, sizeof *sim);
    sim->options = *options;
    sim->wall_offset = options->wall;
    snprintf(mark, sizeof mark, "%032llx", (unsigned long long)options->mark);
    sim->disk = disk_new(mark, &sim->options.hooks, sim);
    return sim->disk ? sim : sim_free(sim);
}

static void end_life(struct sim *sim)
{
    if (!sim->engine) return;
    disk_crash(sim->disk);
    sim->engine = engine_crash(sim->engine);
}

struct sim *sim_free(struct sim *sim)
{
    if (!sim) return NULL;
    sim->is_crashed = true;
    end_life(sim);
    sim->disk = disk_free(sim->disk);
    (void)mem_resize(NULL, sim->events, sim->events_capacity * sizeof *sim->events, 0); /* freeing cannot fail */
    (void)mem_resize(NULL, sim, sizeof *sim, 0);
    return NULL;
}

int sim_open(struct sim *sim, struct orch_error *err)
{
    if (sim->engine) return error_set(err, ORCH_ERR_MISUSE, "a life is under way");
    struct engine_world world = {.monotonic = world_monotonic,
                                 .wall = world_wall,
                                 .provider = &sim_provider,
                                 .provider_context = sim,
                                 .environment = world_environment,
                                 .read_file = world_read_file,
                                 .user = sim};
    int r = disk_open(sim->disk, &world.store, err);
    if (r) return r;
    sim->is_crashed = false;
    struct engine_options options = {.world = &world,
                                     .jobs = sim->options.jobs,
                                     .grace_us = sim->options.grace_us,
                                     .observer = sim->options.observer};
    return engine_open(&options, &sim->engine, err);
}

struct engine *sim_engine(struct sim *sim)
{
    return sim->is_crashed ? NULL : sim->engine;
}

void sim_crash(struct sim *sim)
{
    if (sim->engine) sim->is_crashed = true; /* sim_step ends it: this may be a call of the engine's own */
}

bool sim_is_crashed(const struct sim *sim)
{
    return sim->is_crashed;
}

orch_time sim_now(const struct sim *sim)
{
    return sim->now;
}

void sim_jump_wall(struct sim *sim, orch_time by)
{
    sim->wall_offset += by;
}

struct store *sim_durable(struct sim *sim)
{
    return disk_durable(sim->disk);
}

int sim_step(struct sim *sim, struct orch_error *err)
{
    int r = 0;
    if (sim->engine && !sim->is_crashed) r = engine_turn(sim->engine, err);
    if (r) sim->is_crashed = true; /* who cannot record ends by itself, as the service does */
    if (sim->is_crashed && sim->engine) {
        end_life(sim);
        if (disk_is_short(sim->disk)) return error_memory(err);
        return r ? r : 1;
    }
    orch_time due = ORCH_TIME_NEVER;
    if (sim->engine) {
        orch_time engine_due_at = engine_due(sim->engine);
        if (engine_due_at != ORCH_TIME_NEVER) due = engine_due_at - engine_now(sim->engine) + sim->now;
    }
    if (sim->events_count && sim->events[0].at <= due) {
        struct sim_event event = event_take(sim);
        sim->now = event.at;
        event.fn(event.user, event.argument);
        if (!disk_is_short(sim->disk)) return 1;
        sim->is_crashed = true;
        end_life(sim);
        return error_memory(err);
    }
    if (due == ORCH_TIME_NEVER) return 0;
    if (due > sim->now) sim->now = due;
    return 1;
}
