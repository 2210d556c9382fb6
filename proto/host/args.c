#include "proto/host/args.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct unit { const char *name; uint64_t factor; };
static const struct unit units_number[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {NULL, 0}};
static const struct unit units_bytes[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit units_time[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static bool parse(const char *text, const struct unit *units, uint64_t *value) {
    uint64_t number = 0;
    if (!isdigit((unsigned char)*text)) return false;
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_add_overflow(number, (uint64_t)(*text - '0'), &number)) return false;
    }
    while (units->name && strcmp(units->name, text) != 0) units++;
    if (!units->name || __builtin_mul_overflow(number, units->factor, &number)) return false;
    if (number > INT64_MAX) return false;
    *value = number;
    return true;
}

static bool list_add(struct arg_list *list, const char *text) {
    if (list->count == ARG_LIST_MAX) return false;
    list->at[list->count++] = text;
    return true;
}

static bool take(const struct arg *a, const char *text) {
    uint64_t number = 0;
    switch (a->kind) {
    case ARG_FLAG:
        *(bool *)a->value = true;
        return true;
    case ARG_TEXT:
        *(const char **)a->value = text;
        return true;
    case ARG_LIST:
        return list_add(a->value, text);
    case ARG_SHOWN:
        return false;
    case ARG_NUMBER:
        return parse(text, units_number, a->value);
    case ARG_BYTES:
        return parse(text, units_bytes, a->value);
    case ARG_TIME:
        if (!parse(text, units_time, &number)) return false;
        *(int64_t *)a->value = (int64_t)number;
        return true;
    }
    return false;
}

bool flag_at(struct flag *f, int argc, char **argv, int at) {
    if (strncmp(argv[at], "--", 2) != 0) return false;
    f->name = argv[at] + 2;
    f->len = strcspn(f->name, "=");
    bool joined = f->name[f->len] == '=';
    f->value = joined ? f->name + f->len + 1 : at + 1 < argc ? argv[at + 1] : NULL;
    f->words = joined || f->value == NULL ? 1 : 2;
    return f->len > 0;
}

bool flag_is(const struct flag *f, const char *name) {
    return f->len == strlen(name) && memcmp(f->name, name, f->len) == 0;
}

static const struct arg *find(const struct arg *table, size_t count, const struct flag *f) {
    for (size_t i = 0; i < count; i++)
        if (flag_is(f, table[i].name) && table[i].kind != ARG_SHOWN) return &table[i];
    return NULL;
}

static int help(const struct arg *table, size_t count, const char *command, const char *usage) {
    printf("usage: relais %s %s\n", command, usage);
    if (count > 0) putchar('\n');
    bool shown = false;
    for (size_t i = 0; i < count; i++) {
        printf("  --%-14s %s\n", table[i].name, table[i].sentence);
        shown = shown || table[i].kind == ARG_SHOWN;
    }
    if (!shown)
        printf("  --%-14s %s\n", "broker", "where the broker is; tcp://127.0.0.1:5555 by default");
    return ARGS_HELP;
}

static int wrong(const char *command, const char *arg, const char *why) {
    fprintf(stderr, "relais %s: %s %s; --help lists what there is\n", command, arg, why);
    return ARGS_WRONG;
}

int args_read(const struct arg *table, size_t count, const char *usage, int argc, char **argv) {
    int words = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *text = argv[i];
        if (ended || (strncmp(text, "--", 2) != 0 && strcmp(text, "-h") != 0)) {
            argv[++words] = text;
            continue;
        }
        if (strcmp(text, "--") == 0) {
            ended = true;
            continue;
        }
        if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)
            return help(table, count, argv[0], usage);
        struct flag f;
        const struct arg *a = flag_at(&f, argc, argv, i) ? find(table, count, &f) : NULL;
        if (!a) return wrong(argv[0], text, "is not understood");
        bool joined = f.name[f.len] == '=';
        if (a->kind == ARG_FLAG && joined) return wrong(argv[0], text, "takes no value");
        if (a->kind != ARG_FLAG && f.value == NULL) return wrong(argv[0], text, "needs a value");
        if (a->kind != ARG_FLAG && !joined) i++;
        if (!take(a, f.value)) return wrong(argv[0], text, "has a value that is not understood");
    }
    return words;
}

int args_exit(int count) { return count == ARGS_HELP ? 0 : 2; }
