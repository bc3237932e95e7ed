/*
 * lane.c - work stealing over a graph whose links live in its counters.
 *
 * A task needs one word: while it waits, how many it still waits for; once it is ready, the next ready task of the list
 * it stands in. Each thread has such a list, last in first out, under a lock that is hardly ever contended. When a task
 * is over, the first of those it made ready is run at once by the same thread, the others go on its list. A thread
 * without work takes the older part of another's list, and sleeps when there is none.
 *
 * Nobody sleeps through work: who pushes looks whether somebody sleeps after the list shows the work; who is about to
 * sleep says so first and looks through the lists then (both orders sequentially consistent). All asleep: it is over.
 */
#include "engine/lane.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

#define NONE        UINT32_MAX
#define THREADS_MAX 256
#define CHAIN_MAX   1024 /* tasks made ready by one that is over, until others may take from them */
#define KEPT_MAX    256  /* what a list keeps at least when another thread takes from it, so that taking costs little */
#define ROUNDS_MAX  64   /* over all lists before a thread sleeps */

struct lane;

struct worker {
    _Alignas(64) atomic_flag lock; /* over head and count; a line of the cache for each worker */
    _Atomic uint32_t head;
    uint32_t count;
    struct lane *lane;
    pthread_t thread;
};

struct lane {
    const struct lane_graph *graph;
    const struct lane_options *options;
    _Atomic uint32_t *words; /* a task's count of unmet dependencies, then its link */
    uint8_t *states;
    struct worker *workers;
    uint32_t workers_count;
    _Atomic bool is_halted; /* no further task begins */
    _Atomic uint32_t sleeping;
    uint32_t threads; /* of the workers that have one; under mutex, like all waiting */
    bool is_over;
    pthread_mutex_t mutex;
    pthread_cond_t more;
};

static void lock(struct worker *worker)
{
    for (unsigned spins = 0; atomic_flag_test_and_set_explicit(&worker->lock, memory_order_acquire); spins++)
        if (spins % 64 == 63) (void)sched_yield(); /* its holder may not be on a processor */
}

static void unlock(struct worker *worker)
{
    atomic_flag_clear_explicit(&worker->lock, memory_order_release);
}

static uint32_t link_of(const struct lane *lane, uint32_t task)
{
    return atomic_load_explicit(&lane->words[task], memory_order_relaxed);
}

static void set_link(struct lane *lane, uint32_t task, uint32_t next)
{
    atomic_store_explicit(&lane->words[task], next, memory_order_relaxed);
}

static uint8_t state_of(const struct lane *lane, uint32_t task)
{
    return __atomic_load_n(&lane->states[task], __ATOMIC_RELAXED);
}

static void set_state(struct lane *lane, uint32_t task, enum lane_state state)
{
    __atomic_store_n(&lane->states[task], (uint8_t)state, __ATOMIC_RELAXED);
}

/* ---- lists ---- */

/* Puts a chain on a worker's list and wakes somebody for it. */
static void push(struct worker *worker, uint32_t first, uint32_t last, uint32_t count)
{
    struct lane *lane = worker->lane;

    lock(worker);
    set_link(lane, last, atomic_load_explicit(&worker->head, memory_order_relaxed));
    atomic_store(&worker->head, first);
    worker->count += count;
    unlock(worker);
    if (atomic_load(&lane->sleeping) == 0) return;
    pthread_mutex_lock(&lane->mutex);
    pthread_cond_signal(&lane->more);
    pthread_mutex_unlock(&lane->mutex);
}

static uint32_t pop(struct worker *worker)
{
    if (atomic_load_explicit(&worker->head, memory_order_relaxed) == NONE) return NONE;
    lock(worker);
    uint32_t task = atomic_load_explicit(&worker->head, memory_order_relaxed);
    if (task != NONE) {
        atomic_store_explicit(&worker->head, link_of(worker->lane, task), memory_order_relaxed);
        worker->count--;
    }
    unlock(worker);
    return task;
}

