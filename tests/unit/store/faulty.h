/*
 * faulty.h - an SQLite file system that passes everything on to the real one but fails the n-th write or sync, and from
 * then on every one, until it is healed.
 */
#ifndef TEST_STORE_FAULTY_H
#define TEST_STORE_FAULTY_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

enum fault { FAULT_NONE, FAULT_SYNC, FAULT_WRITE, FAULT_FULL };

struct faulty {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    atomic_int fault;
    atomic_long fail_at; /* 1 is the next; counts calls of the fault's kind */
    atomic_long count;
};

struct faulty_file {
    sqlite3_file base;
    sqlite3_io_methods methods; /* of this file: versions differ */
    sqlite3_file *real;
    struct faulty *faulty;
};

static struct faulty the_faulty;

static inline int faulty_fails(struct faulty *faulty, enum fault kind)
{
    int fault = atomic_load(&faulty->fault);
    bool is_write = kind == FAULT_WRITE;
    if (fault == FAULT_NONE || (fault == FAULT_SYNC) == is_write) return SQLITE_OK;
    if (atomic_fetch_add(&faulty->count, 1) + 1 < atomic_load(&faulty->fail_at)) return SQLITE_OK;
    return fault == FAULT_SYNC ? SQLITE_IOERR_FSYNC : fault == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

#define REAL(file)            (((struct faulty_file *)(file))->real)
#define CALL(file, name, ...) REAL(file)->pMethods->name(REAL(file), ##__VA_ARGS__)

static int faulty_close(sqlite3_file *file)
{
    return CALL(file, xClose);
}
static int faulty_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
    return CALL(file, xRead, data, size, at);
}
static int faulty_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    int rc = faulty_fails(((struct faulty_file *)file)->faulty, FAULT_WRITE);
    /* As a full disk does it: a part may be there. */
    if (rc != SQLITE_OK) {
        (void)CALL(file, xWrite, data, size / 2, at);
        return rc;
    }
    return CALL(file, xWrite, data, size, at);
}
static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return CALL(file, xTruncate, size);
}
static int faulty_sync(sqlite3_file *file, int flags)
{
    int rc = faulty_fails(((struct faulty_file *)file)->faulty, FAULT_SYNC);
    return rc == SQLITE_OK ? CALL(file, xSync, flags) : rc;
}
static int faulty_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return CALL(file, xFileSize, ret);
}
static int faulty_lock(sqlite3_file *file, int lock)
{
    return CALL(file, xLock, lock);
}
static int faulty_unlock(sqlite3_file *file, int lock)
{
    return CALL(file, xUnlock, lock);
}
static int faulty_reserved(sqlite3_file *file, int *ret)
{
    return CALL(file, xCheckReservedLock, ret);
}
static int faulty_control(sqlite3_file *file, int op, void *arg)
{
    return CALL(file, xFileControl, op, arg);
}
static int faulty_sector(sqlite3_file *file)
{
    return CALL(file, xSectorSize);
}
static int faulty_device(sqlite3_file *file)
{
    return CALL(file, xDeviceCharacteristics);
}
static int faulty_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return CALL(file, xShmMap, page, size, extend, ret);
}
static int faulty_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return CALL(file, xShmLock, at, n, flags);
}
static void faulty_shm_barrier(sqlite3_file *file)
{
    CALL(file, xShmBarrier);
}
static int faulty_shm_unmap(sqlite3_file *file, int remove)
{
    return CALL(file, xShmUnmap, remove);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct faulty *faulty = vfs->pAppData;
    struct faulty_file *f = (struct faulty_file *)file;
    f->faulty = faulty;
    f->real = (sqlite3_file *)(f + 1);
    f->base.pMethods = NULL;
    int rc = faulty->real->xOpen(faulty->real, name, f->real, flags, ret_flags);
    if (!f->real->pMethods) return rc;
    f->methods = (sqlite3_io_methods){2,
                                      faulty_close,
                                      faulty_read,
                                      faulty_write,
                                      faulty_truncate,
                                      faulty_sync,
                                      faulty_size,
                                      faulty_lock,
                                      faulty_unlock,
                                      faulty_reserved,
                                      faulty_control,
                                      faulty_sector,
                                      faulty_device,
                                      faulty_shm_map,
                                      faulty_shm_lock,
                                      faulty_shm_barrier,
                                      faulty_shm_unmap,
                                      NULL,
                                      NULL};
    f->base.pMethods = &f->methods;
    return rc;
}

/* From now on all connections of this program go through it. */
static inline void faulty_install(void)
{
    struct faulty *faulty = &the_faulty;
    faulty->real = sqlite3_vfs_find(NULL);
    faulty->vfs = *faulty->real;
    faulty->vfs.zName = "faulty";
    faulty->vfs.pNext = NULL;
    faulty->vfs.szOsFile = (int)sizeof(struct faulty_file) + faulty->real->szOsFile;
    faulty->vfs.pAppData = faulty;
    faulty->vfs.xOpen = faulty_open;
    (void)sqlite3_vfs_register(&faulty->vfs, 1);
}

static inline void faulty_arm(enum fault fault, long fail_at)
{
    atomic_store(&the_faulty.count, 0);
    atomic_store(&the_faulty.fail_at, fail_at);
    atomic_store(&the_faulty.fault, fault);
}

#endif
