/* registry.c - see registry.h. */
#include "broker/registry.h"
#include "proto/host/log.h"

struct found { uint8_t hash[32]; bool there; };

void registry_open(struct registry *r) {
    pthread_mutex_init(&r->lock, NULL);
    r->writer = NULL;
}

void registry_close(struct registry *r) { pthread_mutex_destroy(&r->lock); }

void registry_serve(struct registry *r, struct writer *writer) {
    pthread_mutex_lock(&r->lock);
    r->writer = writer;
    pthread_mutex_unlock(&r->lock);
}

static void record_found(void *context, const struct record *record) {
    struct found *f = context;
    if (record->kind != RECORD_FILE) return;
    memcpy(f->hash, record->file.hash, sizeof f->hash);
    f->there = true;
}

bool registry_hash(struct registry *r, uint64_t file, uint8_t ret_hash[32]) {
    char why[WHY_MAX];
    struct found found = {0};
    const struct need need = {.kind = NEED_FILE, .id = file};
    pthread_mutex_lock(&r->lock);
    struct writer *w = r->writer;
    struct store *store = w == NULL ? NULL : writer_borrow(w, writer_opened(w));
    if (store != NULL) {
        if (!store_load(store, &need, 0, record_found, &found, why, sizeof why))
            log_error("a file's record could not be read", field_text("why", why),
                      field_number("file", file));
        writer_return(w);
    }
    pthread_mutex_unlock(&r->lock);
    if (found.there) memcpy(ret_hash, found.hash, sizeof found.hash);
    return found.there;
}