/* Takes the older half of another's list, or all but KEPT_MAX: what is behind where the list is cut need not be walked.
 * Returns the first of what was taken, the rest is on the thief's own list. */
static uint32_t steal(struct worker *thief, struct worker *victim)
{
    struct lane *lane = thief->lane;

    if (atomic_load_explicit(&victim->head, memory_order_relaxed) == NONE) return NONE;
    lock(victim);
    uint32_t first = atomic_load_explicit(&victim->head, memory_order_relaxed);
    uint32_t count = victim->count;
    uint32_t kept = count / 2 < KEPT_MAX ? count / 2 : KEPT_MAX;
    if (kept == 0) {
        atomic_store_explicit(&victim->head, NONE, memory_order_relaxed);
    } else {
        uint32_t last = first;
        for (uint32_t i = 1; i < kept; i++) last = link_of(lane, last);
        first = link_of(lane, last);
        set_link(lane, last, NONE);
    }
    victim->count = kept;
    unlock(victim);
    if (first == NONE) return NONE;
    uint32_t rest = link_of(lane, first);
    if (rest != NONE) {
        /* Only the thief adds to its own list, and it was empty. */
        lock(thief);
        ORCH_ASSERT(atomic_load_explicit(&thief->head, memory_order_relaxed) == NONE);
        atomic_store(&thief->head, rest);
        thief->count = count - kept - 1;
        unlock(thief);
        if (atomic_load(&lane->sleeping) != 0) {
            pthread_mutex_lock(&lane->mutex);
            pthread_cond_signal(&lane->more);
            pthread_mutex_unlock(&lane->mutex);
        }
    }
    return first;
}

static bool has_work(struct lane *lane)
{
    if (atomic_load(&lane->is_halted)) return false;
    for (uint32_t i = 0; i < lane->workers_count; i++)
        if (atomic_load(&lane->workers[i].head) != NONE) return true;
    return false;
}

/* The next task from anywhere; NONE when the run is over. */
static uint32_t find(struct worker *self)
{
    struct lane *lane = self->lane;
    uint32_t own = (uint32_t)(self - lane->workers);

    for (;;) {
        for (unsigned round = 0; round < ROUNDS_MAX && !atomic_load_explicit(&lane->is_halted, memory_order_relaxed);
             round++) {
            for (uint32_t i = 1; i < lane->workers_count; i++) {
                uint32_t task = steal(self, &lane->workers[(own + i) % lane->workers_count]);
                if (task != NONE) return task;
            }
            if (lane->workers_count == 1) break;
            if (round % 8 == 7) (void)sched_yield();
        }
        pthread_mutex_lock(&lane->mutex);
        uint32_t sleeping = atomic_fetch_add(&lane->sleeping, 1) + 1;
        if (!has_work(lane) && sleeping == lane->threads && !lane->is_over) {
            lane->is_over = true;
            pthread_cond_broadcast(&lane->more);
        }
        while (!lane->is_over && !has_work(lane)) pthread_cond_wait(&lane->more, &lane->mutex);
        bool is_over = lane->is_over;
        atomic_fetch_sub(&lane->sleeping, 1);
        pthread_mutex_unlock(&lane->mutex);
        if (is_over) return NONE;
    }
}

/* ---- a task ---- */

static bool is_to_halt(struct lane *lane)
{
    if (atomic_load_explicit(&lane->is_halted, memory_order_relaxed)) return true;
    if (!lane->options->stop || !atomic_load_explicit(lane->options->stop, memory_order_relaxed)) return false;
    atomic_store(&lane->is_halted, true);
    return true;
}

/* One dependency less: true when that was the last. */
static bool is_ready(struct lane *lane, uint32_t task)
{
    _Atomic uint32_t *word = &lane->words[task];
    /* Whoever sees 1 is the last: nobody else is left to change it. */
    if (atomic_load_explicit(word, memory_order_acquire) == 1) return true;
    return atomic_fetch_sub_explicit(word, 1, memory_order_acq_rel) == 1;
}

