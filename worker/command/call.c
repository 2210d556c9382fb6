#include "worker/command/call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 24, HINT_MS = 1500 };

static int give_up(struct call *c, int code) {
    config_free(&c->config);
    c->code = code;
    return -1;
}

int call_open(struct call *c, const struct arg *table, size_t count, const char *usage, int min,
              int max, int argc, char **argv) {
    *c = (struct call){.name = argv[0]};
    struct arg all[ARGS_MAX] = {
        {"json", ARG_FLAG, &c->json, "JSON for programs, one object a line"},
        {"brand", ARG_NUMBER, &c->brand, "acting brand; by default the key's"}};
    for (size_t i = 0; i < count && i + 2 < ARGS_MAX; i++) all[i + 2] = table[i];
    c->code = config_start(&c->config, SECTION_BASE, &argc, argv);
    if (c->code >= 0) return -1;
    int words = args_read(all, count + 2, usage, argc, argv);
    if (words < 0) return give_up(c, args_exit(words));
    if (words < min || words > max) {
        fprintf(stderr, "usage: relais %s %s\n", c->name, usage);
        return give_up(c, 2);
    }
    if (!reach_open(&c->reach, &c->config)) return give_up(c, 2);
    c->reach.link.brand = (uint32_t)c->brand;
    struct relais_client_options options = {.link = c->reach.link};
    int code = relais_client_open(&c->client, &options);
    if (code == RELAIS_OK) {
        /* whoever forgot to start a server learns it soon; one that starts is still waited for */
        if (relais_client_connected(c->client, HINT_MS) == RELAIS_TIMEOUT)
            fprintf(stderr, "relais %s: nothing heard yet from %s; is a server running there?\n",
                    c->name, c->reach.endpoint);
        return words;
    }
    fprintf(stderr, "relais %s: %s\n", c->name, relais_error_text(code));
    return give_up(c, 1);
}

int call_exit(struct call *c) { return c->code; }

int call_close(struct call *c, int code) {
    char detail[512] = "";
    if (code != RELAIS_OK && c->client) relais_client_detail(c->client, detail, sizeof detail);
    if (code == RELAIS_TIMEOUT)
        fprintf(stderr, "relais %s: no answer from the broker at %s\n", c->name, c->reach.endpoint);
    else if (code != RELAIS_OK)
        fprintf(stderr, "relais %s: %s (%s)\n", c->name,
                detail[0] ? detail : relais_error_text(code), relais_error_name(code));
    relais_client_close(&c->client);
    config_free(&c->config);
    return code == RELAIS_OK ? 0 : 1;
}

bool call_id(const struct call *c, const char *text, uint64_t *id) {
    char *end;
    unsigned long long number = text[0] >= '1' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (number > 0 && *end == 0 && number < (UINT64_C(1) << 53)) {
        *id = number;
        return true;
    }
    fprintf(stderr, "relais %s: %.64s is not the number of a task\n", c->name, text);
    return false;
}
