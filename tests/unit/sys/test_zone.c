/*
 * test_zone.c - zone files: which names are let through, and that each is read once.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sys/zone.h"

static char folder[] = "/tmp/test-zone-XXXXXX";

static void write_file(const char *name, const char *content, size_t size)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(content, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
    char path[256], *large = calloc(1, 300 * 1024);
    (void)state;
    assert_non_null(large);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/Europe", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("UTC", "utc", 3);
    write_file("Europe/Berlin", "berlin", 6);
    write_file("GMT+1", "gmt", 3);
    write_file("empty", "", 0);
    write_file("large", large, 300 * 1024);
    write_file("a.b", "dot", 3);
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    free(large);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"UTC", "Europe/Berlin", "GMT+1", "empty", "large", "a.b", "pipe", "Europe", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path); /* what a test took away already is fine */
    }
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *content; /* NULL: not found */
    } cases[] = {
        {"UTC", "utc"},
        {"Europe/Berlin", "berlin"},
        {"GMT+1", "gmt"},
        {"Europe", NULL},
        {"Europe/", NULL},
        {"/UTC", NULL},
        {"Europe//Berlin", NULL},
        {"../UTC", NULL},
        {"Europe/../UTC", NULL},
        {"./UTC", NULL},
        {"a.b", NULL},
        {"", NULL},
        {"U TC", NULL},
        {"Mars/Olympus", NULL},
        {"empty", NULL},
        {"large", NULL},
        {"pipe", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    struct zonefiles zones;
    zonefiles_init(&zones, folder, NULL);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct orch_str tzif = STR_NONE;
            int rc = zonefiles_load(&zones, str_from(cases[i].name), &tzif);
            if (rc != (cases[i].content ? 0 : ORCH_ERR_NOT_FOUND)) fail_msg("'%s': %d", cases[i].name, rc);
            if (cases[i].content) assert_true(str_is(tzif, cases[i].content));
        }
    }
    assert_int_equal(zonefiles_load(&zones, str_of("UTC\0x", 5), &(struct orch_str){0}), ORCH_ERR_NOT_FOUND);
    zonefiles_done(&zones);
}

static void test_read_once(void **state)
{
    (void)state;
    struct zonefiles zones;
    struct orch_str first, second;
    char path[256];
    zonefiles_init(&zones, folder, NULL);
    assert_int_equal(zonefiles_load(&zones, STR("GMT+1"), &first), 0);
    snprintf(path, sizeof(path), "%s/GMT+1", folder);
    assert_int_equal(remove(path), 0);
    assert_int_equal(zonefiles_load(&zones, STR("GMT+1"), &second), 0);
    assert_ptr_equal(first.data, second.data);
    zonefiles_done(&zones);
}

static void *refuse(void *user, void *block, size_t size_old, size_t size_new)
{
    (void)user;
    (void)size_old;
    if (size_new == 0) free(block);
    return NULL;
}

static void test_memory_short(void **state)
{
    (void)state;
    struct orch_allocator allocator = {refuse, NULL};
    struct zonefiles zones;
    struct orch_str tzif;
    zonefiles_init(&zones, folder, &allocator);
    assert_int_equal(zonefiles_load(&zones, STR("UTC"), &tzif), ORCH_ERR_NO_MEMORY);
    assert_int_equal(zonefiles_load(&zones, STR("none"), &tzif), ORCH_ERR_NO_MEMORY);
    zonefiles_done(&zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_read_once),
                                       cmocka_unit_test(test_memory_short)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
