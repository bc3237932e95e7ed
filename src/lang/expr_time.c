/*
 * expr_time.c - timestamps and durations: from text, arithmetic, and their parts in a time zone.
 *
 * Timestamps go from year 1 to year 9999; durations fit int64 nanoseconds, about 292 years, as in cel-go, which
 * the conformance tests presume. Beyond is "range error".
 */
#include "lang/expr_internal.h"

#define TIMESTAMP_MIN INT64_C(-62135596800)
#define TIMESTAMP_MAX INT64_C(253402300799)
#define NANOS         INT64_C(1000000000)

#define SHOWN(s) (int)((s).size > 60 ? 60 : (s).size), (s).data

typedef __int128 nanos128;

static nanos128 total_nanos(struct value v)
{
    return (nanos128)v.seconds * NANOS + value_nanos(v);
}

static int make_duration(struct eval *eval, const struct node *node, nanos128 nanos, struct value *ret)
{
    if (nanos < INT64_MIN || nanos > INT64_MAX)
        return expr_fail(eval, node, "range error: the duration is beyond 292 years");
    *ret = value_duration((int64_t)(nanos / NANOS), (int32_t)(nanos % NANOS));
    return 0;
}

static int make_timestamp(struct eval *eval, const struct node *node, nanos128 nanos, struct value *ret)
{
    nanos128 seconds = nanos / NANOS, rest = nanos % NANOS;
    if (rest < 0) {
        rest += NANOS;
        seconds--;
    }
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX)
        return expr_fail(eval, node, "range error: the timestamp is outside the years 1 to 9999");
    *ret = value_timestamp((int64_t)seconds, (int32_t)rest);
    return 0;
}

int expr_time_add(struct eval *eval, const struct node *node, struct value a, struct value b, bool subtract,
                  struct value *ret, bool *ret_done)
{
    bool a_moment = a.kind == VALUE_TIMESTAMP, b_moment = b.kind == VALUE_TIMESTAMP;
    bool a_length = a.kind == VALUE_DURATION, b_length = b.kind == VALUE_DURATION;
    *ret_done =
        (a_length && b_length) || (a_moment && b_length) || (subtract ? a_moment && b_moment : a_length && b_moment);
    if (!*ret_done) return 0;
    nanos128 sum = subtract ? total_nanos(a) - total_nanos(b) : total_nanos(a) + total_nanos(b);
    return a_moment == b_moment ? make_duration(eval, node, sum, ret) : make_timestamp(eval, node, sum, ret);
}

/* ---- from text ---- */

/* Go's time.ParseDuration: [-+] then numbers with units; d and w are extensions. Total in nanoseconds; 0, INVALID or
 * LIMIT. */
static int parse_duration(struct orch_str s, nanos128 *ret)
{
    static const struct {
        const char *unit;
        int64_t nanos;
    } units[] = {
        {"ns", 1},    {"us", 1000},      {"\xC2\xB5s", 1000}, {"\xCE\xBCs", 1000},  {"ms", 1000000},
        {"s", NANOS}, {"m", 60 * NANOS}, {"h", 3600 * NANOS}, {"d", 86400 * NANOS}, {"w", 604800 * NANOS},
    };
    const nanos128 max = (nanos128)INT64_MAX + 1;
    size_t at = 0;
    bool negative = false;
    nanos128 total = 0;
    if (at < s.size && (s.data[at] == '-' || s.data[at] == '+')) negative = s.data[at++] == '-';
    if (at == s.size) return ORCH_ERR_INVALID;
    if (s.size - at == 1 && s.data[at] == '0') {
        *ret = 0;
        return 0;
    }
    while (at < s.size) {
        nanos128 whole = 0;
        int64_t fraction = 0, scale = 1;
        bool digits = false;
        for (; at < s.size && s.data[at] >= '0' && s.data[at] <= '9'; at++, digits = true) {
            whole = whole * 10 + (s.data[at] - '0');
            if (whole > max) return ORCH_ERR_LIMIT;
        }
        if (at < s.size && s.data[at] == '.') {
            for (at++; at < s.size && s.data[at] >= '0' && s.data[at] <= '9'; at++, digits = true) {
                if (scale > INT64_C(100000000000000)) continue; /* finer than a nanosecond of a week */
                fraction = fraction * 10 + (s.data[at] - '0');
                scale *= 10;
            }
        }
        size_t start = at;
        while (at < s.size && s.data[at] != '.' && !(s.data[at] >= '0' && s.data[at] <= '9')) at++;
        struct orch_str unit = str_of(s.data + start, at - start);
        size_t i = 0, count = sizeof(units) / sizeof(units[0]);
        while (i < count && !str_is(unit, units[i].unit)) i++;
        if (!digits || i == count) return ORCH_ERR_INVALID;
        total += whole * units[i].nanos + (nanos128)fraction * units[i].nanos / scale;
        if (total > max) return ORCH_ERR_LIMIT;
    }
    *ret = negative ? -total : total;
    return *ret > INT64_MAX ? ORCH_ERR_LIMIT : 0;
}

FUNCTION(function_duration)
{
    (void)count;
    if (args[0].kind == VALUE_DURATION) {
        *ret = args[0];
        return 0;
    }
    struct orch_str s = value_str(args[0]);
    nanos128 nanos;
    int rc = parse_duration(s, &nanos);
    if (rc == 0) return make_duration(eval, node, nanos, ret);
    if (rc == ORCH_ERR_LIMIT) return expr_fail(eval, node, "range error: the duration is beyond 292 years");
    rc = expr_fail(eval, node, "invalid duration '%.*s'", SHOWN(s));
    expr_hint(eval, "write a number with its unit, such as 90s, 1h30m or 1.5s");
    return rc;
}

