/*
 * duration.c - lengths of time: as definitions write them, in normal form, and for people.
 */
#include "time.h"

#include "error.h"

#define NANOS_MAX (UINT64_C(36525) * 86400 * 1000000000) /* 100 years of 365.25 days */

struct unit {
    const char *name;
    uint64_t nanos;
};

static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* micro sign */
    {"\xce\xbcs", 1000}, /* Greek mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60) * 1000000000},
    {"h", UINT64_C(3600) * 1000000000},
    {"d", UINT64_C(86400) * 1000000000},
    {"w", UINT64_C(604800) * 1000000000},
};

/* What people write instead; only for the hint. */
static const struct {
    const char *name;
    const char *meant;
} other_names[] = {
    {"msec", "ms"},
    {"millis", "ms"},
    {"milliseconds", "ms"},
    {"sec", "s"},
    {"secs", "s"},
    {"second", "s"},
    {"seconds", "s"},
    {"min", "m"},
    {"mins", "m"},
    {"minute", "m"},
    {"minutes", "m"},
    {"hr", "h"},
    {"hrs", "h"},
    {"hour", "h"},
    {"hours", "h"},
    {"day", "d"},
    {"days", "d"},
    {"week", "w"},
    {"weeks", "w"},
    {"S", "s"},
    {"H", "h"},
    {"D", "d"},
    {"W", "w"},
    {"MS", "ms"},
    {"usec", "us"},
    {"microseconds", "us"},
    {"nanoseconds", "ns"},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct orch_str take(struct orch_str *s, size_t size)
{
    struct orch_str front = {s->data, size};
    *s = str_of(s->data + size, s->size - size);
    return front;
}

static struct orch_str take_digits(struct orch_str *s)
{
    size_t size = 0;
    while (size < s->size && is_digit(s->data[size])) size++;
    return take(s, size);
}

/* Digits with an optional fraction; false when there is none. ISO 8601 has the comma as well. */
static bool take_number(struct orch_str *s, bool comma, struct orch_str *ret_whole, struct orch_str *ret_fraction)
{
    *ret_whole = take_digits(s);
    *ret_fraction = STR_NONE;
    if (s->size && (s->data[0] == '.' || (comma && s->data[0] == ','))) {
        take(s, 1);
        *ret_fraction = take_digits(s);
        if (ret_fraction->size == 0) return false;
    }
    return ret_whole->size != 0;
}

enum scaled { SCALED, SCALED_TOO_LARGE, SCALED_NOT_WHOLE };

/* *total += whole.fraction * unit, exactly. */
static enum scaled add_scaled(struct orch_str whole, struct orch_str fraction, uint64_t unit, uint64_t max,
                              uint64_t *total)
{
    uint64_t number = 0;
    if (!str_to_uint64(whole, &number) || number > max / unit) return SCALED_TOO_LARGE;
    uint64_t scaled = number * unit;
    uint64_t part = 0; /* from the last digit on, so that it stays below `unit` */
    for (size_t i = fraction.size; i > 0; i--) {
        part += unit * (uint64_t)(fraction.data[i - 1] - '0');
        if (part % 10 != 0) return SCALED_NOT_WHOLE;
        part /= 10;
    }
    if (part > max - scaled || *total > max - scaled - part) return SCALED_TOO_LARGE;
    *total += scaled + part;
    return SCALED;
}

static int fail(struct orch_error *err, struct orch_str text, const char *what)
{
    return error_set(err, ORCH_ERR_INVALID, "\"%.*s\" %s", STR_ARG(text), what);
}

static int add_part(struct orch_str text, struct orch_str whole, struct orch_str fraction, uint64_t unit,
                    uint64_t *total, struct orch_error *err)
{
    switch (add_scaled(whole, fraction, unit, NANOS_MAX, total)) {
    case SCALED: return 0;
    case SCALED_TOO_LARGE: return error_set(err, ORCH_ERR_LIMIT, "\"%.*s\" is longer than 100 years", STR_ARG(text));
    case SCALED_NOT_WHOLE: break;
    }
    fail(err, text, "is finer than a microsecond");
    error_hint(err, "the shortest step is 1us");
    return ORCH_ERR_INVALID;
}

static int fail_unit(struct orch_error *err, struct orch_str text, struct orch_str number, struct orch_str name)
{
    if (name.size == 0) {
        fail(err, text, "has no unit");
        error_hint(err, "write 10s, 5m or 2h");
        return ORCH_ERR_INVALID;
    }
    if (name.data[0] == ' ') {
        fail(err, text, "has a space in it");
        error_hint(err, "write number and unit together: 10s, 1h30m");
        return ORCH_ERR_INVALID;
    }
    error_set(err, ORCH_ERR_INVALID, "unknown unit \"%.*s\" in \"%.*s\"", STR_ARG(name), STR_ARG(text));
    for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++) {
        if (str_is(name, other_names[i].name)) {
            error_hint(err, "write %.*s%s", STR_ARG(number), other_names[i].meant);
            return ORCH_ERR_INVALID;
        }
    }
    if (str_is(name, "M")) {
        error_hint(err, "m is minutes; months vary in length, so write days: 30d");
    } else if (str_starts_with(name, STR("mo")) || str_starts_with(name, STR("y"))) {
        error_hint(err, "months and years vary in length; write days: 30d");
    } else {
        error_hint(err, "the units are ns, us, ms, s, m, h, d and w");
    }
    return ORCH_ERR_INVALID;
}

