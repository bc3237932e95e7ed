/* test_read.c - definitions read into models: every construct, the seeds' spellings, the normal form read again. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/diag_codes.h"
#include "model_dump.h"

struct fixture {
    struct arena arena, texts;
    struct diags diags;
    struct buf out, again;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->texts, NULL, 0);
    buf_init(&f->out, NULL, 0);
    buf_init(&f->again, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->out);
    buf_done(&f->again);
    arena_done(&f->arena);
    arena_done(&f->texts);
    free(f);
    return 0;
}

static int read_text(struct fixture *f, struct orch_str text, const struct workflow **ret)
{
    arena_clear(&f->texts);
    diags_init(&f->diags, &f->texts);
    return workflow_read(text, STR("file.yaml"), &f->arena, &f->diags, ret);
}

static const struct workflow *read_ok(struct fixture *f, struct orch_str text)
{
    const struct workflow *workflow = NULL;
    int r = read_text(f, text, &workflow);
    if (r) {
        struct diag_style style = {0};
        buf_clear(&f->out);
        diags_render(&f->diags, text, STR("file.yaml"), &style, &f->out);
        print_message("%.*s\n", (int)f->out.size, f->out.data);
    }
    assert_int_equal(r, 0);
    return workflow;
}

/* Reading the normal form gives the same model and the same normal form; so does reading what is printed for people. */
static void check_again(struct fixture *f, const struct workflow *workflow)
{
    buf_clear(&f->out);
    dump_workflow(workflow, &f->out);
    const struct workflow *again = read_ok(f, workflow->normal);
    if (!str_equal(again->normal, workflow->normal)) print_message("%.*s\n%.*s\n", STR_ARG(workflow->normal), STR_ARG(again->normal));
    assert_true(str_equal(again->normal, workflow->normal));
    buf_clear(&f->again);
    dump_workflow(again, &f->again);
    buf_add_char(&f->out, 0);
    buf_add_char(&f->again, 0);
    assert_string_equal(f->out.data, f->again.data);
}

/* What is printed for people reads as the same workflow and is printed the same again. */
static void check_format(struct fixture *f, const struct workflow *workflow, bool json)
{
    buf_clear(&f->out);
    assert_int_equal(workflow_format(workflow, json, &f->out, NULL), 0);
    struct orch_str printed = arena_str(&f->arena, buf_str(&f->out));
    const struct workflow *again = read_ok(f, printed);
    if (!str_equal(again->normal, workflow->normal)) print_message("%.*s\n%.*s\n%.*s\n", STR_ARG(printed), STR_ARG(workflow->normal), STR_ARG(again->normal));
    assert_true(str_equal(again->normal, workflow->normal));
    buf_clear(&f->again);
    assert_int_equal(workflow_format(again, json, &f->again, NULL), 0);
    assert_true(str_equal(buf_str(&f->again), printed));
}

