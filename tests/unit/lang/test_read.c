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
    if (!str_equal(again->normal, workflow->normal))
        print_message("%.*s\n%.*s\n", STR_ARG(workflow->normal), STR_ARG(again->normal));
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
    if (!str_equal(again->normal, workflow->normal))
        print_message("%.*s\n%.*s\n%.*s\n", STR_ARG(printed), STR_ARG(workflow->normal), STR_ARG(again->normal));
    assert_true(str_equal(again->normal, workflow->normal));
    buf_clear(&f->again);
    assert_int_equal(workflow_format(again, json, &f->again, NULL), 0);
    assert_true(str_equal(buf_str(&f->again), printed));
}

#define ALL                                                                                                            \
    "orch: 1\nname: all\ndescription: Everything\nversion: 1.10\ntags: [a, b]\n"                                       \
    "parameters:\n  day: {type: string, pattern: '^\\d+$', required: true, description: d}\n"                          \
    "  count: {type: int, default: 3, min: 1, max: 10}\n  mode_: {enum: [fast, slow], default: fast}\n"                \
    "  any:\n"                                                                                                         \
    "schedule: {cron: '0 2 * * *', timezone: Europe/Berlin, catchup: latest, overlap: skip}\n"                         \
    "env: {A: '{{ day }}', B: 1.10, C: true}\nsecrets: TOKEN\npools: {gpu: 2}\nconcurrency: {execution: 4, workflow: " \
    "8}\n"                                                                                                             \
    "priority: 5\ntimeout: 1h30m\nfail_fast: true\n"                                                                   \
    "tasks:\n"                                                                                                         \
    "  fetch:\n    shell: curl \"$U\"\n    env: {U: 'https://x/{{ params.any }}', T: '{{ secrets.TOKEN }}'}\n"         \
    "    working_dir: /tmp\n    stdin: '{{ day }}'\n    retry: {max_attempts: 5, backoff: linear, delay: 2s, "         \
    "max_delay: 1m, jitter: 0.2, on: [exit, timeout], exit_codes: [75, 1]}\n"                                          \
    "    timeout: 2m\n    total_timeout: 10m\n    pool: {name: gpu, slots: 2}\n    priority: -3\n    on_interrupt: "   \
    "hold\n"                                                                                                           \
    "  list:\n    exec: [echo, '{{ count }}', 3]\n    depends_on: fetch\n    join: all_done\n    continue_on_error: "  \
    "true\n"                                                                                                           \
    "  run:\n    script: {text: 'print(1)', interpreter: [python3, -u], args: ['{{ count }}']}\n    depends_on: "      \
    "[list]\n    secrets: [OTHER]\n    env: {X: '{{ secrets.OTHER }}'}\n"                                              \
    "  file: {script: a/b.py, depends_on: [list, run], join: {at_least: 1}, when: count > 1, pool: [gpu, other]}\n"    \
    "  sum: {transform: '1 + count'}\n"                                                                                \
    "  shape: {transform: {a: '{{ count }}', b: [1, 'x {{ day }}'], c: null, d: 1.50}}\n"                              \
    "  text: {transform: 'a {{ day }} b'}\n"                                                                           \
    "  pause: {wait: 10s}\n  moment: {wait: {until: '2030-01-01T00:00:00Z'}}\n"                                        \
    "  happening: {wait: {event: 'e-{{ day }}', filter: event.n > 1}, timeout: 1d}\n"                                  \
    "  ask: {approval: 'Really {{ day }}?'}\n  ask2: {approval: {approvers: [ann, bob]}}\n  ask3: {approval: }\n"      \
    "  sub: {workflow: {name: other, parameters: {x: '{{ count }}'}}}\n  sub2: {workflow: {file: x.yaml}}\n"           \
    "  say: {notification: {message: 'm {{ day }}', level: warning, title: t, channels: [log, {command: [notify, "     \
    "x]}]}}\n"                                                                                                         \
    "  func: {function: {name: f, parameters: {a: '{{ count }}'}}}\n"                                                  \
    "  call: {service_call: {service: s, endpoint: '/{{ day }}', method: GET, parameters: {q: 1}, headers: {H: '{{ "   \
    "secrets.TOKEN }}'}}}\n"                                                                                           \
    "  make: {factory: {factory: f, action: a, params: {p: [1]}}}\n  nothing: {noop: }\n"                              \
    "  each: {for_each: {in: '[1, 2]', as: n, max_parallel: 2, fail_fast: true}, when: n > 1 && n_index < 5, shell: "  \
    "echo, env: {N: '{{ n }}'}}\n"                                                                                     \
    "  each2: {for_each: [1, {a: '{{ count }}'}], when: count > 0, repeat: {until: 'iteration > 2', max: 5, delay: "   \
    "1s}, shell: echo, env: {I: '{{ item }} {{ iteration }}'}}\n"                                                      \
    "  group:\n    mode: sequence\n    concurrency: 2\n    fail_fast: false\n    depends_on: [nothing]\n"              \
    "    tasks:\n      one: {shell: 'true'}\n      two: {tasks: {x: {noop: }, y: {noop: , depends_on: [x]}}}\n"        \
    "    finally: {tidy: {shell: rm}}\n    on_error: {shell: fix, env: {E: '{{ error.message }}'}}\n    compensate: "  \
    "{tasks: {u: {shell: undo}, v: {shell: undo2}}}\n"                                                                 \
    "  loop:\n    repeat: {while: 'b.output < 3', max: 4}\n    retry: 3\n    tasks: {a: {noop: }, b: {transform: "     \
    "'iteration'}}\n"                                                                                                  \
    "  listed:\n    tasks:\n      - {shell: one}\n      - {id: named, shell: two}\n      - {factory: {factory: f, "    \
    "action: do it}}\n"                                                                                                \
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
    "tasks: {a: {shell: a, on_error: {tasks: {x: {noop: }}, mode: sequence}, compensate: {x: {shell: a}, y: {shell: "
    "b}}}}\n",
    "tasks: {a: {shell: a, on_error: {tasks: {x: {noop: }}, timeout: 5s}}}\n",
    "tasks: {a: {shell: a, on_error: {id: mend, shell: a}}}\n",
    "tasks: {a: &d {shell: x}, b: {<<: *d, timeout: 1s}, c: *d}\n",
    /* 004 */
    "{\"name\": \"Hello World Workflow\", \"description\": \"A simple notification workflow\","
    "\"parameters\": [{\"name\": \"message\", \"type\": \"string\", \"description\": \"Message to display\", "
    "\"required\": true}],"
    "\"actions\": [{\"action_id\": \"notify\", \"action_type\": \"notification\", \"name\": \"Send Notification\", "
    "\"description\": \"Send completion notification\","
    "\"config\": {\"message\": \"{{message}}\", \"channels\": [\"log\"]}}]}",
    "{\"name\": \"Document Analysis Workflow\", \"description\": \"Analyze documents for quality and insights\","
    "\"parameters\": [{\"name\": \"document_url\", \"type\": \"string\", \"description\": \"URL of document to "
    "analyze\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"analyze\", \"action_type\": \"service_call\", \"name\": \"Analyze Document\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/analyze\", \"method\": \"POST\", \"parameters\": "
    "{\"url\": \"{{document_url}}\"}}}]}",
    "{\"name\": \"Document Quality Analysis\", \"description\": \"Analyze document for quality and insights\","
    "\"parameters\": [{\"name\": \"document_url\", \"type\": \"string\", \"description\": \"Document URL to analyze\", "
    "\"required\": true}],"
    "\"actions\": [{\"action_id\": \"fetch_doc\", \"action_type\": \"service_call\", \"name\": \"Fetch Document\","
    "\"config\": {\"service\": \"source_agent\", \"endpoint\": \"/fetch\", \"method\": \"POST\", \"parameters\": "
    "{\"url\": \"{{document_url}}\"}}},"
    "{\"action_id\": \"analyze_quality\", \"action_type\": \"service_call\", \"name\": \"Analyze Quality\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/analyze\", \"method\": \"POST\", \"parameters\": "
    "{\"content\": \"{{fetch_doc.response.content}}\"}},"
    "\"depends_on\": [\"fetch_doc\"]}]}",
    "{\"name\": \"PR Confidence Analysis\", \"description\": \"Analyze PR confidence against requirements\","
    "\"parameters\": [{\"name\": \"pr_number\", \"type\": \"integer\", \"required\": true}, {\"name\": \"repository\", "
    "\"type\": \"string\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"fetch_pr\", \"action_type\": \"service_call\", \"name\": \"Fetch PR Data\","
    "\"config\": {\"service\": \"source_agent\", \"endpoint\": \"/github/pr\", \"method\": \"GET\", \"parameters\": "
    "{\"pr_number\": \"{{pr_number}}\", \"repository\": \"{{repository}}\"}}},"
    "{\"action_id\": \"analyze_confidence\", \"action_type\": \"service_call\", \"name\": \"Analyze Confidence\","
    "\"config\": {\"service\": \"analysis_service\", \"endpoint\": \"/calculate_confidence\", \"method\": \"POST\", "
    "\"parameters\": {\"pr_data\": \"{{fetch_pr.response}}\"}},"
    "\"depends_on\": [\"fetch_pr\"]}]}",
    "{\"name\": \"Hello World\", \"description\": \"My first workflow\", \"parameters\": [{\"name\": \"message\", "
    "\"type\": \"string\", \"required\": true}],"
    "\"actions\": [{\"action_id\": \"greet\", \"action_type\": \"notification\", \"name\": \"Send Greeting\", "
    "\"config\": {\"message\": \"{{message}}\"}}]}",
    /* 002 */
    "name: content_pipeline\nsteps:\n  - {factory: research, action: analyze_market, params: {symbol: BTC}}\n"
    "  - {factory: media, action: create_media, params: {type: image, prompt: BTC trend}}\nfactories: [research, "
    "media]\nparallel: false\n",
    "{\"steps\": [{\"factory\": \"research\", \"action\": \"analyze_market\"}, {\"factory\": \"research\", \"action\": "
    "\"initiate_research\"}],"
    "\"factories\": [\"research\"], \"parallel\": false}",
    "{\"steps\": [{\"factory\": \"research\", \"action\": \"analyze_market\", \"params\": {}}, {\"factory\": "
    "\"media\", \"action\": \"create_media\", \"params\": {}}], \"parallel\": false}",
    "{\"steps\": [{\"factory\": \"media\", \"action\": \"create_image\", \"params\": {}}, {\"factory\": \"media\", "
    "\"action\": \"create_video\", \"params\": {}}], \"parallel\": true}",
    /* 001 and 003 */
    "name: etl-pipeline\nfail_fast: true\ntasks:\n  fetch: {action: fetch_data}\n"
    "  transform: {action: transform, dependencies: [fetch], retry_policy: {max_attempts: 3}}\n  report: {action: "
    "report, dependencies: [transform]}\n",
    "name: code_review_pipeline\nsteps:\n  - {name: scan, handler: scan_code}\n  - {name: review, handler: "
    "review_code, depends_on: [scan]}\n"
    "  - {name: fix, handler: apply_fixes, depends_on: [review]}\n  - {name: verify, handler: verify_fixes, "
    "depends_on: [fix]}\n",
    "tasks:\n  deploy: {func: deploy, retry_policy: {max_retries: 3, backoff_seconds: 1.0}}\n  flaky: {func: f, "
    "max_attempts: 3, backoff_factor: 2.0}\n",
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

