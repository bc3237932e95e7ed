/* test_zone.c - time zones from bytes that are made here, so that nothing depends on the machine's zone files. */
#include "torture.h"

#include "base/time.h"

/* What goes into a made file. */
struct made {
    const int64_t *times;
    const uint8_t *types_after;
    uint32_t time_count;
    const int32_t *offsets;
    const uint8_t *is_dst;
    uint32_t type_count;
    const char *footer;
    char version;
};

static void add_u32(struct buf *buf, uint32_t n)
{
    char bytes[] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    buf_add(buf, str_of(bytes, 4));
}

static void add_header(struct buf *buf, char version, uint32_t times, uint32_t types, uint32_t chars)
{
    buf_add(buf, STR("TZif"));
    buf_add_char(buf, version);
    buf_add(buf, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    add_u32(buf, 0); /* isutc */
    add_u32(buf, 0); /* isstd */
    add_u32(buf, 0); /* leap */
    add_u32(buf, times);
    add_u32(buf, types);
    add_u32(buf, chars);
}

static void make(const struct made *made, struct buf *buf)
{
    buf_init(buf, NULL, 0);
    /* A first block with something in it, to be passed over. */
    add_header(buf, made->version, 1, 1, 4);
    buf_add(buf, STR("\x7f\xff\xff\xff\0\0\0\0\0\0\0UTC\0"));
    add_header(buf, made->version, made->time_count, made->type_count, 4);
    for (uint32_t i = 0; i < made->time_count; i++) {
        add_u32(buf, (uint32_t)((uint64_t)made->times[i] >> 32));
        add_u32(buf, (uint32_t)made->times[i]);
    }
    buf_add(buf, str_of((const char *)made->types_after, made->time_count));
    for (uint32_t i = 0; i < made->type_count; i++) {
        add_u32(buf, (uint32_t)made->offsets[i]);
        buf_add_char(buf, (char)made->is_dst[i]);
        buf_add_char(buf, 0);
    }
    buf_add(buf, STR("UTC\0"));
    buf_printf(buf, "\n%s\n", made->footer);
}

static struct made simple(const char *footer)
{
    static const int32_t offsets[] = {0};
    static const uint8_t is_dst[] = {0};
    return (struct made){.offsets = offsets, .is_dst = is_dst, .type_count = 1, .footer = footer, .version = '2'};
}

static int parse(const struct made *made, struct arena *arena, const struct zone **ret, struct orch_error *err)
{
    struct buf buf;
    make(made, &buf);
    struct orch_str copy = exact_copy(buf.data, buf.size);
    buf_done(&buf);
    int r = zone_parse(copy, arena, ret, err);
    free((void *)(uintptr_t)copy.data); /* everything is copied into the arena */
    return r;
}

static int64_t at(const char *text)
{
    int64_t seconds = 0;
    int32_t nanos;
    assert_int_equal(time_parse_rfc3339(str_from(text), &seconds, &nanos), 0);
    return seconds;
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *footer, *moment;
        int32_t offset;
        bool is_dst;
    } rows[] = {
        {"UTC0", "2026-07-01T00:00:00Z", 0, false},
        {"<+0330>-3:30", "2026-07-01T00:00:00Z", 12600, false},
        {"<-03>3", "2026-07-01T00:00:00Z", -10800, false},
        {"XXX-0:20:30", "2026-07-01T00:00:00Z", 1230, false},
        /* Berlin: the last Sundays of March and October, 01:00 UTC. */
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600, false},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200, true},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200, true},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600, false},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2027-01-01T00:00:00Z", 3600, false},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "9999-07-01T00:00:00Z", 7200, true},
        /* New York: the second Sunday of March and the first of November, 02:00 local. */
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18000, false},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14400, true},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", -14400, true},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -18000, false},
        /* Sydney: summer over the turn of the year. */
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 39600, true},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T15:59:59Z", 39600, true},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 36000, false},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03T15:59:59Z", 36000, false},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03T16:00:00Z", 39600, true},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-12-31T23:59:59Z", 39600, true},
        /* Lord Howe: half an hour. */
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39600, true},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-07-01T00:00:00Z", 37800, false},
        /* Dublin: winter is the exception. */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0, true},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600, false},
        /* Nuuk: at -1 hours, which is the day before. */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200, false},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600, true},
        /* Cairo: after 24 hours; Gaza once wrote 50. */
        {"EET-2EEST,M4.5.5/0,M10.5.4/24", "2026-04-23T21:59:59Z", 7200, false},
        {"EET-2EEST,M4.5.5/0,M10.5.4/24", "2026-04-23T22:00:00Z", 10800, true},
        {"EET-2EEST,M4.5.5/0,M10.5.4/24", "2026-10-29T20:59:59Z", 10800, true},
        {"EET-2EEST,M4.5.5/0,M10.5.4/24", "2026-10-29T21:00:00Z", 7200, false},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200, false},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10800, true},
        /* Days of the year: J60 is March 1 always, 59 is February 29 in a leap year. */
        {"AAA0BBB,J60/0,J300/0", "2024-02-29T23:59:59Z", 0, false},
        {"AAA0BBB,J60/0,J300/0", "2024-03-01T00:00:00Z", 3600, true},
        {"AAA0BBB,J60/0,J300/0", "2023-02-28T23:59:59Z", 0, false},
        {"AAA0BBB,J60/0,J300/0", "2023-03-01T00:00:00Z", 3600, true},
        {"AAA0BBB,59/0,300/0", "2024-02-28T23:59:59Z", 0, false},
        {"AAA0BBB,59/0,300/0", "2024-02-29T00:00:00Z", 3600, true},
        {"AAA0BBB,59/0,300/0", "2023-03-01T00:00:00Z", 3600, true},
        /* Summer time all year (RFC 8536, 3.3.1). */
        {"EST5EDT,0/0,J365/25", "2026-01-01T04:59:59Z", -14400, true},
        {"EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14400, true},
        {"EST5EDT,0/0,J365/25", "2026-12-31T23:59:59Z", -14400, true},
        {"EST5EDT,0/0,J365/25", "2026-07-01T00:00:00Z", -14400, true},
        /* The first and the last of a weekday, where the month begins and ends with it. */
        {"AAA0BBB,M2.1.0/0,M3.1.0/0", "2026-02-01T00:00:00Z", 3600, true},
        {"AAA0BBB,M2.5.6/0,M3.5.2/0", "2026-02-28T00:00:00Z", 3600, true},
        {"AAA0BBB,M2.5.6/0,M3.5.2/0", "2026-03-30T22:59:59Z", 3600, true},
        {"AAA0BBB,M2.5.6/0,M3.5.2/0", "2026-03-30T23:00:00Z", 0, false},
        {"AAA0BBB,M2.5.6/0,M12.5.4/0", "2026-12-30T23:00:00Z", 0, false},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct zone *zone = NULL;
        struct made made = simple(rows[i].footer);
        struct orch_error err = ORCH_ERROR_INIT;
        if (parse(&made, &arena, &zone, &err) != 0) fail_msg("%s: %s", rows[i].footer, err.message);
        bool is_dst = !rows[i].is_dst;
        int32_t offset = zone_offset_at(zone, at(rows[i].moment), &is_dst);
        if (offset != rows[i].offset || is_dst != rows[i].is_dst) {
            fail_msg("%s at %s: %d%s", rows[i].footer, rows[i].moment, (int)offset, is_dst ? " dst" : "");
        }
        assert_int_equal(zone_offset_at(zone, at(rows[i].moment), NULL), offset);
        /* The calendar repeats after 400 years. */
        assert_int_equal(zone_offset_at(zone, at(rows[i].moment) + INT64_C(146097) * 86400, NULL), offset);
        assert_int_equal(zone_offset_at(zone, at(rows[i].moment) - INT64_C(146097) * 86400 * 5, NULL), offset);
        (void)zone_offset_at(zone, INT64_MAX, &is_dst); /* no overflow, says the sanitizer */
        (void)zone_offset_at(zone, INT64_MIN, &is_dst);
    }
    arena_done(&arena);
}

