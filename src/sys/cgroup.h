/*
 * cgroup.h - a control group (version 2) for each program, where this user may make them. (Internal to sys.)
 *
 * Used for one thing only: a group is killed as a whole, in one step that no fork can outrun.
 */
#ifndef SYS_CGROUP_H
#define SYS_CGROUP_H

#include "base/arena.h"

/*
 * The directory of the caller's own group in the version 2 hierarchy (also of a hybrid mount), such as /sys/fs/cgroup/user.slice/...
 * Returns 0, ORCH_ERR_NOT_FOUND when there is none, or another error.
 */
int cgroup_find_home(struct arena *arena, struct orch_str *ret, struct orch_error *err);

/* The name of a spawner's directory: "orch-<hash of the store's mark>-"; the spawner's pid follows. ret needs 32 bytes. */
void cgroup_prefix(struct orch_str mark, char ret[32]);

/* From here on nothing allocates. */
/* Makes a group and opens it. A descriptor, or -errno. */
int cgroup_make(int directory_fd, const char *name);
bool cgroup_can_kill(int group_fd);
/* Kills everything in it. 0 or an errno. */
int cgroup_kill(int group_fd);
bool cgroup_is_empty(int group_fd);
/* Calls fn for each process in it. */
void cgroup_each(int group_fd, void (*fn)(void *user, int pid), void *user);
/* Kills what is in a spawner's directory and removes it; tries until deadline (monotonic). Returns whether it is gone. */
bool cgroup_remove(int home_fd, const char *name, orch_time deadline);

#endif
