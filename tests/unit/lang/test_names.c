/* test_names.c - which names an expression sees: definitions with what they are told. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* Reads a definition and puts its findings into `out`: "E0302 unknown name ...; " each. */
static void told(const char *text, size_t size, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct diags diags;
    diags_init(&diags, &arena);
    const struct workflow *workflow = NULL;
    int rc = workflow_read(str_of(text, size), STR("test.yaml"), &arena, &diags, &workflow);
    assert_true((rc == 0) == (diags.error_count == 0));
    assert_true((rc == 0) == (workflow != NULL));
    diags_sort(&diags);
    buf_clear(out);
    for (uint32_t i = 0; i < diags.count; i++) {
        char code[8];
        diag_code_format(&diags.items[i], code);
        buf_printf(out, "%s%s %.*s", i > 0 ? "; " : "", code, STR_ARG(diags.items[i].message));
    }
    assert_false(out->failed);
    arena_done(&arena);
}

static const struct {
    const char *what, *text, *expected;
} cases[] = {
    {"nothing to say", "tasks: {a: {noop: {}}}", ""},

    /* parameters */
    {"a parameter by its name and under params",
     "parameters: {day: {type: string}, n: {type: integer}}\n"
     "tasks: {a: {when: \"day != '' && params.n > 0\", noop: {}}}",
     ""},
    {"params as a whole uses all", "parameters: {x: {}, y: {}}\ntasks: {a: {transform: 'size(params)'}}", ""},
    {"has() of a parameter that is not declared", "tasks: {a: {when: has(params.x), noop: {}}}", ""},
    {"an unknown parameter", "parameters: {day: {}}\ntasks: {a: {transform: 'params.dya + day'}}",
     "E0401 unknown parameter \"dya\""},
    {"an unused parameter", "parameters: {day: {}}\ntasks: {a: {noop: {}}}", "W0901 parameter \"day\" is not used"},
    {"used in a command's text", "parameters: {pr_number: {}}\ntasks: {a: {shell: 'echo $ORCH_PARAM_PR_NUMBER'}}", ""},
    {"a longer variable is another", "parameters: {pr: {}}\ntasks: {a: {shell: 'echo $ORCH_PARAM_P'}}",
     "W0901 parameter \"pr\" is not used"},
    {"a program elsewhere may use it", "parameters: {day: {}}\ntasks: {a: {exec: [./report]}}", ""},
    {"a parameter and a task", "parameters: {a: {}}\ntasks: {a: {transform: 'params.a'}}",
     "E0116 \"a\" is a parameter and a task"},
    {"also inside a group", "parameters: {a: {}}\ntasks: {g: {tasks: {a: {transform: 'params.a'}}}}",
     "E0116 \"a\" is a parameter and a task"},
    {"told once though the reader wraps it",
     "parameters: {a: {}}\ntasks: {a: {for_each: '[1]', transform: 'params.a'}}",
     "E0116 \"a\" is a parameter and a task"},

    /* what is always there */
    {"names that are always there",
     "tasks: {a: {transform: '[execution.id, execution.started_at, workflow.name, workflow.version, env.HOME, now]'}}",
     ""},
    {"types and macros", "tasks: {a: {transform: '[1].map(x, int(x)).filter(y, type(y) == int)'}}", ""},
    {"a field of the execution", "tasks: {a: {transform: execution.nmae}}",
     "E0304 \"execution\" has no field \"nmae\""},
    {"the whole environment", "tasks: {a: {transform: size(env)}}", "E0304 the whole environment cannot be asked for"},

    /* tasks before */
    {"a direct dependency", "tasks: {a: {noop: {}}, b: {depends_on: a, transform: a.output}}", ""},
    {"an indirect one", "tasks: {a: {noop: {}}, b: {depends_on: a, noop: {}}, c: {depends_on: b, transform: a.output}}",
     ""},
    {"under tasks", "tasks: {a-1: {noop: {}}, b: {depends_on: a-1, transform: 'tasks[\"a-1\"].output'}}", ""},
    {"the one before in a sequence",
     "mode: sequence\ntasks: {a: {noop: {}}, b: {noop: {}}, c: {transform: a.output + b.output}}", ""},
    {"not in parallel", "mode: parallel\ntasks: {a: {noop: {}}, b: {transform: a.output}}",
     "E0303 \"a\" may not be done when \"b\" asks for it"},
    {"not without a dependency", "tasks: {a: {noop: {}}, b: {noop: {}}, c: {depends_on: b, transform: a.output}}",
     "E0303 \"a\" may not be done when \"c\" asks for it"},
    {"nor under tasks", "tasks: {a: {noop: {}}, b: {transform: tasks.a.output}}",
     "E0303 \"a\" may not be done when \"b\" asks for it"},
    {"one that comes after", "tasks: {a: {transform: b.output}, b: {depends_on: a, noop: {}}}",
     "E0303 \"b\" runs after \"a\", which asks for it"},
    {"itself", "tasks: {a: {transform: a.output}}", "E0303 task \"a\" asks for its own result"},
    {"an unknown one", "tasks: {a: {noop: {}}, b: {depends_on: a, transform: aa.output}}", "E0302 unknown name \"aa\""},
    {"an unknown one under tasks", "tasks: {a: {noop: {}}, b: {depends_on: a, transform: tasks.c.output}}",
     "E0302 unknown task \"c\" in an expression"},
    {"all its fields",
     "tasks: {a: {noop: {}}, b: {depends_on: a, transform: '[a.output, a.response, a.status, a.error, a.error.kind, "
     "a.error.message, "
     "a.error.exit_code, a.error.signal, a.attempts, a.exit_code, a.started_at, a.ended_at]'}}",
     ""},
    {"a field it does not have", "tasks: {a: {noop: {}}, b: {depends_on: a, transform: a.result}}",
     "E0304 \"a\" has no field \"result\""},
    {"under tasks", "tasks: {a: {noop: {}}, b: {depends_on: a, transform: tasks.a.result}}",
     "E0304 \"a\" has no field \"result\""},
    {"has() of such a field", "tasks: {a: {noop: {}}, b: {depends_on: a, when: has(a.result), noop: {}}}", ""},
    {"when a graph is wrong, names are not told too",
     "tasks: {a: {depends_on: nope, noop: {}}, b: {transform: a.output}}", "E0107 unknown task \"nope\" in depends_on"},

    /* groups */
    {"a group inside sees what the group sees",
     "tasks: {a: {noop: {}}, g: {depends_on: a, tasks: {x: {transform: a.output}, y: {depends_on: x, transform: "
     "x.output}}}}",
     ""},
    {"and no more", "tasks: {a: {noop: {}}, g: {tasks: {x: {transform: a.output}}}}",
     "E0303 \"a\" may not be done when \"g\" asks for it"},
    {"two deep", "tasks: {a: {noop: {}}, g: {depends_on: a, tasks: {h: {tasks: {x: {transform: a.output}}}}}}", ""},
    {"a group's output from outside", "tasks: {g: {tasks: {x: {noop: {}}}}, b: {depends_on: g, transform: g.output.x}}",
     ""},
    {"a task inside from outside", "tasks: {g: {tasks: {x: {noop: {}}}}, b: {depends_on: g, transform: x.output}}",
     "E0302 unknown name \"x\""},
    {"the group from inside", "tasks: {g: {tasks: {x: {transform: g.output}}}}",
     "E0303 \"g\" is not done while what is inside it runs"},
    {"a beside, not before, hides no a before the group",
     "tasks: {a: {noop: {}}, g: {depends_on: a, tasks: {a: {noop: {}}, x: {transform: a.output}}}}", ""},
    {"a group's finally sees its tasks",
     "tasks: {g: {tasks: {x: {noop: {}}}, finally: {tasks: {f: {transform: x.status}}}}}", ""},

    /* loops */
    {"the item and its index", "tasks: {a: {for_each: '[1, 2]', transform: item + item_index}}", ""},
    {"by another name", "tasks: {a: {for_each: {in: '[1]', as: n}, transform: n + n_index}}", ""},
    {"not outside", "tasks: {a: {for_each: {in: '[1]', as: n}, noop: {}}, b: {depends_on: a, transform: n}}",
     "E0302 unknown name \"n\""},
    {"not for its own list", "tasks: {a: {for_each: {in: '[1].map(x, x + n)', as: n}, noop: {}}}",
     "E0309 `n` is there only inside the loop"},
    {"in a group inside",
     "tasks: {a: {for_each: '[1]', tasks: {x: {transform: item}, g: {tasks: {y: {transform: item}}}}}}", ""},
    {"when asked for each item", "tasks: {a: {for_each: '[1]', when: item > 0, noop: {}}}", ""},
    {"what is before the loop",
     "tasks: {a: {noop: {}}, b: {depends_on: a, for_each: a.output, transform: '[item, a.output]'}}", ""},
    {"the list of a task not before", "tasks: {a: {noop: {}}, b: {for_each: a.output, noop: {}}}",
     "E0303 \"a\" may not be done when \"b\" asks for it"},
    {"hides a parameter", "parameters: {n: {}}\ntasks: {a: {for_each: {in: params.n, as: n}, noop: {}}}",
     "E0307 the loop's variable \"n\" hides a parameter"},
    {"hides a task", "tasks: {n: {noop: {}}, a: {for_each: {in: '[1]', as: n}, noop: {}}}",
     "E0307 the loop's variable \"n\" hides a task"},
    {"its own id", "tasks: {n: {for_each: {in: '[1]', as: n}, transform: n}}", ""},
    {"hides a variable around it",
     "tasks: {a: {for_each: {in: '[1]', as: n}, tasks: {b: {for_each: {in: '[1]', as: n}, noop: {}}}}}",
     "E0307 the loop's variable \"n\" hides the variable of the loop around it"},
    {"two loops with the usual name", "tasks: {a: {for_each: '[1]', tasks: {b: {for_each: '[1]', transform: item}}}}",
     ""},

    /* repeat */
    {"the condition sees the body",
     "tasks: {g: {repeat: {until: 'x.output > 1 && iteration > 2 && previous != null', max: 5}, tasks: {x: {noop: "
     "{}}}}}",
     ""},
    {"of a single task", "tasks: {x: {repeat: {until: x.output > 1, max: 5}, shell: ./x}}", ""},
    {"the body sees iteration and previous",
     "tasks: {g: {repeat: 3, tasks: {x: {transform: '[iteration, previous]'}}}}", ""},
    {"others do not", "tasks: {g: {repeat: 3, noop: {}}, x: {depends_on: g, transform: iteration}}",
     "E0309 `iteration` is there only inside a repeat"},

    /* handlers */
    {"on_error sees its task, the error and what the task sees",
     "tasks: {a: {noop: {}}, b: {depends_on: a, shell: ./b, on_error: {tasks: {x: {transform: '[a.output, b.status, "
     "error.message]'}}}}}",
     ""},
    {"a field of the error", "tasks: {b: {shell: ./b, on_error: {transform: error.reason}}}",
     "E0304 \"error\" has no field \"reason\""},
    {"no error elsewhere", "tasks: {b: {transform: error.message}}", "E0309 `error` is there only in an on_error"},
    {"compensate sees its task", "tasks: {b: {shell: ./b, compensate: {transform: b.output}}}", ""},
    {"finally sees all tasks",
     "tasks: {a: {noop: {}}, b: {noop: {}}}\nfinally: {f: {transform: '[a.status, b.status]'}}", ""},
    {"the workflow's on_error sees all tasks and the error",
     "tasks: {a: {noop: {}}}\non_error: {f: {transform: '[a.status, error.message]'}}", ""},
    {"the output sees all tasks",
     "tasks: {a: {noop: {}}, b: {noop: {}}}\noutput: {x: '{{ a.output }}', y: '{{ b.output }}'}", ""},
    {"but no more", "tasks: {a: {noop: {}}}\noutput: {x: '{{ c.output }}'}", "E0302 unknown name \"c\""},
    {"the workflow's env sees no task", "env: {X: '{{ a.output }}'}\ntasks: {a: {noop: {}}}",
     "E0302 unknown name \"a\""},
    {"a filter sees the event", "tasks: {a: {wait: {event: e, filter: event.id > 1}}}", ""},
    {"others do not", "tasks: {a: {transform: event.id}}",
     "E0309 `event` is there only in the filter of a wait for an event"},

    /* secrets */
    {"a secret in env", "secrets: [T]\ntasks: {a: {shell: ./a, env: {T: '{{ secrets.T }}'}}}", ""},
    {"a task's own secret", "tasks: {a: {secrets: [T], shell: ./a, env: {T: '{{ secrets.T }}'}}}", ""},
    {"the group's secret", "tasks: {g: {secrets: [T], tasks: {a: {shell: ./a, env: {T: '{{ secrets.T }}'}}}}}", ""},
    {"not declared", "tasks: {a: {shell: ./a, env: {T: '{{ secrets.T }}'}}}", "E0306 secret \"T\" is not declared"},
    {"not in a condition", "secrets: [T]\ntasks: {a: {when: \"secrets.T != ''\", shell: ./a}}",
     "E0305 secrets can be used only in an action's configuration and in env"},
    {"not in a transform", "secrets: [T]\ntasks: {a: {transform: secrets.T}}",
     "E0305 secrets can be used only in an action's configuration and in env"},
    {"not all", "secrets: [T]\ntasks: {a: {shell: ./a, env: {T: '{{ secrets }}', U: '{{ secrets.T }}'}}}",
     "E0305 all secrets at once cannot be asked for"},
    {"not used", "secrets: [T]\ntasks: {a: {noop: {}}}", "W0903 secret \"T\" is declared but not used"},

    /* results and conditions */
    {"a condition that is none", "parameters: {l: {}}\ntasks: {a: {when: size(l), noop: {}}}",
     "E0308 `when` needs true or false, this gives an int"},
    {"a list that is none", "parameters: {l: {}}\ntasks: {a: {for_each: size(l), noop: {}}}",
     "E0308 `for_each` needs a list, this gives an int"},
    {"a list with expressions in it", "parameters: {l: {}}\ntasks: {a: {for_each: ['{{ size(l) }}', 2], noop: {}}}",
     ""},
    {"always true", "tasks: {a: {when: 'true', noop: {}}}", "W0905 the condition is always true"},
    {"until never", "tasks: {a: {repeat: {until: 'false', max: 4}, shell: ./a}}",
     "W0905 the condition is never true: the task fails after 4 iterations"},
    {"never runs", "tasks: {a: {when: 'false', noop: {}}, b: {depends_on: a, noop: {}}}",
     "W0906 task \"a\" never runs: its `when` is always false"},
    {"a join that is too much", "tasks: {a: {noop: {}}, b: {depends_on: a, join: {at_least: 2}, noop: {}}}",
     "E0203 \"b\" wants 2 dependencies to succeed but has 1"},
    {"a join of nothing", "tasks: {b: {join: any_succeeded, noop: {}}}",
     "E0203 task \"b\" has a join rule but depends on nothing"},
};

