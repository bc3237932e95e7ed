/*
 * time.c - the calendar, and RFC 3339.
 */
#include "time.h"

/* Source: Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil: years begin in March, eras
 * are 400 years. */
int64_t civil_to_days(int32_t year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t civil_to_seconds(const struct civil *civil)
{
    return civil_to_days(civil->year, civil->month, civil->day) * 86400 + civil->hour * 3600 + civil->minute * 60 +
           civil->second;
}

void civil_from_seconds(int64_t seconds, struct civil *ret)
{
    int64_t days = seconds / 86400;
    int32_t rest = (int32_t)(seconds % 86400);
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    /* civil_from_days, same source. */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    int32_t year = (int32_t)(year_of_era + era * 400 + (month <= 2));
    int64_t weekday = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    *ret = (struct civil){
        .year = year,
        .month = (uint8_t)month,
        .day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = (uint8_t)(rest / 3600),
        .minute = (uint8_t)(rest / 60 % 60),
        .second = (uint8_t)(rest % 60),
        .weekday = (uint8_t)(weekday < 0 ? weekday + 7 : weekday),
        .yearday = (uint16_t)(days - civil_to_days(year, 1, 1)),
    };
}

/* Exactly `count` digits at the front. */
static bool take_digits(struct orch_str *s, size_t count, int *ret)
{
    if (s->size < count) return false;
    int number = 0;
    for (size_t i = 0; i < count; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') return false;
        number = number * 10 + (s->data[i] - '0');
    }
    *s = str_of(s->data + count, s->size - count);
    *ret = number;
    return true;
}

static bool take_one_of(struct orch_str *s, const char *characters)
{
    if (s->size == 0 || s->data[0] == '\0' || !strchr(characters, s->data[0])) return false;
    *s = str_of(s->data + 1, s->size - 1);
    return true;
}

static bool take_fraction(struct orch_str *s, int32_t *ret_nanos)
{
    size_t count = 0;
    int32_t nanos = 0;
    for (; count < s->size && s->data[count] >= '0' && s->data[count] <= '9'; count++) {
        if (count == 9) return false;
        nanos = nanos * 10 + (s->data[count] - '0');
    }
    if (count == 0) return false;
    *s = str_of(s->data + count, s->size - count);
    for (; count < 9; count++) nanos *= 10;
    *ret_nanos = nanos;
    return true;
}

/* "Z" or "+hh:mm", all that is left. */
static bool take_offset(struct orch_str *s, int32_t *ret_seconds)
{
    if (take_one_of(s, "Zz")) {
        *ret_seconds = 0;
        return s->size == 0;
    }
    bool negative = s->size && s->data[0] == '-';
    int hours;
    int minutes;
    if (!take_one_of(s, "+-") || !take_digits(s, 2, &hours) || !take_one_of(s, ":") || !take_digits(s, 2, &minutes)) {
        return false;
    }
    if (hours > 23 || minutes > 59 || s->size) return false;
    int32_t seconds = hours * 3600 + minutes * 60;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

#define SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

int time_parse_rfc3339(struct orch_str text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    int year, month, day, hour, minute, second;
    if (!take_digits(&text, 4, &year) || !take_one_of(&text, "-") || !take_digits(&text, 2, &month) ||
        !take_one_of(&text, "-") || !take_digits(&text, 2, &day) || !take_one_of(&text, "Tt ") ||
        !take_digits(&text, 2, &hour) || !take_one_of(&text, ":") || !take_digits(&text, 2, &minute) ||
        !take_one_of(&text, ":") || !take_digits(&text, 2, &second)) {
        return ORCH_ERR_INVALID;
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return ORCH_ERR_INVALID;
    if (hour > 23 || minute > 59 || second > 59) return ORCH_ERR_INVALID;
    int32_t nanos = 0;
    int32_t offset;
    if (take_one_of(&text, ".") && !take_fraction(&text, &nanos)) return ORCH_ERR_INVALID;
    if (!take_offset(&text, &offset)) return ORCH_ERR_INVALID;
    int64_t seconds = civil_to_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return ORCH_ERR_INVALID;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return 0;
}

static char *put_digits(char *out, uint32_t number, int count)
{
    for (int i = count; i > 0; i--, number /= 10) out[i - 1] = (char)('0' + number % 10);
    return out + count;
}

static void format_moment(int64_t seconds, int32_t nanos, int fraction_digits, struct buf *buf)
{
    struct civil civil;
    civil_from_seconds(seconds, &civil);
    if (civil.year < 0 || civil.year > 9999) {
        /* Beyond RFC 3339; ISO 8601 puts a sign before such a year. */
        buf_printf(buf, "%+05d", (int)civil.year);
    } else {
        char year[4];
        put_digits(year, (uint32_t)civil.year, 4);
        buf_add(buf, str_of(year, 4));
    }
    char text[32] = "-";
    char *out = put_digits(text + 1, civil.month, 2);
    *out++ = '-';
    out = put_digits(out, civil.day, 2);
    *out++ = 'T';
    out = put_digits(out, civil.hour, 2);
    *out++ = ':';
    out = put_digits(out, civil.minute, 2);
    *out++ = ':';
    out = put_digits(out, civil.second, 2);
    if (fraction_digits) {
        uint32_t fraction = (uint32_t)nanos;
        for (int i = fraction_digits; i < 9; i++) fraction /= 10;
        *out++ = '.';
        out = put_digits(out, fraction, fraction_digits);
    }
    *out++ = 'Z';
    buf_add(buf, str_of(text, (size_t)(out - text)));
}

static int fraction_digits_of(int32_t nanos)
{
    if (nanos == 0) return 0;
    return nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
}

void time_format_rfc3339(int64_t seconds, int32_t nanos, struct buf *buf)
{
    format_moment(seconds, nanos, fraction_digits_of(nanos), buf);
}

void time_format(orch_time time, bool millis, struct buf *buf)
{
    int64_t seconds = time / ORCH_SECOND;
    int64_t micros = time % ORCH_SECOND;
    if (micros < 0) {
        micros += ORCH_SECOND;
        seconds--;
    }
    int32_t nanos = (int32_t)micros * 1000;
    format_moment(seconds, nanos, millis ? 3 : fraction_digits_of(nanos), buf);
}

int time_parse(struct orch_str text, orch_time *ret)
{
    int64_t seconds;
    int32_t nanos;
    int r = time_parse_rfc3339(text, &seconds, &nanos);
    if (r < 0) return r;
    *ret = seconds * ORCH_SECOND + nanos / 1000; /* years 1 to 9999 are well inside */
    return 0;
}
