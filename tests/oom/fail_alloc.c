/*
 * fail_alloc.c - malloc and its kin, in front of the real ones: the C library's, or the address sanitizer's.
 */
#include "fail_alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/* The sanitizer asks for memory before it is ready to check anything. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

#ifdef SANITIZED
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);
void REAL(free)(void *block);

/* Shared with the processes that are forked. */
static struct shared {
    _Atomic bool is_armed, has_failed;
    _Atomic uint64_t count;
    uint64_t n;
    enum fail_mode mode;
    enum fail_who who;
    pid_t process;
    char file[128]; /* that asked for what failed last */
} * shared;

static _Atomic int64_t live;
static __thread int paused;
static __thread bool is_main;
static bool traces, traces_all;

void fail_init(void)
{
    void *frames[1];

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    traces = getenv("OOM_TRACE") != NULL;
    traces_all = traces && strcmp(getenv("OOM_TRACE"), "all") == 0;
    if (traces) (void)backtrace(frames, 1); /* loads what it needs now */
}

void fail_arm(uint64_t n, enum fail_mode mode, enum fail_who who)
{
    is_main = true;
    shared->n = n;
    shared->mode = mode;
    shared->who = who;
    shared->process = getpid();
    atomic_store(&shared->count, 0);
    atomic_store(&shared->has_failed, false);
    shared->file[0] = '\0';
    atomic_store(&shared->is_armed, true);
}

bool fail_disarm(void)
{
    atomic_store(&shared->is_armed, false);
    return atomic_load(&shared->has_failed);
}

bool fail_was_in(const char *library)
{
    return strstr(shared->file, library);
}

uint64_t fail_count(void)
{
    return atomic_load(&shared->count);
}

bool fail_has_failed(void)
{
    return atomic_load(&shared->has_failed);
}

void fail_pause(void)
{
    paused++;
}

void fail_resume(void)
{
    paused--;
}

int64_t fail_live(void)
{
    return atomic_load(&live);
}

static void tell_where(void)
{
    void *frames[40];

    paused++;
    backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
    (void)!write(STDERR_FILENO, "--\n", 3);
    paused--;
}

/* Takes no memory: it only looks through the list of libraries. */
static void note_file(void *address)
{
    Dl_info info;
    const char *name = dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
    size_t size = strnlen(name, sizeof shared->file - 1);
    memcpy(shared->file, name, size);
    shared->file[size] = '\0';
}

UNCHECKED static bool is_to_fail(void *caller)
{
    if (!shared || paused || !atomic_load_explicit(&shared->is_armed, memory_order_relaxed)) return false;
    if ((shared->who == FAIL_MAIN) != (is_main && getpid() == shared->process)) return false;
    uint64_t count = atomic_fetch_add(&shared->count, 1) + 1;
    bool fails = shared->n != 0 && (shared->mode == FAIL_ONCE ? count == shared->n : count >= shared->n);
    if (!fails) return false;
    if (traces && (traces_all || !atomic_load(&shared->has_failed))) tell_where();
    note_file(caller);
    atomic_store(&shared->has_failed, true);
    errno = ENOMEM;
    return true;
}

UNCHECKED static void *counted(void *block)
{
    if (block) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

/* Seen by the libraries too. */
#pragma GCC visibility push(default)

UNCHECKED void *malloc(size_t size)
{
    return is_to_fail(__builtin_return_address(0)) ? NULL : counted(REAL(malloc)(size));
}

UNCHECKED void *calloc(size_t count, size_t size)
{
    return is_to_fail(__builtin_return_address(0)) ? NULL : counted(REAL(calloc)(count, size));
}

UNCHECKED void *realloc(void *block, size_t size)
{
    if (block && size == 0) {
        free(block);
        return NULL;
    }
    if (is_to_fail(__builtin_return_address(0))) return NULL;
    void *moved = REAL(realloc)(block, size);
    return block ? moved : counted(moved);
}

UNCHECKED void *reallocarray(void *block, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, count * size);
}

UNCHECKED void free(void *block)
{
    if (!block) return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    REAL(free)(block);
}

UNCHECKED void *memalign(size_t alignment, size_t size)
{
    return is_to_fail(__builtin_return_address(0)) ? NULL : counted(REAL(memalign)(alignment, size));
}

UNCHECKED void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

UNCHECKED int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);
    if (!block) return ENOMEM;
    *ret = block;
    return 0;
}

/* The sanitizer has its own of these, which would go round the above. */
UNCHECKED char *strndup(const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max);
    char *copy = malloc(size + 1);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

UNCHECKED char *strdup(const char *text)
{
    return strndup(text, SIZE_MAX);
}

#ifdef SANITIZED
/* The sanitizer stops the program when a new thread's stack cannot be found for want of memory. */
UNCHECKED int pthread_getattr_np(pthread_t thread, pthread_attr_t *ret)
{
    int (*real)(pthread_t thread, pthread_attr_t * ret);
    void *found = dlsym(RTLD_NEXT, "pthread_getattr_np");

    memcpy(&real, &found, sizeof real);
    paused++;
    int r = real(thread, ret);
    paused--;
    return r;
}
#endif

#pragma GCC visibility pop
