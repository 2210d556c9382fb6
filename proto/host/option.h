/* option.h - the table of option.def at run time: one option's text to its value and back.
 *
 * A value is set in a struct config by the option's place in it. Texts are copied; the config owns
 * them. A refused value changes nothing and says why in one line without the option's name. */
#ifndef RELAIS_PROTO_HOST_OPTION_H
#define RELAIS_PROTO_HOST_OPTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of precedence: under `serve` the broker's section wins over the gateway's. */
enum section { SECTION_BASE = 1, SECTION_WORK = 2, SECTION_GATEWAY = 4, SECTION_BROKER = 8 };

enum option_type {
    OPTION_BOOL, OPTION_U32, OPTION_U64, OPTION_KEEP,
    OPTION_TEXT, OPTION_SECRET, OPTION_CHOICE, OPTION_ADDRESS, OPTION_ENDPOINT, OPTION_PATH
};

typedef bool config_BOOL;
typedef uint32_t config_U32;
typedef uint64_t config_U64;
typedef int64_t config_KEEP;
typedef const char *config_TEXT, *config_SECRET, *config_CHOICE, *config_ADDRESS,
    *config_ENDPOINT, *config_PATH;

/* The options' numbers: OPTION_AT_beat_ms … in the order of the table. */
enum option_index {
#define OPTION(name, ...) OPTION_AT_##name,
#include "proto/option.def"
    OPTION_COUNT
};

struct config;
struct option {
    const char *name, *unit, *sentence, *initial_text; /* static */
    enum section section;
    enum option_type type;
    int64_t initial, min, max;
    size_t offset; /* in struct config */
};
extern const struct option option_table[OPTION_COUNT];

enum { OPTION_WHY_MAX = 512 };

/* name as in the table; `hyphens` takes beat-ms for beat_ms. NULL when there is none. */
const struct option *option_find(const char *name, size_t len, bool hyphens);
const char *section_name(enum section section);
/* 0 for an unknown name. */
enum section section_find(const char *name);
bool option_is_text(enum option_type type);
void option_set_initial(const struct option *o, struct config *c);
/* config NULL: only checks. False with the cause in why (OPTION_WHY_MAX bytes). */
bool option_set(const struct option *o, struct config *c, const char *text, char *why);
/* The value as option_set would take it; a SECRET that is set prints as ***. */
void option_print(const struct option *o, const struct config *c, char *text, size_t size);
void option_free(const struct option *o, struct config *c);
#endif