FUNCTION(function_timestamp)
{
    (void)count;
    struct value v = args[0];
    if (v.kind == VALUE_TIMESTAMP) {
        *ret = v;
        return 0;
    }
    if (v.kind == VALUE_INT) return make_timestamp(eval, node, (nanos128)v.integer * NANOS, ret);
    int64_t seconds;
    int32_t nanos;
    struct orch_str s = value_str(v);
    if (time_parse_rfc3339(s, &seconds, &nanos) != 0) {
        int rc = expr_fail(eval, node, "invalid timestamp '%.*s': no RFC 3339, or out of its range", SHOWN(s));
        expr_hint(eval, "write it as 2026-03-01T06:00:00Z");
        return rc;
    }
    return make_timestamp(eval, node, (nanos128)seconds * NANOS + nanos, ret);
}

/* ---- parts ---- */

static int zone_offset(struct eval *eval, const struct node *node, struct orch_str name, int64_t seconds,
                       int32_t *ret_offset)
{
    if (name.size == 0 || str_is(name, "UTC")) {
        *ret_offset = 0;
        return 0;
    }
    if (zone_parse_offset(name, ret_offset)) return 0;
    if (!eval->zone || !str_equal(eval->zone_name, name)) {
        struct orch_str tzif;
        int rc = eval->env && eval->env->zone ? eval->env->zone(eval->env->user, name, &tzif) : ORCH_ERR_NOT_FOUND;
        if (rc == ORCH_ERR_NO_MEMORY) return expr_fail_memory(eval);
        if (rc == 0) rc = expr_cost(eval, node, tzif.size / EXPR_COST_BYTES);
        if (rc == ORCH_ERR_LIMIT) return rc;
        if (rc == 0) rc = zone_parse(tzif, eval->arena, &eval->zone, NULL);
        if (rc == ORCH_ERR_NO_MEMORY) return expr_fail_memory(eval);
        if (rc != 0) {
            rc = expr_fail(eval, node, "unknown time zone: %.*s", SHOWN(name));
            expr_hint(eval, "a name such as Europe/Berlin, or an offset such as +02:00");
            return rc;
        }
        eval->zone_name = name;
    }
    *ret_offset = zone_offset_at(eval->zone, seconds, NULL);
    return 0;
}

/* The calendar of a moment, in the zone that the second argument names. */
static int calendar(struct eval *eval, const struct node *node, const struct value *args, uint32_t count,
                    struct civil *ret)
{
    int32_t offset = 0;
    if (args[0].kind != VALUE_TIMESTAMP) return expr_fail_call(eval, node, args, count);
    if (count > 1) {
        int rc = zone_offset(eval, node, value_str(args[1]), args[0].seconds, &offset);
        if (rc != 0) return rc;
    }
    civil_from_seconds(args[0].seconds + offset, ret);
    return 0;
}

#define CALENDAR_FUNCTION(name, part)                       \
    FUNCTION(name)                                          \
    {                                                       \
        struct civil civil;                                 \
        int rc = calendar(eval, node, args, count, &civil); \
        if (rc == 0) *ret = value_int(part);                \
        return rc;                                          \
    }

CALENDAR_FUNCTION(function_get_full_year, civil.year)
CALENDAR_FUNCTION(function_get_month, civil.month - 1)
CALENDAR_FUNCTION(function_get_date, civil.day)
CALENDAR_FUNCTION(function_get_day_of_month, civil.day - 1)
CALENDAR_FUNCTION(function_get_day_of_week, civil.weekday)
CALENDAR_FUNCTION(function_get_day_of_year, civil.yearday)

/* Of a duration: the whole of it in this unit, but the milliseconds only as the part beyond seconds. */
static bool duration_part(const struct value *args, uint32_t count, int64_t unit, struct value *ret)
{
    if (args[0].kind != VALUE_DURATION || count > 1) return false;
    *ret = value_int(args[0].seconds / unit);
    return true;
}

FUNCTION(function_get_hours)
{
    if (duration_part(args, count, 3600, ret)) return 0;
    struct civil civil;
    int rc = calendar(eval, node, args, count, &civil);
    if (rc == 0) *ret = value_int(civil.hour);
    return rc;
}

FUNCTION(function_get_minutes)
{
    if (duration_part(args, count, 60, ret)) return 0;
    struct civil civil;
    int rc = calendar(eval, node, args, count, &civil);
    if (rc == 0) *ret = value_int(civil.minute);
    return rc;
}

FUNCTION(function_get_seconds)
{
    if (duration_part(args, count, 1, ret)) return 0;
    struct civil civil;
    int rc = calendar(eval, node, args, count, &civil);
    if (rc == 0) *ret = value_int(civil.second);
    return rc;
}

FUNCTION(function_get_milliseconds)
{
    if (args[0].kind != VALUE_DURATION || count > 1) {
        struct civil civil; /* only to check the zone */
        int rc = calendar(eval, node, args, count, &civil);
        if (rc != 0) return rc;
    }
    *ret = value_int(value_nanos(args[0]) / 1000000);
    return 0;
}
