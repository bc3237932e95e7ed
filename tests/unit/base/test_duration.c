/* test_duration.c - durations and sizes. */
#include "torture.h"

#include "base/time.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        orch_time us;
        const char *formatted;
    } rows[] = {
        {"0s", 0, "0s"},
        {"0ms", 0, "0s"},
        {"1us", 1, "1us"},
        {"1000ns", 1, "1us"},
        {"1\xc2\xb5s", 1, "1us"},
        {"1\xce\xbcs", 1, "1us"},
        {"999us", 999, "999us"},
        {"1ms", 1000, "1ms"},
        {"1.5ms", 1500, "1.5ms"},
        {"500ms", 500000, "500ms"},
        {"250.125ms", 250125, "250.125ms"},
        {"1s", 1000000, "1s"},
        {"1.5s", 1500000, "1.5s"},
        {"1.500000s", 1500000, "1.5s"},
        {"1.5000000000000000000000000s", 1500000, "1.5s"},
        {"0.000001s", 1, "1us"},
        {"10s", 10000000, "10s"},
        {"007s", 7000000, "7s"},
        {"90s", 90000000, "1m30s"},
        {"1m", 60000000, "1m"},
        {"1m0.25s", 60250000, "1m0.25s"},
        {"2h", 7200000000, "2h"},
        {"1h30m", 5400000000, "1h30m"},
        {"1.5h", 5400000000, "1h30m"},
        {"1h1us", 3600000001, "1h0.000001s"},
        {"1d", 86400000000, "1d"},
        {"24h", 86400000000, "1d"},
        {"36h", 129600000000, "1d12h"},
        {"1w", 604800000000, "7d"},
        {"1w2d3h4m5s6ms7us", 788645006007, "9d3h4m5.006007s"},
        {"30m1h", 5400000000, "1h30m"},
        {"36525d", 3155760000000000, "36525d"},
        {"PT1H30M", 5400000000, "1h30m"},
        {"P1DT12H", 129600000000, "1d12h"},
        {"P1W", 604800000000, "7d"},
        {"P1D", 86400000000, "1d"},
        {"PT0S", 0, "0s"},
        {"PT1.5S", 1500000, "1.5s"},
        {"PT1,5S", 1500000, "1.5s"},
        {"PT0.5H", 1800000000, "30m"},
        {"P1DT1H1M1.000001S", 90061000001, "1d1h1m1.000001s"},
        {"PT100H", 360000000000, "4d4h"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        orch_time us = 77;
        struct orch_error err = ORCH_ERROR_INIT;
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        if (duration_parse(text, &us, &err) != 0) fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(err.code, 0);
        if (us != rows[i].us) fail_msg("%s is %lld", rows[i].text, (long long)us);
        struct buf buf;
        buf_init(&buf, NULL, 0);
        duration_format(us, &buf);
        assert_string_equal(buf.data, rows[i].formatted);
        orch_time again = 77;
        assert_int_equal(duration_parse(buf_str(&buf), &again, NULL), 0);
        assert_true(again == us);
        buf_done(&buf);
        free((void *)(uintptr_t)text.data);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message, *hint;
    } rows[] = {
        {"", ORCH_ERR_INVALID, "a duration is empty", "write 10s, 5m or 2h"},
        {"10", ORCH_ERR_INVALID, "\"10\" has no unit", "write 10s, 5m or 2h"},
        {"1.5", ORCH_ERR_INVALID, "\"1.5\" has no unit", "write 10s, 5m or 2h"},
        {"1h30", ORCH_ERR_INVALID, "\"1h30\" has no unit", "write 10s, 5m or 2h"},
        {"10 s", ORCH_ERR_INVALID, "\"10 s\" has a space in it", "write number and unit together: 10s, 1h30m"},
        {"10sec", ORCH_ERR_INVALID, "unknown unit \"sec\" in \"10sec\"", "write 10s"},
        {"1h5min", ORCH_ERR_INVALID, "unknown unit \"min\" in \"1h5min\"", "write 5m"},
        {"2hours", ORCH_ERR_INVALID, "unknown unit \"hours\" in \"2hours\"", "write 2h"},
        {"3M", ORCH_ERR_INVALID, "unknown unit \"M\" in \"3M\"",
         "m is minutes; months vary in length, so write days: 30d"},
        {"3months", ORCH_ERR_INVALID, "unknown unit \"months\" in \"3months\"",
         "months and years vary in length; write days: 30d"},
        {"1y", ORCH_ERR_INVALID, "unknown unit \"y\" in \"1y\"", "months and years vary in length; write days: 30d"},
        {"1x", ORCH_ERR_INVALID, "unknown unit \"x\" in \"1x\"", "the units are ns, us, ms, s, m, h, d and w"},
        {"-5s", ORCH_ERR_INVALID, "\"-5s\" is negative", "a duration is 0s or longer"},
        {"-PT5S", ORCH_ERR_INVALID, "\"-PT5S\" is negative", "a duration is 0s or longer"},
        {"+5s", ORCH_ERR_INVALID, "\"+5s\" is not a duration", "write 10s, 5m or 2h"},
        {"soon", ORCH_ERR_INVALID, "\"soon\" is not a duration", "write 10s, 5m or 2h"},
        {"s", ORCH_ERR_INVALID, "\"s\" is not a duration", "write 10s, 5m or 2h"},
        {".5s", ORCH_ERR_INVALID, "\".5s\" is not a duration", "write 10s, 5m or 2h"},
        {"1.s", ORCH_ERR_INVALID, "\"1.s\" is not a duration", "write 10s, 5m or 2h"},
        {"1,5s", ORCH_ERR_INVALID, "unknown unit \",\" in \"1,5s\"", "the units are ns, us, ms, s, m, h, d and w"},
        {"1s ", ORCH_ERR_INVALID, "unknown unit \"s \" in \"1s \"", "the units are ns, us, ms, s, m, h, d and w"},
        {"1e3s", ORCH_ERR_INVALID, "unknown unit \"e\" in \"1e3s\"", "the units are ns, us, ms, s, m, h, d and w"},
        {"1ns", ORCH_ERR_INVALID, "\"1ns\" is finer than a microsecond", "the shortest step is 1us"},
        {"1.5us", ORCH_ERR_INVALID, "\"1.5us\" is finer than a microsecond", "the shortest step is 1us"},
        {"0.0000001s", ORCH_ERR_INVALID, "\"0.0000001s\" is finer than a microsecond", "the shortest step is 1us"},
        {"0.33333333333333333333s", ORCH_ERR_INVALID, "\"0.33333333333333333333s\" is finer than a microsecond",
         "the shortest step is 1us"},
        {"36525d1us", ORCH_ERR_LIMIT, "\"36525d1us\" is longer than 100 years", ""},
        {"36526d", ORCH_ERR_LIMIT, "\"36526d\" is longer than 100 years", ""},
        {"99999999999999999999999s", ORCH_ERR_LIMIT, "\"99999999999999999999999s\" is longer than 100 years", ""},
        {"18446744073709551615w", ORCH_ERR_LIMIT, "\"18446744073709551615w\" is longer than 100 years", ""},
        {"P1000000D", ORCH_ERR_LIMIT, "\"P1000000D\" is longer than 100 years", ""},
        {"P1Y", ORCH_ERR_INVALID, "\"P1Y\" has years or months, whose length varies", "write days: P30D"},
        {"P1M", ORCH_ERR_INVALID, "\"P1M\" has years or months, whose length varies", "write days: P30D"},
        {"P1Y2M3DT4H", ORCH_ERR_INVALID, "\"P1Y2M3DT4H\" has years or months, whose length varies", "write days: P30D"},
        {"P", ORCH_ERR_INVALID, "\"P\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PT", ORCH_ERR_INVALID, "\"PT\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"P1DT", ORCH_ERR_INVALID, "\"P1DT\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"P1H", ORCH_ERR_INVALID, "\"P1H\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PT1D", ORCH_ERR_INVALID, "\"PT1D\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PT1M1H", ORCH_ERR_INVALID, "\"PT1M1H\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PT1H1H", ORCH_ERR_INVALID, "\"PT1H1H\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PT5", ORCH_ERR_INVALID, "\"PT5\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"PTT1S", ORCH_ERR_INVALID, "\"PTT1S\" is not an ISO 8601 duration", "write PT1H30M or P1DT12H, or 1h30m"},
        {"pt1s", ORCH_ERR_INVALID, "\"pt1s\" is not a duration", "write 10s, 5m or 2h"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        orch_time us = 77;
        struct orch_error err = ORCH_ERROR_INIT;
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        if (duration_parse(text, &us, &err) != rows[i].code) fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(duration_parse(text, &us, NULL), rows[i].code);
        assert_int_equal(us, 77);
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.message, rows[i].message);
        assert_string_equal(err.hint, rows[i].hint);
        free((void *)(uintptr_t)text.data);
    }
    char long_text[300];
    memset(long_text, '1', sizeof(long_text));
    orch_time us;
    assert_int_equal(duration_parse(str_of(long_text, sizeof(long_text)), &us, NULL), ORCH_ERR_INVALID);
}

