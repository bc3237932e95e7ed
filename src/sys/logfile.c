/*
 * logfile.c - what the attempts of tasks wrote.
 *
 * A line that goes on in the next one (it was longer than 64 KiB) has '+' after its letter: "<wall µs> o+ <text>". A
 * log is read while it is written, and after a crash: only what ends with a line end counts.
 */
#include "sys/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/file.h"

#define LINE_MAX_SIZE (64u << 10)
#define FILE_MAX_SIZE (UINT64_C(64) << 20)
#define BUFFER_SIZE   (32u << 10)
#define NAME_SIZE_MAX 200
#define READ_SIZE     (256u << 10)

struct logfile {
    int fd;      /* -1 until the first line */
    bool failed; /* said once; everything after is dropped */
    bool said_full;
    uint64_t size;                         /* of the file and what is buffered */
    uint64_t written;                      /* of the file */
    uint64_t dropped_lines, dropped_bytes; /* since the limit was reached */
    uint64_t lost_lines;                   /* that a full disk has cost since the last line that was written */
    orch_time last;                        /* of the last line, for the remark about what was dropped */
    struct buf path;
    struct buf buffer;
};

/*
 * Names. Letters, digits, '_' and '-' stand for themselves; what paths of instances are made of is given its own short
 * form; all else is %XX. group/build -> group.build    clean[183] -> clean@183    polish#3/draft -> polish+3.draft
 * Different texts give different names: a name can be read back, and a long one carries a hash behind '~', which is in
 * no other name.
 */
static size_t index_size(struct orch_str path, size_t at)
{
    size_t end = at + 1;

    while (end < path.size && path.data[end] >= '0' && path.data[end] <= '9') end++;
    if (end == at + 1 || end == path.size || path.data[end] != ']') return 0;
    if (end + 1 < path.size && path.data[end + 1] >= '0' && path.data[end + 1] <= '9')
        return 0; /* the number would not end there */
    return end + 1 - at;
}

static void add_safe_name(struct orch_str path, size_t size_max, struct buf *out)
{
    size_t begin = out->size;

    for (size_t i = 0; i < path.size && out->size - begin <= size_max; i++) {
        char c = path.data[i];
        size_t skip;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-') {
            buf_add_char(out, c);
        } else if (c == '/' && i > 0) {
            buf_add_char(out, '.');
        } else if (c == '#') {
            buf_add_char(out, '+');
        } else if (c == '[' && (skip = index_size(path, i)) > 0) {
            buf_add_char(out, '@');
            buf_add(out, str_of(path.data + i + 1, skip - 2));
            i += skip - 1;
        } else {
            buf_printf(out, "%%%02X", (unsigned char)c);
        }
    }
    if (!out->failed && out->size - begin > size_max) {
        out->size = begin + size_max - 34;
        buf_printf(out, "~%016llx-%016llx", (unsigned long long)str_hash(path),
                   (unsigned long long)str_hash_keyed(path, 1));
    }
}

void logfile_path(struct orch_str dir, struct orch_str execution_id, struct orch_str path, uint32_t generation,
                  uint32_t attempt, struct buf *out)
{
    char end[40];
    int end_size = snprintf(end, sizeof(end), ".%u.%u.log", generation, attempt);

    buf_add(out, dir);
    buf_add_text(out, "/logs/");
    add_safe_name(execution_id, NAME_SIZE_MAX, out);
    buf_add_char(out, '/');
    add_safe_name(path, NAME_SIZE_MAX - (size_t)end_size, out);
    buf_add(out, str_of(end, (size_t)end_size));
}

/*
 * Writing.
 */
struct logfile *logfile_new(struct orch_str dir, struct orch_str execution_id, struct orch_str path,
                            uint32_t generation, uint32_t attempt)
{
    struct logfile *log = mem_resize(NULL, NULL, 0, sizeof(*log));

    if (!log) return NULL;
    *log = (struct logfile){.fd = -1};
    buf_init(&log->path, NULL, 0);
    buf_init(&log->buffer, NULL, 0);
    logfile_path(dir, execution_id, path, generation, attempt, &log->path);
    if (log->path.failed) {
        buf_done(&log->path);
        return mem_resize(NULL, log, sizeof(*log), 0);
    }
    return log;
}

