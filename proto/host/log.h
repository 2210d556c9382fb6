/* log.h - one line per record, on stderr, whatever the input.
 *
 *   log_warn("lease lost", field_number("task", id), field_slice("worker", name));
 *   2026-11-21T10:00:00.123Z warn broker: lease lost task=42 worker="w 1"
 *
 * The sentence is constant text; everything that varies is a field, so that a line can be
 * searched by key. Values with blanks, quotes, control bytes or bytes above 126 are quoted and
 * escaped as \xNN (UTF-8 text stays as it is). A line is written by one write(2), so lines of
 * several threads never mix, and is cut at LOG_LINE_MAX. Secrets are never passed in.
 * The level and the program's name are the only globals of relais; set them before threads. */
#ifndef RELAIS_PROTO_HOST_LOG_H
#define RELAIS_PROTO_HOST_LOG_H
#include "proto/base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_LINE_MAX = 4096 }; /* bytes of a line, newline included */

enum log_level { LEVEL_DEBUG = 0, LEVEL_INFO = 1, LEVEL_WARN = 2, LEVEL_ERROR = 3 };

struct log_field {
    const char *key; /* static text */
    enum log_field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_SIGNED } kind;
    struct slice text;
    uint64_t number; /* FIELD_SIGNED: an int64_t */
};

/* program: static text, "broker" "gateway" "work"; fd: usually 2. */
void log_open(const char *program, enum log_level level, int fd);
/* Reads "debug" "info" "warn" "error"; false on other text. */
bool log_level_parse(const char *text, enum log_level *level);
bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *sentence, const struct log_field *fields,
               size_t count);
/* The text of the line log_write would write, terminated by a newline; returns its length. `line`
 * has room for LOG_LINE_MAX bytes. */
size_t log_format(char *line, int64_t wall_ms, enum log_level level, const char *sentence,
                  const struct log_field *fields, size_t count);

static inline struct log_field field_text(const char *key, const char *text) {
    struct slice value = text == NULL ? slice_text("-") : slice_text(text);
    return (struct log_field){.key = key, .kind = FIELD_TEXT, .text = value};
}
static inline struct log_field field_slice(const char *key, struct slice text) {
    return (struct log_field){.key = key, .kind = FIELD_TEXT, .text = text};
}
static inline struct log_field field_number(const char *key, uint64_t number) {
    return (struct log_field){.key = key, .kind = FIELD_NUMBER, .number = number};
}
static inline struct log_field field_signed(const char *key, int64_t number) {
    return (struct log_field){.key = key, .kind = FIELD_SIGNED, .number = (uint64_t)number};
}

/* The first element only lets the list be empty. */
#define LOG_FIELDS(...) ((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__})
#define LOG_COUNT(...) (sizeof LOG_FIELDS(__VA_ARGS__) / sizeof(struct log_field) - 1)
#define log_debug(sentence, ...) \
    log_write(LEVEL_DEBUG, sentence, LOG_FIELDS(__VA_ARGS__) + 1, LOG_COUNT(__VA_ARGS__))
#define log_info(sentence, ...) \
    log_write(LEVEL_INFO, sentence, LOG_FIELDS(__VA_ARGS__) + 1, LOG_COUNT(__VA_ARGS__))
#define log_warn(sentence, ...) \
    log_write(LEVEL_WARN, sentence, LOG_FIELDS(__VA_ARGS__) + 1, LOG_COUNT(__VA_ARGS__))
#define log_error(sentence, ...) \
    log_write(LEVEL_ERROR, sentence, LOG_FIELDS(__VA_ARGS__) + 1, LOG_COUNT(__VA_ARGS__))
#endif