/* "1h30m" */
static int parse_plain(struct orch_str text, uint64_t *total, struct orch_error *err)
{
    struct orch_str rest = text;
    while (rest.size) {
        struct orch_str number = rest;
        struct orch_str whole, fraction;
        if (!take_number(&rest, false, &whole, &fraction)) {
            fail(err, text, "is not a duration");
            error_hint(err, "write 10s, 5m or 2h");
            return ORCH_ERR_INVALID;
        }
        number.size = (size_t)(rest.data - number.data);
        size_t size = 0;
        while (size < rest.size && !is_digit(rest.data[size]) && rest.data[size] != '.') size++;
        struct orch_str name = take(&rest, size);
        const struct unit *unit = NULL;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !unit; i++) {
            if (str_is(name, units[i].name)) unit = &units[i];
        }
        if (!unit) return fail_unit(err, text, number, name);
        int r = add_part(text, whole, fraction, unit->nanos, total, err);
        if (r < 0) return r;
    }
    return 0;
}

/* "P1DT12H"; each letter at most once and in this order. */
static int parse_iso(struct orch_str text, uint64_t *total, struct orch_error *err)
{
    static const struct {
        char letter;
        bool is_time; /* behind the T */
        uint64_t seconds;
    } parts[] = {{'W', false, 604800}, {'D', false, 86400}, {'H', true, 3600}, {'M', true, 60}, {'S', true, 1}};
    struct orch_str rest = text;
    take(&rest, 1);
    bool in_time = false;
    bool any = false;
    size_t next = 0; /* of parts: which may still come */
    while (rest.size) {
        if (rest.data[0] == 'T' && !in_time) {
            take(&rest, 1);
            in_time = true;
            any = false; /* a T wants something behind it */
            continue;
        }
        struct orch_str whole, fraction;
        if (!take_number(&rest, true, &whole, &fraction) || rest.size == 0) break;
        char letter = take(&rest, 1).data[0];
        if (letter == 'Y' || (letter == 'M' && !in_time)) {
            fail(err, text, "has years or months, whose length varies");
            error_hint(err, "write days: P30D");
            return ORCH_ERR_INVALID;
        }
        size_t count = sizeof(parts) / sizeof(parts[0]);
        while (next < count && (parts[next].letter != letter || parts[next].is_time != in_time)) next++;
        if (next == count) {
            any = false;
            break;
        }
        int r = add_part(text, whole, fraction, parts[next].seconds * 1000000000, total, err);
        if (r < 0) return r;
        next++;
        any = true;
    }
    if (any && rest.size == 0) return 0;
    fail(err, text, "is not an ISO 8601 duration");
    error_hint(err, "write PT1H30M or P1DT12H, or 1h30m");
    return ORCH_ERR_INVALID;
}

int duration_parse(struct orch_str text, orch_time *ret_us, struct orch_error *err)
{
    if (text.size == 0) {
        error_set(err, ORCH_ERR_INVALID, "a duration is empty");
        error_hint(err, "write 10s, 5m or 2h");
        return ORCH_ERR_INVALID;
    }
    if (text.size > 100) return error_set(err, ORCH_ERR_INVALID, "a duration of more than 100 characters");
    if (text.data[0] == '-') {
        fail(err, text, "is negative");
        error_hint(err, "a duration is 0s or longer");
        return ORCH_ERR_INVALID;
    }
    uint64_t nanos = 0;
    int r = text.data[0] == 'P' ? parse_iso(text, &nanos, err) : parse_plain(text, &nanos, err);
    if (r < 0) return r;
    if (nanos % 1000 != 0) {
        fail(err, text, "is finer than a microsecond");
        error_hint(err, "the shortest step is 1us");
        return ORCH_ERR_INVALID;
    }
    *ret_us = (orch_time)(nanos / 1000);
    return 0;
}

/* number / 10^digits in its shortest form: 1500 with 3 is "1.5". */
static void add_decimal(uint64_t number, int digits, struct buf *buf)
{
    while (digits > 0 && number % 10 == 0) {
        number /= 10;
        digits--;
    }
    uint64_t power = 1;
    for (int i = 0; i < digits; i++) power *= 10;
    buf_printf(buf, "%llu", (unsigned long long)(number / power));
    if (digits > 0) buf_printf(buf, ".%0*llu", digits, (unsigned long long)(number % power));
}