#define ALL                                                                                                            \
    "orch: 1\nname: all\ndescription: Everything\nversion: 1.10\ntags: [a, b]\n"                                      \
    "parameters:\n  day: {type: string, pattern: '^\\d+$', required: true, description: d}\n"                         \
    "  count: {type: int, default: 3, min: 1, max: 10}\n  mode_: {enum: [fast, slow], default: fast}\n"               \
    "  any:\n"                                                                                                         \
    "schedule: {cron: '0 2 * * *', timezone: Europe/Berlin, catchup: latest, overlap: skip}\n"                        \
    "env: {A: '{{ day }}', B: 1.10, C: true}\nsecrets: TOKEN\npools: {gpu: 2}\nconcurrency: {execution: 4, workflow: 8}\n" \
    "priority: 5\ntimeout: 1h30m\nfail_fast: true\n"                                                                   \
    "tasks:\n"                                                                                                         \
    "  fetch:\n    shell: curl \"$U\"\n    env: {U: 'https://x/{{ params.any }}', T: '{{ secrets.TOKEN }}'}\n"        \
    "    working_dir: /tmp\n    stdin: '{{ day }}'\n    retry: {max_attempts: 5, backoff: linear, delay: 2s, max_delay: 1m, jitter: 0.2, on: [exit, timeout], exit_codes: [75, 1]}\n" \
    "    timeout: 2m\n    total_timeout: 10m\n    pool: {name: gpu, slots: 2}\n    priority: -3\n    on_interrupt: hold\n" \
    "  list:\n    exec: [echo, '{{ count }}', 3]\n    depends_on: fetch\n    join: all_done\n    continue_on_error: true\n" \
    "  run:\n    script: {text: 'print(1)', interpreter: [python3, -u], args: ['{{ count }}']}\n    depends_on: [list]\n    secrets: [OTHER]\n    env: {X: '{{ secrets.OTHER }}'}\n" \
    "  file: {script: a/b.py, depends_on: [list, run], join: {at_least: 1}, when: count > 1, pool: [gpu, other]}\n"   \
    "  sum: {transform: '1 + count'}\n"                                                                                \
    "  shape: {transform: {a: '{{ count }}', b: [1, 'x {{ day }}'], c: null, d: 1.50}}\n"                             \
    "  text: {transform: 'a {{ day }} b'}\n"                                                                           \
    "  pause: {wait: 10s}\n  moment: {wait: {until: '2030-01-01T00:00:00Z'}}\n"                                       \
    "  happening: {wait: {event: 'e-{{ day }}', filter: event.n > 1}, timeout: 1d}\n"                                      \
    "  ask: {approval: 'Really {{ day }}?'}\n  ask2: {approval: {approvers: [ann, bob]}}\n  ask3: {approval: }\n"     \
    "  sub: {workflow: {name: other, parameters: {x: '{{ count }}'}}}\n  sub2: {workflow: {file: x.yaml}}\n"          \
    "  say: {notification: {message: 'm {{ day }}', level: warning, title: t, channels: [log, {command: [notify, x]}]}}\n" \
    "  func: {function: {name: f, parameters: {a: '{{ count }}'}}}\n"                                                   \
    "  call: {service_call: {service: s, endpoint: '/{{ day }}', method: GET, parameters: {q: 1}, headers: {H: '{{ secrets.TOKEN }}'}}}\n" \
    "  make: {factory: {factory: f, action: a, params: {p: [1]}}}\n  nothing: {noop: }\n"                              \
    "  each: {for_each: {in: '[1, 2]', as: n, max_parallel: 2, fail_fast: true}, when: n > 1 && n_index < 5, shell: echo, env: {N: '{{ n }}'}}\n" \
    "  each2: {for_each: [1, {a: '{{ count }}'}], when: count > 0, repeat: {until: 'iteration > 2', max: 5, delay: 1s}, shell: echo, env: {I: '{{ item }} {{ iteration }}'}}\n" \
    "  group:\n    mode: sequence\n    concurrency: 2\n    fail_fast: false\n    depends_on: [nothing]\n"                                    \
    "    tasks:\n      one: {shell: 'true'}\n      two: {tasks: {x: {noop: }, y: {noop: , depends_on: [x]}}}\n"        \
    "    finally: {tidy: {shell: rm}}\n    on_error: {shell: fix, env: {E: '{{ error.message }}'}}\n    compensate: {tasks: {u: {shell: undo}, v: {shell: undo2}}}\n" \
    "  loop:\n    repeat: {while: 'b.output < 3', max: 4}\n    retry: 3\n    tasks: {a: {noop: }, b: {transform: 'iteration'}}\n"  \
    "  listed:\n    tasks:\n      - {shell: one}\n      - {id: named, shell: two}\n      - {factory: {factory: f, action: do it}}\n" \
    "output: {sum: '{{ sum.output }}', all: '{{ group.status }}'}\n"                                                   \
    "on_error: {shell: echo}\n"                                                                                        \
    "finally:\n  cleanup: {shell: rm -rf \"$ORCH_SCRATCH\"}\n  more: {shell: echo, depends_on: [cleanup]}\n"

