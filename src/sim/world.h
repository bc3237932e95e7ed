/*
 * world.h - inside of the simulated world. (Internal to sim.)
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/disk.h"

struct sim_event {
    orch_time at;
    uint64_t order; /* of two at one time the earlier made goes first */
    void (*fn)(void *user, uint64_t argument);
    void *user;
    uint64_t argument;
};

struct program; /* programs.c */

struct sim {
    struct sim_options options;
    struct engine *engine;
    struct disk *disk;
    orch_time now, wall_offset;
    bool is_crashed;
    struct sim_event *events; /* a heap, index 0 is the first */
    uint32_t events_count, events_capacity;
    uint64_t order;
    struct program *programs; /* under way */
    uint32_t programs_count;
    uint64_t programs_serial;
};

/* programs.c: the provider of every kind of action. */
extern const struct action_provider sim_provider;

#endif
