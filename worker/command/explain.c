/* explain - says what keeps a task from running: the gates on its way, in order, with numbers. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/emit.h"
#include <string.h>

struct gate { struct slice name, state, detail; };

/* Cuts the next field or line off. */
static struct slice cut(struct slice *text, char end) {
    const uint8_t *at = text->len ? memchr(text->data, end, text->len) : NULL;
    uint32_t len = at ? (uint32_t)(at - text->data) : text->len;
    struct slice part = slice_of(text->data, len);
    uint32_t step = at ? len + 1 : len;
    *text = slice_of(text->data + step, text->len - step);
    return part;
}

/* The broker's answer: lines "gate\tstate\tdetail\n". */
static bool gate_next(struct slice *body, struct gate *g) {
    if (body->len == 0) return false;
    struct slice line = cut(body, '\n');
    g->name = cut(&line, '\t');
    g->state = cut(&line, '\t');
    g->detail = line;
    return true;
}

static bool shut(const struct gate *g) { return slice_equal(g->state, slice_text("shut")); }

static void print_json(uint64_t id, struct slice body) {
    struct emit e = emit_open(stdout);
    struct gate g;
    emit_number(&e, "id", (int64_t)id);
    emit_name(&e, "gates");
    putchar('[');
    for (bool first = true; gate_next(&body, &g); first = false) {
        if (!first) putchar(',');
        struct emit row = emit_open(stdout);
        emit_bytes(&row, "gate", g.name);
        emit_bytes(&row, "state", g.state);
        emit_bytes(&row, "detail", g.detail);
        putchar('}');
    }
    putchar(']');
    emit_close(&e);
}

static void print_page(struct slice body) {
    struct gate g;
    bool kept = false;
    while (gate_next(&body, &g)) {
        bool ended = slice_equal(g.name, slice_text("state")); /* then it waits for nothing */
        bool here = shut(&g) && !kept && !ended;
        printf("%s %-10.*s %-6.*s %.*s%s\n", shut(&g) ? "x" : " ", (int)g.name.len,
               (const char *)g.name.data, (int)g.state.len, (const char *)g.state.data,
               (int)g.detail.len, (const char *)g.detail.data, here ? "   <- waits here" : "");
        kept = kept || here;
    }
}

int command_explain(int argc, char **argv) {
    struct call c;
    if (call_open(&c, NULL, 0, "ID [--json]", 1, 1, argc, argv) < 0) return call_exit(&c);
    uint64_t id;
    if (!call_id(&c, argv[1], &id)) return call_close(&c, RELAIS_OK) + 2;
    struct relais_bytes body = {.data = NULL};
    int code = relais_explain(c.client, id, &body);
    struct slice text = slice_of(body.data, body.len);
    if (code == RELAIS_OK && c.json) print_json(id, text);
    else if (code == RELAIS_OK) print_page(text);
    relais_bytes_free(&body);
    return call_close(&c, code);
}
