/*
 * zone.c - see zone.h.
 */
#include "sys/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY      "/usr/share/zoneinfo"
#define NAME_MAX_BYTES 64
#define FILE_MAX_BYTES (256 * 1024) /* the largest ones have 4 KiB */
#define ZONES_MAX      1000         /* there are some 600 names; beyond that somebody is guessing */

void zonefiles_init(struct zonefiles *zones, const char *directory, const struct orch_allocator *allocator)
{
    arena_init(&zones->arena, allocator, 0);
    map_init(&zones->files, allocator);
    zones->directory = directory ? directory : DIRECTORY;
}

void zonefiles_done(struct zonefiles *zones)
{
    map_done(&zones->files);
    arena_done(&zones->arena);
}

static bool is_safe_name(struct orch_str name)
{
    if (name.size == 0 || name.size > NAME_MAX_BYTES) return false;
    bool part_is_empty = true;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (c == '/') {
            if (part_is_empty) return false;
            part_is_empty = true;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
              c == '-'))
            return false;
        part_is_empty = false;
    }
    return !part_is_empty;
}

/* Reads at most FILE_MAX_BYTES of a regular file. */
static int read_file(struct zonefiles *zones, const char *path, struct orch_str *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOMEM ? ORCH_ERR_NO_MEMORY : ORCH_ERR_NOT_FOUND;
    struct stat status;
    int rc = ORCH_ERR_NOT_FOUND;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > FILE_MAX_BYTES)
        goto done;
    size_t size = (size_t)status.st_size, at = 0;
    char *data = arena_bytes(&zones->arena, size);
    if (!data) {
        rc = ORCH_ERR_NO_MEMORY;
        goto done;
    }
    while (at < size) {
        ssize_t n = read(fd, data + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) goto done;
        at += (size_t)n;
    }
    *ret = str_of(data, size);
    rc = 0;
done:
    (void)close(fd); /* read only: nothing can be lost */
    return rc;
}

int zonefiles_load(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    struct zonefiles *zones = user;
    if (!is_safe_name(name)) return ORCH_ERR_NOT_FOUND;
    const struct map_entry *known = map_find(&zones->files, name);
    if (!known) {
        char path[512];
        int length = snprintf(path, sizeof(path), "%s/%.*s", zones->directory, STR_ARG(name));
        if (length < 0 || (size_t)length >= sizeof(path) || zones->files.count >= ZONES_MAX) return ORCH_ERR_NOT_FOUND;
        struct orch_str tzif = STR_NONE;
        int rc = read_file(zones, path, &tzif);
        if (rc == ORCH_ERR_NO_MEMORY) return rc;
        struct orch_str *kept = NULL;
        if (rc == 0) {
            kept = ARENA_NEW(&zones->arena, struct orch_str);
            if (!kept) return ORCH_ERR_NO_MEMORY;
            *kept = tzif;
        }
        struct orch_str own_name = arena_str(&zones->arena, name);
        struct map_entry *entry = own_name.data ? map_add(&zones->files, own_name, NULL) : NULL;
        if (!entry) return ORCH_ERR_NO_MEMORY;
        entry->pointer = kept;
        known = entry;
    }
    if (!known->pointer) return ORCH_ERR_NOT_FOUND;
    *ret_tzif = *(const struct orch_str *)known->pointer;
    return 0;
}