void duration_format(orch_time duration_us, struct buf *buf)
{
    uint64_t us = duration_us < 0 ? 0 - (uint64_t)duration_us : (uint64_t)duration_us;
    if (duration_us < 0) buf_add_char(buf, '-'); /* for messages; does not read back */
    if (us == 0) {
        buf_add(buf, STR("0s"));
        return;
    }
    if (us < 1000000) {
        add_decimal(us, us < 1000 ? 0 : 3, buf);
        buf_add_text(buf, us < 1000 ? "us" : "ms");
        return;
    }
    static const struct {
        uint64_t us;
        char name;
    } large[] = {{UINT64_C(86400000000), 'd'}, {UINT64_C(3600000000), 'h'}, {60000000, 'm'}};
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        if (us < large[i].us) continue;
        buf_printf(buf, "%llu%c", (unsigned long long)(us / large[i].us), large[i].name);
        us %= large[i].us;
    }
    if (us == 0) return;
    add_decimal(us, 6, buf);
    buf_add_char(buf, 's');
}

static uint64_t divide_rounded(uint64_t number, uint64_t by)
{
    return number / by + (number % by >= by - by / 2);
}

void duration_format_short(orch_time duration_us, struct buf *buf)
{
    uint64_t us = duration_us < 0 ? 0 - (uint64_t)duration_us : (uint64_t)duration_us;
    if (duration_us < 0) buf_add_char(buf, '-');
    /* Rounded at each size before it is chosen, so that 59.96 s is 1m00s and not 60.0s. */
    unsigned long long tenths = divide_rounded(us, 100000);
    unsigned long long seconds = divide_rounded(us, 1000000);
    unsigned long long minutes = divide_rounded(us, 60000000);
    unsigned long long hours = divide_rounded(us, UINT64_C(3600000000));
    unsigned long long days = divide_rounded(us, UINT64_C(86400000000));
    if (us < 99500) {
        buf_printf(buf, "%llums", (unsigned long long)divide_rounded(us, 1000));
    } else if (tenths < 600) {
        buf_printf(buf, "%llu.%llus", tenths / 10, tenths % 10);
    } else if (seconds < 3600) {
        buf_printf(buf, "%llum%02llus", seconds / 60, seconds % 60);
    } else if (minutes < 1440) {
        buf_printf(buf, "%lluh%02llum", minutes / 60, minutes % 60);
    } else if (hours < 2400) {
        buf_printf(buf, "%llud%02lluh", hours / 24, hours % 24);
    } else {
        buf_printf(buf, "%llud", days);
    }
}

static bool find_size_unit(struct orch_str name, uint64_t *ret)
{
    uint64_t unit = 1;
    if (name.size) {
        static const char letters[] = "KMGT";
        char letter = name.data[0] >= 'a' && name.data[0] <= 'z' ? (char)(name.data[0] - 'a' + 'A') : name.data[0];
        const char *found = memchr(letters, letter, 4);
        if (found) {
            take(&name, 1);
            uint64_t step = 1000;
            if (name.size && name.data[0] == 'i') {
                step = 1024;
                take(&name, 1);
            }
            for (const char *l = letters; l <= found; l++) unit *= step;
        }
    }
    *ret = unit;
    return name.size == 0 || str_is(name, "B") || str_is(name, "b");
}

int size_parse(struct orch_str text, uint64_t *ret_bytes, struct orch_error *err)
{
    struct orch_str rest = text;
    struct orch_str whole, fraction;
    uint64_t unit;
    uint64_t bytes = 0;
    if (text.size > 100) return error_set(err, ORCH_ERR_INVALID, "a size of more than 100 characters");
    if (!take_number(&rest, false, &whole, &fraction)) {
        error_set(err, ORCH_ERR_INVALID, "\"%.*s\" is not a size", STR_ARG(text));
        error_hint(err, "write 64KiB, 10MB or 1.5GiB");
        return ORCH_ERR_INVALID;
    }
    if (!find_size_unit(rest, &unit)) {
        error_set(err, ORCH_ERR_INVALID, "unknown unit \"%.*s\" in \"%.*s\"", STR_ARG(rest), STR_ARG(text));
        error_hint(err, "the units are B, KB, MB, GB and TB, and KiB, MiB, GiB and TiB; without a space");
        return ORCH_ERR_INVALID;
    }
    switch (add_scaled(whole, fraction, unit, UINT64_MAX, &bytes)) {
    case SCALED: *ret_bytes = bytes; return 0;
    case SCALED_TOO_LARGE: return error_set(err, ORCH_ERR_LIMIT, "\"%.*s\" is larger than 16 EiB", STR_ARG(text));
    case SCALED_NOT_WHOLE: break;
    }
    return fail(err, text, "is not a whole number of bytes");
}

void size_format(uint64_t bytes, struct buf *buf)
{
    static const char letters[] = "KMGTPE";
    if (bytes < 1024) {
        buf_printf(buf, "%u B", (unsigned)bytes);
        return;
    }
    uint64_t unit = 1024;
    uint64_t tenths;
    size_t i = 0;
    /* The next unit also when rounding to a tenth makes 1024 of it. bytes % unit < 2^60, so ten times that fits. */
    for (;; i++, unit *= 1024) {
        tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
        if (tenths < 10240 || letters[i + 1] == '\0') break;
    }
    buf_printf(buf, "%u", (unsigned)(tenths / 10));
    if (tenths % 10) buf_printf(buf, ".%u", (unsigned)(tenths % 10));
    buf_printf(buf, " %ciB", letters[i]);
}
