/*
 * time.h - arithmetic on moments and durations, and their texts. Reads no clock and no zone file.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "arena.h"

/* A moment in the proleptic Gregorian calendar. */
struct civil {
    int32_t year;
    uint8_t month; /* 1..12 */
    uint8_t day;   /* 1..31 */
    uint8_t hour;  /* 0..23 */
    uint8_t minute;
    uint8_t second;   /* 0..59: no leap seconds */
    uint8_t weekday;  /* 0 is Sunday; an answer, ignored as input */
    uint16_t yearday; /* 0 is January 1; an answer, ignored as input */
};

/* Days since 1970-01-01. Source: Howard Hinnant, "chrono-compatible low-level date algorithms". */
int64_t civil_to_days(int32_t year, int month, int day);
/* Seconds since 1970 UTC of a civil time that is taken as UTC. */
int64_t civil_to_seconds(const struct civil *civil);
void civil_from_seconds(int64_t seconds, struct civil *ret);

/*
 * RFC 3339 with any number of fraction digits (beyond nanoseconds refused), "T" or "t" or a space, "Z" or an offset.
 * Returns 0 or ORCH_ERR_INVALID.
 */
int time_parse_rfc3339(struct orch_str text, int64_t *ret_seconds, int32_t *ret_nanos);
/* "2026-03-01T06:00:08.312Z": fraction of 0, 3, 6 or 9 digits as needed. Years 1 to 9999. */
void time_format_rfc3339(int64_t seconds, int32_t nanos, struct buf *buf);
/* The same from microseconds; always 3 digits of fraction when millis is true, else as needed. */
void time_format(orch_time time, bool millis, struct buf *buf);
/* Whole text to microseconds; ORCH_ERR_INVALID, or ORCH_ERR_LIMIT beyond what orch_time holds. */
int time_parse(struct orch_str text, orch_time *ret);

/*
 * Durations as definitions write them: one or more of number and unit without spaces, "500ms" "1h30m"
 * "1.5s" "2d" "1w" (ns us ms s m h d w), a plain number is refused (the error says to add a unit); or
 * ISO 8601 "PT1H30M", "P1DT12H", "P1W" (years and months refused: their length varies). Not negative.
 * Returns 0; ORCH_ERR_INVALID with message and hint; ORCH_ERR_LIMIT above 100 years.
 */
int duration_parse(struct orch_str text, orch_time *ret_us, struct orch_error *err);
/* The normal form: "1h30m", "1.5s", "250ms", "0s"; exact, reads back the same. */
void duration_format(orch_time duration_us, struct buf *buf);
/* For people, at most 6 characters or so: "0.4s" "12.4s" "3m02s" "1h05m" "2d03h". */
void duration_format_short(orch_time duration_us, struct buf *buf);

/* Sizes "64KiB" "10MB" "1.5GiB" "512" (bytes; B K M G T with i for 1024). Returns 0, ORCH_ERR_INVALID, ORCH_ERR_LIMIT.
 */
int size_parse(struct orch_str text, uint64_t *ret_bytes, struct orch_error *err);
void size_format(uint64_t bytes, struct buf *buf); /* "1.2 GiB", for people */

/*
 * A time zone from the bytes of a TZif file (RFC 8536, version 2 or later, with its footer rule).
 * The bytes are handed in: the pure floors open no file.
 */
struct zone;
/* Everything is copied into the arena. ORCH_ERR_INVALID for bytes that are no TZif. */
int zone_parse(struct orch_str tzif, struct arena *arena, const struct zone **ret, struct orch_error *err);
/* Offset from UTC in seconds in force at a moment; ret_is_dst may be NULL. */
int32_t zone_offset_at(const struct zone *zone, int64_t seconds, bool *ret_is_dst);
/* A fixed offset "+02:00", "-0330", "02:00", "Z", "UTC" to seconds. Returns false when it is none. */
bool zone_parse_offset(struct orch_str text, int32_t *ret_seconds);

#endif
