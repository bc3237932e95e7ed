/*
 * vfs.c - see vfs.h. A layer over whatever file system SQLite would use itself: locks, syncs and shared memory are
 * passed on, reads and writes of pages are looked at on the way.
 *
 * The writer of a log does not check what it has not committed yet: within a transaction that is larger than its cache
 * SQLite puts pages of the log in place of others and corrects the checksums at the end.
 *
 * A log grows by more than is written: room is made ahead with zeros. A sync of blocks that the file has already writes
 * them and no more; where it grew, the file system has to find blocks and to write their place down as well, and a
 * commit waits for the disk once more. Zeros end a log that is found, as what a crash cut short does: its salts are
 * others.
 */
#include "store/vfs.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "store/sqlite.h"

enum file_kind { FILE_DATABASE, FILE_LOG, FILE_OTHER };

struct file {
    sqlite3_file base;
    sqlite3_file *real;
    enum file_kind kind;
    enum vfs_mode mode;
    bool is_writable;
    struct file *partner; /* database and log of a connection know each other while both are open; or NULL */

    /* A database. */
    bool is_unsealed;
    struct vfs_damage damage;
    void (*damaged)(void *user, const struct vfs_damage *damage);
    void *damaged_user;

    /* A log. */
    bool has_header;
    unsigned char header[LOG_HEADER_SIZE];
    uint32_t committed; /* frames that may be checked: all that were found, or those that this connection committed */
    bool has_committed; /* it did */
    sqlite3_int64 room; /* the file's size, zeros included; -1: not known */
    sqlite3_int64 next; /* behind the last frame that was written; -1: none was */
    bool has_head;      /* the head of the next frame is kept until its page comes, to be written with it */
    unsigned char head[FRAME_HEAD_SIZE];
    unsigned char *frame; /* room for both, or NULL */
};

#define LOG_ROOM_SIZE (64u << 10) /* made ahead */

#define CONTROL_DAMAGE  0x6f7201
#define CONTROL_DAMAGED 0x6f7202
#define CONTROL_LOG     0x6f7203
#define CONTROL_INDEX   0x6f7204
#define CONTROL_SEALED  0x6f7205

struct listener {
    void (*fn)(void *user, const struct vfs_damage *damage);
    void *user;
};

static sqlite3_file *real_of(sqlite3_file *base)
{
    return ((struct file *)base)->real;
}

static int read_real(struct file *file, void *data, size_t size, sqlite3_int64 at)
{
    return file->real->pMethods->xRead(file->real, data, (int)size, at);
}

/* Notes damage where the connection will ask for it: at its database. */
static void note(struct file *file, bool is_log, uint32_t number, int64_t offset, int64_t bit)
{
    struct file *database = file->kind == FILE_DATABASE ? file : file->partner;
    if (!database) return;
    database->damage = (struct vfs_damage){
        .is_log = is_log, .number = number, .offset = offset, .bit = bit, .count = database->damage.count + 1};
    if (database->damaged) database->damaged(database->damaged_user, &database->damage);
}

/*
 * Pages of the database.
 */

static bool is_page(size_t size, sqlite3_int64 at)
{
    return page_size_is_valid((int64_t)size) && at % (sqlite3_int64)size == 0 && at / (sqlite3_int64)size < UINT32_MAX;
}

