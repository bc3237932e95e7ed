/*
 * zone.h - the rules of time zones from the system's zone files, for the pure floors, which open no file.
 */
#ifndef SYS_ZONE_H
#define SYS_ZONE_H

#include "base/map.h"

/* Zone files that were read, by name: each is read once. One thread at a time. */
struct zonefiles {
    struct arena arena;
    struct map files; /* name to struct orch_str *; NULL for a name that has no file */
    const char *directory;
};

/* directory NULL: /usr/share/zoneinfo. It is borrowed. */
void zonefiles_init(struct zonefiles *zones, const char *directory, const struct orch_allocator *allocator);
void zonefiles_done(struct zonefiles *zones);

/*
 * The bytes of a zone file, in the form of expr_env.zone; they live until zonefiles_done. Names are [A-Za-z0-9_+-]
 * parts with single slashes between them, at most 64 bytes: nothing that could leave the directory.
 *
 * @param user  a struct zonefiles
 * @return 0; ORCH_ERR_NOT_FOUND when there is no such zone; ORCH_ERR_NO_MEMORY
 */
int zonefiles_load(void *user, struct orch_str name, struct orch_str *ret_tzif);

#endif
