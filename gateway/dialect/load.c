#include "gateway/dialect/load.h"
#include <assert.h>

struct load {
    uint64_t file, size, ticket;
    uint8_t *bytes;
    uint32_t len;
    load_then *then;
};

static void load_ask(struct exchange *x);

static void load_end(struct exchange *x, const struct load *load) {
    x->load = NULL;
    load->then(x, slice_of(load->bytes, load->len));
}

static void load_took(struct exchange *x, const struct message *answer) {
    struct load *load = x->load;
    struct slice bytes = answer->file_bytes.bytes;
    if (answer->verb != VERB_FILE_BYTES || bytes.len > load->size - load->len ||
        (bytes.len == 0 && load->len < load->size)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL); /* the file is not what its record says */
        return;
    }
    memcpy(load->bytes + load->len, bytes.data, bytes.len);
    load->len += bytes.len;
    if (load->len < load->size) load_ask(x);
    else load_end(x, load);
}

static void load_ask(struct exchange *x) {
    const struct load *load = x->load;
    uint64_t left = load->size - load->len;
    struct message m = {.verb = VERB_FILE_READ,
                        .file = {.id = load->file,
                                 .offset = load->len,
                                 .size = left < LOAD_CHUNK ? left : LOAD_CHUNK,
                                 .ticket = load->ticket}};
    exchange_send(x, &m, load_took);
}

void load_file(struct exchange *x, uint64_t file, uint64_t size, uint64_t ticket,
               load_then *then) {
    assert(size <= LOAD_MAX && x->load == NULL);
    struct load *load = exchange_alloc(x, sizeof *load);
    *load = (struct load){.file = file, .size = size, .ticket = ticket,
                          .bytes = exchange_alloc(x, (size_t)size + 1), .then = then};
    x->load = load;
    if (size > 0) load_ask(x);
    else load_end(x, load);
}