static int open_file(struct logfile *log, struct orch_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    off_t end;

    log->fd = open(log->path.data, flags, 0600);
    if (log->fd < 0 && errno == ENOENT) { /* the execution's first log */
        char *slash = strrchr(log->path.data, '/');
        int result;

        *slash = '\0';
        result = file_make_dirs(log->path.data, err);
        *slash = '/';
        if (result != 0) return result;
        log->fd = open(log->path.data, flags, 0600);
    }
    if (log->fd < 0) return error_errno(err, errno, "cannot open the log %s", log->path.data);
    end = lseek(log->fd, 0, SEEK_END);
    if (end > 0) { /* the same attempt in an earlier life, perhaps cut off within a line */
        if (write(log->fd, "\n", 1) != 1) {
            int code = errno;

            close(log->fd);
            log->fd = -1;
            return error_errno(err, code, "cannot write the log %s", log->path.data);
        }
        log->size += (uint64_t)end;
        log->written = (uint64_t)end + 1;
    }
    return 0;
}

static uint64_t count_lines(const char *data, size_t size)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++) count += data[i] == '\n';
    return count;
}

/* As much as the disk takes. What it does not take of a line is taken back, so that none is half written. */
static int write_lines(struct logfile *log, const char *data, size_t data_size, struct orch_error *err)
{
    size_t at = 0, whole;
    int result = 0;

    while (result == 0 && at < data_size) {
        ssize_t size = write(log->fd, data + at, data_size - at);

        if (size >= 0)
            at += (size_t)size;
        else if (errno != EINTR)
            result = error_errno(err, errno, "cannot write the log %s", log->path.data);
    }
    whole = at;
    if (result != 0) {
        while (whole > 0 && data[whole - 1] != '\n') whole--;
        if (whole < at && ftruncate(log->fd, (off_t)(log->written + whole)) != 0)
            whole = at; /* then it stays, and readers skip it */
        log->lost_lines += count_lines(data + whole, data_size - whole);
    }
    log->written += whole;
    return result;
}

/* The disk was full for a while: a line says what that cost, in the place where it is missing. */
static int write_lost(struct logfile *log)
{
    char text[160];
    int size = snprintf(text, sizeof(text), "%lld s %llu lines were lost: no space left on the disk\n",
                        (long long)log->last, (unsigned long long)log->lost_lines);
    uint64_t lost = log->lost_lines;
    int result = write_lines(log, text, (size_t)size, NULL);

    log->lost_lines = result == 0 ? 0 : lost;
    return result;
}

static int write_out(struct logfile *log, struct orch_error *err)
{
    uint64_t lost = log->lost_lines;
    bool is_open = log->fd >= 0, is_full;
    int result = 0;

    if (log->buffer.size == 0) return 0;
    if (!is_open) result = open_file(log, err);
    is_full = result == ORCH_ERR_FULL;
    if (result == 0 && lost > 0 && write_lost(log) != 0) { /* still full */
        is_full = true;
    } else if (result == 0) {
        result = write_lines(log, log->buffer.data, log->buffer.size, err);
        is_full = result == ORCH_ERR_FULL;
        buf_clear(&log->buffer);
    }
    log->lost_lines += count_lines(log->buffer.data, log->buffer.size); /* of what was not even tried */
    buf_clear(&log->buffer);
    if (!is_full) {
        if (result != 0) log->failed = true;
        return result;
    }
    /* There may be room again: lines that come then are written. Said once. */
    if (log->said_full) return 0;
    log->said_full = true;
    return result;
}

/* One line of the file, at most LINE_MAX_SIZE of text. */
static int add_piece(struct logfile *log, orch_time at, char stream, bool goes_on, struct orch_str text,
                     struct orch_error *err)
{
    size_t before = log->buffer.size;

    buf_printf(&log->buffer, "%lld %c%s ", (long long)at, stream, goes_on ? "+" : "");
    buf_add(&log->buffer, text);
    buf_add_char(&log->buffer, '\n');
    if (log->buffer.failed) {
        log->failed = true;
        buf_clear(&log->buffer);
        return error_memory(err);
    }
    log->size += log->buffer.size - before;
    return log->buffer.size >= BUFFER_SIZE ? write_out(log, err) : 0;
}

int logfile_add(struct logfile *log, orch_time at, char stream, struct orch_str line, struct orch_error *err)
{
    int result = 0;

    if (log->failed) return 0;
    log->last = at;
    if (log->dropped_lines > 0 || log->size + line.size + 64 > FILE_MAX_SIZE) {
        if (log->dropped_lines == 0) {
            result = add_piece(log, at, 's', false,
                               STR("the log has reached its limit of 64 MiB: lines from here on are dropped"), err);
        }
        log->dropped_lines++;
        log->dropped_bytes += line.size;
        return result;
    }
    do { /* a text of several lines is several lines */
        const char *end = line.size > 0 ? memchr(line.data, '\n', line.size) : NULL;
        size_t size = end ? (size_t)(end - line.data) : line.size;
        struct orch_str rest = str_of(line.data, size);

        while (rest.size > LINE_MAX_SIZE && result == 0) {
            result = add_piece(log, at, stream, true, str_of(rest.data, LINE_MAX_SIZE), err);
            rest = str_of(rest.data + LINE_MAX_SIZE, rest.size - LINE_MAX_SIZE);
        }
        if (result == 0) result = add_piece(log, at, stream, false, rest, err);
        if (!end) break;
        line = str_of(end + 1, line.size - size - 1);
    } while (result == 0);
    return result;
}

