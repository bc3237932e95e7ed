#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "core/retry.h"
#include "core/transition.h"
#include "core/transition_fields.h"
#include "memory.h"

#define AT INT64_C(1772344808312000) /* 2026-03-01T06:00:08.312Z */

static void assert_str(struct orch_str got, const char *expected)
{
    if (!str_is(got, expected)) fail_msg("got      %.*s\nexpected %s", STR_ARG(got), expected);
}

static bool is_same(const struct core_transition *a, const struct core_transition *b)
{
#define SAME_MOMENT(member)  (a->member == b->member)
#define SAME_TIME(member)    (a->member == b->member)
#define SAME_REF(member)     (a->member == b->member)
#define SAME_U32(member)     (a->member == b->member)
#define SAME_U64(member)     (a->member == b->member)
#define SAME_I32(member)     (a->member == b->member)
#define SAME_STATE(member)   (a->member == b->member)
#define SAME_REASON(member)  (a->member == b->member)
#define SAME_FAILURE(member) (a->member == b->member)
#define SAME_ROLE(member)    (a->member == b->member)
#define SAME_TEXT(member)    str_equal(a->member, b->member)
#define SAME_JSON(member)    str_equal(a->member, b->member)
#define SAME(number, member, kind) \
    if (!SAME_##kind(member)) return false;
    TRANSITION_FIELD_LIST(SAME)
    return a->type == b->type;
}

/* Encodes, decodes, and expects the same again; also that the bytes are the same the second time. */
static void round_trip(const struct core_transition *items, uint32_t count)
{
    struct core_transitions list = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    struct buf record, again;

    arena_init(&arena, NULL, 0);
    buf_init(&record, NULL, 0);
    buf_init(&again, NULL, 0);
    transitions_encode(items, count, &record);
    assert_false(record.failed);
    if (transitions_decode(buf_str(&record), &arena, &list, &err) != 0) fail_msg("%s", err.message);
    assert_int_equal(list.count, count);
    for (uint32_t i = 0; i < count; i++)
        if (!is_same(&items[i], &list.items[i]))
            fail_msg("transition %u (type %u) came back otherwise", i, items[i].type);
    transitions_encode(list.items, list.count, &again);
    assert_true(str_equal(buf_str(&record), buf_str(&again)));
    buf_done(&record);
    buf_done(&again);
    arena_done(&arena);
}

static struct core_transition plain(enum transition_type type)
{
    return (struct core_transition){.type = (uint8_t)type, .instance = CORE_NONE, .frame = CORE_NONE, .at = AT};
}

static const enum transition_type types[] = {
#define TYPE(name, number, text) TRANSITION_##name,
    TRANSITION_LIST(TYPE)};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* Every field at its edges, in every type. */
static void test_round_trips(void **state)
{
    static char long_text[70000];
    struct core_transition t, many[TYPE_COUNT];

    (void)state;
    round_trip(NULL, 0);
    memset(long_text, 'x', sizeof(long_text));
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        bool has_task_state = transition_has_task_state((uint8_t)types[i]);

        t = many[i] = plain(types[i]);
        round_trip(&t, 1);
#define TRY(member, ...)                                                              \
    for (size_t v = 0; v < sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t); v++) { \
        t = plain(types[i]);                                                          \
        t.member = (__typeof__(t.member))((int64_t[]){__VA_ARGS__})[v];               \
        round_trip(&t, 1);                                                            \
    }
#define TRY_MOMENT(member)  TRY(member, 0, 1, -1, INT64_MAX, INT64_MIN, AT + 1)
#define TRY_TIME(member)    TRY(member, 0, 1, -1, INT64_MAX, INT64_MIN, AT + 1)
#define TRY_REF(member)     TRY(member, 0, 1, 127, 128, UINT32_MAX - 1, UINT32_MAX)
#define TRY_U32(member)     TRY(member, 0, 1, 127, 128, 16383, 16384, UINT32_MAX)
#define TRY_U64(member)     TRY(member, 0, 1, UINT32_MAX, INT64_MAX, INT64_MIN, -1)
#define TRY_I32(member)     TRY(member, 0, 1, -1, 63, 64, -64, -65, INT32_MAX, INT32_MIN)
#define TRY_STATE(member)   TRY(member, 0, 1, has_task_state ? TASK_STATE_COUNT - 1 : EXECUTION_STATE_COUNT - 1)
#define TRY_REASON(member)  TRY(member, REASON_NONE, REASON_TIMER, REASON_STOPPED)
#define TRY_FAILURE(member) TRY(member, FAILURE_NONE, FAILURE_EXIT, FAILURE_DEPENDENCY)
#define TRY_ROLE(member)    TRY(member, BLOCK_BODY, BLOCK_FINALLY)
#define TRY_TEXT(member)                                                                        \
    for (size_t size = 0; size <= sizeof(long_text); size = size < 300 ? size + 1 : size * 5) { \
        t = plain(types[i]);                                                                    \
        t.member = str_of(long_text, size);                                                     \
        round_trip(&t, 1);                                                                      \
    }
#define TRY_JSON(member)                TRY_TEXT(member)
#define TRY_FIELD(number, member, kind) TRY_##kind(member)
        TRANSITION_FIELD_LIST(TRY_FIELD)
    }
    round_trip(many, TYPE_COUNT);
}

