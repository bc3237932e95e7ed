/*
 * graph.c - the dependencies of a block: from names to compressed rows, with everything that follows from them.
 *
 * All of it is linear in tasks and references and uses no recursion: a chain of a million tasks is ordinary.
 * Cycles are the strongly connected components. Source: R. Tarjan, "Depth-first search and linear graph algorithms",
 * 1972, with an explicit stack. Visited in the order of the text it also gives the topological order: that of the text,
 * with what a task waits for put before it.
 */
#include "lang/read.h"

#include "lang/diag_codes.h"
#include "lang/normal.h"

#define NONE                UINT32_MAX
#define SUGGESTION_WORK_MAX 4000000 /* names compared in one block for "did you mean" */
#define CYCLE_SHOWN         8       /* tasks of a cycle that its message names */
#define CYCLE_PATH_MAX      1000    /* tasks kept for drawing it */
#define MAP_IN_ARENA        64      /* tasks of a block up to which its map lives in the arena */

struct link {
    struct reading *reading;
    struct block *block;
    struct task *tasks; /* the block's, which are ours until it is linked */
    uint32_t count;
    const struct reference *references;
    size_t reference_count;
    uint32_t *targets; /* for each reference the task it names, or NONE */
    uint32_t *dependency_start, *dependencies;
    uint32_t *successor_start, *successors;
    uint32_t edge_count;
    size_t suggestion_work;
    bool wrong; /* an error was reported */
};

/* An allocator over an arena, for maps: what growing leaves behind is small for the sizes it is used for. */
static void *arena_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    if (size_new == 0) return NULL;
    if (block && size_new <= size_old) return block;
    void *new = arena_alloc(user, size_new);
    if (new &&block) memcpy(new, block, size_old);
    return new;
}

static void map_release(void *user)
{
    map_done(user);
}

static int map_prepare(struct link *link)
{
    struct arena *arena = link->reading->arena;
    if (link->count > MAP_IN_ARENA) {
        map_init(&link->block->by_id, arena->allocator);
        return arena_on_done(arena, map_release, &link->block->by_id);
    }
    struct orch_allocator *allocator = ARENA_NEW(arena, struct orch_allocator);
    if (!allocator) return ORCH_ERR_NO_MEMORY;
    *allocator = (struct orch_allocator){.resize = arena_resize, .user = arena};
    map_init(&link->block->by_id, allocator);
    return 0;
}

static struct span task_span(const struct task *task)
{
    return (struct span){task->line, task->column, (uint32_t)utf8_count(task->id)};
}

static int ids_collect(struct link *link)
{
    int rc = map_prepare(link);
    if (rc < 0) return rc;
    for (uint32_t i = 0; i < link->count; i++) {
        bool added;
        struct map_entry *entry = map_add(&link->block->by_id, link->tasks[i].id, &added);
        if (!entry) return ORCH_ERR_NO_MEMORY;
        if (added) {
            entry->number = i;
            continue;
        }
        link->wrong = true;
        struct diag *diag = diag_add(link->reading->diags, DIAG_ERROR, DIAG_DOUBLE_ID, task_span(&link->tasks[i]),
                                     "two tasks are called \"%.*s\"", STR_ARG(link->tasks[i].id));
        diag_label(link->reading->diags, diag, "the first is on line %u", link->tasks[entry->number].line);
        diag_help(link->reading->diags, diag, "give one of them another id");
    }
    return 0;
}

/* The group of this block in which a task of that id lies, for "it is inside ..."; NULL when there is none. */
static const struct task *group_find(struct link *link, struct orch_str id, const struct task **ret_task)
{
    for (uint32_t i = 0; i < link->count; i++) {
        const struct block *body = task_block(&link->tasks[i], BLOCK_BODY);
        while (body && body->task_count == 1 && str_equal(body->tasks[0].id, link->tasks[i].id) &&
               task_block(&body->tasks[0], BLOCK_BODY)) {
            body = task_block(&body->tasks[0], BLOCK_BODY);
        }
        const struct map_entry *entry = body && body->by_id.count > 0 ? map_find(&body->by_id, id) : NULL;
        if (!entry) continue;
        *ret_task = &body->tasks[entry->number];
        return &link->tasks[i];
    }
    return NULL;
}

