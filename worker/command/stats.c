/* stats - shows the broker's counters. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/emit.h"

/* A map as one "name value" a line; anything else as JSON. */
static bool print_lines(struct decode d) {
    uint32_t count;
    struct slice name;
    struct decode from = d;
    if (!decode_map(&d, &count)) return emit_msgpack(stdout, &from) && putchar('\n') >= 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_slice(&d, &name)) return false;
        printf("%-24.*s ", (int)name.len, (const char *)name.data);
        if (!emit_msgpack(stdout, &d)) return false;
        putchar('\n');
    }
    return true;
}

int command_stats(int argc, char **argv) {
    struct call c;
    if (call_open(&c, NULL, 0, "[--json]", 0, 0, argc, argv) < 0) return call_exit(&c);
    struct relais_bytes body = {.data = NULL};
    int code = relais_stats(c.client, &body);
    if (code == RELAIS_OK) {
        struct decode d = decode_of(body.data, body.len);
        bool ok = c.json ? emit_msgpack(stdout, &d) && putchar('\n') >= 0 : print_lines(d);
        if (!ok) code = RELAIS_BAD_FRAME;
    }
    relais_bytes_free(&body);
    return call_close(&c, code);
}
