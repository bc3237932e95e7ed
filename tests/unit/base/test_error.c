/* test_error.c - the table of errors and filling struct orch_error. */
#include "torture.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

static void test_table(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *name;
        int http;
        int exit_code;
        bool retry;
    } rows[] = {
#define ROW(name, number, text, http, exit_code, retry) {ORCH_ERR_##name, #name, http, exit_code, retry},
        ORCH_ERROR_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(orch_error_name(rows[i].code), rows[i].name);
        assert_int_equal(orch_error_http_status(rows[i].code), rows[i].http);
        assert_int_equal(orch_error_exit_code(rows[i].code), rows[i].exit_code);
        assert_int_equal(orch_error_can_retry(rows[i].code), rows[i].retry);
        const char *text = orch_error_text(rows[i].code);
        assert_true(text[0] >= 'a' && text[0] <= 'z' && text[strlen(text) - 1] != '.');
        assert_in_range(rows[i].exit_code, 1, 13);
        /* Numbers are stored: each once, without gaps. */
        assert_int_equal(rows[i].code, -(int)(i + 1));
    }
    assert_string_equal(orch_error_name(0), "OK");
    assert_int_equal(orch_error_http_status(0), 200);
    assert_int_equal(orch_error_exit_code(0), 0);
    static const int unknown[] = {1, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_string_equal(orch_error_name(unknown[i]), "UNKNOWN");
        assert_int_equal(orch_error_http_status(unknown[i]), 500);
        assert_int_equal(orch_error_exit_code(unknown[i]), 13);
        assert_false(orch_error_can_retry(unknown[i]));
    }
}

static void test_version(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof(text), "%d.%d.%d", ORCH_VERSION_MAJOR, ORCH_VERSION_MINOR, ORCH_VERSION_PATCH);
    assert_string_equal(orch_version(), text);
    assert_string_equal(orch_version(), ORCH_VERSION);
}

static void test_set(void **state)
{
    (void)state;
    struct orch_error err = {.code = 1, .line = 2, .column = 3, .file = "f", .hint = "h"};
    assert_int_equal(error_set(&err, ORCH_ERR_NOT_FOUND, "no %s %d", "task", 7), ORCH_ERR_NOT_FOUND);
    assert_int_equal(err.code, ORCH_ERR_NOT_FOUND);
    assert_string_equal(err.message, "no task 7");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.file, "");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
    error_hint(&err, "try %s", "x");
    assert_string_equal(err.hint, "try x");
    assert_int_equal(error_context(&err, "in %s", "total"), ORCH_ERR_NOT_FOUND);
    assert_string_equal(err.message, "in total: no task 7");
    assert_string_equal(err.hint, "try x");
    /* From its own message. */
    error_set(&err, ORCH_ERR_INVALID, "again %s", err.message);
    assert_string_equal(err.message, "again in total: no task 7");
    assert_int_equal(error_memory(&err), ORCH_ERR_NO_MEMORY);
    assert_string_equal(err.message, "out of memory");
    assert_int_equal(err.code, ORCH_ERR_NO_MEMORY);
}

static void test_nobody_asks(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ORCH_ERR_LIMIT, "x"), ORCH_ERR_LIMIT);
    assert_int_equal(error_context(NULL, "x"), ORCH_ERR_INTERNAL);
    assert_int_equal(error_memory(NULL), ORCH_ERR_NO_MEMORY);
    assert_int_equal(error_errno(NULL, ENOENT, "x"), ORCH_ERR_NOT_FOUND);
    error_hint(NULL, "x");
}

static void test_cut_at_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t c = 0; c < COUNT(characters); c++) {
        for (size_t lead = 0; lead < 5; lead++) {
            char text[2000];
            size_t size = 0;
            for (; size < lead; size++) text[size] = 'a';
            while (size < 1900) {
                memcpy(text + size, characters[c], strlen(characters[c]));
                size += strlen(characters[c]);
            }
            text[size] = '\0';
            struct orch_error err;
            error_set(&err, ORCH_ERR_INVALID, "%s", text);
            error_hint(&err, "%s", text);
            assert_true(utf8_is_valid(str_from(err.message), NULL));
            assert_true(utf8_is_valid(str_from(err.hint), NULL));
            assert_in_range(strlen(err.message), sizeof(err.message) - 4, sizeof(err.message) - 1);
            assert_in_range(strlen(err.hint), sizeof(err.hint) - 4, sizeof(err.hint) - 1);
            error_context(&err, "in");
            assert_true(utf8_is_valid(str_from(err.message), NULL));
            assert_memory_equal(err.message, "in: ", 4);
            error_context(&err, "%s", text);
            assert_true(utf8_is_valid(str_from(err.message), NULL));
        }
    }
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        int code;
        const char *message;
    } rows[] = {
        {ENOSPC, ORCH_ERR_FULL, "open x: No space left on device"},
        {EDQUOT, ORCH_ERR_FULL, "open x: Disk quota exceeded"},
        {ENOENT, ORCH_ERR_NOT_FOUND, "open x: No such file or directory"},
        {EACCES, ORCH_ERR_DENIED, "open x: Permission denied"},
        {EPERM, ORCH_ERR_DENIED, "open x: Operation not permitted"},
        {EROFS, ORCH_ERR_DENIED, "open x: Read-only file system"},
        {ENOMEM, ORCH_ERR_NO_MEMORY, "open x: Cannot allocate memory"},
        {EIO, ORCH_ERR_IO, "open x: Input/output error"},
        {99999, ORCH_ERR_IO, "open x: unknown system error"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_error err = ORCH_ERROR_INIT;
        assert_int_equal(error_errno(&err, rows[i].errno_value, "open %s", "x"), rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.message, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_version),           cmocka_unit_test(test_set),
        cmocka_unit_test(test_nobody_asks), cmocka_unit_test(test_cut_at_characters), cmocka_unit_test(test_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