int logfile_flush(struct logfile *log, struct orch_error *err)
{
    return log && !log->failed ? write_out(log, err) : 0;
}

struct logfile *logfile_close(struct logfile *log)
{
    if (!log) return NULL;
    if (log->dropped_lines > 0 && !log->failed) {
        char text[128];
        int size = snprintf(text, sizeof(text), "%llu lines (%llu bytes) were dropped",
                            (unsigned long long)log->dropped_lines, (unsigned long long)log->dropped_bytes);

        (void)add_piece(log, log->last, 's', false, str_of(text, (size_t)size), NULL);
    }
    (void)logfile_flush(log, NULL);                                 /* nobody is left to tell */
    if (log->lost_lines > 0 && log->fd >= 0) (void)write_lost(log); /* as above */
    if (log->fd >= 0) close(log->fd);
    buf_done(&log->buffer);
    buf_done(&log->path);
    return mem_resize(NULL, log, sizeof(*log), 0);
}

/*
 * Reading.
 */

/* "<µs> <letter>[+] <text>"; false when it is none of our lines (a part of one that a crash cut). */
static bool parse_line(struct orch_str text, orch_time *ret_at, char *ret_stream, bool *ret_goes_on,
                       struct orch_str *ret_line)
{
    size_t blank = str_find(text, STR(" "), 0), next;
    int64_t at;

    if (blank == SIZE_MAX || !str_to_int64(str_of(text.data, blank), &at)) return false;
    text = str_of(text.data + blank + 1, text.size - blank - 1);
    if (text.size < 2 || (text.data[0] != 'o' && text.data[0] != 'e' && text.data[0] != 's')) return false;
    *ret_goes_on = text.data[1] == '+';
    next = *ret_goes_on ? 2 : 1;
    if (text.size <= next || text.data[next] != ' ') return false;
    *ret_at = at;
    *ret_stream = text.data[0];
    *ret_line = str_of(text.data + next + 1, text.size - next - 1);
    return true;
}

int logfile_each(const char *file, uint64_t offset, uint64_t *ret_offset,
                 int (*fn)(void *user, orch_time at, char stream, struct orch_str line), void *user,
                 struct orch_error *err)
{
    uint64_t damaged = 0;

    return logfile_each_counted(file, offset, ret_offset, fn, user, &damaged, err);
}

int logfile_each_counted(const char *file, uint64_t offset, uint64_t *ret_offset,
                         int (*fn)(void *user, orch_time at, char stream, struct orch_str line), void *user,
                         uint64_t *ret_damaged, struct orch_error *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), result = 0;
    struct stat status;
    char *room;
    size_t used = 0;
    bool at_end = false;

    if (fd < 0) return error_errno(err, errno, "cannot open the log %s", file);
    if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(err, ORCH_ERR_CORRUPT, "the log %s is no file", file);
    }
    room = mem_resize(NULL, NULL, 0, READ_SIZE);
    if (!room) {
        close(fd);
        return error_memory(err);
    }
    while (result == 0 && !at_end) {
        ssize_t got = pread(fd, room + used, READ_SIZE - used, (off_t)(offset + used));
        struct orch_str text;

        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            result = error_errno(err, errno, "cannot read the log %s", file);
            break;
        }
        at_end = got == 0;
        used += (size_t)got;
        text = str_of(room, used);
        while (result == 0) {
            size_t end = str_find(text, STR("\n"), 0);
            orch_time at;
            char stream;
            bool goes_on;
            struct orch_str line;

            if (end == SIZE_MAX) break;
            if (parse_line(str_of(text.data, end), &at, &stream, &goes_on, &line)) result = fn(user, at, stream, line);
            else (*ret_damaged)++;
            if (result == 0) {
                text = str_of(text.data + end + 1, text.size - end - 1);
                offset += end + 1;
            }
        }
        used = text.size;
        memmove(room, text.data, used);
        if (used == READ_SIZE) { /* no line of ours is so long: what this is, it is skipped */
            offset += used;
            used = 0;
            (*ret_damaged)++;
        }
    }
    (void)mem_resize(NULL, room, READ_SIZE, 0);
    close(fd);
    if (result == 0 && ret_offset) *ret_offset = offset;
    return result;
}
