/*
 * zone.c - a time zone from the bytes of a TZif file (RFC 8536), with the rule of its footer (POSIX TZ).
 */
#include "time.h"

#include "error.h"

#define TZIF_SIZE_MAX     ((size_t)1 << 20)
#define HEADER_SIZE       44
/* RFC 8536, 3.2: offsets are recommended to be more than -25 and less than 26 hours. */
#define OFFSET_MAX        (26 * 3600)
/* The calendar repeats, weekdays included. */
#define SECONDS_400_YEARS (INT64_C(146097) * 86400)

enum rule_kind { RULE_JULIAN, RULE_DAY, RULE_WEEK };

/* When summer time begins or ends: "J60", "59" or "M3.5.0", then the local time of day. */
struct rule_date {
    enum rule_kind kind;
    int32_t month; /* WEEK: 1..12 */
    int32_t week;  /* WEEK: 1..5, 5 is the last */
    int32_t day;   /* WEEK: 0..6, 0 is Sunday; JULIAN: 1..365, without February 29; DAY: 0..365 */
    int32_t time;  /* seconds after midnight, -167 to 167 hours (RFC 8536, 3.3.1) */
};

struct rule {
    int32_t offset; /* of standard time, seconds east */
    int32_t offset_dst;
    bool has_dst;
    struct rule_date start;
    struct rule_date end;
};

struct zone_type {
    int32_t offset;
    bool is_dst;
};

struct zone {
    uint32_t count;             /* of transitions */
    const int64_t *times;       /* ascending */
    const uint8_t *types_after; /* the type from each transition on */
    const struct zone_type *types;
    bool has_rule;
    struct rule rule; /* for all after the last transition */
};

static uint32_t load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t load_i64(const unsigned char *p)
{
    return (int64_t)((uint64_t)load_u32(p) << 32 | load_u32(p + 4));
}

/*
 * The footer.
 */
static bool take_char(struct orch_str *s, char c)
{
    if (s->size == 0 || s->data[0] != c) return false;
    *s = str_of(s->data + 1, s->size - 1);
    return true;
}

static bool take_number(struct orch_str *s, int32_t max, int32_t *ret)
{
    int32_t number = 0;
    size_t size = 0;
    for (; size < s->size && s->data[size] >= '0' && s->data[size] <= '9'; size++) {
        if (size == 3) return false;
        number = number * 10 + (s->data[size] - '0');
    }
    if (size == 0 || number > max) return false;
    *s = str_of(s->data + size, s->size - size);
    *ret = number;
    return true;
}

/* "CET" or "<+0330>" */
static bool take_name(struct orch_str *s)
{
    bool quoted = take_char(s, '<');
    size_t size = 0;
    for (; size < s->size; size++) {
        char c = s->data[size];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool is_quoted = (c >= '0' && c <= '9') || c == '+' || c == '-';
        if (!is_letter && !(quoted && is_quoted)) break;
    }
    if (size < 3) return false;
    *s = str_of(s->data + size, s->size - size);
    return !quoted || take_char(s, '>');
}

/* "[+-]hh[:mm[:ss]]" */
static bool take_time(struct orch_str *s, int32_t hours_max, int32_t *ret)
{
    bool negative = take_char(s, '-');
    if (!negative) take_char(s, '+');
    int32_t hours;
    int32_t minutes = 0;
    int32_t seconds = 0;
    if (!take_number(s, hours_max, &hours)) return false;
    if (take_char(s, ':')) {
        if (!take_number(s, 59, &minutes)) return false;
        if (take_char(s, ':') && !take_number(s, 59, &seconds)) return false;
    }
    int32_t total = hours * 3600 + minutes * 60 + seconds;
    *ret = negative ? -total : total;
    return true;
}

static bool take_date(struct orch_str *s, struct rule_date *ret)
{
    *ret = (struct rule_date){.time = 2 * 3600};
    if (!take_char(s, ',')) return false;
    if (take_char(s, 'M')) {
        ret->kind = RULE_WEEK;
        if (!take_number(s, 12, &ret->month) || !take_char(s, '.') || !take_number(s, 5, &ret->week) ||
            !take_char(s, '.') || !take_number(s, 6, &ret->day) || ret->month < 1 || ret->week < 1) {
            return false;
        }
    } else if (take_char(s, 'J')) {
        ret->kind = RULE_JULIAN;
        if (!take_number(s, 365, &ret->day) || ret->day < 1) return false;
    } else {
        ret->kind = RULE_DAY;
        if (!take_number(s, 365, &ret->day)) return false;
    }
    return !take_char(s, '/') || take_time(s, 167, &ret->time);
}

