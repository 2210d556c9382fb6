#include "proto/host/option.h"
#include "proto/base/bytes.h"
#include "proto/base/utf8.h"
#include "proto/host/config.h"
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INITIAL_BOOL(value) .initial = (value)
#define INITIAL_U32(value) .initial = (value)
#define INITIAL_U64(value) .initial = (value)
#define INITIAL_KEEP(value) .initial = (value)
#define INITIAL_TEXT(value) .initial_text = (value)
#define INITIAL_SECRET(value) .initial_text = (value)
#define INITIAL_CHOICE(value) .initial_text = (value)
#define INITIAL_ADDRESS(value) .initial_text = (value)
#define INITIAL_ENDPOINT(value) .initial_text = (value)
#define INITIAL_PATH(value) .initial_text = (value)

const struct option option_table[OPTION_COUNT] = {
#define OPTION(title, part, kind, value, units, least, most, text) \
    {.name = #title, .unit = (units), .sentence = (text), INITIAL_##kind(value), \
     .section = SECTION_##part, .type = OPTION_##kind, .min = (least), .max = (most), \
     .offset = offsetof(struct config, title)},
#include "proto/option.def"
};

const struct option *option_find(const char *name, size_t len, bool hyphens) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *known = option_table[i].name;
        size_t at = 0;
        while (at < len && known[at] != 0 &&
               (name[at] == known[at] || (hyphens && name[at] == '-' && known[at] == '_'))) {
            at++;
        }
        if (at == len && known[at] == 0) {
            return &option_table[i];
        }
    }
    return NULL;
}

static const struct { enum section section; const char *name; } section_names[] = {
    {SECTION_BASE, "base"}, {SECTION_BROKER, "broker"},
    {SECTION_GATEWAY, "gateway"}, {SECTION_WORK, "work"}};

const char *section_name(enum section section) {
    for (size_t i = 0; i < sizeof section_names / sizeof section_names[0]; i++) {
        if (section_names[i].section == section) {
            return section_names[i].name;
        }
    }
    assert(!"a section without a name");
    return NULL;
}

enum section section_find(const char *name) {
    for (size_t i = 0; i < sizeof section_names / sizeof section_names[0]; i++) {
        if (strcmp(section_names[i].name, name) == 0) {
            return section_names[i].section;
        }
    }
    return 0;
}

bool option_is_text(enum option_type type) { return type >= OPTION_TEXT; }

static bool refuse(char *why, const char *cause) {
    snprintf(why, OPTION_WHY_MAX, "%s", cause);
    return false;
}

/* The factor of a unit's suffix; 0 when the suffix does not belong to the unit. */
static int64_t suffix_factor(const char *unit, const char *suffix) {
    static const struct { const char *unit, *suffix; int64_t factor; } factors[] = {
        {"ms", "ms", 1}, {"ms", "s", 1000}, {"ms", "m", 60000}, {"ms", "h", 3600000},
        {"ms", "d", 86400000}, {"bytes", "B", 1}, {"bytes", "K", 1 << 10},
        {"bytes", "KiB", 1 << 10}, {"bytes", "M", 1 << 20}, {"bytes", "MiB", 1 << 20},
        {"bytes", "G", 1 << 30}, {"bytes", "GiB", 1 << 30}, {"bytes", "T", 1ll << 40},
        {"bytes", "TiB", 1ll << 40}, {"s", "s", 1}};
    if (*suffix == 0) {
        return 1;
    }
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        if (strcmp(factors[i].unit, unit) == 0 && strcmp(factors[i].suffix, suffix) == 0) {
            return factors[i].factor;
        }
    }
    return 0;
}

static bool parse_number(const struct option *o, const char *text, int64_t *number, char *why) {
    const char *at = text;
    bool negative = *at == '-';
    at += negative;
    if (!isdigit((unsigned char)*at)) {
        return refuse(why, "is not a number");
    }
    int64_t value = 0;
    for (; isdigit((unsigned char)*at); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *at - '0', &value)) {
            return refuse(why, "is too large");
        }
    }
    int64_t factor = suffix_factor(o->unit, at);
    if (factor == 0) {
        snprintf(why, OPTION_WHY_MAX, "ends in \"%.16s\"; %s", at,
                 strcmp(o->unit, "ms") == 0      ? "times end in ms, s, m, h or d"
                 : strcmp(o->unit, "bytes") == 0 ? "sizes end in K, M, G or T"
                                                 : "it takes a bare number");
        return false;
    }
    if (__builtin_mul_overflow(value, negative ? -factor : factor, number)) {
        return refuse(why, "is too large");
    }
    return true;
}

static bool parse_bool(const char *text, int64_t *number, char *why) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = (int64_t)(i % 2);
            return true;
        }
    }
    return refuse(why, "is neither true nor false");
}

static bool is_one_of(const char *words, const char *text) {
    size_t len = strlen(text);
    for (const char *at = words; at != NULL; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (strncmp(at, text, len) == 0 && (at[len] == '|' || at[len] == 0) && len > 0) {
            return true;
        }
    }
    return false;
}