/* ---- what the model holds ---- */

static const struct task *find_task(const struct block *block, const char *id)
{
    const struct map_entry *entry = map_find(&block->by_id, str_from(id));
    assert_non_null(entry);
    return &block->tasks[entry->number];
}

static void test_loops(void **state)
{
    struct fixture *f = *state;
    const struct workflow *w = read_ok(f, STR(ALL));
    const struct task *each = find_task(w->body, "each");
    assert_int_equal(each->kind, TASK_FOR_EACH);
    assert_true(str_is(each->options->loop->as, "n"));
    assert_true(str_is(each->options->loop->as_index, "n_index"));
    assert_true(each->options->fail_fast);
    assert_null(each->when); /* it names the loop's variables: asked for each item */
    const struct block *body = task_block(each, BLOCK_BODY);
    assert_true(block_is_wrapping(body));
    assert_non_null(body->tasks[0].when);
    assert_int_equal(body->tasks[0].kind, TASK_LEAF);
    assert_int_equal(body->tasks[0].number, each->number + 1);

    const struct task *each2 = find_task(w->body, "each2");
    assert_non_null(each2->when); /* asked once */
    const struct task *repeat = &task_block(each2, BLOCK_BODY)->tasks[0];
    assert_int_equal(repeat->kind, TASK_REPEAT);
    assert_null(repeat->when);
    assert_int_equal(repeat->options->repeat->iterations_max, 5);
    assert_int_equal(task_block(repeat, BLOCK_BODY)->tasks[0].kind, TASK_LEAF);
    assert_int_equal(task_block(repeat, BLOCK_BODY)->tasks[0].options->env_count, 1);

    const struct task *loop = find_task(w->body, "loop");
    assert_int_equal(loop->kind, TASK_REPEAT);
    const struct task *group = &task_block(loop, BLOCK_BODY)->tasks[0];
    assert_int_equal(group->kind, TASK_GROUP);
    assert_int_equal(task_retry(group)->attempts_max, 3);
    assert_null(task_retry(loop));
}

