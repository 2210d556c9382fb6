#include "proto/encode.h"
#include "proto/item.h"
#include <assert.h>

enum { FRAME_DEPTH = 1, ITEMS_DEPTH = 2 }; /* depth of a frame's elements, and of its items */

/* ---- frames ---- */

/* [role, brand, name, boot, brand_admin] */
static bool who_read(struct decode *d, struct who *who) {
    uint32_t count;
    uint64_t role, brand;
    struct slice name;
    *who = (struct who){0};
    if (!decode_array(d, &count) || count < 3) return false;
    if (!decode_uint(d, &role) || role > ROLE_FLEET) return false;
    if (!decode_uint(d, &brand) || brand > UINT32_MAX) return false;
    if (!decode_slice(d, &name) || name.len >= WHO_NAME_MAX || !decode_utf8(name)) return false;
    if (name.len && memchr(name.data, 0, name.len)) return false;
    if (count > 3 && !decode_uint(d, &who->boot)) return false;
    if (count > 4 && !decode_bool(d, &who->brand_admin)) return false;
    for (uint32_t i = 5; i < count; i++) {
        if (!decode_skip(d, ITEMS_DEPTH)) return false;
    }
    who->role = (uint8_t)role;
    who->brand = (uint32_t)brand;
    if (name.len) memcpy(who->name, name.data, name.len);
    return true;
}

/* The principal stands behind the items, which are passed over once for it. */
static bool who_find(struct decode d, uint32_t items, bool *given, struct who *who) {
    for (uint32_t i = 0; i < items; i++) {
        if (!decode_skip(&d, ITEMS_DEPTH)) return false;
    }
    *given = !decode_nil(&d);
    return !*given || who_read(&d, who);
}

enum code frame_read(struct frame *f, const void *data, size_t len, uint32_t batch_max) {
    struct decode d = decode_of(data, len);
    struct frame new = {0};
    uint32_t elements;
    uint64_t verb, link;
    if (!decode_array(&d, &elements) || elements < 4 || elements > 5) return CODE_BAD_FRAME;
    if (!decode_uint(&d, &verb) || !decode_uint(&d, &new.request)) return CODE_BAD_FRAME;
    f->request = new.request;
    if (!decode_uint(&d, &link) || link > UINT32_MAX) return CODE_BAD_FRAME;
    if (!layout_of(verb)) return CODE_UNKNOWN_VERB;
    if (!decode_array(&d, &new.count) || new.count == 0) return CODE_BAD_FRAME;
    if (new.count > batch_max) return CODE_PAYLOAD_TOO_LARGE;
    if (elements == 5 && !who_find(d, new.count, &new.has_who, &new.who)) return CODE_BAD_FRAME;
    new.verb = (enum verb)verb;
    new.link = (uint32_t)link;
    new.at = d.at;
    new.end = d.end;
    *f = new;
    return CODE_OK;
}

bool message_next(struct frame *f, struct message *m, enum code *code) {
    if (f->packed) packed_free(&f->packed);
    if (f->index >= f->count) return false;
    struct decode d = {.at = f->at, .end = f->end};
    m->verb = f->verb;
    m->number = f->request ? f->request + f->index : 0;
    f->index++;
    *code = CODE_OK;
    if (!item_read(&d, layout_of(f->verb), m, &f->packed)) {
        /* The item's own end is found again from where it began; without it the frame is broken */
        d.at = f->at;
        *code = decode_skip(&d, ITEMS_DEPTH) ? CODE_VALIDATION_ERROR : CODE_BAD_FRAME;
        if (*code == CODE_BAD_FRAME) f->index = f->count;
    }
    f->at = d.at;
    return true;
}

void frame_free(struct frame *f) { packed_free(&f->packed); }

void frame_begin(struct frame_writer *w, struct buffer *b, enum verb verb, uint64_t request,
                 uint32_t link, const struct who *who) {
    *w = (struct frame_writer){.b = b, .who = who};
    encode_array(b, who ? 5 : 4);
    encode_uint(b, verb);
    encode_uint(b, request);
    encode_uint(b, link);
    w->count_at = b->len;
    encode_bytes(b, "\xdc\0\0", 3); /* array of 16-bit count, patched by frame_end */
}

void frame_put(struct frame_writer *w, const struct message *m) {
    const struct layout *l = layout_of(m->verb);
    assert(l);
    assert(w->count < UINT16_MAX);
    array_write(w->b, l, m);
    w->count++;
}

void frame_end(struct frame_writer *w) {
    struct buffer *b = w->b;
    if (b->failed) return;
    b->data[w->count_at + 1] = (uint8_t)(w->count >> 8);
    b->data[w->count_at + 2] = (uint8_t)w->count;
    if (!w->who) return;
    encode_array(b, 5);
    encode_uint(b, w->who->role);
    encode_uint(b, w->who->brand);
    encode_text(b, slice_text(w->who->name));
    encode_uint(b, w->who->boot);
    encode_bool(b, w->who->brand_admin);
}

void row_put(struct buffer *rows, const struct message *m) { array_write(rows, &view_layout, m); }

bool row_next(struct frame *f, struct slice rows, uint32_t *at, struct message *m) {
    if (*at >= rows.len) return false;
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    m->verb = VERB_VIEW;
    m->number = 0;
    memset(&m->view, 0, sizeof m->view);
    if (!array_read(&d, &view_layout, m, &f->packed)) return false;
    *at = rows.len - (uint32_t)decode_left(&d);
    return true;
}

/* ---- names ---- */

const char *verb_name(enum verb verb) {
    switch (verb) {
#define VERB(name, number, direction, answer, sentence) case VERB_##name: return #name;
#include "proto/verb.def"
#undef VERB
    case VERB_NONE: break;
    }
    return "?";
}

const char *code_name(enum code code) {
    switch (code) {
#define CODE(name, number, http, sentence) case CODE_##name: return #name;
#include "proto/code.def"
#undef CODE
    }
    return "?";
}

const char *code_text(enum code code) {
    switch (code) {
#define CODE(name, number, http, sentence) case CODE_##name: return sentence;
#include "proto/code.def"
#undef CODE
    }
    return "a code this program does not know";
}

int code_http(enum code code) {
    switch (code) {
#define CODE(name, number, http, sentence) case CODE_##name: return http;
#include "proto/code.def"
#undef CODE
    }
    return 500;
}

const char *status_name(enum status status) {
    static const char *const names[STATUS_COUNT] = {
        "none", "scheduled", "queued", "delivered", "running", "paused", "completed", "failed",
        "cancelled"};
    return status < STATUS_COUNT ? names[status] : "?";
}

const char *reason_name(enum reason reason) {
    static const char *const names[REASON_COUNT] = {
        "none", "done", "failed", "permanent", "crashed", "lease_lost", "released",
        "broker_restart", "cancelled", "timeout", "poison", "paused"};
    return reason < REASON_COUNT ? names[reason] : "?";
}
