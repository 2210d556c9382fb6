/* date.h - RFC 3339 text and Unix time in milliseconds, both ways. Pure.
 *
 * Times are milliseconds since 1970-01-01T00:00:00Z, without leap seconds, from year 0000 to
 * 9999. Formatting always prints UTC with Z. Parsing is strict: YYYY-MM-DDTHH:MM:SS, an optional
 * fraction (any number of digits; below milliseconds is cut off), then Z or +HH:MM; `t`, `z` and a
 * blank for T are taken as RFC 3339 5.6 allows; a second of 60 is taken as the next minute. */
#ifndef RELAIS_PROTO_BASE_DATE_H
#define RELAIS_PROTO_BASE_DATE_H
#include "proto/base/bytes.h"

enum { DATE_TEXT_MAX = 32 }; /* bytes, terminator included */

struct date { int32_t year; uint8_t month, day; }; /* month and day count from 1 */

/* "2026-11-21T10:00:00.123Z"; times outside the years print as the nearest end. */
void date_format_ms(int64_t ms, char text[static DATE_TEXT_MAX]);
/* "2026-11-21T10:00:00Z", rounded down. */
void date_format_s(int64_t ms, char text[static DATE_TEXT_MAX]);
/* False and *ms untouched when text is not a date. */
bool date_parse(struct slice text, int64_t *ms);
/* Days since 1970-01-01 of the Gregorian calendar, and back. */
int64_t date_to_days(struct date date);
struct date date_from_days(int64_t days);
uint8_t date_month_days(int32_t year, uint8_t month);
#endif