static int check_page(struct file *file, unsigned char *page, size_t size, sqlite3_int64 at)
{
    uint32_t number = (uint32_t)(at / (sqlite3_int64)size) + 1;
    if (seal_is_right(page, size, number)) return SQLITE_OK;
    /* A page that was free when the file grew past it was never written. Who reads has no business there. */
    if (file->is_writable && page_is_zero(page, size)) return SQLITE_OK;
    int64_t bit = file->mode != VFS_STRICT ? seal_mend(page, size, number) : -1;
    note(file, false, number, at, bit);
    return bit >= 0 || file->mode == VFS_RAW ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int read_database(struct file *file, void *data, size_t size, sqlite3_int64 at)
{
    int rc = read_real(file, data, size, at);
    if (file->is_unsealed || !is_page(size, at)) return rc;
    if (rc == SQLITE_OK) return check_page(file, data, size, at);
    /* SQLite takes what is missing at the end for zeros. */
    if (rc != SQLITE_IOERR_SHORT_READ || file->is_writable || (at == 0 && page_is_zero(data, size))) return rc;
    note(file, false, (uint32_t)(at / (sqlite3_int64)size) + 1, at, -1);
    return file->mode == VFS_RAW ? rc : SQLITE_IOERR_DATA;
}

static int write_database(struct file *file, const void *data, size_t size, sqlite3_int64 at)
{
    if (!file->is_unsealed && is_page(size, at)) {
        /* The buffer is SQLite's, the last bytes of it are ours to fill. */
        unsigned char *page = (unsigned char *)data;
        if (at == 0 && page[20] < SEAL_SIZE) return SQLITE_IOERR_WRITE; /* but not in this one: a bug */
        seal_put(page, size, (uint32_t)(at / (sqlite3_int64)size) + 1);
    }
    return file->real->pMethods->xWrite(file->real, data, (int)size, at);
}

/*
 * The log. Frames are numbered from 1.
 */

static sqlite3_int64 frame_at(uint32_t number, size_t page_size)
{
    return LOG_HEADER_SIZE + (sqlite3_int64)(number - 1) * (sqlite3_int64)(page_size + FRAME_HEAD_SIZE);
}

/* The frame that begins at a place; 0 when none does. */
static uint32_t frame_number(sqlite3_int64 at, size_t page_size)
{
    sqlite3_int64 stride = (sqlite3_int64)(page_size + FRAME_HEAD_SIZE), from = at - LOG_HEADER_SIZE;
    return from < 0 || from % stride != 0 || from / stride >= UINT32_MAX ? 0 : (uint32_t)(from / stride) + 1;
}

static size_t log_page_size(const struct file *file)
{
    uint32_t size = load_be32(file->header + 8);
    return file->has_header && page_size_is_valid(size) ? size : 0;
}

static bool log_is_big_endian(const struct file *file)
{
    return file->header[3] & 1;
}

/* True when the log has begun anew since its header was read: another connection writes it. */
static bool header_was_replaced(struct file *file)
{
    unsigned char header[LOG_HEADER_SIZE];
    if (read_real(file, header, sizeof header, 0) != SQLITE_OK || memcmp(header, file->header, sizeof header) == 0)
        return false;
    memcpy(file->header, header, sizeof header);
    return true;
}

static int know_header(struct file *file)
{
    if (file->has_header) return SQLITE_OK;
    int rc = read_real(file, file->header, LOG_HEADER_SIZE, 0);
    file->has_header = rc == SQLITE_OK;
    return rc;
}

/*
 * The checksum that frame `number` goes on from. To mend, that of the frame before it is computed, in case the wrong
 * bit is there.
 */
static int sum_before(struct file *file, uint32_t number, size_t page_size, struct log_sum *ret)
{
    unsigned char head[FRAME_HEAD_SIZE];
    if (number == 1) {
        *ret = log_sum_load(file->header + LOG_HEADER_SUM_AT);
        return SQLITE_OK;
    }
    int rc = read_real(file, head, sizeof head, frame_at(number - 1, page_size));
    if (rc != SQLITE_OK) return rc;
    *ret = log_sum_load(head + FRAME_SUM_AT);
    return SQLITE_OK;
}

/* A whole frame, head and page, which the sum before it may belong to. Puts right what it can in VFS_MEND. */
static int check_frame(struct file *file, uint32_t number, unsigned char *frame, size_t page_size)
{
    struct log_sum before;
    bool is_big_endian = log_is_big_endian(file);
    const unsigned char *salts = file->header + LOG_HEADER_SALTS_AT;
    int rc = sum_before(file, number, page_size, &before);
    if (rc != SQLITE_OK) return rc;
    if (memcmp(frame + FRAME_SALTS_AT, salts, 8) == 0 &&
        frame_is_right(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, page_size))
        return SQLITE_OK;
    if (file->mode != VFS_STRICT) {
        int64_t bit = frame_mend(is_big_endian, before, salts, frame, page_size);
        if (bit >= 0) {
            note(file, true, number, frame_at(number, page_size), bit);
            return SQLITE_OK;
        }
        /* Or the sum that the frame before has is the wrong one; it was told of when that one was read. */
        unsigned char *other = number > 1 ? sqlite3_malloc64(page_size + FRAME_HEAD_SIZE) : NULL;
        bool is_right = false;
        if (other &&
            read_real(file, other, page_size + FRAME_HEAD_SIZE, frame_at(number - 1, page_size)) == SQLITE_OK &&
            sum_before(file, number - 1, page_size, &before) == SQLITE_OK &&
            frame_mend(is_big_endian, before, salts, other, page_size) >= 0) {
            before = log_sum_load(other + FRAME_SUM_AT);
            is_right = memcmp(frame + FRAME_SALTS_AT, salts, 8) == 0 &&
                       frame_is_right(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, page_size);
        }
        sqlite3_free(other);
        if (is_right) return SQLITE_OK;
    }
    return SQLITE_IOERR_DATA;
}

/* The page of a frame, for a reader or a checkpoint. */
static int read_log_page(struct file *file, unsigned char *page, uint32_t number, size_t page_size)
{
    unsigned char *frame = sqlite3_malloc64(page_size + FRAME_HEAD_SIZE);
    if (!frame) return SQLITE_IOERR_NOMEM;
    int rc = read_real(file, frame, page_size + FRAME_HEAD_SIZE, frame_at(number, page_size));
    if (rc == SQLITE_OK && number <= file->committed) {
        rc = check_frame(file, number, frame, page_size);
        if (rc == SQLITE_IOERR_DATA && header_was_replaced(file)) rc = check_frame(file, number, frame, page_size);
        if (rc == SQLITE_IOERR_DATA) note(file, true, number, frame_at(number, page_size), -1);
    }
    if (rc == SQLITE_OK) memcpy(page, frame + FRAME_HEAD_SIZE, page_size);
    sqlite3_free(frame);
    return rc;
}

static int read_log(struct file *file, void *data, size_t size, sqlite3_int64 at)
{
    if (at == 0 && size == LOG_HEADER_SIZE) {
        int rc = read_real(file, data, size, at);
        if (rc != SQLITE_OK) return rc;
        if (file->mode != VFS_STRICT && !log_header_is_right(data)) {
            int64_t bit = log_header_mend(data);
            note(file, true, 0, 0, bit);
        }
        memcpy(file->header, data, LOG_HEADER_SIZE);
        file->has_header = true;
        return SQLITE_OK;
    }
    if (page_size_is_valid((int64_t)size)) {
        int rc = know_header(file);
        uint32_t number = rc == SQLITE_OK && size == log_page_size(file) ? frame_number(at - FRAME_HEAD_SIZE, size) : 0;
        if (number > 0) return read_log_page(file, data, number, size);
    }
    int rc = read_real(file, data, size, at);
    /* A log that was found: SQLite checks it itself, frame by frame, and ends it where one is wrong. */
    size_t page_size = log_page_size(file);
    if (rc == SQLITE_OK && file->mode != VFS_STRICT && page_size > 0 && size == page_size + FRAME_HEAD_SIZE) {
        uint32_t number = frame_number(at, page_size);
        if (number > 0) (void)check_frame(file, number, data, page_size); /* what it cannot mend is left */
    }
    return rc;
}

static void note_written(struct file *file, const unsigned char *data, size_t size, sqlite3_int64 at)
{
    if (at == 0 && size == LOG_HEADER_SIZE) {
        memcpy(file->header, data, LOG_HEADER_SIZE);
        file->has_header = true;
        file->committed = 0;
        file->has_committed = false;
        return;
    }
    size_t page_size = log_page_size(file);
    uint32_t number = size == FRAME_HEAD_SIZE && page_size > 0 ? frame_number(at, page_size) : 0;
    if (number == 0) return;
    if (load_be32(data + 4) != 0) {
        file->committed = number;
        file->has_committed = true;
    } else if (number <= file->committed) {
        file->committed = number - 1;
    }
}

/* When it cannot be made (a full disk) the log grows by what is written. */
static void make_room(struct file *file, sqlite3_int64 end)
{
    static const unsigned char zeros[LOG_ROOM_SIZE];
    if (file->room < 0 && file->real->pMethods->xFileSize(file->real, &file->room) != SQLITE_OK) file->room = -1;
    if (file->room < 0 || end <= file->room) return;
    if (file->real->pMethods->xWrite(file->real, zeros, LOG_ROOM_SIZE, file->room) == SQLITE_OK)
        file->room += LOG_ROOM_SIZE;
    else
        file->room = -1;
}

static int write_real_log(struct file *file, const void *data, size_t size, sqlite3_int64 at)
{
    make_room(file, at + (sqlite3_int64)size);
    return file->real->pMethods->xWrite(file->real, data, (int)size, at);
}

/* Writes a head that was kept and whose page did not come. */
static int write_head(struct file *file)
{
    if (!file->has_head) return SQLITE_OK;
    file->has_head = false;
    return write_real_log(file, file->head, FRAME_HEAD_SIZE, file->next);
}

/* SQLite writes a frame's head and at once its page: to the file they go together. */
static int write_log(struct file *file, const void *data, size_t size, sqlite3_int64 at)
{
    if (size == FRAME_HEAD_SIZE) {
        int rc = know_header(file);
        if (rc != SQLITE_OK) return rc;
    }
    note_written(file, data, size, at);
    size_t page_size = log_page_size(file);
    bool is_page_of_head = file->has_head && size == page_size && at == file->next + FRAME_HEAD_SIZE;
    if (is_page_of_head) {
        file->has_head = false;
        memcpy(file->frame, file->head, FRAME_HEAD_SIZE);
        memcpy(file->frame + FRAME_HEAD_SIZE, data, size);
        int rc = write_real_log(file, file->frame, FRAME_HEAD_SIZE + size, file->next);
        file->next = at + (sqlite3_int64)size;
        return rc;
    }
    int rc = write_head(file);
    if (rc != SQLITE_OK) return rc;
    if (at == 0 && size == LOG_HEADER_SIZE) {
        sqlite3_free(file->frame);
        file->frame = page_size > 0 ? sqlite3_malloc64(FRAME_HEAD_SIZE + page_size) : NULL;
        file->next = LOG_HEADER_SIZE;
    } else if (size == FRAME_HEAD_SIZE && at == file->next && file->frame) {
        memcpy(file->head, data, FRAME_HEAD_SIZE);
        file->has_head = true;
        return SQLITE_OK;
    }
    return write_real_log(file, data, size, at);
}

/*
 * The methods of a file.
 */

static int file_close(sqlite3_file *base)
{
    struct file *file = (struct file *)base;
    const sqlite3_io_methods *real = file->real->pMethods;
    if (file->partner) file->partner->partner = NULL;
    /* SQLite gives back the index of the log that it asked for itself, not the one that get_index did. */
    if (real && file->kind == FILE_DATABASE && real->iVersion >= 2) (void)real->xShmUnmap(file->real, 0);
    int rc = real ? real->xClose(file->real) : SQLITE_OK; /* a head that is kept belongs to no transaction */
    sqlite3_free(file->frame);
    sqlite3_free(file->real);
    file->real = NULL;
    return rc;
}

static int file_read(sqlite3_file *base, void *data, int size, sqlite3_int64 at)
{
    struct file *file = (struct file *)base;
    switch (file->kind) {
    case FILE_DATABASE: return read_database(file, data, (size_t)size, at);
    case FILE_LOG: {
        int rc = write_head(file);
        return rc == SQLITE_OK ? read_log(file, data, (size_t)size, at) : rc;
    }
    case FILE_OTHER: break;
    }
    return read_real(file, data, (size_t)size, at);
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct file *file = (struct file *)base;
    switch (file->kind) {
    case FILE_DATABASE: return write_database(file, data, (size_t)size, at);
    case FILE_LOG: return write_log(file, data, (size_t)size, at);
    case FILE_OTHER: break;
    }
    return file->real->pMethods->xWrite(file->real, data, size, at);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *file = (struct file *)base;
    int rc = write_head(file);
    file->room = -1; /* asked for again */
    return rc == SQLITE_OK ? file->real->pMethods->xTruncate(file->real, size) : rc;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct file *file = (struct file *)base;
    int rc = write_head(file);
    return rc == SQLITE_OK ? file->real->pMethods->xSync(file->real, flags) : rc;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
    struct file *file = (struct file *)base;
    int rc = write_head(file);
    return rc == SQLITE_OK ? file->real->pMethods->xFileSize(file->real, ret) : rc;
}

static int file_lock(sqlite3_file *base, int lock)
{
    return real_of(base)->pMethods->xLock(real_of(base), lock);
}

static int file_unlock(sqlite3_file *base, int lock)
{
    return real_of(base)->pMethods->xUnlock(real_of(base), lock);
}

static int file_reserved(sqlite3_file *base, int *ret)
{
    return real_of(base)->pMethods->xCheckReservedLock(real_of(base), ret);
}

static int file_sector_size(sqlite3_file *base)
{
    return real_of(base)->pMethods->xSectorSize(real_of(base));
}

static int file_device(sqlite3_file *base)
{
    return real_of(base)->pMethods->xDeviceCharacteristics(real_of(base));
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
    return real_of(base)->pMethods->xShmMap(real_of(base), region, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *base, int at, int n, int flags)
{
    return real_of(base)->pMethods->xShmLock(real_of(base), at, n, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
    real_of(base)->pMethods->xShmBarrier(real_of(base));
}

static int file_shm_unmap(sqlite3_file *base, int remove)
{
    return real_of(base)->pMethods->xShmUnmap(real_of(base), remove);
}

/* The first 48 bytes of the index ("WAL-Index Format"): the number of frames is at 16, the salts at 32. */
static int get_index(struct file *file, struct vfs_log *ret)
{
    enum { REGION_SIZE = 32768, IS_INIT_AT = 12, FRAMES_AT = 16, SALTS_AT = 32 };
    const volatile unsigned char *region = NULL;
    void volatile *mapped = NULL;
    int rc = file->real->pMethods->xShmMap(file->real, 0, REGION_SIZE, 0, &mapped);
    region = mapped;
    if (rc != SQLITE_OK || !region || !region[IS_INIT_AT]) return SQLITE_NOTFOUND;
    for (size_t i = 0; i < 8; i++) ret->salts[i] = region[SALTS_AT + i];
    ret->frames = *(const volatile uint32_t *)(region + FRAMES_AT);
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    struct file *file = (struct file *)base;
    const struct file *log = file->partner;
    if (file->kind != FILE_DATABASE) return file->real->pMethods->xFileControl(file->real, op, arg);
    switch (op) {
    case CONTROL_DAMAGE:
        if (file->damage.count == 0) return SQLITE_NOTFOUND;
        *(struct vfs_damage *)arg = file->damage;
        return SQLITE_OK;
    case CONTROL_DAMAGED:
        file->damaged = ((const struct listener *)arg)->fn;
        file->damaged_user = ((const struct listener *)arg)->user;
        return SQLITE_OK;
    case CONTROL_LOG:
        if (!log || !log->has_committed) return SQLITE_NOTFOUND;
        memcpy(((struct vfs_log *)arg)->salts, log->header + LOG_HEADER_SALTS_AT, 8);
        ((struct vfs_log *)arg)->frames = log->committed;
        return SQLITE_OK;
    case CONTROL_INDEX: return get_index(file, arg);
    case CONTROL_SEALED: return file->is_unsealed ? SQLITE_NOTFOUND : SQLITE_OK;
    default: return file->real->pMethods->xFileControl(file->real, op, arg);
    }
}

/* Version 2: no memory maps, whose reads nobody would see. */
static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* Whether what is reserved was never filled, in no page. A copy that SQLite made has several. */
static bool has_no_seal(struct file *file, unsigned char *page, size_t size)
{
    uint32_t number = 1;
    for (; read_real(file, page, size, (sqlite3_int64)(number - 1) * (sqlite3_int64)size) == SQLITE_OK; number++)
        if (seal_is_right(page, size, number) || !page_is_zero(page + size - SEAL_SIZE, SEAL_SIZE)) return false;
    return number > 2;
}

/*
 * Whether a database has no seals. Damage must not make a sealed one look like that, so several things have to agree:
 * the first page's seal is wrong, and either nothing is reserved and it is of schema 1 or not ours at all, or what is
 * reserved was never filled.
 */
static int look_for_seals(struct file *file)
{
    unsigned char header[100];
    /* What cannot be read here cannot be read by SQLite either, which has the better words for it. */
    if (read_real(file, header, sizeof header, 0) != SQLITE_OK) return SQLITE_OK;
    size_t page_size = (size_t)header[16] << 8 | header[17];
    if (page_size == 1) page_size = PAGE_SIZE_MAX;
    if (memcmp(header, "SQLite format 3", 16) != 0 || !page_size_is_valid((int64_t)page_size)) return SQLITE_OK;
    unsigned char *page = sqlite3_malloc64(page_size);
    if (!page) return SQLITE_NOMEM;
    if (read_real(file, page, page_size, 0) == SQLITE_OK && !seal_is_right(page, page_size, 1)) {
        uint32_t version = load_be32(header + 60), application = load_be32(header + 68);
        file->is_unsealed =
            header[20] == 0 ? version <= 1 || application != STORE_APPLICATION_ID : has_no_seal(file, page, page_size);
    }
    sqlite3_free(page);
    return SQLITE_OK;
}

static sqlite3_vfs *real_vfs(void)
{
    return sqlite3_vfs_find(NULL);
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    struct file *file = (struct file *)base;
    sqlite3_vfs *real = real_vfs();
    *file = (struct file){.mode = *(const enum vfs_mode *)vfs->pAppData, .kind = FILE_OTHER};
    file->real = sqlite3_malloc64((sqlite3_uint64)real->szOsFile);
    if (!file->real) return SQLITE_NOMEM;
    memset(file->real, 0, (size_t)real->szOsFile);
    int given = flags;
    int rc = real->xOpen(real, name, file->real, flags, &given);
    if (ret_flags) *ret_flags = given;
    if (!file->real->pMethods) {
        sqlite3_free(file->real);
        file->real = NULL;
        return rc == SQLITE_OK ? SQLITE_CANTOPEN : rc;
    }
    file->base.pMethods = &file_methods; /* closed by SQLite from here on, also when it failed */
    file->is_writable = (given & SQLITE_OPEN_READWRITE) != 0;
    if (rc != SQLITE_OK) return rc;
    if (flags & SQLITE_OPEN_MAIN_DB) {
        file->kind = FILE_DATABASE;
        rc = look_for_seals(file);
    } else if (flags & SQLITE_OPEN_WAL) {
        file->kind = FILE_LOG;
        file->committed = UINT32_MAX;
        file->room = file->next = -1;
        file->partner = (struct file *)sqlite3_database_file_object(name);
        file->partner->partner = file;
    }
    return rc;
}

/*
 * The file system: names and the like are the real one's.
 */

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    return real_vfs()->xDelete(real_vfs(), name, sync_dir);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    return real_vfs()->xAccess(real_vfs(), name, flags, ret);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xFullPathname(real_vfs(), name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xRandomness(real_vfs(), size, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return real_vfs()->xSleep(real_vfs(), us);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *ret)
{
    (void)vfs;
    return real_vfs()->xCurrentTime(real_vfs(), ret);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xGetLastError(real_vfs(), size, out);
}

#define VFS(text, which)                                                                                    \
    {                                                                                                       \
        .iVersion = 1, .szOsFile = sizeof(struct file), .mxPathname = 4096, .zName = (text),                \
        .pAppData = (void *)&modes[which], .xOpen = vfs_open, .xDelete = vfs_delete, .xAccess = vfs_access, \
        .xFullPathname = vfs_full_path, .xRandomness = vfs_randomness, .xSleep = vfs_sleep,                 \
        .xCurrentTime = vfs_current_time, .xGetLastError = vfs_last_error,                                  \
    }

/* SQLite keeps a list of file systems for the whole process and links them through their own memory: the one thing
 * here that is shared by all stores. They are never changed after they were registered. */
static const enum vfs_mode modes[] = {VFS_STRICT, VFS_MEND, VFS_RAW};
static sqlite3_vfs systems[] = {VFS("orch", 0), VFS("orch-mend", 1), VFS("orch-raw", 2)};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void register_all(void)
{
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        (void)sqlite3_vfs_register(&systems[i], 0); /* seen in vfs_name */
}

const char *vfs_name(enum vfs_mode mode)
{
    (void)pthread_once(&once, register_all); /* fails only when misused */
    return sqlite3_vfs_find(systems[mode].zName) ? systems[mode].zName : NULL;
}

bool vfs_get_damage(sqlite3 *db, struct vfs_damage *ret)
{
    return sqlite3_file_control(db, "main", CONTROL_DAMAGE, ret) == SQLITE_OK;
}

void vfs_set_damaged(sqlite3 *db, void (*fn)(void *user, const struct vfs_damage *damage), void *user)
{
    struct listener listener = {fn, user};
    (void)sqlite3_file_control(db, "main", CONTROL_DAMAGED, &listener); /* cannot fail on a connection of ours */
}

bool vfs_get_log(sqlite3 *db, struct vfs_log *ret)
{
    return sqlite3_file_control(db, "main", CONTROL_LOG, ret) == SQLITE_OK;
}

bool vfs_get_index(sqlite3 *db, struct vfs_log *ret)
{
    return sqlite3_file_control(db, "main", CONTROL_INDEX, ret) == SQLITE_OK;
}

bool vfs_is_unsealed(sqlite3 *db)
{
    return sqlite3_file_control(db, "main", CONTROL_SEALED, NULL) == SQLITE_NOTFOUND;
}