static void test_blocks(void **state)
{
    struct fixture *f = *state;
    const struct workflow *w = read_ok(f, STR(ALL));
    uint32_t tasks = 0;
    for (uint32_t i = 0; i < w->block_count; i++) {
        const struct block *block = w->blocks[i];
        assert_int_equal(block->number, i);
        assert_ptr_equal(block->workflow, w);
        for (uint32_t k = 0; k < block->task_count; k++) {
            assert_ptr_equal(block->tasks[k].block, block);
            assert_int_equal(block->tasks[k].index, k);
            tasks++;
        }
    }
    assert_int_equal(tasks, w->task_count);
    const struct task *group = find_task(w->body, "group");
    assert_int_equal(task_block(group, BLOCK_ON_ERROR)->role, BLOCK_ON_ERROR);
    assert_ptr_equal(task_block(group, BLOCK_ON_ERROR)->owner, group);
    assert_true(str_is(task_block(group, BLOCK_ON_ERROR)->tasks[0].id, "on_error"));
    assert_false(task_block(group, BLOCK_ON_ERROR)->tasks[0].has_id);
    assert_int_equal(task_block(group, BLOCK_COMPENSATE)->task_count, 2);
    assert_true(str_is(task_block(group, BLOCK_FINALLY)->tasks[0].id, "tidy"));
    assert_int_equal(task_block(group, BLOCK_BODY)->tasks[1].rank, 1);
    assert_int_equal(task_block(group, BLOCK_BODY)->tasks[0].rank, 2); /* mode: sequence */
    assert_null(w->finally->owner);
    assert_true(str_is(w->on_error->tasks[0].id, "on_error"));

    const struct block *listed = task_block(find_task(w->body, "listed"), BLOCK_BODY);
    static const char *const ids[] = {"task_1", "named", "f_do_it"};
    for (int i = 0; i < 3; i++) {
        assert_true(str_is(listed->tasks[i].id, ids[i]));
        assert_int_equal(listed->tasks[i].has_id, i == 1);
    }
}