/* Tells those that depend on a task; returns one that is ready now, the others go on the list. */
static uint32_t follow(struct worker *worker, uint32_t task, bool poisons)
{
    struct lane *lane = worker->lane;
    const struct lane_graph *graph = lane->graph;
    uint32_t mine = NONE, first = NONE, last = NONE, count = 0;

    for (uint32_t i = graph->first[task]; i < graph->first[task + 1]; i++) {
        uint32_t next = graph->next[i];
        if (poisons) set_state(lane, next, LANE_SKIPPED);
        if (!is_ready(lane, next)) continue;
        if (mine == NONE) {
            mine = next;
            continue;
        }
        if (first == NONE)
            first = next;
        else
            set_link(lane, last, next);
        last = next;
        if (++count < CHAIN_MAX) continue;
        push(worker, first, last, count);
        first = NONE;
        count = 0;
    }
    if (first != NONE) push(worker, first, last, count);
    return mine;
}

/* Runs a task and what it leads to, until there is no more to do. */
static void work(struct worker *self)
{
    struct lane *lane = self->lane;
    const struct lane_options *options = lane->options;

    for (uint32_t task = NONE;;) {
        if (task == NONE) task = pop(self);
        if (task == NONE) task = find(self);
        if (task == NONE) return;
        bool is_skipped = state_of(lane, task) == LANE_SKIPPED;
        if (is_to_halt(lane)) {
            /* What is on the lists stays there. */
            lock(self);
            atomic_store(&self->head, NONE);
            self->count = 0;
            unlock(self);
            task = NONE;
            continue;
        }
        if (!is_skipped) {
            bool failed = options->run(options->user, task) != 0;
            set_state(lane, task, failed ? LANE_FAILED : LANE_SUCCEEDED);
            if (failed && options->fail_fast) atomic_store(&lane->is_halted, true);
            is_skipped = failed;
        }
        task = follow(self, task, is_skipped);
    }
}

static void *work_thread(void *user)
{
    work(user);
    return NULL;
}

/* ---- before and after ---- */

static void count_needs(struct lane *lane)
{
    const struct lane_graph *graph = lane->graph;

    for (uint32_t i = 0; i < graph->count; i++) set_link(lane, i, 0);
    for (uint32_t i = 0; i < graph->first[graph->count]; i++) {
        ORCH_ASSERT(graph->next[i] < graph->count);
        set_link(lane, graph->next[i], link_of(lane, graph->next[i]) + 1);
    }
}

/* Takes tasks away whose dependencies are gone, until none is left or a cycle is (Kahn). Uses the words up. */
static bool has_cycle(struct lane *lane)
{
    const struct lane_graph *graph = lane->graph;
    uint32_t head = NONE, seen = 0;
    bool is_forward = true;

    for (uint32_t i = 0; is_forward && i < graph->count; i++)
        for (uint32_t j = graph->first[i]; is_forward && j < graph->first[i + 1]; j++) is_forward = graph->next[j] > i;
    if (is_forward) return false;
    for (uint32_t i = 0; i < graph->count; i++) {
        if (link_of(lane, i) != 0) continue;
        set_link(lane, i, head);
        head = i;
    }
    while (head != NONE) {
        uint32_t task = head;
        head = link_of(lane, task);
        seen++;
        for (uint32_t j = graph->first[task]; j < graph->first[task + 1]; j++) {
            uint32_t next = graph->next[j];
            uint32_t needs = link_of(lane, next) - 1;
            set_link(lane, next, needs == 0 ? head : needs);
            if (needs == 0) head = next;
        }
    }
    count_needs(lane);
    return seen < graph->count;
}