static void test_cases(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, NULL, 0);
    int failed = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        told(cases[i].text, strlen(cases[i].text), &out);
        if (str_is(buf_str(&out), cases[i].expected)) continue;
        failed++;
        print_error("%s\n  expected: %s\n  told:     %.*s\n", cases[i].what, cases[i].expected, STR_ARG(buf_str(&out)));
    }
    buf_done(&out);
    assert_int_equal(failed, 0);
}

/* Thirty thousand tasks in layers, each of which asks for one far before it: no square of it. */
static void test_many_far_questions(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, NULL, 0);
    buf_init(&out, NULL, 0);
    buf_add_text(&text, "tasks:\n");
    const uint32_t layers = 3000, wide = 10;
    for (uint32_t layer = 0; layer < layers; layer++) {
        for (uint32_t i = 0; i < wide; i++) {
            buf_printf(&text, "  t%u_%u: {", layer, i);
            if (layer > 0) {
                buf_printf(&text, "depends_on: [t%u_%u, t%u_%u], ", layer - 1, i, layer - 1, (i + 1) % wide);
            }
            buf_printf(&text, "transform: \"%s\"}\n", layer > 20 ? "t0_3.output" : "1");
        }
    }
    clock_t start = clock();
    told(text.data, text.size, &out);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_string_equal(out.data ? out.data : "", "");
    assert_true(seconds < 20); /* a second or so; with a search of the whole graph for each it would be minutes */
    buf_done(&text);
    buf_done(&out);
}

