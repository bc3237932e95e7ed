/*
 * Secrets reach the program that needs them, and nothing else: no log, no record, no observer.
 */
#include "harness.h"

#include <dirent.h>
#include <ftw.h>
#include <unistd.h>

#define SECRET "tops3cret/\"quoted\"\\and\ttabbed"

static const char *needle;
static int found;

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type != FTW_F) return 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    char *text = calloc(1, 4 << 20);
    size_t size = fread(text, 1, (4 << 20) - 1, file);
    fclose(file);
    if (memmem(text, size, needle, strlen(needle))) {
        print_error("%s holds it\n", path);
        found++;
    }
    free(text);
    return 0;
}

/* No file of the store holds the text. */
static void expect_nowhere(const struct world *world, const char *text)
{
    needle = text;
    found = 0;
    (void)nftw(world->store_path, look, 16, FTW_PHYS);
    assert_int_equal(0, found);
}

static void test_masked_everywhere(void **state)
{
    struct world world;
    (void)state;
    setenv("ORCH_SECRET_KEY", SECRET, 1);
    setenv("ORCH_SECRET_PIN", "48213", 1);
    world_new(&world, WORLD_DISK);
    int64_t number = engine_execution_number(world_start(&world,
        "secrets: [KEY, PIN]\n"
        "tasks:\n"
        "  seen: {exec: [sh, -c, 'test ${#K} = 29 && echo \"\\\"same\\\"\"'], env: {K: '{{ secrets.KEY }}'}}\n"
        "  log: {exec: [sh, -c, 'printf \"%s\\n\" \"a $K b\"; printf \"%s\\n\" \"$K\" >&2; echo \"::orch progress 1/2 with $PIN\"'], env: {K: '{{ secrets.KEY }}', PIN: '{{ secrets.PIN }}'}}\n"
        "  text: {function: {name: echo, parameters: {value: 'x {{ secrets.KEY }} y'}}}\n"
        "  deep: {function: {name: echo, parameters: {value: {list: ['{{ secrets.KEY }}', 1, true, null], other: 7}}}}\n"
        "  keys: {exec: [sh, -c, 'printf \"{\\\"%s\\\":1,\\\"a%s\\\":2,\\\"b%s\\\":3,\\\"number\\\":%s00,\\\"real\\\":%s.5}\" $P $P $P $P $P'], env: {P: '{{ secrets.PIN }}'}}\n"
        "  fails: {continue_on_error: true, function: {name: fail, parameters: {text: 'because of {{ secrets.KEY }}'}}}\n"
        "  nothing: {continue_on_error: true, exec: ['/nowhere/{{ secrets.PIN }}']}\n"
        "  after: {depends_on: [text, deep], transform: '[text.output, deep.output.list[0], string(deep.output.other)]'}\n"
        "output: {after: '{{ after.output }}', deep: '{{ deep.output }}', keys: '{{ keys.output }}', seen: '{{ seen.output }}'}\n",
        NULL));
    world_run(&world);
    const struct ended *ended = world_ended(&world, number);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_string_equal("{\"after\":[\"x *** y\",\"***\",\"7\"],\"deep\":{\"list\":[\"***\",1,true,null],\"other\":7},\"keys\":{\"*** #1\":1,\"a*** #2\":2,\"b*** #3\":3,\"number\":\"***00\",\"real\":\"***.5\"},\"seen\":\"same\"}",
                        ended->output);
    assert_int_equal(1, count_text(world.log.data, "log | a *** b\n"));
    assert_int_equal(1, count_text(world.log.data, "log | ***\n"));
    assert_string_equal("log 50% with ***\n", world.progress.data);
    struct engine_view *view;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_view_open(engine_store(world.engine), number, &view, &err)) fail_msg("%s", err.message);
    const struct core *core = engine_view_core(view);
    const struct core_instance *fails = core_get_instance(core, core_find(core, STR("fails"))), *nothing = core_get_instance(core, core_find(core, STR("nothing")));
    assert_true(str_is(fails->detail->error, "because of ***"));
    assert_true(str_find(nothing->detail->error, STR("***"), 0) != SIZE_MAX);
    engine_view_close(view);
    world_close(&world);
    expect_nowhere(&world, "tops3cret");
    expect_nowhere(&world, "48213");
    unsetenv("ORCH_SECRET_KEY");
    unsetenv("ORCH_SECRET_PIN");
    world_done(&world);
}

/* The white space around it is lost, JSON writes it in another way: it is hidden all the same. */
static void test_masked_as_programs_write_it(void **state)
{
    struct world world;
    (void)state;
    setenv("ORCH_SECRET_KEY", " sp\\ced \"value\" ", 1);
    world_new(&world, WORLD_DISK);
    const struct ended *ended = world_play(&world,
        "secrets: [KEY]\n"
        "env: {K: '{{ secrets.KEY }}'}\n"
        "tasks:\n"
        "  bare: {shell: 'printf \"\\n%s\\n\" \"$K\"'}\n"
        "  json:\n"
        "    shell: |\n"
        "      echo first\n"
        "      printf '{\"k\": \"%s\"} last' \"$(printf %s \"$K\" | sed 's/[\\\\\"]/\\\\&/g')\"\n"
        "output: '{{ [bare.output, json.output] }}'\n",
        NULL);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_string_equal("[\"***\",\"first\\n{\\\"k\\\": \\\" *** \\\"} last\"]", ended->output);
    assert_int_equal(1, count_text(world.log.data, "{\"k\": \" *** \"} last\n"));
    world_close(&world);
    expect_nowhere(&world, "ced");
    unsetenv("ORCH_SECRET_KEY");
    world_done(&world);
}

static void test_where_they_come_from(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    (void)state;
    static const char *const yaml = "secrets: [ONE]\ntasks:\n  a: {exec: [sh, -c, 'echo \"\\\"${#S}\\\"\"'], env: {S: '{{ secrets.ONE }}'}}\noutput: '{{ a.output }}'\n";
    unsetenv("ONE");
    world_init(&world, WORLD_DISK);
    world.options.secrets_dir = world.folder;
    world_open(&world);
    assert_int_equal(ORCH_ERR_NOT_FOUND, world_try(&world, yaml, NULL, &execution, &err));
    assert_non_null(strstr(err.hint, "ORCH_SECRET_ONE"));
    assert_int_equal(0, engine_count(world.engine));
    world_file(&world, "ONE", "abc\n");
    assert_string_equal("\"3\"", world_play(&world, yaml, NULL)->output);
    setenv("ONE", "abcd", 1);
    assert_string_equal("\"4\"", world_play(&world, yaml, NULL)->output);
    setenv("ORCH_SECRET_ONE", "abcde", 1);
    assert_string_equal("\"5\"", world_play(&world, yaml, NULL)->output);
    unsetenv("ONE");
    unsetenv("ORCH_SECRET_ONE");
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_everywhere),
        cmocka_unit_test(test_masked_as_programs_write_it),
        cmocka_unit_test(test_where_they_come_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