static const int64_t times[] = {INT64_C(-3000000000), 0, 100, INT64_C(5000000000)};
static const uint8_t types_after[] = {1, 2, 1, 0};
static const int32_t offsets[] = {3208, 3600, 7200};
static const uint8_t dst_flags[] = {0, 0, 1};

static struct made with_transitions(const char *footer)
{
    return (struct made){times, types_after, COUNT(times), offsets, dst_flags, COUNT(offsets), footer, '3'};
}

static void test_transitions(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t offset, offset_without_rule;
        bool is_dst;
    } rows[] = {
        {INT64_MIN, 3208, 3208, false},
        {-3000000001, 3208, 3208, false},
        {-3000000000, 3600, 3600, false},
        {-1, 3600, 3600, false},
        {0, 7200, 7200, true},
        {99, 7200, 7200, true},
        {100, 3600, 3600, false},
        {4999999999, 3600, 3600, false},
        {5000000000, -3600, 3208, false}, /* from the last on the rule is in force */
        {INT64_MAX, -3600, 3208, false},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    const struct zone *zone, *without;
    struct made made = with_transitions("AAA1");
    struct made made_without = with_transitions("");
    assert_int_equal(parse(&made, &arena, &zone, NULL), 0);
    assert_int_equal(parse(&made_without, &arena, &without, NULL), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_dst = !rows[i].is_dst;
        assert_int_equal(zone_offset_at(zone, rows[i].seconds, &is_dst), rows[i].offset);
        assert_int_equal(is_dst, rows[i].is_dst);
        assert_int_equal(zone_offset_at(without, rows[i].seconds, NULL), rows[i].offset_without_rule);
    }
    arena_done(&arena);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const footers[] = {
        "x",
        "AB1",
        "AAA",
        "AAA1BBB",
        "AAA1BBB,M3.5.0",
        "AAA1BBB,M3.5.0,",
        "AAA1BBB,M3.5.0,M10.5.0,",
        "AAA1BBB,M13.5.0,M10.5.0",
        "AAA1BBB,M0.5.0,M10.5.0",
        "AAA1BBB,M3.6.0,M10.5.0",
        "AAA1BBB,M3.0.0,M10.5.0",
        "AAA1BBB,M3.5.7,M10.5.0",
        "AAA1BBB,J0,J365",
        "AAA1BBB,J366,J365",
        "AAA1BBB,366,365",
        "AAA25",
        "AAA1:60",
        "AAA1:00:60",
        "AAA1BBB,0/168,J1",
        "<AAA1",
        "<AAA1>",
        "AAA+-1",
        "AAA1 ",
        "AAA1111111111111111111",
        "AAA1BBB,M3.5.0/,M10.5.0",
        ":Europe/Berlin",
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < COUNT(footers); i++) {
        const struct zone *zone = NULL;
        struct orch_error err = ORCH_ERROR_INIT;
        struct made made = simple(footers[i]);
        if (parse(&made, &arena, &zone, &err) != ORCH_ERR_INVALID) fail_msg("%s was taken", footers[i]);
        assert_null(zone);
        assert_string_equal(err.message, "not a time zone file: the rule in its footer is malformed");
    }

    static const int64_t times_turned[] = {100, 0};
    static const int64_t times_same[] = {100, 100};
    static const uint8_t types_far[] = {0, 3};
    static const int32_t offsets_far[] = {0, 100000, 0};
    static const uint8_t flags_wrong[] = {0, 0, 2};
    const struct {
        struct made made;
        const char *what;
    } rows[] = {
        {{times_turned, types_after, 2, offsets, dst_flags, 3, "", '2'}, "its transitions are not in order"},
        {{times_same, types_after, 2, offsets, dst_flags, 3, "", '2'}, "its transitions are not in order"},
        {{times + 1, types_far, 2, offsets, dst_flags, 3, "", '2'}, "a transition is to a type that is not there"},
        {{times, types_after, 2, offsets_far, dst_flags, 3, "", '2'}, "an offset is out of range"},
        {{times, types_after, 2, offsets, flags_wrong, 3, "", '2'}, "an offset is out of range"},
        {{times, types_after, 2, offsets, dst_flags, 0, "", '2'}, "its number of types is out of range"},
        {{times, types_after, 2, offsets, dst_flags, 3, "", '\0'}, "it is of version 1, without 64-bit times"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct zone *zone;
        struct orch_error err = ORCH_ERROR_INIT;
        assert_int_equal(parse(&rows[i].made, &arena, &zone, &err), ORCH_ERR_INVALID);
        assert_string_equal(err.message + strlen("not a time zone file: "), rows[i].what);
    }
    arena_done(&arena);
}

/* Cut after each byte, and with each byte changed: refused or taken, never read beyond its end. */
static void test_damaged(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct buf buf;
    struct made made = with_transitions("CET-1CEST,M3.5.0,M10.5.0/3");
    make(&made, &buf);
    for (size_t size = 0; size <= buf.size; size++) {
        struct orch_str copy = exact_copy(buf.data, size);
        const struct zone *zone;
        assert_int_equal(zone_parse(copy, &arena, &zone, NULL), size == buf.size ? 0 : ORCH_ERR_INVALID);
        free((void *)(uintptr_t)copy.data);
    }
    static const unsigned char others[] = {0, 1, 0x7f, 0x80, 0xff, '\n'};
    for (size_t i = 0; i < buf.size; i++) {
        for (size_t j = 0; j < COUNT(others); j++) {
            struct orch_str copy = exact_copy(buf.data, buf.size);
            ((unsigned char *)(uintptr_t)copy.data)[i] = others[j];
            const struct zone *zone;
            int r = zone_parse(copy, &arena, &zone, NULL);
            assert_true(r == 0 || r == ORCH_ERR_INVALID);
            if (r == 0) {
                int32_t offset = zone_offset_at(zone, 1772344808, NULL);
                assert_in_range(offset + 26 * 3600, 0, 52 * 3600);
            }
            free((void *)(uintptr_t)copy.data);
        }
        arena_clear(&arena);
    }
    buf_done(&buf);
    arena_done(&arena);
}

static bool use_zone(const struct orch_allocator *allocator)
{
    struct arena arena;
    arena_init(&arena, allocator, 0);
    const struct zone *zone;
    struct made made = with_transitions("AAA1");
    assert_non_null(arena.allocator);
    int r = parse(&made, &arena, &zone, NULL);
    assert_true(r == 0 || r == ORCH_ERR_NO_MEMORY);
    arena_done(&arena);
    return r == 0;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_zone);
}

