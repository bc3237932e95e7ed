/*
 * expr_function.c - the one table of functions: what they are called, what they take, what they give.
 */
#include "lang/expr_internal.h"

#define G STYLE_GLOBAL
#define R STYLE_RECEIVER
#define B STYLE_BOTH

#define MOMENT  (K(TIMESTAMP) | K(DURATION))
#define SCALARS (K_NUMBERS | K(STRING) | K(BYTES) | K(BOOL) | K(TIMESTAMP) | K(DURATION))

/* Sorted by name, which a test checks: found by halving. */
static const struct function functions[] = {
    /* name, style, least and most arguments (the receiver counts), extension, constant, parameters, result, function */
    {"avg", B, 1, 1, true, true, {K(LIST)}, K(DOUBLE), function_avg},
    {"bool", G, 1, 1, false, true, {K(BOOL) | K(STRING)}, K(BOOL), function_bool},
    {"bytes", G, 1, 1, false, true, {K(BYTES) | K(STRING)}, K(BYTES), function_bytes},
    {"charAt", R, 2, 2, false, true, {K(STRING), K(INT)}, K(STRING), function_char_at},
    {"contains", R, 2, 2, false, true, {K(STRING), K(STRING)}, K(BOOL), function_contains},
    {"distinct", B, 1, 1, true, true, {K(LIST)}, K(LIST), function_distinct},
    {"double", G, 1, 1, false, true, {K_NUMBERS | K(STRING)}, K(DOUBLE), function_double},
    {"duration", G, 1, 1, false, true, {K(DURATION) | K(STRING)}, K(DURATION), function_duration},
    /* Not folded: dyn() is there to make a type unknown to the check. */
    {"dyn", G, 1, 1, false, false, {K_ANY}, K_ANY, function_dyn},
    {"endsWith", R, 2, 2, false, true, {K(STRING), K(STRING)}, K(BOOL), function_ends_with},
    {"flatten", B, 1, 2, true, true, {K(LIST), K(INT)}, K(LIST), function_flatten},
    {"format", R, 2, 2, false, true, {K(STRING), K(LIST)}, K(STRING), function_format},
    {"getDate", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_date},
    {"getDayOfMonth", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_day_of_month},
    {"getDayOfWeek", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_day_of_week},
    {"getDayOfYear", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_day_of_year},
    {"getFullYear", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_full_year},
    {"getHours", R, 1, 2, false, false, {MOMENT, K(STRING)}, K(INT), function_get_hours},
    {"getMilliseconds", R, 1, 2, false, false, {MOMENT, K(STRING)}, K(INT), function_get_milliseconds},
    {"getMinutes", R, 1, 2, false, false, {MOMENT, K(STRING)}, K(INT), function_get_minutes},
    {"getMonth", R, 1, 2, false, false, {K(TIMESTAMP), K(STRING)}, K(INT), function_get_month},
    {"getSeconds", R, 1, 2, false, false, {MOMENT, K(STRING)}, K(INT), function_get_seconds},
    {"indexOf", R, 2, 3, false, true, {K(STRING), K(STRING), K(INT)}, K(INT), function_index_of},
    {"int", G, 1, 1, false, true, {K_NUMBERS | K(STRING) | K(TIMESTAMP)}, K(INT), function_int},
    {"join", R, 1, 2, false, true, {K(LIST), K(STRING)}, K(STRING), function_join},
    {"keys", B, 1, 1, true, true, {K(MAP)}, K(LIST), function_keys},
    {"lastIndexOf", R, 2, 3, false, true, {K(STRING), K(STRING), K(INT)}, K(INT), function_last_index_of},
    {"lowerAscii", R, 1, 1, false, true, {K(STRING)}, K(STRING), function_lower_ascii},
    {"matches", B, 2, 2, false, false, {K(STRING), K(STRING)}, K(BOOL), function_matches},
    {"max", B, 1, EXPR_ARGS_MAX, true, true, {SCALARS | K(LIST), SCALARS}, SCALARS, function_max},
    {"merge", B, 1, EXPR_ARGS_MAX, true, true, {K(MAP) | K(LIST), K(MAP)}, K(MAP), function_merge},
    {"min", B, 1, EXPR_ARGS_MAX, true, true, {SCALARS | K(LIST), SCALARS}, SCALARS, function_min},
    {"replace", R, 3, 4, false, true, {K(STRING), K(STRING), K(STRING), K(INT)}, K(STRING), function_replace},
    {"reverse", R, 1, 1, false, true, {K(STRING)}, K(STRING), function_reverse},
    {"size", B, 1, 1, false, true, {K(STRING) | K(BYTES) | K(LIST) | K(MAP)}, K(INT), function_size},
    {"sort", B, 1, 1, true, true, {K(LIST)}, K(LIST), function_sort},
    {"split", R, 2, 3, false, true, {K(STRING), K(STRING), K(INT)}, K(LIST), function_split},
    {"startsWith", R, 2, 2, false, true, {K(STRING), K(STRING)}, K(BOOL), function_starts_with},
    {"string", G, 1, 1, false, true, {K_NUMBERS | K(STRING) | K(BYTES) | K(BOOL) | MOMENT}, K(STRING), function_string},
    {"strings.quote", G, 1, 1, false, true, {K(STRING)}, K(STRING), function_quote},
    {"substring", R, 2, 3, false, true, {K(STRING), K(INT), K(INT)}, K(STRING), function_substring},
    {"sum", B, 1, 1, true, true, {K(LIST)}, K_NUMBERS | K(DURATION), function_sum},
    {"timestamp", G, 1, 1, false, true, {K(TIMESTAMP) | K(STRING) | K(INT)}, K(TIMESTAMP), function_timestamp},
    {"trim", R, 1, 1, false, true, {K(STRING)}, K(STRING), function_trim},
    {"type", G, 1, 1, false, true, {K_ANY}, K(TYPE), function_type},
    {"uint", G, 1, 1, false, true, {K_NUMBERS | K(STRING)}, K(UINT), function_uint},
    {"upperAscii", R, 1, 1, false, true, {K(STRING)}, K(STRING), function_upper_ascii},
    {"values", B, 1, 1, true, true, {K(MAP)}, K(LIST), function_values},
};

#define FUNCTIONS_COUNT (sizeof(functions) / sizeof(functions[0]))

const struct function *expr_function_find(struct orch_str name)
{
    size_t low = 0, high = FUNCTIONS_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare(name, str_from(functions[middle].name));
        if (order == 0) return &functions[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct function *expr_function_at(size_t index)
{
    return index < FUNCTIONS_COUNT ? &functions[index] : NULL;
}

struct orch_str expr_function_nearest(struct orch_str name)
{
    struct orch_str candidates[FUNCTIONS_COUNT + 6];
    size_t count = 0;
    for (size_t i = 0; i < FUNCTIONS_COUNT; i++) candidates[count++] = str_from(functions[i].name);
    static const char *const macros[] = {"has", "all", "exists", "exists_one", "map", "filter"};
    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) candidates[count++] = str_from(macros[i]);
    return str_nearest(name, candidates, count);
}

uint16_t expr_function_param(const struct function *function, uint32_t index)
{
    if (index >= FUNCTION_PARAMS_MAX) index = FUNCTION_PARAMS_MAX - 1;
    while (index > 0 && function->params[index] == 0) index--;
    return function->params[index];
}