static void test_made_up_ids(void **state)
{
    struct fixture *f = *state;
    const struct workflow *w =
        read_ok(f, STR("steps:\n  - {factory: f, action: a}\n  - {factory: f, action: a}\n  - {id: f_a_2, shell: x}\n  "
                       "- {factory: f, action: a}\n"
                       "  - {shell: y}\n  - {factory: 9, action: ä}\n  - {name: named, shell: z}\n"));
    static const char *const ids[] = {"f_a", "f_a_3", "f_a_2", "f_a_4", "task_5", "____", "named"};
    for (uint32_t i = 0; i < 7; i++) {
        if (!str_is(w->body->tasks[i].id, ids[i])) print_message("%.*s\n", STR_ARG(w->body->tasks[i].id));
        assert_true(str_is(w->body->tasks[i].id, ids[i]));
    }
    assert_int_equal(w->body->level_count, 7); /* steps follow one another */
}

static void test_retry(void **state)
{
    static const struct {
        const char *text;
        uint32_t attempts;
        enum backoff backoff;
        int64_t delay_ms, max_ms;
        double factor, jitter;
    } cases[] = {
        {"retry: 4", 4, BACKOFF_EXPONENTIAL, 1000, 300000, 2, 1},
        {"retry: {delay: 2s}", 3, BACKOFF_EXPONENTIAL, 2000, 300000, 2, 1},
        {"retry: {max_attempts: 2, backoff: constant}", 2, BACKOFF_CONSTANT, 1000, 300000, 2, 0},
        {"retry: {max_attempts: 2, backoff: linear, jitter: 0.5}", 2, BACKOFF_LINEAR, 1000, 300000, 2, 0.5},
        {"retry: {max_attempts: 2, delay: 1h}", 2, BACKOFF_EXPONENTIAL, 3600000, 3600000, 2, 1},
        {"max_retries: 3, backoff_seconds: 0.5, backoff_factor: 3", 4, BACKOFF_EXPONENTIAL, 500, 300000, 3, 1},
        {"retry_policy: {max_retries: 0, backoff_factor: 1.5}", 1, BACKOFF_EXPONENTIAL, 1000, 300000, 1.5, 1},
        {"max_attempts: 5, retry: {delay: 3s}", 5, BACKOFF_EXPONENTIAL, 3000, 300000, 2, 1},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct orch_str text = arena_printf(&f->arena, "tasks: {a: {shell: x, %s}}", cases[i].text);
        const struct retry_policy *retry = task_retry(&read_ok(f, text)->body->tasks[0]);
        assert_int_equal(retry->attempts_max, cases[i].attempts);
        assert_int_equal(retry->backoff, cases[i].backoff);
        assert_int_equal(retry->delay_us, cases[i].delay_ms * 1000);
        assert_int_equal(retry->delay_max_us, cases[i].max_ms * 1000);
        assert_true(retry->factor == cases[i].factor);
        assert_true(retry->jitter == cases[i].jitter);
    }
}

