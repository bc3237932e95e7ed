/*
 * check_pages.c - the database and its log, byte by byte as they stand on the disk: each page by its seal, each frame
 * by its checksum.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/check_internal.h"

/* An owner may be writing the page this very moment. */
#define READ_TRIES 5

static const char salvage[] = "orch doctor --salvage DIR  copies what can be read; or restore a backup";

static ssize_t read_at(int fd, void *data, size_t size, int64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)data + done, size - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int open_file(const struct check *check, const char *name, int *ret_fd, int64_t *ret_size,
                     struct orch_error *err)
{
    struct stat st;
    int fd = openat(check->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return error_errno(err, errno, "%s/%s", check->path, name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd); /* it was not read */
        return error_set(err, ORCH_ERR_CORRUPT, "%s/%s is not a regular file", check->path, name);
    }
    *ret_fd = fd;
    *ret_size = st.st_size;
    return 0;
}

static const char *bits_words(int64_t bit)
{
    return bit >= 0 ? "one bit is wrong" : "its checksum is wrong";
}

static void tell_page(struct check *check, unsigned char *page, size_t size, uint32_t number)
{
    int64_t at = (int64_t)(number - 1) * (int64_t)size, bit = seal_mend(page, size, number);
    struct check_finding finding = {.subject = CHECK_PAGE,
                                    .is_damage = true,
                                    .file = "orch.db",
                                    .offset = at,
                                    .size = (int64_t)size,
                                    .bit = bit >= 0 ? at * 8 + bit : -1,
                                    .mend = salvage};
    check_tell(check, &finding, "page %u: %s", number, bits_words(bit));
}

static int check_open_pages(struct check *check, int fd, int64_t file_size, struct orch_error *err)
{
    unsigned char header[100], *page = NULL;
    ssize_t got = read_at(fd, header, sizeof header, 0);
    if (got < 0) return error_errno(err, errno, "cannot read %s/orch.db", check->path);
    size_t size = got == sizeof header ? (size_t)header[16] << 8 | header[17] : 0;
    struct check_finding finding = {.subject = CHECK_DATABASE, .is_damage = true, .file = "orch.db", .mend = salvage};
    /* Pages are of this size in all stores that were made here: with a damaged header the rest can still be looked at.
     */
    if (size == 1) size = PAGE_SIZE_MAX;
    if (!page_size_is_valid((int64_t)size) || file_size % (int64_t)size != 0) size = 4096;
    if (file_size % (int64_t)size != 0 && !check->counts->is_owned) {
        finding.bit = -1;
        check_tell(check, &finding, "it was cut: %lld bytes are no whole number of pages", (long long)file_size);
    }
    page = mem_resize(NULL, NULL, 0, size);
    if (!page) return error_memory(err);
    int code = 0;
    for (uint32_t number = 1; (int64_t)number * (int64_t)size <= file_size; number++) {
        bool is_right = false;
        for (int i = 0; i < (check->counts->is_owned ? READ_TRIES : 1) && !is_right && code == 0; i++) {
            if (read_at(fd, page, size, (int64_t)(number - 1) * (int64_t)size) < (ssize_t)size)
                code = error_errno(err, errno, "cannot read %s/orch.db", check->path);
            else
                is_right = seal_is_right(page, size, number) || page_is_zero(page, size); /* never used, see vfs.c */
        }
        if (code < 0) break;
        if (!is_right) tell_page(check, page, size, number);
        check->counts->pages++;
        check->counts->bytes += size;
    }
    (void)mem_resize(NULL, page, size, 0); /* freeing cannot fail */
    return code;
}

int check_pages(struct check *check, struct orch_error *err)
{
    int fd = -1;
    int64_t size = 0;
    int code = open_file(check, "orch.db", &fd, &size, err);
    if (code < 0) return code;
    code = check_open_pages(check, fd, size, err);
    (void)close(fd); /* it was only read */
    return code;
}

/*
 * The log. Behind the last frame that is right stand, if anything, frames of an earlier log, whose salts are others,
 * and what a crash has cut short. What can be told from that: the note of its end, and right frames further on.
 */

struct log_scan {
    unsigned char header[LOG_HEADER_SIZE];
    size_t page_size;
    uint32_t right;     /* frames from the first on that are right */
    uint32_t committed; /* up to the last commit among them */
    uint32_t later;     /* a commit behind a wrong one and behind another commit; 0: none */
    int64_t bit;        /* the one that is wrong in the first wrong frame; -1 */
};