static void ids_list(struct link *link, struct diag *diag)
{
    struct buf buf;
    buf_init(&buf, NULL, 4096);
    for (uint32_t i = 0; i < link->count; i++) {
        if (i > 0) buf_add_text(&buf, ", ");
        buf_add(&buf, link->tasks[i].id);
    }
    if (!buf.failed) {
        diag_help(link->reading->diags, diag, "tasks that can be named here: %.*s", STR_ARG(buf_str(&buf)));
    }
    buf_done(&buf);
}

static int unknown_report(struct link *link, const struct reference *reference)
{
    struct reading *reading = link->reading;
    link->wrong = true;
    if (!name_is_id(reference->id)) return 0; /* reported when the document was brought into normal form */
    struct diag *diag = diag_add(reading->diags, DIAG_ERROR, DIAG_UNKNOWN_TASK, reference->at,
                                 "unknown task \"%.*s\" in depends_on", STR_ARG(reference->id));
    if (diag == &reading->diags->spare) return 0;
    const struct task *inner = NULL;
    if (link->suggestion_work > SUGGESTION_WORK_MAX) return 0;
    link->suggestion_work += link->count;

    const struct task *group = group_find(link, reference->id, &inner);
    if (group) {
        diag_help(reading->diags, diag, "\"%.*s\" (line %u) is inside \"%.*s\": depend on \"%.*s\"",
                  STR_ARG(reference->id), inner->line, STR_ARG(group->id), STR_ARG(group->id));
        return 0;
    }
    struct arena_mark mark = arena_mark(reading->scratch);
    struct orch_str *ids = ARENA_ARRAY(reading->scratch, link->count, struct orch_str);
    if (!ids) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < link->count; i++) ids[i] = link->tasks[i].id;
    struct orch_str nearest = str_nearest(reference->id, ids, link->count);
    arena_rewind(reading->scratch, mark);
    if (nearest.data) {
        const struct map_entry *entry = map_find(&link->block->by_id, nearest);
        diag_help(reading->diags, diag, "did you mean \"%.*s\" (line %u)?", STR_ARG(nearest),
                  entry ? link->tasks[entry->number].line : 0);
    } else if (link->block->owner && link->block->owner->block && link->block->role == BLOCK_BODY &&
               str_equal(link->block->owner->id, reference->id)) {
        diag_help(reading->diags, diag, "a task does not wait for the group it is in: remove it");
    } else if (link->count <= 8) {
        ids_list(link, diag);
    } else {
        diag_help(reading->diags, diag, "depends_on names tasks beside it, in the same `tasks`");
    }
    return 0;
}

/* Finds the task that each reference names. */
static int references_resolve(struct link *link)
{
    link->targets = ARENA_ARRAY(link->reading->scratch, link->reference_count, uint32_t);
    if (!link->targets) return ORCH_ERR_NO_MEMORY;
    for (size_t i = 0; i < link->reference_count; i++) {
        const struct reference *reference = &link->references[i];
        const struct map_entry *entry = map_find(&link->block->by_id, reference->id);
        link->targets[i] = entry ? (uint32_t)entry->number : NONE;
        if (!entry) {
            int rc = unknown_report(link, reference);
            if (rc < 0) return rc;
        } else if (entry->number == reference->task) {
            link->wrong = true;
            struct diag *diag = diag_add(link->reading->diags, DIAG_ERROR, DIAG_SELF_DEPENDENCY, reference->at,
                                         "task \"%.*s\" waits for itself", STR_ARG(reference->id));
            diag_help(link->reading->diags, diag,
                      "remove it from its own depends_on; to run a task again use `repeat`");
            link->targets[i] = NONE;
        }
    }
    return 0;
}

/*
 * Rows in ascending order without sorting: the references are put into rows by the task they name, and those rows read
 * in order fill the rows by task. A reference given twice then lies beside itself.
 */
