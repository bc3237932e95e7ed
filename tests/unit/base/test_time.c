/* test_time.c - the calendar and RFC 3339. */
#include "torture.h"

#include "base/time.h"

static bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Day by day over 800 years, counted the plain way. */
static void test_every_day(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = civil_to_days(1600, 1, 1);
    assert_int_equal(days, -135140);
    unsigned weekday = 6; /* a Saturday */
    for (int32_t year = 1600; year < 2400; year++) {
        unsigned yearday = 0;
        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 && is_leap(year));
            for (int day = 1; day <= length; day++, days++, yearday++, weekday = (weekday + 1) % 7) {
                if (civil_to_days(year, month, day) != days) fail_msg("%d-%d-%d", (int)year, month, day);
                struct civil civil;
                int64_t seconds = days * 86400 + (days % 86400 + 86400) % 86400;
                civil_from_seconds(seconds, &civil);
                if (civil.year != year || civil.month != month || civil.day != day || civil.weekday != weekday ||
                    civil.yearday != yearday || civil_to_seconds(&civil) != seconds) {
                    fail_msg("back from %d-%d-%d", (int)year, month, day);
                }
            }
        }
    }
}

static void test_civil(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        struct civil civil;
    } rows[] = {
        {0, {1970, 1, 1, 0, 0, 0, 4, 0}},
        {-1, {1969, 12, 31, 23, 59, 59, 3, 364}},
        {951782400, {2000, 2, 29, 0, 0, 0, 2, 59}},
        {1709251199, {2024, 2, 29, 23, 59, 59, 4, 59}},
        {4107542400, {2100, 3, 1, 0, 0, 0, 1, 59}},
        {-62135596800, {1, 1, 1, 0, 0, 0, 1, 0}},
        {-62135596801, {0, 12, 31, 23, 59, 59, 0, 365}},
        {-62198755200, {-1, 1, 1, 0, 0, 0, 5, 0}},
        {253402300799, {9999, 12, 31, 23, 59, 59, 5, 364}},
        {INT64_MAX / 1000000, {294247, 1, 10, 4, 0, 54, 0, 9}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct civil civil;
        civil_from_seconds(rows[i].seconds, &civil);
        const struct civil *want = &rows[i].civil;
        assert_int_equal(civil.year, want->year);
        assert_int_equal(civil.month, want->month);
        assert_int_equal(civil.day, want->day);
        assert_int_equal(civil.hour, want->hour);
        assert_int_equal(civil.minute, want->minute);
        assert_int_equal(civil.second, want->second);
        assert_int_equal(civil.weekday, want->weekday);
        assert_int_equal(civil.yearday, want->yearday);
        assert_true(civil_to_seconds(want) == rows[i].seconds);
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        const char *formatted;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"1970-01-01t00:00:00z", 0, 0, "1970-01-01T00:00:00Z"},
        {"1970-01-01 00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"2026-03-01T06:00:08.312Z", 1772344808, 312000000, "2026-03-01T06:00:08.312Z"},
        {"2026-03-01T06:00:08.3Z", 1772344808, 300000000, "2026-03-01T06:00:08.300Z"},
        {"2026-03-01T06:00:08.000Z", 1772344808, 0, "2026-03-01T06:00:08Z"},
        {"2026-03-01T06:00:08.0001Z", 1772344808, 100000, "2026-03-01T06:00:08.000100Z"},
        {"2026-03-01T06:00:08.000000001Z", 1772344808, 1, "2026-03-01T06:00:08.000000001Z"},
        {"1985-04-12T23:20:50.52Z", 482196050, 520000000, "1985-04-12T23:20:50.520Z"},
        {"1996-12-19T16:39:57-08:00", 851042397, 0, "1996-12-20T00:39:57Z"},
        {"1937-01-01T12:00:27.87+00:20", -1041337173, 870000000, "1937-01-01T11:40:27.870Z"},
        {"2024-02-29T00:00:00-00:00", 1709164800, 0, "2024-02-29T00:00:00Z"},
        {"2000-02-29T23:59:59+23:59", 951782459, 0, "2000-02-29T00:00:59Z"},
        {"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, "9999-12-31T23:59:59.999999999Z"},
        {"0001-01-01T00:30:00+00:30", -62135596800, 0, "0001-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        assert_int_equal(time_parse_rfc3339(text, &seconds, &nanos), 0);
        assert_true(seconds == rows[i].seconds);
        assert_int_equal(nanos, rows[i].nanos);
        struct buf buf;
        buf_init(&buf, NULL, 0);
        time_format_rfc3339(seconds, nanos, &buf);
        assert_string_equal(buf.data, rows[i].formatted);
        orch_time time = 77;
        assert_int_equal(time_parse(text, &time), 0);
        assert_true(time == rows[i].seconds * 1000000 + rows[i].nanos / 1000);
        buf_done(&buf);
        free((void *)(uintptr_t)text.data);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T",
        "2026-03-01T06:00:08",
        "2026-03-01T06:00Z",
        "2026-03-01T06:00:08+",
        "2026-03-01T06:00:08+02",
        "2026-03-01T06:00:08+0200",
        "2026-03-01T06:00:08+24:00",
        "2026-03-01T06:00:08+02:60",
        "2026-03-01T06:00:08Zx",
        "2026-03-01T06:00:08Z ",
        " 2026-03-01T06:00:08Z",
        "2026-03-01T06:00:08.Z",
        "2026-03-01T06:00:08,5Z",
        "2026-03-01T06:00:08.1234567890Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T23:60:00Z",
        "2026-03-01T23:59:60Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "2026-3-01T06:00:08Z",
        "2026/03/01T06:00:08Z",
        "2026-03-01x06:00:08Z",
        "+026-03-01T06:00:08Z",
        "2026-03-01T06:00:0aZ",
        "20260301T060008Z",
        "2026-03-01T06:00:08.3\xc2\xa0Z",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct orch_str text = exact_copy(rows[i], strlen(rows[i]));
        if (time_parse_rfc3339(text, &seconds, &nanos) != ORCH_ERR_INVALID) fail_msg("%s was taken", rows[i]);
        assert_int_equal(seconds, 77);
        assert_int_equal(nanos, 77);
        orch_time time = 77;
        assert_int_equal(time_parse(text, &time), ORCH_ERR_INVALID);
        assert_int_equal(time, 77);
        free((void *)(uintptr_t)text.data);
    }
    int64_t seconds;
    int32_t nanos;
    assert_int_equal(time_parse_rfc3339(STR("2026-03-01T06:00:08\0Z"), &seconds, &nanos), ORCH_ERR_INVALID);
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        orch_time time;
        bool millis;
        const char *text;
    } rows[] = {
        {0, false, "1970-01-01T00:00:00Z"},
        {0, true, "1970-01-01T00:00:00.000Z"},
        {1, false, "1970-01-01T00:00:00.000001Z"},
        {1999, true, "1970-01-01T00:00:00.001Z"},
        {-1, false, "1969-12-31T23:59:59.999999Z"},
        {-1, true, "1969-12-31T23:59:59.999Z"},
        {-1000000, false, "1969-12-31T23:59:59Z"},
        {1772344808312000, false, "2026-03-01T06:00:08.312Z"},
        {INT64_MAX, false, "+294247-01-10T04:00:54.775807Z"},
        {INT64_MIN, false, "-290308-12-21T19:59:05.224192Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf;
        buf_init(&buf, NULL, 0);
        time_format(rows[i].time, rows[i].millis, &buf);
        assert_string_equal(buf.data, rows[i].text);
        buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day), cmocka_unit_test(test_civil),  cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