/* What the actions get: keys of docs/definitions.md. */
static void test_configs(void **state)
{
    static const struct {
        const char *task, *dump;
    } cases[] = {
        {"shell: true", " shell config={\"command\":\"true\"}"},
        {"run: echo 1.50", " shell config={\"command\":\"echo 1.50\"}"},
        {"shell: {command: ls, working_dir: /tmp, stdin: x}",
         " shell config={\"command\":\"ls\",\"working_dir\":\"/tmp\",\"stdin\":\"x\"}"},
        {"shell: ls, working_dir: '{{ execution.id }}'", " shell config={command:\"ls\",working_dir:<execution.id>,}"},
        {"shell: \"docker ps --format '{{.Names}}'\"",
         " shell config={\"command\":\"docker ps --format '{{.Names}}'\"}"},
        {"exec: [a, 1, true]", " exec config={\"command\":[\"a\",\"1\",\"true\"]}"},
        {"exec: {command: [a]}", " exec config={\"command\":[\"a\"]}"},
        {"script: a.py", " script config={\"file\":\"a.py\"}"},
        {"script: {text: x, interpreter: python3, args: y}",
         " script config={\"text\":\"x\",\"interpreter\":\"python3\",\"args\":[\"y\"]}"},
        {"transform: 1 + 1", " transform config={} transform=<1 + 1>"},
        {"transform: '{{ 1 + 1 }}'", " transform config={} transform=<1 + 1>"},
        {"transform: 'n: {{ 1 + 1 }}'", " transform config={value:\"n: \"<1 + 1>,}"},
        {"transform: {a: '{{ 1 }}', b: 2}", " transform config={value:{a:<1>,b:2,},}"},
        {"transform: [1, 2]", " transform config={\"value\":[1,2]}"},
        {"transform: 5", " transform config={} transform=<5>"},
        {"wait: 10s", " wait config={} wait0=\"10s\""},
        {"wait: {seconds: 90}", " wait config={} wait0=\"1m30s\""},
        {"wait: '{{ 5 }}'", " wait config={} wait0=<5>"},
        {"wait: {until: '2030-01-01T00:00:00Z'}", " wait config={} wait1=\"2030-01-01T00:00:00Z\""},
        {"wait: {event: e, filter: event.x == 1}", " wait config={} wait2=\"e\" filter=<event.x == 1>"},
        {"approval: ", " approval config={}"},
        {"approval: Sure?", " approval config={\"message\":\"Sure?\"}"},
        {"workflow: other", " workflow config={} workflow=other parameters={}"},
        {"workflow: {file: other}", " workflow config={} workflow=./other parameters={}"},
        {"workflow: {file: a/b.yaml, params: {x: 1}}", " workflow config={} workflow=a/b.yaml parameters={\"x\":1}"},
        {"notification: hi", " notification config={\"message\":\"hi\"}"},
        {"notification: {message: hi, channels: log}",
         " notification config={\"message\":\"hi\",\"channels\":[\"log\"]}"},
        {"notification: {message: hi, command: [a]}",
         " notification config={\"message\":\"hi\",\"channels\":[{\"command\":[\"a\"]}]}"},
        {"notification: {message: hi, channels: [command, log], command: [a]}",
         " notification config={\"message\":\"hi\",\"channels\":[{\"command\":[\"a\"]},\"log\"]}"},
        {"function: f", " function config={\"name\":\"f\"}"},
        {"action: f, params: {a: 1}", " function config={\"name\":\"f\",\"parameters\":{\"a\":1}}"},
        {"service_call: {service: s}",
         " service_call config={\"service\":\"s\",\"endpoint\":\"/\",\"method\":\"POST\"}"},
        {"factory: {factory: f, action: a, parameters: {x: y}}",
         " factory config={\"factory\":\"f\",\"action\":\"a\",\"params\":{\"x\":\"y\"}}"},
        {"noop: ", " noop config={}"},
        {"action_type: shell, config: {command: ls}", " shell config={\"command\":\"ls\"}"},
        {"action_type: noop", " noop config={}"},
        {"action_type: transform, config: {expression: 1 + 2}", " transform config={} transform=<1 + 2>"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *task = cases[i].task;
        struct orch_str text = arena_printf(&f->arena, "tasks: {a: {%s}}", task);
        const struct workflow *w = read_ok(f, text);
        buf_clear(&f->out);
        dump_action(w->body->tasks[0].action, &f->out);
        if (strcmp(f->out.data, cases[i].dump) != 0) print_message("%s\n", task);
        assert_string_equal(f->out.data, cases[i].dump);
    }
}

static void test_names_of_workflows(void **state)
{
    static const struct {
        const char *file, *name;
    } cases[] = {{"a/b/etl.yaml", "etl"}, {"etl.yml", "etl"}, {"x.json", "x"},      {"plain", "plain"},
                 {"", "workflow"},        {"-", "workflow"},  {"a/.yaml", ".yaml"}, {"v1.2.yaml", "v1.2"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct workflow *w = NULL;
        arena_clear(&f->texts);
        diags_init(&f->diags, &f->texts);
        assert_int_equal(workflow_read(STR("tasks: {a: {noop: }}"), str_from(cases[i].file), &f->arena, &f->diags, &w),
                         0);
        assert_true(str_is(w->name, cases[i].name));
        assert_true(str_is(w->source_file, cases[i].file));
    }
}

/* The first error and its place. The messages are in tests/golden. */
static void test_errors(void **state)
{
    static const struct {
        const char *text;
        int result, code;
        uint32_t line, column;
    } cases[] = {
        {"tasks: {a: {shell: x, depends_on: [b]}}", ORCH_ERR_DEPENDENCY, DIAG_UNKNOWN_TASK, 1, 36},
        {"tasks: {a: {shell: x, depends_on: [b]}, b: {shell: y, depends_on: [a]}}", ORCH_ERR_CYCLE, DIAG_CYCLE, 1, 36},
        {"tasks:\n  a:\n    transform: |\n      1 +\n        * 2\n", ORCH_ERR_INVALID, DIAG_BAD_EXPRESSION, 5, 9},
        {"tasks: {a: {transform: '{{ 1 + }}'}}", ORCH_ERR_INVALID, DIAG_BAD_EXPRESSION, 1, 31},
        {"tasks: {a: {exec: [sh, -c, 'echo {{ 1 }}']}}", ORCH_ERR_INVALID, DIAG_TEMPLATE_IN_SHELL, 1, 34},
        {"tasks: {a: {exec: [/bin/bash, -e, -c, 'echo {{ 1 }}']}}", ORCH_ERR_INVALID, DIAG_TEMPLATE_IN_SHELL, 1, 45},
        {"tasks: {a: {script: {text: 'x {{ 1 }}'}}}", ORCH_ERR_INVALID, DIAG_TEMPLATE_IN_SHELL, 1, 31},
        {"tasks: {a: {script: '{{ 1 }}'}}", ORCH_ERR_INVALID, DIAG_TEMPLATE_NOT_HERE, 1, 21},
        {"tasks: {a: {shell: x, retry: {factor: 2, backoff: linear}}}", ORCH_ERR_INVALID, DIAG_KEY_NOT_HERE, 1, 39},
        {"tasks: {a: {shell: x, retry: {on: lost, exit_codes: 1}}}", ORCH_ERR_INVALID, DIAG_KEYS_EXCLUDE, 1, 53},
        {"tasks: {a: {shell: x, pool: [p, p]}}", ORCH_ERR_INVALID, DIAG_DOUBLE_NAME, 1, 33},
        {"tasks: {a: {shell: x, for_each: 5}}", ORCH_ERR_INVALID, DIAG_WRONG_RESULT, 1, 33},
        {"tasks: {a: {shell: x, for_each: {in: [1], as: now}}}", ORCH_ERR_INVALID, DIAG_RESERVED_NAME, 1, 47},
        {"tasks: {a: {shell: x, for_each: [1], fail_fast: true}}", ORCH_ERR_INVALID, DIAG_KEY_NOT_HERE, 1, 49},
        {"tasks: {a: {shell: x, repeat: {delay: 1s}}}", ORCH_ERR_INVALID, DIAG_MISSING_KEY, 1, 31},
        {"tasks: {a: {shell: x, when: ''}}", ORCH_ERR_INVALID, DIAG_EMPTY_VALUE, 1, 29},
        {"tasks: {a: {exec: []}}", ORCH_ERR_INVALID, DIAG_EMPTY_VALUE, 1, 19},
        {"tasks: {a: {wait: {for: 1s, filter: 'true'}}}", ORCH_ERR_INVALID, DIAG_KEY_NOT_HERE, 1, 37},
        {"tasks: {a: {notification: {message: m, channels: command}}}", ORCH_ERR_INVALID, DIAG_MISSING_KEY, 1, 50},
        {"tasks: {a: {workflow: {parameters: {}}}}", ORCH_ERR_INVALID, DIAG_MISSING_KEY, 1, 23},
        {"tasks: {a: {shell: {command: x, stdin: y}, stdin: z}}", ORCH_ERR_INVALID, DIAG_TWO_SPELLINGS, 1, 33},
        {"tasks: {a: {workflow: {name: x, file: y}}}", ORCH_ERR_INVALID, DIAG_TWO_SPELLINGS, 1, 33},
        {"parallel: true\nmode: dag\ntasks: {}", ORCH_ERR_INVALID, DIAG_TWO_SPELLINGS, 1, 1},
        {"mode: parallel\ntasks: {a: {noop: }, b: {noop: , depends_on: [a]}}", ORCH_ERR_INVALID, DIAG_KEYS_EXCLUDE, 2,
         46},
        {"tasks: {a: {id: b, noop: }}", ORCH_ERR_INVALID, DIAG_TWO_SPELLINGS, 1, 17},
        {"tasks: {a: {shell: x, on_error: {}}}", ORCH_ERR_INVALID, DIAG_NO_ACTION, 1, 33},
        {"tasks: {a: {shell: x, timeout: 0s}}", ORCH_ERR_INVALID, DIAG_BAD_DURATION, 1, 32},
        {"schedule: {every: 1h, timezone: UTC}\ntasks: {}", ORCH_ERR_INVALID, DIAG_BAD_SCHEDULE, 1, 33},
        {"schedule: '@daily'\ntasks: {}", 0, 0, 0, 0},
        {"parameters: [{type: string}]\ntasks: {}", ORCH_ERR_INVALID, DIAG_MISSING_KEY, 1, 14},
        {"parameters: [{name: a}, {name: a}]\ntasks: {}", ORCH_ERR_INVALID, DIAG_DOUBLE_NAME, 1, 32},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct workflow *w = NULL;
        struct orch_str text = str_from(cases[i].text);
        int r = read_text(f, text, &w);
        const struct diag *diag = &f->diags.items[0];
        bool as_expected =
            r == cases[i].result && (r == 0 || (diag->code == cases[i].code && diag->at.line == cases[i].line &&
                                                diag->at.column == cases[i].column));
        if (!as_expected)
            print_message("%.*s: %d E%04d %u:%u %.*s\n", STR_ARG(text), r, diag->code, diag->at.line, diag->at.column,
                          STR_ARG(diag->message));
        assert_true(as_expected);
    }
}

/* ---- bounds ---- */

#define ARENA_HAS_GAPS 0
#if defined(__SANITIZE_ADDRESS__)
#undef ARENA_HAS_GAPS
#define ARENA_HAS_GAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef ARENA_HAS_GAPS
#define ARENA_HAS_GAPS 1
#endif
#endif

static void test_large(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 100000 };
    buf_clear(&f->again);
    buf_add_text(&f->again, "{\"tasks\":{");
    for (int i = 0; i < COUNT; i++)
        buf_printf(&f->again, "\"t%d\":{\"shell\":\"echo %d\",\"depends_on\":[%s%.*d%s]},", i, i, i ? "\"t" : "",
                   i ? 1 : 0, i / 2, i ? "\"" : "");
    buf_add_text(&f->again, "\"all\":{\"noop\":null,\"depends_on\":[");
    for (int i = 0; i < COUNT; i++) buf_printf(&f->again, "%s\"t%d\"", i ? "," : "", i);
    buf_add_text(&f->again, "]}}}");
    const struct workflow *w = read_ok(f, buf_str(&f->again));
    assert_int_equal(w->task_count, COUNT + 1);
    /* With the edges of the fan-in, and a block of the arena that is not full; the address sanitizer has gaps between. */
    assert_true(f->arena.size < (size_t)(ARENA_HAS_GAPS ? 700 : 420) * COUNT);
}

static void test_repeated_dependencies(void **state)
{
    struct fixture *f = *state;
    const struct workflow *w = NULL;
    buf_clear(&f->again);
    buf_add_text(&f->again, "tasks: {a: {noop: , depends_on: &x [");
    for (int i = 0; i < 900; i++) buf_printf(&f->again, "b,");
    buf_add_text(&f->again, "b]}");
    for (int i = 0; i < 1100; i++) buf_printf(&f->again, ", t%d: {noop: , depends_on: *x}", i);
    buf_add_text(&f->again, "}");
    assert_int_equal(read_text(f, buf_str(&f->again), &w),
                     ORCH_ERR_DEPENDENCY); /* b is unknown; the aliases are within their bound */
}

/* ---- memory that runs out ---- */

struct failing {
    size_t countdown, live;
};

static void *failing_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    struct failing *failing = user;
    if (size_new == 0) {
        if (block) failing->live -= size_old;
        free(block);
        return NULL;
    }
    if (failing->countdown == 0) return NULL;
    failing->countdown--;
    void *new = realloc(block, size_new);
    if (new) failing->live += size_new - (block ? size_old : 0);
    return new;
}

