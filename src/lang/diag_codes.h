/*
 * diag_codes.h - every code a definition can be told, once: number and title. Not a header for users of lang: diag.h is.
 *
 * E01xx names and shape, E02xx graph, E03xx expressions and templates, E04xx parameters and values, E05xx files and YAML/JSON,
 * W09xx warnings. Numbers are never reused; docs/errors.md has a paragraph for each.
 */
#ifndef LANG_DIAG_CODES_H
#define LANG_DIAG_CODES_H

/* clang-format off */
#define DIAG_CODE_LIST(X)                                                         \
    /* name                number  title */                                       \
    X(UNKNOWN_KEY,         101, "unknown key")                                    \
    X(WRONG_KIND,          102, "wrong kind of value")                            \
    X(MISSING_KEY,         103, "a required key is missing")                      \
    X(NOT_A_CHOICE,        104, "not one of the words allowed here")              \
    X(BAD_NAME,            105, "not allowed as a name")                          \
    X(DOUBLE_ID,           106, "two tasks of one block have the same id")        \
    X(UNKNOWN_TASK,        107, "unknown task")                                   \
    X(RESERVED_NAME,       108, "a reserved name")                                \
    X(TWO_ACTIONS,         109, "a task has more than one action")                \
    X(NO_ACTION,           110, "a task has nothing to do")                       \
    X(KEY_NOT_HERE,        111, "a key that has no effect here")                  \
    X(KEYS_EXCLUDE,        112, "keys that exclude each other")                   \
    X(BAD_NUMBER,          113, "a number that is not whole or out of bounds")    \
    X(BAD_DURATION,        114, "a duration that cannot be read")                 \
    X(TOO_LONG,            115, "longer than allowed")                            \
    X(SAME_NAME,           116, "a parameter and a task have the same name")      \
    X(POOL_SLOTS,          117, "more slots wanted than the pool has")            \
    X(TWO_SPELLINGS,       118, "one setting given in two spellings")             \
    X(NO_TASKS,            119, "a group without tasks")                          \
    X(DOUBLE_NAME,         120, "a name occurs twice in a list")                  \
    X(FACTORY_NOT_LISTED,  121, "a step uses a factory that is not listed")       \
    X(FORMAT_VERSION,      122, "a version of the format that is not known")      \
    X(BAD_MOMENT,          123, "a moment that cannot be read")                   \
    X(EMPTY_VALUE,         124, "an empty value where one is needed")             \
    X(BAD_SCHEDULE,        125, "a schedule that cannot be read")                 \
    X(CYCLE,               201, "tasks wait for each other")                      \
    X(SELF_DEPENDENCY,     202, "a task waits for itself")                        \
    X(JOIN_IMPOSSIBLE,     203, "a join rule that can never be met")              \
    X(NESTED_TOO_DEEP,     204, "groups nested too deep")                         \
    X(TOO_MANY_TASKS,      205, "more tasks than allowed")                        \
    X(TOO_MANY_EDGES,      206, "more dependencies than allowed")                 \
    X(BAD_EXPRESSION,      301, "an expression that cannot be read")              \
    X(UNKNOWN_NAME,        302, "unknown name in an expression")                  \
    X(TASK_NOT_BEFORE,     303, "a task that is not before the one that asks")    \
    X(UNKNOWN_FIELD,       304, "a field that is never there")                    \
    X(SECRET_NOT_HERE,     305, "a secret where none may be used")                \
    X(SECRET_NOT_DECLARED, 306, "a secret that is not declared")                  \
    X(HIDES_NAME,          307, "a loop variable hides another name")             \
    X(WRONG_RESULT,        308, "an expression gives another kind than needed")   \
    X(OUTSIDE_SITE,        309, "a name that is only there in another place")     \
    X(BAD_TEMPLATE,        310, "a template that cannot be read")                 \
    X(QUOTE_TEMPLATE,      311, "a template that needs quotes")                   \
    X(TEMPLATE_IN_SHELL,   312, "template inside a shell command")                \
    X(TEMPLATE_NOT_HERE,   313, "a template where the text must be literal")      \
    X(EXPRESSION_LIMIT,    314, "an expression larger than allowed")              \
    X(UNKNOWN_PARAMETER,   401, "unknown parameter")                              \
    X(PARAMETER_MISSING,   402, "a required parameter is missing")                \
    X(BAD_DEFAULT,         404, "a default that its own parameter refuses")       \
    X(BAD_PATTERN,         405, "a pattern that cannot be read")                  \
    X(VALUE_TYPE,          406, "a parameter of the wrong type")                  \
    X(VALUE_RANGE,         407, "a parameter outside its bounds")                 \
    X(VALUE_PATTERN,       408, "a parameter that does not match its pattern")    \
    X(VALUE_CHOICE,        409, "a parameter that is none of its choices")        \
    X(BOUNDS_CROSSED,      410, "min is above max")                               \
    X(EMPTY_FILE,          502, "nothing in the file")                            \
    X(YAML_SYNTAX,         504, "not valid YAML")                                 \
    X(JSON_SYNTAX,         505, "not valid JSON")                                 \
    X(TAB,                 506, "a tab where YAML wants spaces")                  \
    X(DUPLICATE_KEY,       507, "a key occurs twice")                             \
    X(SEVERAL_DOCUMENTS,   508, "several documents in one file")                  \
    X(UNKNOWN_ALIAS,       509, "an alias without its anchor")                    \
    X(ALIAS_EXPANSION,     510, "aliases that expand to too much")                \
    X(TAG,                 511, "a tag that is not known")                        \
    X(ENCODING,            512, "not valid UTF-8")                                \
    X(DEPTH,               513, "nested too deep")                                \
    X(SIZE,                514, "larger than allowed")                            \
    X(BAD_KEY,             515, "a key that is not plain text")                   \
    X(BAD_MERGE,           516, "a merge of something that is no map")            \
    X(UNUSED_PARAMETER,    901, "a parameter that nothing uses")                  \
    X(SCHEDULE_IDLE,       902, "a schedule that nothing fires yet")              \
    X(UNUSED_SECRET,       903, "a secret that nothing uses")                     \
    X(DOUBLE_DEPENDENCY,   904, "a dependency given twice")                       \
    X(CONSTANT_CONDITION,  905, "a condition that is always the same")            \
    X(NEVER_RUNS,          906, "a task that can never run")                      \
    X(UNKNOWN_CHANNEL,     907, "a channel that is not configured")               \
    X(NOT_CHECKED,         908, "names that were not checked")
/* clang-format on */

enum diag_code {
#define DIAG_CODE_ENUM(name, number, title) DIAG_##name = (number),
    DIAG_CODE_LIST(DIAG_CODE_ENUM)
#undef DIAG_CODE_ENUM
};

#endif
