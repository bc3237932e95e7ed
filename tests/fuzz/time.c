/* time.c - fuzzes the texts of durations, sizes, moments and offsets, and TZif: what is read is written, and reads as
 * the same. */
#include "fuzz.h"

#include "base/time.h"

static void fuzz_duration(struct orch_str text)
{
    struct orch_error err = ORCH_ERROR_INIT;
    orch_time duration, again;
    struct buf out;
    int r = duration_parse(text, &duration, &err);

    if (r != 0) {
        expect_error(r, &err);
        return;
    }
    PROPERTY(duration >= 0);
    buf_init(&out, NULL, 0);
    duration_format(duration, &out);
    PROPERTY(duration_parse(buf_str(&out), &again, &err) == 0 && again == duration);
    duration_format_short(duration, &out);
    buf_done(&out);
}

static void fuzz_moment(struct orch_str text)
{
    int64_t seconds, seconds_again;
    int32_t nanos, nanos_again;
    orch_time time, again;
    struct buf out;

    buf_init(&out, NULL, 0);
    if (time_parse_rfc3339(text, &seconds, &nanos) == 0) {
        PROPERTY(nanos >= 0 && nanos < 1000000000);
        time_format_rfc3339(seconds, nanos, &out);
        PROPERTY(time_parse_rfc3339(buf_str(&out), &seconds_again, &nanos_again) == 0);
        PROPERTY(seconds == seconds_again && nanos == nanos_again);
    }
    buf_clear(&out);
    if (time_parse(text, &time) == 0) {
        time_format(time, false, &out);
        PROPERTY(time_parse(buf_str(&out), &again) == 0 && again == time);
    }
    buf_done(&out);
}

static void fuzz_size(struct orch_str text)
{
    struct orch_error err = ORCH_ERROR_INIT;
    uint64_t bytes;
    struct buf out;
    int r = size_parse(text, &bytes, &err);

    if (r != 0) {
        expect_error(r, &err);
        return;
    }
    buf_init(&out, NULL, 0);
    size_format(bytes, &out);
    buf_done(&out);
}

static void fuzz_zone(struct orch_str tzif)
{
    static const int64_t moments[] = {INT64_MIN, -1, 0, 1772344808, INT64_C(253402300799), INT64_MAX};
    struct orch_error err = ORCH_ERROR_INIT;
    const struct zone *zone;
    struct arena arena;
    bool is_dst;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    r = zone_parse(tzif, &arena, &zone, &err);
    if (r != 0) expect_error(r, &err);
    for (size_t i = 0; r == 0 && i < sizeof(moments) / sizeof(moments[0]); i++)
        (void)zone_offset_at(zone, moments[i], &is_dst);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct orch_str text = str_of((const char *)data, size);
    int32_t offset;

    fuzz_duration(text);
    fuzz_moment(text);
    fuzz_size(text);
    fuzz_zone(text);
    if (zone_parse_offset(text, &offset)) PROPERTY(offset > -86400 && offset < 86400);
    return 0;
}