/* The tasks that depend on nothing, in order, an equal share for each thread. */
static void deal(struct lane *lane)
{
    uint32_t ready = 0, dealt = 0;

    for (uint32_t i = 0; i < lane->graph->count; i++) ready += link_of(lane, i) == 0;
    for (uint32_t i = lane->graph->count; i-- > 0;) {
        if (link_of(lane, i) != 0) continue;
        uint64_t share = (uint64_t)(ready - 1 - dealt++) * lane->workers_count / ready;
        struct worker *worker = &lane->workers[share];
        set_link(lane, i, atomic_load_explicit(&worker->head, memory_order_relaxed));
        atomic_store_explicit(&worker->head, i, memory_order_relaxed);
        worker->count++;
    }
}

/* After a run that was stopped: what depends on a failed task was skipped, whether or not anybody came that far. */
static void spread_skips(struct lane *lane)
{
    const struct lane_graph *graph = lane->graph;
    uint32_t head = NONE;

    for (uint32_t i = 0; i < graph->count; i++) {
        if (lane->states[i] != LANE_FAILED && lane->states[i] != LANE_SKIPPED) continue;
        set_link(lane, i, head);
        head = i;
    }
    while (head != NONE) {
        uint32_t task = head;
        head = link_of(lane, task);
        for (uint32_t j = graph->first[task]; j < graph->first[task + 1]; j++) {
            uint32_t next = graph->next[j];
            if (lane->states[next] == LANE_SKIPPED) continue;
            lane->states[next] = LANE_SKIPPED;
            set_link(lane, next, head);
            head = next;
        }
    }
}

/* Starts the other threads. A thread that cannot be made is one less; its list is taken by the others. */
static void start_threads(struct lane *lane)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&lane->mutex); /* nobody may conclude that all sleep before it is known how many there are */
    for (lane->threads = 1; lane->threads < lane->workers_count; lane->threads++) {
        struct worker *worker = &lane->workers[lane->threads];
        if (pthread_create(&worker->thread, NULL, work_thread, worker) != 0) break;
    }
    pthread_mutex_unlock(&lane->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int lane_run(const struct lane_graph *graph, const struct lane_options *options, uint8_t *ret_states,
             struct orch_error *err)
{
    struct lane lane = {.graph = graph, .options = options, .states = ret_states};
    uint32_t wanted = options->threads < 1 ? 1 : options->threads;
    size_t words_size = graph->count * sizeof *lane.words;
    int r = 0;

    if (wanted > THREADS_MAX) wanted = THREADS_MAX;
    if (wanted > graph->count) wanted = graph->count;
    if (graph->count == 0) return 0;
    size_t workers_size = (wanted + 1) * sizeof *lane.workers; /* one more, to begin at a line of the cache */
    void *block = mem_resize(options->allocator, NULL, 0, workers_size);
    lane.words = mem_resize(options->allocator, NULL, 0, words_size);
    if (!block || !lane.words) {
        r = error_memory(err);
        goto done;
    }
    lane.workers = (struct worker *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    lane.workers_count = wanted;
    for (uint32_t i = 0; i < wanted; i++) {
        struct worker *worker = &lane.workers[i];
        *worker = (struct worker){.lane = &lane};
        atomic_flag_clear(&worker->lock);
        atomic_init(&worker->head, NONE);
    }
    count_needs(&lane);
    if (has_cycle(&lane)) {
        r = error_set(err, ORCH_ERR_CYCLE, "tasks wait for each other");
        goto done;
    }
    memset(ret_states, LANE_PENDING, graph->count);
    deal(&lane);
    pthread_mutex_init(&lane.mutex, NULL);
    pthread_cond_init(&lane.more, NULL);
    start_threads(&lane);
    work(&lane.workers[0]);
    for (uint32_t i = 1; i < lane.threads; i++) pthread_join(lane.workers[i].thread, NULL);
    pthread_cond_destroy(&lane.more);
    pthread_mutex_destroy(&lane.mutex);
    if (atomic_load(&lane.is_halted)) spread_skips(&lane);
done:
    if (block) mem_resize(options->allocator, block, workers_size, 0);
    if (lane.words) mem_resize(options->allocator, lane.words, words_size, 0);
    return r;
}