static int rows_build(struct link *link)
{
    struct arena *arena = link->reading->arena, *scratch = link->reading->scratch;
    uint32_t n = link->count;
    uint32_t *start = ARENA_ARRAY(scratch, (size_t)n + 1, uint32_t);
    uint32_t *askers = ARENA_ARRAY(scratch, link->reference_count, uint32_t);
    uint32_t *counts = ARENA_ARRAY(scratch, (size_t)n + 1, uint32_t);
    link->dependency_start = ARENA_ARRAY(arena, (size_t)n + 1, uint32_t);
    link->successor_start = ARENA_ARRAY(arena, (size_t)n + 1, uint32_t);
    if (!start || !askers || !counts || !link->dependency_start || !link->successor_start) return ORCH_ERR_NO_MEMORY;

    for (size_t i = 0; i < link->reference_count; i++) {
        if (link->targets[i] == NONE) continue;
        start[link->targets[i] + 1]++;
        counts[link->references[i].task]++;
    }
    uint32_t row = 0;
    for (uint32_t i = 0; i < n; i++) {
        start[i + 1] += start[i];
        link->dependency_start[i] = row;
        row += counts[i];
        counts[i] = link->dependency_start[i]; /* from here on: where the row grows */
    }
    link->dependency_start[n] = row;
    uint32_t *next = counts;
    uint32_t *rows = ARENA_ARRAY(arena, row, uint32_t);
    uint32_t *at = ARENA_ARRAY(scratch, (size_t)n + 1, uint32_t);
    if (!rows || !at) return ORCH_ERR_NO_MEMORY;
    memcpy(at, start, (size_t)n * sizeof(*at));
    for (size_t i = 0; i < link->reference_count; i++) {
        if (link->targets[i] != NONE) askers[at[link->targets[i]]++] = link->references[i].task;
    }
    bool twice = false;
    for (uint32_t target = 0; target < n; target++) {
        for (uint32_t k = start[target]; k < start[target + 1]; k++) {
            uint32_t task = askers[k];
            if (next[task] > link->dependency_start[task] && rows[next[task] - 1] == target) {
                twice = true;
                continue;
            }
            rows[next[task]++] = target;
        }
    }
    if (twice) { /* close the gaps that doubles left */
        uint32_t to = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t from = link->dependency_start[i], end = next[i];
            link->dependency_start[i] = to;
            for (; from < end; from++) rows[to++] = rows[from];
        }
        link->dependency_start[n] = to;
    }
    link->dependencies = rows;
    link->edge_count = link->dependency_start[n];

    uint32_t *successors = ARENA_ARRAY(arena, link->edge_count, uint32_t);
    if (!successors) return ORCH_ERR_NO_MEMORY;
    for (uint32_t e = 0; e < link->edge_count; e++) link->successor_start[rows[e] + 1]++;
    for (uint32_t i = 0; i < n; i++) link->successor_start[i + 1] += link->successor_start[i];
    memcpy(at, link->successor_start, (size_t)n * sizeof(*at));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t e = link->dependency_start[i]; e < link->dependency_start[i + 1]; e++) {
            successors[at[rows[e]]++] = i;
        }
    }
    link->successors = successors;
    return 0;
}

static int doubles_report(struct link *link)
{
    /* seen[t] is the reference of the asker that is being looked at: they come grouped by asker. */
    size_t *seen = ARENA_ARRAY(link->reading->scratch, link->count, size_t);
    if (!seen) return ORCH_ERR_NO_MEMORY;
    for (size_t i = 0; i < link->reference_count; i++) {
        uint32_t target = link->targets[i];
        if (target == NONE) continue;
        size_t before = seen[target];
        seen[target] = i + 1;
        if (before == 0 || link->references[before - 1].task != link->references[i].task) continue;
        if (link->references[i].at.line == 0 || link->references[before - 1].at.line == 0) continue;
        struct diag *diag =
            diag_add(link->reading->diags, DIAG_WARNING, DIAG_DOUBLE_DEPENDENCY, link->references[i].at,
                     "task \"%.*s\" depends on \"%.*s\" twice", STR_ARG(link->tasks[link->references[i].task].id),
                     STR_ARG(link->references[i].id));
        diag_help(link->reading->diags, diag, "remove one of them");
    }
    return 0;
}

/* A cycle that is to be reported: its tasks in the order in which they would run, the first waits for the last. */
struct cycle {
    uint32_t *tasks;
    uint32_t count;
};

struct component {
    uint32_t *low;    /* Tarjan's lowlink; UINT32_MAX once the component is complete */
    uint32_t *number; /* order of visit from 1; 0 is not visited */
    uint32_t *stack;
    uint32_t *walk;   /* the path from the root of the search */
    uint32_t *edge;   /* for each task on the path the next dependency to look at */
    uint32_t *member; /* number of the cycle's component + 1; 0 is none */
    uint32_t cycles;
};

