/*
 * doctor_host.h - what `orch doctor` tells of the machine and of processes that a store has left.
 */
#ifndef CLI_DOCTOR_HOST_H
#define CLI_DOCTOR_HOST_H

#include "base/str.h"

#define DOCTOR_PIDS_MAX 16

struct doctor_host {
    bool has_cgroup;                   /* control groups of version 2 that we may make groups in */
    bool has_zones;                    /* zone files for names such as Europe/Berlin */
    bool has_disk;                     /* the next four are known */
    uint64_t disk_free, disk_size;     /* bytes of the store's file system, for us */
    uint64_t inodes_free, inodes_size; /* size 0: it counts none */
    uint32_t processes;                /* that carry the store's mark; not counted while a process owns the store */
    int pids[DOCTOR_PIDS_MAX];
};

/* path: of the store, or of what is to hold it; mark: empty when it is not known or the store is owned. */
/* Returns 0 or ORCH_ERR_NO_MEMORY; what else keeps something from being found out is told as not there. */
int doctor_look_at_host(const char *path, struct orch_str mark, struct doctor_host *ret);

#endif
