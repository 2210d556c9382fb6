/* brand.c - `relais brand`: tenants, through the server that runs on the data folder. */
#include "broker/command/people.h"
#include "command.h"
#include "proto/host/args.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { BRAND_NAME_MAX = 100, TRIES = 8 };

static const char usage_text[] =
    "add NAME | list | rename N NAME\n\n"
    "A brand is a number and a name. add takes the next free number, or the one of --number, and\n"
    "prints it. A server must run on the data folder.";

struct flags { uint64_t number; bool json; const char *verb, *name; };

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais brand: %s%s%.128s; --help lists what there is\n", what,
            value == NULL ? "" : ": ", value == NULL ? "" : value);
    return 2;
}

static bool name_good(const char *name) {
    const struct slice text = slice_text(name);
    for (uint32_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
    return text.len > 0 && text.len <= BRAND_NAME_MAX;
}

static const struct message *brand_put(struct caller *c, uint64_t number, const char *name,
                                       enum put_mode mode) {
    struct buffer body = {0}, keys = {0};
    char text[24], key[ACCOUNT_KEY_SIZE];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    account_key(key, "name", slice_text(name));
    text_put(&keys, slice_text(key));
    brand_write(&body, slice_text(name));
    struct message m = people_message(VERB_PUT, "brand", text);
    m.object.mode = (uint8_t)mode;
    m.object.body = buffer_slice(&body);
    m.object.options.keys = buffer_slice(&keys);
    m.object.options.key_count = 1;
    const struct message *answer = caller_ask(c, &m);
    buffer_free(&body);
    buffer_free(&keys);
    return answer;
}

/* Goes through all; the highest number comes back. False when they cannot be read. */
static bool brands_list(struct caller *c, bool print, bool json, uint64_t *highest) {
    struct buffer next = {0};
    struct slice rows;
    bool failed;
    *highest = 0;
    while (people_page(c, "brand", "brand", NULL, &next, &rows, &failed)) {
        struct object_row row;
        uint32_t at = 0;
        while (object_row_next(rows, &at, &row)) {
            char text[24];
            snprintf(text, sizeof text, "%.*s", (int)row.name.len, (const char *)row.name.data);
            const uint64_t number = strtoull(text, NULL, 10);
            const struct slice name = brand_read(row.body);
            if (number > *highest) *highest = number;
            if (!print) continue;
            json_t *object = json_pack("{s:I, s:s#}", "id", (json_int_t)number, "name",
                                       (const char *)name.data, (size_t)name.len);
            char *line = json ? json_dumps(object, JSON_COMPACT) : NULL;
            if (json) printf("%s\n", line);
            else printf("%-10s %.*s\n", text, (int)name.len, (const char *)name.data);
            free(line);
            json_decref(object);
        }
    }
    buffer_free(&next);
    return !failed;
}

static int brand_add(struct caller *c, const struct flags *f) {
    uint64_t number = f->number;
    for (int i = 0; i < TRIES; i++) {
        if (f->number == 0 && !brands_list(c, false, false, &number)) return 1;
        if (f->number == 0) number++;
        const struct message *answer = brand_put(c, number, f->name, PUT_CREATE);
        const enum code code = caller_code(answer);
        if (code == CODE_OK) {
            printf("%llu\n", (unsigned long long)number);
            return 0;
        }
        if (code != CODE_CONFLICT) return people_refused("brand", answer);
        if (f->number != 0) break;
    }
    fputs("relais brand: this number or name is taken\n", stderr);
    return 1;
}

static int verb_run(struct caller *c, const struct flags *f) {
    uint64_t highest;
    if (strcmp(f->verb, "list") == 0) return brands_list(c, true, f->json, &highest) ? 0 : 1;
    if (strcmp(f->verb, "add") == 0) return brand_add(c, f);
    const struct message *answer = brand_put(c, f->number, f->name, PUT_REPLACE);
    return caller_code(answer) == CODE_OK ? 0 : people_refused("brand", answer);
}

/* -1 = go on, else the exit code. */
static int flags_read(struct flags *f, int argc, char **argv) {
    const struct arg table[] = {
        {"number", ARG_NUMBER, &f->number, "add: the number to take"},
        {"json", ARG_FLAG, &f->json, "list: one JSON object a line"},
        {"data", ARG_SHOWN, NULL, "the data folder of the running server"}};
    *f = (struct flags){0};
    const int words = args_read(table, COUNT(table), usage_text, argc, argv);
    if (words < 0) return args_exit(words);
    if (f->number > UINT32_MAX) return refuse("a brand is a number from 1 to 4294967295", NULL);
    f->verb = words > 0 ? argv[1] : "";
    if (words == 1 && strcmp(f->verb, "list") == 0) return -1;
    f->name = words > 0 ? argv[words] : "";
    if (words == 3 && strcmp(f->verb, "rename") == 0) {
        char *end = NULL;
        f->number = strtoull(argv[2], &end, 10);
        if (*end != 0 || f->number == 0 || f->number > UINT32_MAX)
            return refuse("a brand is a number from 1", argv[2]);
    } else if (words != 2 || strcmp(f->verb, "add") != 0) {
        return refuse("add NAME, list, or rename N NAME", NULL);
    }
    return name_good(f->name) ? -1 : refuse("a name has 1 to 100 bytes", NULL);
}

int command_brand(int argc, char **argv) {
    struct config config;
    struct flags flags;
    int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    code = flags_read(&flags, argc, argv);
    if (code < 0) {
        struct caller *c = people_open(&config, "brand");
        code = c == NULL ? 1 : verb_run(c, &flags);
        caller_close(&c);
    }
    config_free(&config);
    return code;
}