/*
 * Fills `order`: each task after what it waits for; components of more than one task get a number in `member`.
 */
static void order_find(struct link *link, struct component *c, uint32_t *order)
{
    uint32_t visited = 0, stack_size = 0, ordered = 0;
    for (uint32_t root = 0; root < link->count; root++) {
        if (c->number[root]) continue;
        uint32_t depth = 0;
        c->walk[depth++] = root;
        c->number[root] = c->low[root] = ++visited;
        c->edge[root] = link->dependency_start[root];
        c->stack[stack_size++] = root;
        while (depth > 0) {
            uint32_t task = c->walk[depth - 1];
            if (c->edge[task] < link->dependency_start[task + 1]) {
                uint32_t to = link->dependencies[c->edge[task]++];
                if (!c->number[to]) {
                    c->number[to] = c->low[to] = ++visited;
                    c->edge[to] = link->dependency_start[to];
                    c->stack[stack_size++] = to;
                    c->walk[depth++] = to;
                } else if (c->low[to] != NONE && c->number[to] < c->low[task]) {
                    c->low[task] = c->number[to];
                }
                continue;
            }
            depth--;
            if (depth > 0 && c->low[task] < c->low[c->walk[depth - 1]]) c->low[c->walk[depth - 1]] = c->low[task];
            if (c->low[task] != c->number[task]) continue;
            bool single = c->stack[stack_size - 1] == task;
            if (!single) c->cycles++;
            uint32_t member;
            do {
                member = c->stack[--stack_size];
                c->low[member] = NONE;
                if (!single) c->member[member] = c->cycles;
                order[ordered++] = member;
            } while (member != task);
        }
    }
}

/* The shortest cycle through `first` inside its component, by breadth: from a task to those that wait for it. */
static void cycle_find(const struct link *link, const struct component *c, uint32_t first, uint32_t *queue,
                       uint32_t *from, struct cycle *ret)
{
    uint32_t head = 0, tail = 0, last = NONE;
    queue[tail++] = first;
    while (last == NONE) {
        uint32_t task = queue[head++];
        for (uint32_t e = link->successor_start[task]; e < link->successor_start[task + 1]; e++) {
            uint32_t to = link->successors[e];
            if (c->member[to] != c->member[first]) continue;
            if (to == first) {
                last = task;
                break;
            }
            if (from[to] != NONE) continue;
            from[to] = task;
            queue[tail++] = to;
        }
    }
    uint32_t count = 1;
    for (uint32_t task = last; task != first; task = from[task]) count++;
    ret->count = count;
    ret->tasks = queue; /* read no more: the path takes its place */
    for (uint32_t task = last; task != first; task = from[task]) queue[--count] = task;
    queue[0] = first;
}

/* The entry by which the first task of a cycle waits for the last; found for all cycles in one pass over the
 * references. */
struct closing {
    uint32_t task;
    struct span at;
};

static void cycle_message(const struct link *link, const struct cycle *cycle, struct buf *out)
{
    uint32_t n = cycle->count, head = n, tail = n;
    if (n > CYCLE_SHOWN) {
        head = CYCLE_SHOWN / 2;
        tail = n - 2;
    }
    buf_add_text(out, "tasks wait for each other: ");
    for (uint32_t i = 0; i < n; i++) {
        if (i >= head && i < tail) {
            buf_printf(out, "... %u more ... -> ", tail - head);
            i = tail;
        }
        buf_printf(out, "%.*s -> ", STR_ARG(link->tasks[cycle->tasks[i]].id));
    }
    buf_add(out, link->tasks[cycle->tasks[0]].id);
}