static void test_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool taken;
        int32_t seconds;
    } rows[] = {
        {"Z", true, 0},           {"UTC", true, 0},       {"+02:00", true, 7200},      {"-0330", true, -12600},
        {"02:00", true, 7200},    {"+00:00", true, 0},    {"-00:00", true, 0},         {"+23:59", true, 86340},
        {"-23:59", true, -86340}, {"+0530", true, 19800}, {"1400", true, 50400},       {"", false, 0},
        {"+", false, 0},          {"+2", false, 0},       {"+02", false, 0},           {"+2:00", false, 0},
        {"+24:00", false, 0},     {"+02:60", false, 0},   {"+02:00:00", false, 0},     {"+02.00", false, 0},
        {"++200", false, 0},      {"+-200", false, 0},    {"+02:0x", false, 0},        {"+ 2:00", false, 0},
        {"utc", false, 0},        {"GMT", false, 0},      {"Europe/Berlin", false, 0}, {"+02:00 ", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int32_t seconds = 77;
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        if (zone_parse_offset(text, &seconds) != rows[i].taken) fail_msg("%s", rows[i].text);
        assert_int_equal(seconds, rows[i].taken ? rows[i].seconds : 77);
        free((void *)(uintptr_t)text.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_transitions),  cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_memory_short), cmocka_unit_test(test_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