static struct orch_str random_text(struct chance *chance)
{
    static const char bytes[] = "{\"a\":1}\0\xff\x80 some text that goes on for a while, longer than a short one would";

    return str_of(bytes, chance_next(chance) % sizeof(bytes));
}

static struct core_transition random_transition(struct chance *chance)
{
    struct core_transition t = plain(types[chance_next(chance) % TYPE_COUNT]);
    uint64_t mask = chance_next(chance) & chance_next(chance);

#define RANDOM_MOMENT(member)  (orch_time)(AT + (int64_t)(chance_next(chance) % 1000000))
#define RANDOM_TIME(member)    (orch_time)(chance_next(chance) >> chance_next(chance) % 64)
#define RANDOM_REF(member)     (uint32_t)(chance_next(chance) >> (32 + chance_next(chance) % 32))
#define RANDOM_U32(member)     (uint32_t)(chance_next(chance) >> (32 + chance_next(chance) % 32))
#define RANDOM_U64(member)     chance_next(chance) >> chance_next(chance) % 64
#define RANDOM_I32(member)     (int32_t)(chance_next(chance) >> (32 + chance_next(chance) % 32))
#define RANDOM_STATE(member)   (uint8_t)(chance_next(chance) % EXECUTION_STATE_COUNT)
#define RANDOM_REASON(member)  (uint8_t)(chance_next(chance) % (REASON_STOPPED + 1))
#define RANDOM_FAILURE(member) (uint8_t)(chance_next(chance) % (FAILURE_DEPENDENCY + 1))
#define RANDOM_ROLE(member)    (uint8_t)(chance_next(chance) % BLOCK_ROLES)
#define RANDOM_TEXT(member)    random_text(chance)
#define RANDOM_JSON(member)    random_text(chance)
#define RANDOM_FIELD(number, member, kind) \
    if (mask >> (number)&1) t.member = RANDOM_##kind(member);
    TRANSITION_FIELD_LIST(RANDOM_FIELD)
    return t;
}

static void test_random_round_trips(void **state)
{
    struct core_transition items[40];
    struct chance chance;

    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        uint32_t count;

        chance_init(&chance, seed);
        count = (uint32_t)(chance_next(&chance) % 40);
        for (uint32_t i = 0; i < count; i++) items[i] = random_transition(&chance);
        round_trip(items, count);
    }
}