static int cycle_report(struct link *link, const struct cycle *cycle, const struct closing *closing,
                        const uint32_t *lines)
{
    struct diags *diags = link->reading->diags;
    const struct task *first = &link->tasks[cycle->tasks[0]];
    struct buf text;
    buf_init(&text, NULL, 16 * 1024);
    cycle_message(link, cycle, &text);
    struct span at = closing->at.line > 0 ? closing->at : task_span(first);
    struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_CYCLE, at, "%.*s", STR_ARG(buf_str(&text)));
    if (text.failed) diags->failed = true;
    buf_clear(&text);
    for (uint32_t i = 1; i < cycle->count && i <= 3; i++) {
        const struct task *task = &link->tasks[cycle->tasks[i]];
        buf_printf(&text, "%s%.*s: line %u", i > 1 ? ", " : "", STR_ARG(task->id), task->line);
    }
    if (cycle->count > 4) buf_printf(&text, ", and %u more", cycle->count - 4);
    diag_label(diags, diag, "closes the cycle (%.*s)", STR_ARG(buf_str(&text)));
    if (text.failed) diags->failed = true;
    buf_done(&text);
    struct orch_str file = link->reading->workflow ? link->reading->workflow->source_file : STR_NONE;
    if (file.size == 0) file = STR("FILE");
    diag_help(diags, diag, "remove one of these dependencies; `orch graph %.*s --cycle` draws them", STR_ARG(file));
    if (diag == &diags->spare) return 0;

    uint32_t kept = cycle->count < CYCLE_PATH_MAX ? cycle->count : CYCLE_PATH_MAX;
    struct diag_step *path = ARENA_ARRAY(diags->arena, kept, struct diag_step);
    if (!path) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < kept; i++) {
        const struct task *task = &link->tasks[cycle->tasks[i]];
        path[i].id = arena_str(diags->arena, task->id);
        if (!path[i].id.data) return ORCH_ERR_NO_MEMORY;
        path[i].line = task->line;
        path[i].line_waits = lines[cycle->tasks[i]];
    }
    diag->path = path;
    diag->path_count = kept;
    return 0;
}

static int cycles_report(struct link *link, const struct component *c)
{
    struct arena *scratch = link->reading->scratch;
    uint32_t shown = c->cycles < DIAG_MAX ? c->cycles : DIAG_MAX;
    uint32_t *first = ARENA_ARRAY(scratch, c->cycles, uint32_t);
    uint32_t *queue = ARENA_ARRAY(scratch, link->count, uint32_t);
    uint32_t *from = ARENA_ARRAY(scratch, link->count, uint32_t);
    uint32_t *waits_for =
        ARENA_ARRAY(scratch, link->count, uint32_t); /* + 1; the one before on a cycle that is shown */
    uint32_t *lines = ARENA_ARRAY(scratch, link->count, uint32_t);
    struct cycle *cycles = ARENA_ARRAY(scratch, shown, struct cycle);
    struct closing *closings = ARENA_ARRAY(scratch, shown, struct closing);
    if (!first || !queue || !from || !waits_for || !lines || !cycles || !closings) return ORCH_ERR_NO_MEMORY;
    memset(from, 0xFF, (size_t)link->count * sizeof(*from));

    /* Components are numbered as they were completed; they are told in the order of the text. */
    uint32_t *told = ARENA_ARRAY(scratch, (size_t)c->cycles + 1, uint32_t); /* by component: the how manieth, from 1 */
    if (!told) return ORCH_ERR_NO_MEMORY;
    uint32_t found = 0;
    for (uint32_t i = 0; i < link->count; i++) {
        if (!c->member[i] || told[c->member[i]]) continue;
        first[found++] = i;
        told[c->member[i]] = found;
    }
    for (uint32_t k = 0; k < shown; k++) {
        cycle_find(link, c, first[k], queue, from, &cycles[k]);
        uint32_t *tasks = ARENA_ARRAY(scratch, cycles[k].count, uint32_t);
        if (!tasks) return ORCH_ERR_NO_MEMORY;
        memcpy(tasks, cycles[k].tasks, (size_t)cycles[k].count * sizeof(*tasks));
        cycles[k].tasks = tasks;
        for (uint32_t i = 0; i < cycles[k].count; i++) {
            waits_for[tasks[i]] = tasks[i > 0 ? i - 1 : cycles[k].count - 1] + 1;
        }
        closings[k].task = tasks[0];
    }
    for (size_t i = 0; i < link->reference_count; i++) {
        uint32_t task = link->references[i].task;
        if (link->targets[i] == NONE || waits_for[task] != link->targets[i] + 1 || lines[task]) continue;
        lines[task] = link->references[i].at.line;
        struct closing *closing = &closings[told[c->member[task]] - 1];
        if (closing->task == task) closing->at = link->references[i].at;
    }
    for (uint32_t k = 0; k < c->cycles; k++) {
        int rc = k < shown ? cycle_report(link, &cycles[k], &closings[k], lines) : 0;
        if (rc < 0) return rc;
        if (k >= shown) {
            (void)diag_add(link->reading->diags, DIAG_ERROR, DIAG_CYCLE, task_span(&link->tasks[first[k]]),
                           "tasks wait for each other");
        }
    }
    return 0;
}

