/*
 * disk.h - a disk for the simulated world: what is durable survives a crash, what is not is lost. (Internal to sim.)
 *
 * What is durable is held in a store of memory; each life of an engine has a store of its own in front of it, which
 * hands an append over when the world says that it has become durable.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "sim/sim.h"

struct disk;

/* NULL when memory is short. `mark` is the store's mark, 32 characters at most. */
struct disk *disk_new(const char *mark, const struct sim_hooks *hooks, struct sim *sim);
struct disk *disk_free(struct disk *disk);
/* The store of one life. At most one at a time. */
int disk_open(struct disk *disk, struct store **ret, struct orch_error *err);
struct store *disk_durable(struct disk *disk);
/* True for good once there was no memory for what had become durable. */
bool disk_is_short(const struct disk *disk);
/* Of the appends under way, those that the crash keeps become durable; the rest is lost. */
void disk_crash(struct disk *disk);

#endif