/* Decodes from a block of exactly that size, so that the address sanitizer sees any look beyond it. */
static int decode(const char *data, size_t size, struct core_transitions *list, struct arena *arena)
{
    char *copy = malloc(size > 0 ? size : 1);
    struct orch_error err = ORCH_ERROR_INIT;
    uint32_t before = list->count;
    int r;

    memcpy(copy, data, size);
    r = transitions_decode(str_of(copy, size), arena, list, &err);
    assert_int_equal(err.code, r);
    if (r != 0) {
        assert_int_equal(list->count, before);
        assert_true(err.message[0] != '\0');
    }
    free(copy);
    return r;
}

static void sample_record(struct buf *record)
{
    struct core_transition items[12];
    struct chance chance;

    chance_init(&chance, 3);
    for (size_t i = 0; i < 12; i++) items[i] = random_transition(&chance);
    buf_init(record, NULL, 0);
    transitions_encode(items, 12, record);
}

static void test_every_truncation_is_noticed(void **state)
{
    struct core_transitions list = {0};
    struct arena arena;
    struct buf record;

    (void)state;
    arena_init(&arena, NULL, 0);
    sample_record(&record);
    for (size_t size = 0; size < record.size; size++)
        assert_int_equal(decode(record.data, size, &list, &arena), ORCH_ERR_CORRUPT);
    assert_int_equal(decode(record.data, record.size, &list, &arena), 0);
    buf_done(&record);
    arena_done(&arena);
}

static void set_checksum(char *data, size_t size)
{
    uint32_t sum = crc32c(str_of(data, size - 4));

    for (size_t i = 0; i < 4; i++) data[size - 4 + i] = (char)(sum >> (8 * i));
}

