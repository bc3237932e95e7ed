/*
 * spawner_table.c - the spawner's tables: programs by id and by pid, lists of them, and the control groups they run in.
 */
#include "sys/spawner_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/cgroup.h"

/*
 * Tables.
 */
static uint32_t hash_of(uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 40) & (SPAWNER_HASH_SIZE - 1);
}

static uint64_t key_in(const struct spawner_state *s, const uint32_t *table, uint32_t index)
{
    return table == s->by_id ? s->programs[index].id : (uint64_t)(uint32_t)s->programs[index].pid;
}

uint32_t spawner_find(const struct spawner_state *s, const uint32_t *table, uint64_t key)
{
    for (uint32_t at = hash_of(key); table[at]; at = (at + 1) & (SPAWNER_HASH_SIZE - 1)) {
        if (key_in(s, table, table[at] - 1) == key) return table[at] - 1;
    }
    return SPAWNER_NONE;
}

void spawner_index(struct spawner_state *s, uint32_t *table, uint32_t index)
{
    uint32_t at = hash_of(key_in(s, table, index));

    while (table[at]) at = (at + 1) & (SPAWNER_HASH_SIZE - 1); /* never full: twice as many places as programs */
    table[at] = index + 1;
}

void spawner_unindex(struct spawner_state *s, uint32_t *table, uint32_t index)
{
    uint32_t at = hash_of(key_in(s, table, index)), hole;

    while (table[at] != index + 1) {
        if (!table[at]) return;
        at = (at + 1) & (SPAWNER_HASH_SIZE - 1);
    }
    /* Close the gap: move back whoever was pushed past it. */
    hole = at;
    for (;;) {
        uint32_t home;

        at = (at + 1) & (SPAWNER_HASH_SIZE - 1);
        if (!table[at]) break;
        home = hash_of(key_in(s, table, table[at] - 1));
        if (((at - home) & (SPAWNER_HASH_SIZE - 1)) >= ((at - hole) & (SPAWNER_HASH_SIZE - 1))) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole] = 0;
}

void spawner_busy_add(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (p->is_busy) return;
    p->is_busy = true;
    p->busy_previous = SPAWNER_NONE;
    p->busy_next = s->busy_first;
    if (s->busy_first != SPAWNER_NONE) s->programs[s->busy_first].busy_previous = index;
    s->busy_first = index;
}

void spawner_busy_remove(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (!p->is_busy) return;
    p->is_busy = false;
    if (p->busy_previous != SPAWNER_NONE)
        s->programs[p->busy_previous].busy_next = p->busy_next;
    else
        s->busy_first = p->busy_next;
    if (p->busy_next != SPAWNER_NONE) s->programs[p->busy_next].busy_previous = p->busy_previous;
}

void spawner_news_add(struct spawner_state *s, uint32_t index)
{
    struct program *p = &s->programs[index];

    if (p->has_news) return;
    p->has_news = true;
    p->next_free = SPAWNER_NONE;
    if (s->news_first == SPAWNER_NONE)
        s->news_first = index;
    else
        s->programs[s->news_last].next_free = index;
    s->news_last = index;
}

uint32_t spawner_program_new(struct spawner_state *s)
{
    uint32_t index = s->free_first;
    uint16_t generation;

    if (index != SPAWNER_NONE)
        s->free_first = s->programs[index].next_free;
    else if (s->programs_used < SPAWNER_PROGRAMS_MAX)
        index = s->programs_used++;
    else
        return SPAWNER_NONE;
    generation = (uint16_t)(s->programs[index].generation + 1);
    s->programs[index] = (struct program){.generation = generation, .group = SPAWNER_NONE, .pid = -1};
    return index;
}

void spawner_program_free(struct spawner_state *s, uint32_t index)
{
    spawner_unindex(s, s->by_id, index);
    s->programs[index].phase = PHASE_FREE;
    s->programs[index].next_free = s->free_first;
    s->free_first = index;
}

/*
 * Control groups: a few are made as they are needed and used again; making one costs more than starting in one.
 */
void spawner_groups_off(struct spawner_state *s)
{
    if (s->groups_fd >= 0) close(s->groups_fd);
    s->groups_fd = -1;
}

/* Makes the group of a slot. */
static bool group_make(struct spawner_state *s, uint32_t slot)
{
    char name[16];
    int fd;

    (void)snprintf(name, sizeof(name), "%u", ++s->group_number_last);
    fd = cgroup_make(s->groups_fd, name);
    if (fd < 0) return false;
    s->group_fds[slot] = fd;
    s->group_numbers[slot] = s->group_number_last;
    s->group_killed[slot] = false;
    return true;
}

uint32_t spawner_group_take(struct spawner_state *s)
{
    uint32_t slot;

    if (s->groups_fd < 0) return SPAWNER_NONE;
    if (s->groups_free_count > 0) {
        slot = s->groups_free[s->groups_free_count - 1];
        if (s->group_fds[slot] < 0 && !group_make(s, slot)) return SPAWNER_NONE;
        s->groups_free_count--;
        return slot;
    }
    if (s->groups_made == s->groups_max || !group_make(s, s->groups_made)) return SPAWNER_NONE;
    slot = s->groups_made++;
    /* Before Linux 5.14, not ours to write, no clone3, or one that kills (see below): from now on without. */
    if (slot == 0 &&
        (!cgroup_can_kill(s->group_fds[0]) || !spawner_exec_probe(s->group_fds[0], s->stack, SPAWNER_STACK_SIZE))) {
        spawner_groups_off(s);
        return SPAWNER_NONE;
    }
    return slot;
}

/*
 * A group that was killed once is not used again. Since Linux 6.14 a process that is born into a group compares a
 * counter of kills of its parent's group with that of its own and, when they differ, takes itself for one that slipped
 * through a kill. (For the same reason the probe: our own group may have such a past.)
 */
void spawner_group_give_back(struct spawner_state *s, struct program *p)
{
    uint32_t slot = p->group;

    if (slot == SPAWNER_NONE) return;
    p->group = SPAWNER_NONE;
    if (s->group_killed[slot]) {
        char name[16];

        close(s->group_fds[slot]);
        s->group_fds[slot] = -1;
        (void)snprintf(name, sizeof(name), "%u", s->group_numbers[slot]);
        (void)unlinkat(s->groups_fd, name,
                       AT_REMOVEDIR); /* where it must wait for a zombie it goes with us at the end */
    }
    s->groups_free[s->groups_free_count++] = slot;
}

int spawner_group_kill(struct spawner_state *s, struct program *p)
{
    s->group_killed[p->group] = true;
    return cgroup_kill(s->group_fds[p->group]);
}