/* An allocator whose n-th call fails, and all after it. */
struct short_memory {
    uint32_t left;
    bool failed;
};

static void *short_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    struct short_memory *memory = user;
    (void)size_old;
    if (size_new == 0) {
        free(block);
        return NULL;
    }
    if (memory->left == 0) {
        memory->failed = true;
        return NULL;
    }
    memory->left--;
    return realloc(block, size_new);
}

static void test_memory_short(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "parameters: {day: {}}\nsecrets: [T]\ntasks:\n  a: {noop: {}}\n"
        "  g: {depends_on: a, for_each: '[1]', tasks: {x: {transform: 'item + a.output'}, y: {depends_on: x, noop: "
        "{}}}}\n"
        "  r: {depends_on: g, repeat: {until: r.output, max: 2}, shell: ./r, env: {T: '{{ secrets.T }}', D: '{{ day "
        "}}'}}\n",
        "tasks:\n  a: {depends_on: c, noop: {}}\n  b: {depends_on: [a, x], when: nope > 1, noop: {}}\n"
        "  c: {depends_on: b, transform: params.z}\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint32_t failures = 0;
        for (uint32_t n = 0;; n++) {
            struct short_memory memory = {.left = n};
            const struct orch_allocator allocator = {.resize = short_resize, .user = &memory};
            struct arena arena;
            arena_init(&arena, &allocator, 0);
            arena.block_size = 256; /* small blocks: every few allocations can fail */
            struct diags diags;
            diags_init(&diags, &arena);
            const struct workflow *workflow = NULL;
            int rc = workflow_read(str_from(texts[i]), STR_NONE, &arena, &diags, &workflow);
            assert_true((rc == 0) == (workflow != NULL));
            arena_done(&arena);
            if (!memory.failed) break;
            failures++;
            assert_int_equal(rc, ORCH_ERR_NO_MEMORY);
            assert_true(n < 100000);
        }
        assert_true(failures > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_many_far_questions),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