static void test_every_flipped_bit_is_noticed(void **state)
{
    struct core_transitions list = {0};
    struct arena arena;
    struct buf record;

    (void)state;
    arena_init(&arena, NULL, 0);
    sample_record(&record);
    for (size_t bit = 0; bit < record.size * 8; bit++) {
        record.data[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(decode(record.data, record.size, &list, &arena), ORCH_ERR_CORRUPT);
        record.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_done(&record);
    arena_done(&arena);
}

/* Even when the checksum fits, whatever the bytes say is taken or refused, and nothing else. */
static void test_damage_beneath_a_good_checksum(void **state)
{
    struct arena arena;
    struct buf record;
    uint32_t refused = 0;

    (void)state;
    arena_init(&arena, NULL, 0);
    sample_record(&record);
    for (size_t at = 0; at < record.size - 4; at++) {
        char before = record.data[at];

        for (int byte = 0; byte < 256; byte++) {
            struct core_transitions list = {0};
            int r;

            record.data[at] = (char)byte;
            set_checksum(record.data, record.size);
            r = decode(record.data, record.size, &list, &arena);
            assert_true(r == 0 || r == ORCH_ERR_CORRUPT || r == ORCH_ERR_VERSION);
            refused += r != 0;
            arena_clear(&arena);
        }
        record.data[at] = before;
    }
    assert_true(refused > 0);
    buf_done(&record);
    arena_done(&arena);
}

static void test_hand_made_records(void **state)
{
    /* Without the checksum, which is added. */
    const struct {
        const char *what;
        struct orch_str bytes;
        int expected;
    } cases[] = {
        {"none", STR("\x01"), 0},
        {"a plain one", STR("\x01\x02\x03\x00"), 0},
        {"two", STR("\x01\x02\x03\x00\x02\x03\x00"), 0},
        {"no format", STR(""), ORCH_ERR_CORRUPT},
        {"another format", STR("\x02\x02\x03\x00"), ORCH_ERR_VERSION},
        {"format 0", STR("\0\x02\x03\x00"), ORCH_ERR_VERSION},
        {"type 0", STR("\x01\x02\0\0"), ORCH_ERR_CORRUPT},
        {"the last type", STR("\x01\x02\x14\0"), 0},
        {"a type to come", STR("\x01\x02\x15\0"), ORCH_ERR_VERSION},
        {"type 255", STR("\x01\x03\xff\x01\0"), ORCH_ERR_VERSION},
        {"type 256", STR("\x01\x03\x80\x02\0"), ORCH_ERR_CORRUPT},
        {"a length of 0", STR("\x01\0"), ORCH_ERR_CORRUPT},
        {"a length beyond the end", STR("\x01\x03\x03\x00"), ORCH_ERR_CORRUPT},
        {"a length of 2^64 - 1", STR("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03\x00"), ORCH_ERR_CORRUPT},
        {"a length of more than 64 bits", STR("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x03\x00"),
         ORCH_ERR_CORRUPT},
        {"a length without end", STR("\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), ORCH_ERR_CORRUPT},
        {"a length longer than need be", STR("\x01\x82\x00\x03\x00"), ORCH_ERR_CORRUPT},
        {"no mask", STR("\x01\x01\x03"), ORCH_ERR_CORRUPT},
        {"a field that is not there", STR("\x01\x02\x03\x02"), ORCH_ERR_CORRUPT},
        {"a field", STR("\x01\x03\x03\x02\x07"), 0},
        {"bytes left over", STR("\x01\x03\x03\x00\x07"), ORCH_ERR_CORRUPT},
        {"an instance of 2^32", STR("\x01\x07\x03\x02\x80\x80\x80\x80\x10"), ORCH_ERR_CORRUPT},
        {"an instance of 2^32 - 1", STR("\x01\x07\x03\x02\xff\xff\xff\xff\x0f"), 0},
        {"a number cut off by the length", STR("\x01\x03\x03\x02\x80\x02\x03\x00"), ORCH_ERR_CORRUPT},
        {"a task's state to come", STR("\x01\x03\x09\x10\x0b"), ORCH_ERR_VERSION},
        {"a task's last state", STR("\x01\x03\x09\x10\x0a"), 0},
        {"an execution's state to come", STR("\x01\x03\x10\x10\x09"), ORCH_ERR_VERSION},
        {"a reason to come", STR("\x01\x04\x09\x80\x08\x0a"), ORCH_ERR_VERSION},
        {"a failure to come", STR("\x01\x04\x09\x80\x20\x0d"), ORCH_ERR_VERSION},
        {"a text beyond the end", STR("\x01\x06\x09\x80\x80\x02\x02x"), ORCH_ERR_CORRUPT},
        {"a text", STR("\x01\x07\x09\x80\x80\x02\x02xy"), 0},
        {"fields to come: a number and a text", STR("\x01\x0a\x03\x82\x80\x80\x0c\x07\x05\x02xy"), 0},
        {"field 63", STR("\x01\x0e\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01\x02\x03"), 0},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct core_transitions list = {0};
        char bytes[64];
        int r;

        memcpy(bytes, cases[i].bytes.data, cases[i].bytes.size);
        set_checksum(bytes, cases[i].bytes.size + 4);
        r = decode(bytes, cases[i].bytes.size + 4, &list, &arena);
        if (r != cases[i].expected) fail_msg("%s: %d", cases[i].what, r);
        if (str_starts_with(str_from(cases[i].what), STR("fields to come"))) {
            assert_int_equal(list.items[0].instance, 7);
            assert_int_equal(list.items[0].frame, CORE_NONE);
        }
    }
    arena_done(&arena);
}

static void test_decode_adds_to_the_list(void **state)
{
    struct core_transitions list = {0};
    struct core_transition one = plain(TRANSITION_TASK_READY);
    struct arena arena;
    struct buf record;

    (void)state;
    arena_init(&arena, NULL, 0);
    buf_init(&record, NULL, 0);
    assert_non_null(transitions_add(&list, &arena, TRANSITION_EXECUTION_STARTED, 7));
    buf_add(&record, STR("before")); /* what is in the buffer already is none of the record */
    transitions_encode(&one, 1, &record);
    for (uint32_t i = 1; i < 20; i++) assert_int_equal(decode(record.data + 6, record.size - 6, &list, &arena), 0);
    assert_int_equal(list.count, 20);
    assert_int_equal(list.items[0].type, TRANSITION_EXECUTION_STARTED);
    assert_int_equal(list.items[0].instance, CORE_NONE);
    assert_int_equal(list.items[0].at, 7);
    for (uint32_t i = 1; i < 20; i++) assert_true(is_same(&list.items[i], &one));
    assert_non_null(transitions_add(&list, &arena, TRANSITION_TASK_RESET, 8));
    assert_int_equal(list.items[20].type, TRANSITION_TASK_RESET);
    assert_true(is_same(&list.items[19], &one));
    buf_done(&record);
    arena_done(&arena);
}

static void test_short_memory(void **state)
{
    struct memory memory;
    struct buf record, small;
    struct core_transition one = plain(TRANSITION_TASK_READY);
    struct core_transitions list = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;

    (void)state;
    sample_record(&record);
    memory_init(&memory, 1); /* decode asks once */
    arena_init(&arena, &memory.allocator, 0);
    assert_int_equal(transitions_decode(buf_str(&record), &arena, &list, &err), ORCH_ERR_NO_MEMORY);
    assert_int_equal(list.count, 0);
    assert_int_equal(transitions_decode(buf_str(&record), &arena, &list, &err), 0);
    arena_done(&arena);
    assert_int_equal(memory.size, 0);
    for (size_t max = 1; max < 300; max++) { /* a full buffer is told, never overrun */
        buf_init(&small, NULL, max);
        transitions_encode(&one, 1, &small);
        assert_true(small.failed || small.size <= max);
        buf_done(&small);
    }
    for (uint64_t n = 1; n < 20; n++) { /* what was there stays when a list cannot grow */
        uint32_t count = 0;

        list = (struct core_transitions){0};
        memory_init(&memory, n);
        arena_init(&arena, &memory.allocator, 0);
        while (count < 20000 && transitions_add(&list, &arena, TRANSITION_TASK_READY, (orch_time)count)) count++;
        assert_int_equal(list.count, count);
        for (uint32_t i = 0; i < count; i++) assert_int_equal(list.items[i].at, i);
        arena_done(&arena);
    }
    buf_done(&record);
}

static void test_names(void **state)
{
    enum task_state task_state;
    enum execution_state execution_state;

    (void)state;
#define TASK_NAME(name, number, text)                             \
    assert_string_equal(task_state_to_string(TASK_##name), text); \
    assert_true(task_state_from_string(STR(text), &task_state));  \
    assert_int_equal(task_state, TASK_##name);
    TASK_STATE_LIST(TASK_NAME)
#define EXECUTION_NAME(name, number, text)                                  \
    assert_string_equal(execution_state_to_string(EXECUTION_##name), text); \
    assert_true(execution_state_from_string(STR(text), &execution_state));  \
    assert_int_equal(execution_state, EXECUTION_##name);
    EXECUTION_STATE_LIST(EXECUTION_NAME)
#define REASON_NAME(name, number, text) assert_string_equal(reason_to_string(REASON_##name), text);
    REASON_LIST(REASON_NAME)
#define TYPE_NAME(name, number, text) assert_string_equal(transition_type_to_string(TRANSITION_##name), text);
    TRANSITION_LIST(TYPE_NAME)
    assert_false(task_state_from_string(STR("Running"), &task_state));
    assert_false(task_state_from_string(STR(""), &task_state));
    assert_false(execution_state_from_string(STR("ready"), &execution_state));
    assert_string_equal(task_state_to_string((enum task_state)99), "unknown");
    assert_string_equal(transition_type_to_string((enum transition_type)0), "unknown");
    assert_true(task_state_is_terminal(TASK_COMPENSATED) && !task_state_is_terminal(TASK_COMPENSATING));
}

static void test_json(void **state)
{
    struct core_transition t;
    struct buf out;

    (void)state;
    buf_init(&out, NULL, 0);
    t = plain(TRANSITION_FRAME_OPENED); /* an item 0 is said */
    t.frame = 0;
    transition_format_json(&t, 0, &out);
    assert_str(
        buf_str(&out),
        "{\"type\":\"frame.opened\",\"t\":\"2026-03-01T06:00:08.312Z\",\"frame\":0,\"index\":0,\"role\":\"body\"}");

    buf_clear(&out);
    t = plain(TRANSITION_TASK_ENDED);
    t.instance = 0;
    t.state = TASK_FAILED;
    t.failure = FAILURE_EXIT;
    t.exit_code = -75;
    t.attempt = 3;
    t.cpu_us = UINT64_MAX;
    t.error = STR("it \"broke\"\n\xff");
    t.output = STR("{\"a\":\n  [1,\r\n \"b\\nc\"]}"); /* one line it stays */
    transition_format_json(&t, 1841, &out);
    assert_str(
        buf_str(&out),
        "{\"type\":\"task.ended\",\"seq\":1841,\"t\":\"2026-03-01T06:00:08.312Z\",\"instance\":0,\"attempt\":3,"
        "\"state\":\"failed\","
        "\"cpu_us\":18446744073709551615,\"output\":{\"a\":   [1,   \"b\\nc\"]},\"failure\":\"exit\",\"exit_code\":-75,"
        "\"error\":\"it \\\"broke\\\"\\n\xef\xbf\xbd\"}");

    buf_clear(&out);
    t = plain(TRANSITION_TASK_WAITING);
    t.instance = 4;
    t.reason = REASON_EVENT;
    t.due = ORCH_TIME_NEVER;
    t.name = STR("paid");
    transition_format_json(&t, 0, &out);
    assert_str(buf_str(&out), "{\"type\":\"task.waiting\",\"t\":\"2026-03-01T06:00:08.312Z\",\"instance\":4,\"reason\":"
                              "\"event\",\"name\":\"paid\"}");

    buf_clear(&out);
    t.due = AT + 1;
    t.reason = REASON_BACKOFF;
    t.name = STR_NONE;
    transition_format_json_members(&t, 0, &out);
    assert_str(buf_str(&out), "\"type\":\"task.waiting\",\"t\":\"2026-03-01T06:00:08.312Z\",\"instance\":4,\"reason\":"
                              "\"retry\",\"due\":\"2026-03-01T06:00:08.312001Z\"");

    buf_clear(&out);
    t = plain(TRANSITION_EXECUTION_ENDED); /* number 5 is another state for an execution than for a task */
    t.state = EXECUTION_FAILED;
    transition_format_json(&t, 9, &out);
    assert_str(buf_str(&out),
               "{\"type\":\"execution.ended\",\"seq\":9,\"t\":\"2026-03-01T06:00:08.312Z\",\"state\":\"failed\"}");
    buf_done(&out);
}

static struct buf file_read(const char *name)
{
    static char bytes[65536];
    struct buf text;
    char path[1000];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", TESTS_FOLDER, name);
    file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    buf_init(&text, NULL, 0);
    buf_add(&text, str_of(bytes, fread(bytes, 1, sizeof(bytes), file)));
    fclose(file);
    return text;
}

/* What the first version wrote is read, and means the same, for good: neither file is ever made anew. */
static void test_kept_journal(void **state)
{
    struct core_transitions list = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    struct buf record = file_read("journals/v1.bin"), expected = file_read("journals/v1.jsonl"), got;

    (void)state;
    arena_init(&arena, NULL, 0);
    buf_init(&got, NULL, 0);
    if (transitions_decode(buf_str(&record), &arena, &list, &err) != 0) fail_msg("%s", err.message);
    for (uint32_t i = 0; i < list.count; i++) {
        transition_format_json(&list.items[i], i + 1, &got);
        buf_add_char(&got, '\n');
    }
    assert_true(list.count > TYPE_COUNT);
    assert_string_equal(got.data, expected.data);
    buf_done(&record);
    buf_done(&expected);
    buf_done(&got);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_random_round_trips),
        cmocka_unit_test(test_every_truncation_is_noticed),
        cmocka_unit_test(test_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_damage_beneath_a_good_checksum),
        cmocka_unit_test(test_hand_made_records),
        cmocka_unit_test(test_decode_adds_to_the_list),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_kept_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