static int read_failing(struct failing *failing, struct orch_str text)
{
    const struct orch_allocator allocator = {failing_resize, failing};
    struct arena arena, texts;
    struct diags *diags = malloc(sizeof *diags);
    const struct workflow *w = NULL;
    arena_init(&arena, &allocator, 0);
    arena_init(&texts, &allocator, 0);
    diags_init(diags, &texts);
    int r = workflow_read(text, STR("f.yaml"), &arena, diags, &w);
    if (r == 0) assert_non_null(w);
    arena_done(&arena);
    arena_done(&texts);
    free(diags);
    return r;
}

static void test_memory(void **state)
{
    struct fixture *f = *state;
    struct orch_str normal = arena_str(&f->texts, read_ok(f, STR(ALL))->normal);
    const struct {
        struct orch_str text;
        int result;
    } cases[] = {{STR(ALL), 0},
                 {normal, 0},
                 {str_from(definitions[sizeof definitions / sizeof *definitions - 5]), 0},
                 {STR("parameters: {a: {type: dat, min: x}}\ntasks: {a: {shel: '{{ x }}', dependson: [c]}, b: {shell: "
                      "'a {{ b }}', x: 1, when: a +}}"),
                  ORCH_ERR_INVALID}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = ORCH_ERR_NO_MEMORY;
        size_t n = 0;
        while (r == ORCH_ERR_NO_MEMORY) {
            struct failing failing = {.countdown = n++};
            r = read_failing(&failing, cases[i].text);
            assert_int_equal(failing.live, 0);
            assert_true(n < 10000);
        }
        assert_true(n > 4);
        assert_int_equal(r, cases[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_definitions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_made_up_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_workflows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated_dependencies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