/* Offsets in this text count west. */
static bool parse_rule(struct orch_str s, struct rule *ret)
{
    int32_t west;
    *ret = (struct rule){0};
    if (!take_name(&s) || !take_time(&s, 24, &west)) return false;
    ret->offset = -west;
    if (s.size == 0) return true;
    ret->has_dst = true;
    ret->offset_dst = ret->offset + 3600;
    if (!take_name(&s)) return false;
    if (s.size && s.data[0] != ',') {
        if (!take_time(&s, 24, &west)) return false;
        ret->offset_dst = -west;
    }
    return take_date(&s, &ret->start) && take_date(&s, &ret->end) && s.size == 0;
}

/* The moment of a date in a year, as local time taken as UTC. */
static int64_t date_in_year(const struct rule_date *date, int32_t year)
{
    int64_t days = civil_to_days(year, 1, 1);
    switch (date->kind) {
    case RULE_DAY: days += date->day; break;
    case RULE_JULIAN: {
        bool leap = civil_to_days(year + 1, 1, 1) - days == 366;
        days += date->day - 1 + (leap && date->day >= 60);
        break;
    }
    case RULE_WEEK: {
        days = civil_to_days(year, date->month, 1);
        int64_t weekday = ((days + 4) % 7 + 7) % 7;
        int64_t next_month =
            date->month == 12 ? civil_to_days(year + 1, 1, 1) : civil_to_days(year, date->month + 1, 1);
        days += (date->day - weekday + 7) % 7 + (date->week - 1) * 7;
        while (days >= next_month) days -= 7;
        break;
    }
    }
    return days * 86400 + date->time;
}

static bool rule_is_dst(const struct rule *rule, int64_t seconds)
{
    if (!rule->has_dst) return false;
    seconds %= SECONDS_400_YEARS;
    struct civil civil;
    civil_from_seconds(seconds + rule->offset, &civil);
    /* A date may be pushed over the turn of the year by its time, so the changes of three years are looked at: the
     * latest counts. */
    int64_t latest = INT64_MIN;
    bool is_dst = false;
    for (int32_t year = civil.year - 1; year <= civil.year + 1; year++) {
        int64_t end = date_in_year(&rule->end, year) - rule->offset_dst;
        int64_t start = date_in_year(&rule->start, year) - rule->offset;
        if (end <= seconds && end > latest) {
            latest = end;
            is_dst = false;
        }
        /* At one moment with an end, the start counts: that is how summer time all year is written. */
        if (start <= seconds && start >= latest) {
            latest = start;
            is_dst = true;
        }
    }
    return is_dst;
}

/*
 * The file.
 */
struct block {
    uint32_t isutc_count;
    uint32_t isstd_count;
    uint32_t leap_count;
    uint32_t time_count;
    uint32_t type_count;
    uint32_t char_count;
    size_t size; /* of the data behind the header */
};

/* A header; time_size is 4 in the first block and 8 in the second. */
static bool parse_header(struct orch_str s, size_t time_size, struct block *ret)
{
    if (s.size < HEADER_SIZE || memcmp(s.data, "TZif", 4) != 0) return false;
    const unsigned char *p = (const unsigned char *)s.data + 20;
    uint32_t counts[6];
    for (int i = 0; i < 6; i++) {
        counts[i] = load_u32(p + 4 * i);
        if (counts[i] > TZIF_SIZE_MAX) return false; /* so that the sum below cannot overflow */
    }
    *ret = (struct block){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], 0};
    ret->size = ret->time_count * (time_size + 1) + ret->type_count * (size_t)6 + ret->char_count +
                ret->leap_count * (time_size + 4) + ret->isstd_count + ret->isutc_count;
    return s.size - HEADER_SIZE >= ret->size;
}

static int invalid(struct orch_error *err, const char *what)
{
    return error_set(err, ORCH_ERR_INVALID, "not a time zone file: %s", what);
}

static int parse_types(const unsigned char *data, const struct block *block, struct zone_type *types,
                       struct orch_error *err)
{
    for (uint32_t i = 0; i < block->type_count; i++, data += 6) {
        types[i].offset = (int32_t)load_u32(data);
        types[i].is_dst = data[4] != 0;
        if (types[i].offset < -OFFSET_MAX || types[i].offset > OFFSET_MAX || data[4] > 1) {
            return invalid(err, "an offset is out of range");
        }
    }
    return 0;
}