/* Levels from the first tasks, and ranks from the last ones, along the order. */
static int levels_measure(struct link *link, const uint32_t *order)
{
    uint32_t n = link->count;
    struct arena_mark mark = arena_mark(link->reading->scratch);
    uint32_t *level = ARENA_ARRAY(link->reading->scratch, n, uint32_t);
    uint32_t *width = ARENA_ARRAY(link->reading->scratch, n, uint32_t);
    if (!level || !width) return ORCH_ERR_NO_MEMORY;
    link->block->level_count = 0;
    link->block->width = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t task = order[i], highest = 0;
        for (uint32_t e = link->dependency_start[task]; e < link->dependency_start[task + 1]; e++) {
            uint32_t above = level[link->dependencies[e]] + 1;
            if (above > highest) highest = above;
        }
        level[task] = highest;
        if (highest + 1 > link->block->level_count) link->block->level_count = highest + 1;
        if (++width[highest] > link->block->width) link->block->width = width[highest];
    }
    for (uint32_t i = n; i-- > 0;) {
        uint32_t task = order[i], longest = 0;
        for (uint32_t e = link->successor_start[task]; e < link->successor_start[task + 1]; e++) {
            uint32_t rank = link->tasks[link->successors[e]].rank;
            if (rank > longest) longest = rank;
        }
        link->tasks[task].rank = longest + 1;
    }
    arena_rewind(link->reading->scratch, mark);
    return 0;
}

/* What a block with errors gets: its ids, no edges and no order. */
static int block_leave(struct link *link)
{
    uint32_t *none = ARENA_ARRAY(link->reading->arena, (size_t)link->count + 1, uint32_t);
    if (!none) return ORCH_ERR_NO_MEMORY;
    struct block *block = link->block;
    block->dependency_start = block->successor_start = none;
    block->dependencies = block->successors = none;
    block->order = NULL;
    block->level_count = link->count > 0;
    block->width = link->count;
    for (uint32_t i = 0; i < link->count; i++) link->tasks[i].rank = 1;
    return 0;
}

static int link_run(struct link *link)
{
    struct arena *scratch = link->reading->scratch;
    int rc = ids_collect(link);
    if (rc == 0) rc = references_resolve(link);
    if (rc == 0) rc = doubles_report(link);
    if (rc == 0) rc = rows_build(link);
    if (rc < 0) return rc;

    size_t n = link->count;
    struct component component = {
        .low = ARENA_ARRAY(scratch, n, uint32_t),
        .number = ARENA_ARRAY(scratch, n, uint32_t),
        .stack = ARENA_ARRAY(scratch, n, uint32_t),
        .walk = ARENA_ARRAY(scratch, n, uint32_t),
        .edge = ARENA_ARRAY(scratch, n, uint32_t),
        .member = ARENA_ARRAY(scratch, n, uint32_t),
    };
    uint32_t *order = ARENA_ARRAY(link->reading->arena, n, uint32_t);
    if (!component.low || !component.number || !component.stack || !component.walk || !component.edge ||
        !component.member || !order) {
        return ORCH_ERR_NO_MEMORY;
    }
    order_find(link, &component, order);
    if (component.cycles > 0) {
        link->wrong = true;
        rc = cycles_report(link, &component);
        if (rc < 0) return rc;
    }
    if (link->wrong) return block_leave(link);

    struct block *block = link->block;
    block->dependency_start = link->dependency_start;
    block->dependencies = link->dependencies;
    block->successor_start = link->successor_start;
    block->successors = link->successors;
    block->order = order;
    return levels_measure(link, order);
}

int graph_link(struct reading *reading, struct block *block, const struct reference *references, size_t count)
{
    struct link link = {
        .reading = reading,
        .block = block,
        .tasks = (struct task *)block->tasks, /* made by the reader in its arena; const for everybody after us */
        .count = block->task_count,
        .references = references,
        .reference_count = count,
    };
    struct arena_mark mark = arena_mark(reading->scratch);
    int rc = link_run(&link);
    arena_rewind(reading->scratch, mark);
    return rc;
}
