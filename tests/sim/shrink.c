/*
 * shrink.c - delta debugging (Zeller and Hildebrandt 2002) over the faults that struck, then over the definition's
 * tree.
 */
#include "shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/doc.h"
#include "lang/model.h"

#define TRIES_MAX 6000

struct shrinking {
    struct scenario_options options;
    char rule[24];
    struct happened *kept;
    uint32_t kept_count;
    char *definitions[3];
    uint32_t tries;
};

/* "I7: two attempts ..." -> "I7" */
static void rule_of(const char *failure, char out[24])
{
    size_t size = strcspn(failure, ":");
    if (size > 23) size = 23;
    memcpy(out, failure, size);
    out[size] = '\0';
}

static bool still_fails(struct shrinking *shrinking, const struct happened *allowed, uint32_t count,
                        char *const definitions[3])
{
    struct scenario_result result;
    char rule[24];
    struct scenario_options options = shrinking->options;
    if (shrinking->tries++ >= TRIES_MAX) return false;
    options.trace = false;
    options.is_limited = true;
    options.allowed = allowed;
    options.allowed_count = count;
    for (uint32_t i = 0; i < 3; i++) options.definitions[i] = definitions[i];
    scenario_run(&options, &result);
    rule_of(result.failure, rule);
    bool fails = result.failure[0] && strcmp(rule, shrinking->rule) == 0;
    scenario_result_done(&result);
    return fails;
}

static void shrink_faults(struct shrinking *shrinking)
{
    struct happened *trial = malloc((shrinking->kept_count + 1) * sizeof *trial);
    if (!trial) abort();
    for (uint32_t size = shrinking->kept_count; size > 0; size /= 2)
        for (uint32_t at = 0; at < shrinking->kept_count;) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < shrinking->kept_count; i++)
                if (i < at || i >= at + size) trial[count++] = shrinking->kept[i];
            if (count < shrinking->kept_count && still_fails(shrinking, trial, count, shrinking->definitions)) {
                memcpy(shrinking->kept, trial, count * sizeof *trial);
                shrinking->kept_count = count;
            } else
                at += size;
        }
    free(trial);
}

/*
 * Definitions: flow style, so that a part is what stands between commas of one level. A part is left out when the rest
 * is still a definition.
 */
static bool is_definition(const char *text)
{
    struct arena arena;
    const struct workflow *workflow;
    arena_init(&arena, NULL, 0);
    struct diags *diags = ARENA_NEW(&arena, struct diags);
    if (!diags) abort();
    diags_init(diags, &arena);
    bool good = workflow_read(str_from(text), STR("flow.yaml"), &arena, diags, &workflow) == 0;
    arena_done(&arena);
    return good;
}

static size_t part_end(const char *text, size_t at)
{
    int depth = 0;
    bool quoted = false;
    for (; text[at]; at++) {
        if (text[at] == '\'') quoted = !quoted;
        if (quoted) continue;
        if (strchr("{[", text[at])) depth++;
        if (strchr("}]", text[at]) && depth-- == 0) return at;
        if (text[at] == ',' && depth == 0) return at;
    }
    return at;
}

/* Without the part that begins at `at`, and the comma that goes with it. */
static char *without(const char *text, size_t at)
{
    size_t end = part_end(text, at), size = strlen(text);
    if (end >= size) return NULL;
    if (text[end] == ',') {
        end++;
        while (text[end] == ' ') end++;
    } else {
        while (at > 0 && text[at - 1] == ' ') at--;
        if (at > 0 && text[at - 1] == ',') at--;
    }
    char *ret = malloc(size + 1);
    if (!ret) abort();
    memcpy(ret, text, at);
    memcpy(ret + at, text + end, size - end + 1);
    return ret;
}

static void shrink_definition(struct shrinking *shrinking, uint32_t which)
{
    for (size_t at = 1; shrinking->definitions[which][at];) {
        const char *text = shrinking->definitions[which];
        bool begins = strchr("{[", text[at - 1]) || (text[at - 1] == ' ' && at > 1 && text[at - 2] == ',');
        char *shorter = begins ? without(text, at) : NULL;
        if (shorter && is_definition(shorter)) {
            char *trial[3] = {shrinking->definitions[0], shrinking->definitions[1], shrinking->definitions[2]};
            trial[which] = shorter;
            if (still_fails(shrinking, shrinking->kept, shrinking->kept_count, trial)) {
                free(shrinking->definitions[which]);
                shrinking->definitions[which] = shorter;
                continue;
            }
        }
        free(shorter);
        at++;
    }
}

static void drop_definition(struct shrinking *shrinking, uint32_t which)
{
    char *trial[3] = {shrinking->definitions[0], shrinking->definitions[1], shrinking->definitions[2]};
    trial[which] = strdup("{tasks: {t0: {noop: {}}}}\n");
    if (!trial[which]) abort();
    if (still_fails(shrinking, shrinking->kept, shrinking->kept_count, trial)) {
        free(shrinking->definitions[which]);
        shrinking->definitions[which] = trial[which];
    } else
        free(trial[which]);
}

static size_t size_of(const struct shrinking *shrinking)
{
    size_t size = shrinking->kept_count;
    for (uint32_t i = 0; i < 3; i++) size += strlen(shrinking->definitions[i]);
    return size;
}

void shrink(const struct scenario_options *options, const struct scenario_result *found)
{
    struct shrinking shrinking = {.options = *options, .kept_count = found->happened_count};
    rule_of(found->failure, shrinking.rule);
    shrinking.kept = malloc((found->happened_count + 1) * sizeof *shrinking.kept);
    if (!shrinking.kept) abort();
    if (found->happened_count) memcpy(shrinking.kept, found->happened, found->happened_count * sizeof *shrinking.kept);
    for (uint32_t i = 0; i < 3; i++) {
        shrinking.definitions[i] = strdup(found->definitions[i]);
        if (!shrinking.definitions[i]) abort();
    }
    shrink_faults(&shrinking);
    for (uint32_t i = 1; i < 3; i++) drop_definition(&shrinking, i);
    while (shrinking.tries < TRIES_MAX) {
        size_t before = size_of(&shrinking);
        for (uint32_t i = 0; i < 3; i++) shrink_definition(&shrinking, i);
        shrink_faults(&shrinking);
        if (size_of(&shrinking) == before) break;
    }
    printf("  shrunk in %u tries to %u of %u faults:\n", shrinking.tries, shrinking.kept_count, found->happened_count);
    for (uint32_t i = 0; i < shrinking.kept_count; i++)
        printf("    %8.3f s  %s (time %u)\n", (double)shrinking.kept[i].at / 1e6,
               sim_fault_text(shrinking.kept[i].fault), shrinking.kept[i].ordinal + 1);
    for (uint32_t i = 0; i < 3; i++) printf("  %s", shrinking.definitions[i]);
    struct scenario_options last = shrinking.options;
    struct scenario_result result;
    last.is_limited = true;
    last.allowed = shrinking.kept;
    last.allowed_count = shrinking.kept_count;
    last.trace = options->trace;
    for (uint32_t i = 0; i < 3; i++) last.definitions[i] = shrinking.definitions[i];
    scenario_run(&last, &result);
    printf("  %s\n", result.failure);
    scenario_result_done(&result);
    for (uint32_t i = 0; i < 3; i++) free(shrinking.definitions[i]);
    free(shrinking.kept);
}
