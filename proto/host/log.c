#include "proto/host/log.h"
#include "proto/base/date.h"
#include "proto/base/utf8.h"
#include "proto/host/clock.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    const char *program;
    enum log_level level;
    int fd;
} logger = {.program = "relais", .level = LEVEL_INFO, .fd = 2};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(const char *program, enum log_level level, int fd) {
    assert(program != NULL && level <= LEVEL_ERROR && fd >= 0);
    logger.program = program;
    logger.level = level;
    logger.fd = fd;
}

bool log_level_parse(const char *text, enum log_level *level) {
    for (unsigned i = LEVEL_DEBUG; i <= LEVEL_ERROR; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_wants(enum log_level level) { return level >= logger.level; }

struct line { /* the last two bytes are kept for the cut mark and the newline */
    char *text;
    size_t len;
    bool cut;
};

static void line_add(struct line *l, const char *text, size_t len) {
    if (l->cut || len > LOG_LINE_MAX - 2 - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, text, len);
    l->len += len;
}

static void line_text(struct line *l, const char *text) { line_add(l, text, strlen(text)); }

static bool is_plain(uint8_t byte) {
    return byte > ' ' && byte < 127 && byte != '"' && byte != '\\' && byte != '=';
}

static bool all_plain(struct slice text) {
    for (uint32_t i = 0; i < text.len; i++) {
        if (!is_plain(text.data[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static void line_byte_escaped(struct line *l, uint8_t byte) {
    char escape[5];
    if (byte == '"' || byte == '\\') {
        snprintf(escape, sizeof escape, "\\%c", byte);
    } else if (byte == '\n' || byte == '\t' || byte == '\r') {
        snprintf(escape, sizeof escape, "\\%c", byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
    } else if (byte < ' ' || byte >= 127) {
        snprintf(escape, sizeof escape, "\\x%02x", (unsigned)byte);
    } else {
        snprintf(escape, sizeof escape, "%c", byte);
    }
    line_text(l, escape);
}

static void line_value(struct line *l, struct slice text) {
    if (all_plain(text)) {
        line_add(l, (const char *)text.data, text.len);
        return;
    }
    line_text(l, "\"");
    for (uint32_t i = 0; i < text.len && !l->cut;) {
        uint32_t code = 0;
        uint32_t step = utf8_next(slice_of(text.data + i, text.len - i), &code);
        /* U+0080..U+009F are control characters of terminals too, U+2028/2029 end lines */
        if (step > 1 && code > 0x9f && code != 0x2028 && code != 0x2029) {
            line_add(l, (const char *)text.data + i, step);
            i += step;
        } else {
            line_byte_escaped(l, text.data[i]);
            i++;
        }
    }
    line_text(l, "\"");
}

static void line_field(struct line *l, const struct log_field *field) {
    char number[24];
    line_text(l, " ");
    line_text(l, field->key);
    line_text(l, "=");
    switch (field->kind) {
    case FIELD_TEXT:
        line_value(l, field->text);
        return;
    case FIELD_NUMBER:
        snprintf(number, sizeof number, "%" PRIu64, field->number);
        break;
    case FIELD_SIGNED:
        snprintf(number, sizeof number, "%" PRId64, (int64_t)field->number);
        break;
    }
    line_text(l, number);
}

size_t log_format(char *text, int64_t wall_ms, enum log_level level, const char *sentence,
                  const struct log_field *fields, size_t count) {
    struct line l = {.text = text};
    char stamp[DATE_TEXT_MAX];
    date_format_ms(wall_ms, stamp);
    line_text(&l, stamp);
    line_text(&l, " ");
    line_text(&l, level_names[level]);
    line_text(&l, " ");
    line_text(&l, logger.program);
    line_text(&l, ": ");
    line_text(&l, sentence);
    for (size_t i = 0; i < count; i++) {
        line_field(&l, &fields[i]);
    }
    if (l.cut) {
        text[l.len++] = '~';
    }
    text[l.len++] = '\n';
    assert(l.len <= LOG_LINE_MAX);
    return l.len;
}

void log_write(enum log_level level, const char *sentence, const struct log_field *fields,
               size_t count) {
    if (!log_wants(level)) {
        return;
    }
    char line[LOG_LINE_MAX];
    size_t len = log_format(line, clock_wall_ms(), level, sentence, fields, count);
    /* a log that cannot be written must not stop the program that writes it */
    ssize_t written = write(logger.fd, line, len);
    (void)written;
}
