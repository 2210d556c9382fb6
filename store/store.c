/* store.c - the seam: each call goes to the implementation that opened the store. */
#include "store/store.h"
#include "store/view.h"
#include <stdio.h>
#include <stdlib.h>

void store_close(struct store **self) {
    if (*self) (*self)->ops->close(self);
}

enum store_state store_append(struct store *s, uint64_t group, struct slice records) {
    return s->ops->append(s, group, records);
}

uint64_t store_next_group(const struct store *s) { return s->ops->next_group(s); }

double store_debt(struct store *s) { return s->ops->debt(s); }

bool store_disk_full(struct store *s) { return s->ops->disk_full(s); }

bool store_settle(struct store *s) { return s->ops->settle(s); }

void store_stats(struct store *s, struct store_stats *stats) { s->ops->stats(s, stats); }

struct store_view *store_view_open(struct store *s, uint64_t group, char *why, size_t why_size) {
    struct collect everything = {.tasks = true, .plains = true};
    return view_new(s, group, &everything, why, why_size);
}

bool gone_files_note(struct store *s, char *why, size_t why_size) {
    struct collect plains = {.plains = true};
    struct store_view *v = view_new(s, 0, &plains, why, why_size);
    if (!v) return false;
    s->gone_files = calloc(v->overlay.plain_count + 1, sizeof *s->gone_files);
    for (size_t i = 0; s->gone_files && i < v->overlay.plain_count; i++) {
        const struct overlay_plain *p = &v->overlay.plains[i];
        if (p->key.data[0] == KEY_FILE && p->part.state == PART_GONE)
            s->gone_files[s->gone_count++] = key_tail_id(p->key);
    }
    store_view_close(&v);
    if (!s->gone_files) snprintf(why, why_size, "memory is out");
    return s->gone_files != NULL;
}

void store_files_gone(struct store *s, store_file_gone *gone, void *context) {
    for (size_t i = 0; i < s->gone_count; i++) gone(context, s->gone_files[i]);
}
