/*
 * logfile.h - what the attempts of tasks wrote, line by line with its time. (Interface agreed with the engine: implement as it stands, add what the readers need.)
 *
 * One append-only file for each attempt, made at its first line:
 * <dir>/logs/<execution id>/<path made safe>.<generation>.<attempt>.log, each line "<wall µs> <o|e|s> <text>\n".
 */
#ifndef SYS_LOGFILE_H
#define SYS_LOGFILE_H

#include "base/arena.h"

struct logfile;

/* dir: the store's directory; everything is copied; the file is made at the first line. NULL when memory is short. */
struct logfile *logfile_new(struct orch_str dir, struct orch_str execution_id, struct orch_str path, uint32_t generation, uint32_t attempt);
/* One line; stream 'o', 'e' or 's'. Bounded (64 KiB a line, 64 MiB a file; what is dropped is counted and said). Buffered until logfile_flush. Returns 0 or an error once (later lines are then
 * dropped). After ORCH_ERR_FULL, also once, lines are written again as soon as there is room, and one says how many are missing. */
int logfile_add(struct logfile *log, orch_time at, char stream, struct orch_str line, struct orch_error *err);
int logfile_flush(struct logfile *log, struct orch_error *err);
/* Flushes and closes; NULL is fine. */
struct logfile *logfile_close(struct logfile *log);

/* Reading. Where an attempt's log is (it may not exist): into out. */
void logfile_path(struct orch_str dir, struct orch_str execution_id, struct orch_str path, uint32_t generation, uint32_t attempt, struct buf *out);
/* Calls fn for each line from byte `offset` on (0: the beginning); *ret_offset, which may be NULL, gets where the next read goes on (a half-written last line is left for later). ORCH_ERR_NOT_FOUND. */
int logfile_each(const char *file, uint64_t offset, uint64_t *ret_offset, int (*fn)(void *user, orch_time at, char stream, struct orch_str line), void *user,
                 struct orch_error *err);
/* The same; *ret_damaged gets one more for each line that is none of ours: it cannot be read, and is left out. */
int logfile_each_counted(const char *file, uint64_t offset, uint64_t *ret_offset, int (*fn)(void *user, orch_time at, char stream, struct orch_str line),
                         void *user, uint64_t *ret_damaged, struct orch_error *err);

#endif