static void test_every_length_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        orch_time us = (orch_time)((seed >> 11) >> (i % 50)) % INT64_C(3155760000000001);
        if (i % 3 == 0) us -= us % 1000;
        if (i % 5 == 0) us -= us % 1000000;
        struct buf buf;
        buf_init(&buf, NULL, 0);
        duration_format(us, &buf);
        orch_time again = -1;
        if (duration_parse(buf_str(&buf), &again, NULL) != 0 || again != us) fail_msg("%s", buf.data);
        buf_done(&buf);
    }
}

static void test_format_any(void **state)
{
    (void)state;
    /* What no definition can say is still shown. */
    static const struct {
        orch_time us;
        const char *text;
    } rows[] = {{-1500000, "-1.5s"}, {INT64_MAX, "106751991d4h54.775807s"}, {INT64_MIN, "-106751991d4h54.775808s"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf;
        buf_init(&buf, NULL, 0);
        duration_format(rows[i].us, &buf);
        assert_string_equal(buf.data, rows[i].text);
        buf_done(&buf);
    }
}

static void test_short(void **state)
{
    (void)state;
    static const struct {
        orch_time us;
        const char *text;
    } rows[] = {
        {0, "0ms"},
        {499, "0ms"},
        {500, "1ms"},
        {42000, "42ms"},
        {99499, "99ms"},
        {99500, "0.1s"},
        {400000, "0.4s"},
        {949999, "0.9s"},
        {950000, "1.0s"},
        {12400000, "12.4s"},
        {59949999, "59.9s"},
        {59950000, "1m00s"},
        {182000000, "3m02s"},
        {580000000, "9m40s"},
        {3599499999, "59m59s"},
        {3599500000, "1h00m"},
        {3900000000, "1h05m"},
        {86369999999, "23h59m"},
        {86370000000, "1d00h"},
        {183600000000, "2d03h"},
        {8638200000000, "100d"},
        {8638199999999, "99d23h"},
        {-400000, "-0.4s"},
        {INT64_MAX, "106751991d"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf;
        buf_init(&buf, NULL, 0);
        duration_format_short(rows[i].us, &buf);
        assert_string_equal(buf.data, rows[i].text);
        buf_done(&buf);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        uint64_t bytes;
        const char *formatted;
    } rows[] = {
        {"0", 0, 0, "0 B"},
        {"512", 0, 512, "512 B"},
        {"512B", 0, 512, "512 B"},
        {"1023", 0, 1023, "1023 B"},
        {"1024", 0, 1024, "1 KiB"},
        {"64KiB", 0, 65536, "64 KiB"},
        {"64Ki", 0, 65536, "64 KiB"},
        {"64kib", 0, 65536, "64 KiB"},
        {"10MB", 0, 10000000, "9.5 MiB"},
        {"10M", 0, 10000000, "9.5 MiB"},
        {"5k", 0, 5000, "4.9 KiB"},
        {"1.5GiB", 0, 1610612736, "1.5 GiB"},
        {"0.5KiB", 0, 512, "512 B"},
        {"2TiB", 0, UINT64_C(2199023255552), "2 TiB"},
        {"3TB", 0, UINT64_C(3000000000000), "2.7 TiB"},
        {"1048524", 0, 1048524, "1023.9 KiB"},
        {"1048525", 0, 1048525, "1 MiB"},
        {"18446744073709551615", 0, UINT64_MAX, "16 EiB"},
        {"18446744073709551616", ORCH_ERR_LIMIT, 0, "\"18446744073709551616\" is larger than 16 EiB"},
        {"16777216TiB", ORCH_ERR_LIMIT, 0, "\"16777216TiB\" is larger than 16 EiB"},
        {"16777215.99999999TiB", ORCH_ERR_INVALID, 0, "\"16777215.99999999TiB\" is not a whole number of bytes"},
        {"0.3KiB", ORCH_ERR_INVALID, 0, "\"0.3KiB\" is not a whole number of bytes"},
        {"1.5", ORCH_ERR_INVALID, 0, "\"1.5\" is not a whole number of bytes"},
        {"", ORCH_ERR_INVALID, 0, "\"\" is not a size"},
        {"x", ORCH_ERR_INVALID, 0, "\"x\" is not a size"},
        {"-1", ORCH_ERR_INVALID, 0, "\"-1\" is not a size"},
        {"KiB", ORCH_ERR_INVALID, 0, "\"KiB\" is not a size"},
        {"10 MB", ORCH_ERR_INVALID, 0, "unknown unit \" MB\" in \"10 MB\""},
        {"10XB", ORCH_ERR_INVALID, 0, "unknown unit \"XB\" in \"10XB\""},
        {"10iB", ORCH_ERR_INVALID, 0, "unknown unit \"iB\" in \"10iB\""},
        {"10KiBx", ORCH_ERR_INVALID, 0, "unknown unit \"KiBx\" in \"10KiBx\""},
        {"10KBB", ORCH_ERR_INVALID, 0, "unknown unit \"KBB\" in \"10KBB\""},
        {"1e3", ORCH_ERR_INVALID, 0, "unknown unit \"e3\" in \"1e3\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t bytes = 77;
        struct orch_error err = ORCH_ERROR_INIT;
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        if (size_parse(text, &bytes, &err) != rows[i].code) fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(size_parse(text, &bytes, NULL), rows[i].code);
        if (rows[i].code == 0) {
            assert_true(bytes == rows[i].bytes);
            struct buf buf;
            buf_init(&buf, NULL, 0);
            size_format(bytes, &buf);
            assert_string_equal(buf.data, rows[i].formatted);
            buf_done(&buf);
        } else {
            assert_int_equal(bytes, 77);
            assert_string_equal(err.message, rows[i].formatted);
        }
        free((void *)(uintptr_t)text.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_length_reads_back),
        cmocka_unit_test(test_format_any),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