static int parse_times(const unsigned char *data, const struct block *block, int64_t *times, uint8_t *types_after,
                       struct orch_error *err)
{
    const unsigned char *indexes = data + (size_t)block->time_count * 8;
    for (uint32_t i = 0; i < block->time_count; i++) {
        times[i] = load_i64(data + (size_t)i * 8);
        types_after[i] = indexes[i];
        if (i && times[i] <= times[i - 1]) return invalid(err, "its transitions are not in order");
        if (types_after[i] >= block->type_count) return invalid(err, "a transition is to a type that is not there");
    }
    return 0;
}

static int parse_footer(struct orch_str s, struct zone *zone, struct orch_error *err)
{
    if (!take_char(&s, '\n')) return invalid(err, "its footer is missing");
    size_t end = str_find(s, STR("\n"), 0);
    if (end == SIZE_MAX) return invalid(err, "its footer is not closed");
    s.size = end;
    zone->has_rule = s.size != 0;
    if (zone->has_rule && !parse_rule(s, &zone->rule)) return invalid(err, "the rule in its footer is malformed");
    return 0;
}

int zone_parse(struct orch_str tzif, struct arena *arena, const struct zone **ret, struct orch_error *err)
{
    struct block block;
    if (tzif.size > TZIF_SIZE_MAX) return invalid(err, "it is too large");
    if (!parse_header(tzif, 4, &block)) return invalid(err, "its first header is malformed");
    if (tzif.data[4] < '2') return invalid(err, "it is of version 1, without 64-bit times");
    size_t first = HEADER_SIZE + block.size;
    tzif = str_of(tzif.data + first, tzif.size - first);
    if (!parse_header(tzif, 8, &block)) return invalid(err, "its second header is malformed");
    if (block.type_count == 0 || block.type_count > 256) return invalid(err, "its number of types is out of range");
    if (block.leap_count != 0) return invalid(err, "it counts leap seconds");

    struct zone *zone = ARENA_NEW(arena, struct zone);
    int64_t *times = ARENA_ARRAY(arena, block.time_count, int64_t);
    uint8_t *types_after = ARENA_ARRAY(arena, block.time_count, uint8_t);
    struct zone_type *types = ARENA_ARRAY(arena, block.type_count, struct zone_type);
    if (!zone || !times || !types_after || !types) return error_memory(err);
    *zone = (struct zone){.count = block.time_count, .times = times, .types_after = types_after, .types = types};

    const unsigned char *data = (const unsigned char *)tzif.data + HEADER_SIZE;
    int r = parse_times(data, &block, times, types_after, err);
    if (r == 0) r = parse_types(data + (size_t)block.time_count * 9, &block, types, err);
    size_t second = HEADER_SIZE + block.size;
    if (r == 0) r = parse_footer(str_of(tzif.data + second, tzif.size - second), zone, err);
    if (r < 0) return r;
    *ret = zone;
    return 0;
}

int32_t zone_offset_at(const struct zone *zone, int64_t seconds, bool *ret_is_dst)
{
    struct zone_type type;
    if (zone->has_rule && (zone->count == 0 || seconds >= zone->times[zone->count - 1])) {
        type.is_dst = rule_is_dst(&zone->rule, seconds);
        type.offset = type.is_dst ? zone->rule.offset_dst : zone->rule.offset;
    } else {
        /* The number of transitions at or before the moment. */
        uint32_t low = 0;
        uint32_t high = zone->count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (zone->times[middle] <= seconds) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        /* RFC 8536, 3.2: before the first transition type 0 is in force. */
        type = zone->types[low ? zone->types_after[low - 1] : 0];
    }
    if (ret_is_dst) *ret_is_dst = type.is_dst;
    return type.offset;
}

bool zone_parse_offset(struct orch_str text, int32_t *ret_seconds)
{
    if (str_is(text, "Z") || str_is(text, "UTC")) {
        *ret_seconds = 0;
        return true;
    }
    bool negative = take_char(&text, '-');
    if (!negative) take_char(&text, '+');
    /* hh:mm or hhmm */
    if (text.size != 4 && !(text.size == 5 && text.data[2] == ':')) return false;
    struct orch_str hours_text = {text.data, 2};
    struct orch_str minutes_text = {text.data + text.size - 2, 2};
    int32_t hours;
    int32_t minutes;
    if (!take_number(&hours_text, 23, &hours) || hours_text.size) return false;
    if (!take_number(&minutes_text, 59, &minutes) || minutes_text.size) return false;
    int32_t seconds = hours * 3600 + minutes * 60;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}