static int scan_log(struct check *check, int fd, struct log_scan *scan, struct orch_error *err)
{
    size_t size = scan->page_size + FRAME_HEAD_SIZE;
    unsigned char *frame = mem_resize(NULL, NULL, 0, size);
    if (!frame) return error_memory(err);
    struct log_sum before = log_sum_load(scan->header + LOG_HEADER_SUM_AT);
    bool is_big_endian = scan->header[3] & 1, is_broken = false;
    uint32_t commits_behind = 0;
    ssize_t got = 0;
    scan->bit = -1;
    for (uint32_t number = 1;; number++) {
        got = read_at(fd, frame, size, LOG_HEADER_SIZE + (int64_t)(number - 1) * (int64_t)size);
        if (got < (ssize_t)size) break;
        bool is_ours = memcmp(frame + FRAME_SALTS_AT, scan->header + LOG_HEADER_SALTS_AT, 8) == 0;
        bool is_right =
            is_ours && frame_is_right(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, scan->page_size);
        bool is_commit = load_be32(frame + 4) != 0;
        check->counts->frames += is_right;
        check->counts->bytes += size;
        if (!is_broken && is_right) {
            scan->right = number;
            if (is_commit) scan->committed = number;
        } else if (!is_broken) {
            is_broken = true;
            scan->bit = frame_mend(is_big_endian, before, scan->header + LOG_HEADER_SALTS_AT, frame, scan->page_size);
        } else if (is_right && is_commit && commits_behind++ > 0) {
            scan->later = number;
        }
        before = log_sum_load(frame + FRAME_SUM_AT);
    }
    (void)mem_resize(NULL, frame, size, 0); /* freeing cannot fail */
    return got < 0 ? error_errno(err, errno, "cannot read %s/orch.db-wal", check->path) : 0;
}

static void tell_log(struct check *check, const struct log_scan *scan, const struct vfs_log *end)
{
    bool is_same = memcmp(end->salts, scan->header + LOG_HEADER_SALTS_AT, sizeof end->salts) == 0;
    struct check_finding finding = {
        .subject = CHECK_LOG, .is_damage = true, .file = "orch.db-wal", .bit = -1, .mend = salvage};
    if (end->frames > 0 && !is_same) {
        check_tell(check, &finding, "it is not the log that was written last, which had %u frames", end->frames);
        return;
    }
    if (scan->right >= end->frames && scan->later == 0) return;
    uint32_t last = end->frames > scan->later ? end->frames : scan->later;
    finding.size = (int64_t)scan->page_size + FRAME_HEAD_SIZE;
    finding.offset = LOG_HEADER_SIZE + (int64_t)scan->right * finding.size;
    if (scan->bit >= 0) finding.bit = finding.offset * 8 + scan->bit;
    check_tell(check, &finding, "frame %u of %u: %s; without it, what was committed after frame %u is lost",
               scan->right + 1, last, bits_words(scan->bit), scan->committed);
}

int check_log(struct check *check, struct orch_error *err)
{
    struct vfs_log end;
    struct log_scan scan = {.bit = -1};
    struct check_finding finding = {.subject = CHECK_LOG, .file = "orch.db-end", .bit = -1, .mend = ""};
    int fd = -1, code;
    int64_t size = 0;
    enum log_end_state state = log_end_read(check->dir_fd, &end);
    check->log_last = end.frames;
    if (check->counts->is_owned) return 0; /* it goes on while we look; its owner has looked at it */
    if (state == LOG_END_DAMAGED) {
        finding.is_damage = true;
        finding.mend = "harmless if the rest is well: the next command that writes to the store writes it anew";
        check_tell(check, &finding, "its checksum is wrong");
    }
    finding = (struct check_finding){
        .subject = CHECK_LOG, .is_damage = true, .file = "orch.db-wal", .bit = -1, .mend = salvage};
    code = open_file(check, "orch.db-wal", &fd, &size, err);
    if (code == ORCH_ERR_NOT_FOUND || (code == 0 && size == 0)) {
        if (end.frames > 0)
            check_tell(check, &finding, "it is %s, and had %u frames", code < 0 ? "missing" : "empty", end.frames);
        if (code == 0) (void)close(fd);
        return 0;
    }
    if (code < 0) return code;
    ssize_t got = read_at(fd, scan.header, sizeof scan.header, 0);
    if (got == sizeof scan.header && log_header_is_right(scan.header)) {
        scan.page_size = load_be32(scan.header + 8);
        code = scan_log(check, fd, &scan, err);
        if (scan.later > check->log_last) check->log_last = scan.later;
        if (code == 0) tell_log(check, &scan, &end);
    } else if (end.frames > 0) {
        finding.size = LOG_HEADER_SIZE;
        check_tell(check, &finding, "its header is damaged, so its %u frames are not read", end.frames);
    }
    (void)close(fd); /* it was only read */
    return code;
}