static bool check_endpoint(const char *text, char *why) {
    if (strncmp(text, "ipc://", 6) == 0 && text[6] != 0) {
        return true;
    }
    if (strncmp(text, "inproc://", 9) == 0 && text[9] != 0) {
        return true;
    }
    char host[CONFIG_HOST_MAX];
    uint16_t port;
    if (strncmp(text, "tcp://", 6) != 0 || !config_address(text + 6, host, &port)) {
        return refuse(why, "is not an endpoint: tcp://HOST:PORT, ipc://PATH or inproc://NAME");
    }
    return true;
}

static bool check_text(const struct option *o, const char *text, char *why) {
    size_t len = strlen(text);
    char host[CONFIG_HOST_MAX];
    uint16_t port;
    if (o->type == OPTION_CHOICE) {
        return true; /* its words were checked */
    }
    if ((int64_t)len < o->min || (int64_t)len > o->max) {
        snprintf(why, OPTION_WHY_MAX, "must have %" PRId64 " to %" PRId64 " bytes", o->min,
                 o->max);
        return false;
    }
    if (!utf8_valid(slice_text(text))) {
        return refuse(why, "is not UTF-8");
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 127) {
            return refuse(why, "has a control character");
        }
    }
    if (o->type == OPTION_ADDRESS && !config_address(text, host, &port)) {
        return refuse(why, "is not an address: HOST:PORT, port 0 to 65535");
    }
    return o->type != OPTION_ENDPOINT || len == 0 || check_endpoint(text, why);
}

static bool check_range(const struct option *o, int64_t number, char *why) {
    if (number >= o->min && number <= o->max) {
        return true;
    }
    snprintf(why, OPTION_WHY_MAX, "must be %" PRId64 " to %" PRId64 "%s%s", o->min, o->max,
             *o->unit == 0 ? "" : " ", o->unit);
    return false;
}

static void *option_place(const struct option *o, struct config *c) {
    return (char *)c + o->offset;
}

static void put_number(const struct option *o, struct config *c, int64_t number) {
    void *place = option_place(o, c);
    switch (o->type) {
    case OPTION_BOOL: *(bool *)place = number != 0; return;
    case OPTION_U32: *(uint32_t *)place = (uint32_t)number; return;
    case OPTION_U64: *(uint64_t *)place = (uint64_t)number; return;
    case OPTION_KEEP: *(int64_t *)place = number; return;
    case OPTION_TEXT: case OPTION_SECRET: case OPTION_CHOICE: case OPTION_ADDRESS:
    case OPTION_ENDPOINT: case OPTION_PATH: break;
    }
    assert(!"a number for a text");
}

static void put_text(const struct option *o, struct config *c, const char *text) {
    char *copy = strdup(text);
    assert(copy != NULL); /* at start-up, a few bytes */
    char **place = option_place(o, c);
    free(*place);
    *place = copy;
}

void option_set_initial(const struct option *o, struct config *c) {
    if (option_is_text(o->type)) {
        put_text(o, c, o->initial_text);
    } else {
        put_number(o, c, o->initial);
    }
}

bool option_set(const struct option *o, struct config *c, const char *text, char *why) {
    int64_t number = 0;
    if (strchr(o->unit, '|') != NULL && !is_one_of(o->unit, text)) {
        snprintf(why, OPTION_WHY_MAX, "must be one of %s", o->unit);
        return false;
    }
    if (option_is_text(o->type)) {
        if (!check_text(o, text, why)) {
            return false;
        }
        if (c != NULL) {
            put_text(o, c, text);
        }
        return true;
    }
    if (o->type == OPTION_KEEP && strcmp(text, "failed") == 0) {
        number = -1;
    } else if (o->type == OPTION_KEEP && strcmp(text, "none") == 0) {
        number = 0;
    } else if (o->type == OPTION_BOOL ? !parse_bool(text, &number, why)
                                      : !parse_number(o, text, &number, why)) {
        return false;
    }
    if (strchr(o->unit, '|') == NULL && !check_range(o, number, why)) {
        return false;
    }
    if (c != NULL) {
        put_number(o, c, number);
    }
    return true;
}

void option_print(const struct option *o, const struct config *c, char *text, size_t size) {
    const void *place = (const char *)c + o->offset;
    int64_t keep;
    switch (o->type) {
    case OPTION_BOOL:
        snprintf(text, size, "%s", *(const bool *)place ? "true" : "false");
        return;
    case OPTION_U32: snprintf(text, size, "%" PRIu32, *(const uint32_t *)place); return;
    case OPTION_U64: snprintf(text, size, "%" PRIu64, *(const uint64_t *)place); return;
    case OPTION_KEEP:
        keep = *(const int64_t *)place;
        if (keep > 0) {
            snprintf(text, size, "%" PRId64, keep);
        } else {
            snprintf(text, size, "%s", keep < 0 ? "failed" : "none");
        }
        return;
    case OPTION_SECRET:
        snprintf(text, size, "%s", **(const char *const *)place == 0 ? "" : "***");
        return;
    case OPTION_TEXT: case OPTION_CHOICE: case OPTION_ADDRESS: case OPTION_ENDPOINT:
    case OPTION_PATH:
        snprintf(text, size, "%s", *(const char *const *)place);
        return;
    }
}

void option_free(const struct option *o, struct config *c) {
    if (option_is_text(o->type)) {
        char **place = option_place(o, c);
        free(*place);
        *place = NULL;
    }
}