static const char *const definitions[] = {
    ALL,
    "tasks: {}\n",
    "name: sequence\nmode: sequence\ntasks: [{shell: a}, {shell: b}, {shell: c}]\n",
    "tasks:\n  - {id: a, shell: a}\n  - {id: b, shell: b, depends_on: a}\n",
    "mode: parallel\ntasks: {a: {shell: a}, b: {shell: b}}\nfinally: [{shell: x}, {shell: y}]\n",
    "tasks: {a: {shell: a, on_error: {tasks: {shell: {noop: }}}}}\n",
    "tasks: {a: {shell: a, on_error: {tasks: {x: {noop: }}, mode: sequence}, compensate: {x: {shell: a}, y: {shell: b}}}}\n",
    "tasks: {a: {shell: a, on_error: {tasks: {x: {noop: }}, timeout: 5s}}}\n",
    "tasks: {a: {shell: a, on_error: {id: mend, shell: a}}}\n",
    "tasks: {a: &d {shell: x}, b: {<<: *d, timeout: 1s}, c: *d}\n",
    /* 004 */
    "{\"name\": \"Hello World Workflow\", \"description\": \"A simple notification workflow\","
    "\"parameters\": [{\"name\": \"message\", \"type\": \"string\", \"description\": \"Message to display\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"notify\", \"action_type\": \"notification\", \"name\": \"Send Notification\", \"description\": \"Send completion notification\","
    "\"config\": {\"message\": \"{{message}}\", \"channels\": [\"log\"]}}]}",
    "{\"name\": \"Document Analysis Workflow\", \"description\": \"Analyze documents for quality and insights\","
    "\"parameters\": [{\"name\": \"document_url\", \"type\": \"string\", \"description\": \"URL of document to analyze\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"analyze\", \"action_type\": \"service_call\", \"name\": \"Analyze Document\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/analyze\", \"method\": \"POST\", \"parameters\": {\"url\": \"{{document_url}}\"}}}]}",
    "{\"name\": \"Document Quality Analysis\", \"description\": \"Analyze document for quality and insights\","
    "\"parameters\": [{\"name\": \"document_url\", \"type\": \"string\", \"description\": \"Document URL to analyze\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"fetch_doc\", \"action_type\": \"service_call\", \"name\": \"Fetch Document\","
    "\"config\": {\"service\": \"source_agent\", \"endpoint\": \"/fetch\", \"method\": \"POST\", \"parameters\": {\"url\": \"{{document_url}}\"}}},"
    "{\"action_id\": \"analyze_quality\", \"action_type\": \"service_call\", \"name\": \"Analyze Quality\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/analyze\", \"method\": \"POST\", \"parameters\": {\"content\": \"{{fetch_doc.response.content}}\"}},"
    "\"depends_on\": [\"fetch_doc\"]}]}",
    "{\"name\": \"PR Confidence Analysis\", \"description\": \"Analyze PR confidence against requirements\","
    "\"parameters\": [{\"name\": \"pr_number\", \"type\": \"integer\", \"required\": true}, {\"name\": \"repository\", \"type\": \"string\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"fetch_pr\", \"action_type\": \"service_call\", \"name\": \"Fetch PR Data\","
    "\"config\": {\"service\": \"source_agent\", \"endpoint\": \"/github/pr\", \"method\": \"GET\", \"parameters\": {\"pr_number\": \"{{pr_number}}\", \"repository\": \"{{repository}}\"}}},"
    "{\"action_id\": \"analyze_confidence\", \"action_type\": \"service_call\", \"name\": \"Analyze Confidence\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/calculate_confidence\", \"method\": \"POST\", \"parameters\": {\"pr_data\": \"{{fetch_pr.response}}\"}},"
    "\"depends_on\": [\"fetch_pr\"]}]}",
    "{\"name\": \"Hello World\", \"description\": \"My first workflow\", \"parameters\": [{\"name\": \"message\", \"type\": \"string\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"greet\", \"action_type\": \"notification\", \"name\": \"Send Greeting\", \"config\": {\"message\": \"{{message}}\"}}]}",
    /* 002 */
    "name: content_pipeline\nsteps:\n  - {factory: research, action: analyze_market, params: {symbol: BTC}}\n"
    "  - {factory: media, action: create_media, params: {type: image, prompt: BTC trend}}\nfactories: [research, media]\nparallel: false\n",
    "{\"steps\": [{\"factory\": \"research\", \"action\": \"analyze_market\"}, {\"factory\": \"research\", \"action\": \"initiate_research\"}],"
    "\"factories\": [\"research\"], \"parallel\": false}",
    "{\"steps\": [{\"factory\": \"research\", \"action\": \"analyze_market\", \"params\": {}}, {\"factory\": \"media\", \"action\": \"create_media\", \"params\": {}}], \"parallel\": false}",
    "{\"steps\": [{\"factory\": \"media\", \"action\": \"create_image\", \"params\": {}}, {\"factory\": \"media\", \"action\": \"create_video\", \"params\": {}}], \"parallel\": true}",
    /* 001 and 003 */
    "name: etl-pipeline\nfail_fast: true\ntasks:\n  fetch: {action: fetch_data}\n"
    "  transform: {action: transform, dependencies: [fetch], retry_policy: {max_attempts: 3}}\n  report: {action: report, dependencies: [transform]}\n",
    "name: code_review_pipeline\nsteps:\n  - {name: scan, handler: scan_code}\n  - {name: review, handler: review_code, depends_on: [scan]}\n"
    "  - {name: fix, handler: apply_fixes, depends_on: [review]}\n  - {name: verify, handler: verify_fixes, depends_on: [fix]}\n",
    "tasks:\n  deploy: {func: deploy, retry_policy: {max_retries: 3, backoff_seconds: 1.0}}\n  flaky: {func: f, max_attempts: 3, backoff_factor: 2.0}\n",
};

static void test_definitions(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        arena_clear(&f->arena);
        const struct workflow *workflow = read_ok(f, str_from(definitions[i]));
        check_again(f, workflow);
        check_format(f, workflow, false);
        check_format(f, workflow, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_definitions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
