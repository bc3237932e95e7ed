/*
 * file.h - files as we need them: read whole, replaced atomically, synced.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/arena.h"

/* Reads a whole regular file (or a pipe) of at most size_max bytes into the arena, NUL-terminated. path "-" is no special case. ORCH_ERR_NOT_FOUND, _DENIED, _LIMIT, _IO. */
int file_read(const char *path, size_t size_max, struct arena *arena, struct orch_str *ret, struct orch_error *err);
int file_read_fd(int fd, const char *name, size_t size_max, struct arena *arena, struct orch_str *ret, struct orch_error *err);
/* Writes beside it, syncs, renames over it, syncs the directory. */
int file_replace(const char *path, struct orch_str content, unsigned mode, struct orch_error *err);
/* mkdir -p with mode 0700 for what is made. */
int file_make_dirs(const char *path, struct orch_error *err);
int file_sync_dir(const char *path, struct orch_error *err);
/* Removes a directory and all in it, not following links. NOT_FOUND is no error. */
int file_remove_tree(const char *path, struct orch_error *err);

#endif
