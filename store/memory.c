/* memory.c - the store without a disk: for tests and the simulator.
 *
 * One thread. A group is durable when store_append returns, unless faults.holds: then groups pile
 * up unsynced until store_memory_sync, reads do not see them, and store_memory_crash keeps as many
 * of them as it is told (the first ones, whole) and forgets the rest, as a power cut would. */
#include "store/view.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct memory {
    struct store store;
    struct memory_faults faults;
    struct pending *pending;
    struct group_bytes **held; /* owned: appended, not synced; a ring would save nothing */
    size_t held_count, held_cap;
    uint64_t newest, synced; /* groups */
    uint64_t groups, bytes;
    bool down;
};

static struct memory *memory_of(struct store *s) { return (struct memory *)s; }

static void memory_close(struct store **self) {
    struct memory *m = memory_of(*self);
    for (size_t i = 0; i < m->held_count; i++) group_bytes_release(m->held[i]);
    free(m->held);
    pending_destroy(&m->pending);
    free(m);
    *self = NULL;
}

static enum store_state hold(struct memory *m, struct group_bytes *g) {
    if (m->held_count == m->held_cap) {
        size_t cap = m->held_cap ? m->held_cap * 2 : 16;
        struct group_bytes **held = realloc(m->held, cap * sizeof *held);
        if (!held) { group_bytes_release(g); return STORE_DOWN; }
        m->held = held;
        m->held_cap = cap;
    }
    m->held[m->held_count++] = g;
    return STORE_OK;
}

static void take_in(struct memory *m, struct group_bytes *g) {
    bool ok = pending_apply(m->pending, g);
    assert(ok); /* a group that does not decode is the writer's bug */
    m->synced = g->group;
    group_bytes_release(g);
}

static enum store_state memory_append(struct store *s, uint64_t group, struct slice records) {
    struct memory *m = memory_of(s);
    assert(group > m->newest);
    if (m->down) return STORE_DOWN;
    if (m->faults.fail_append_at && group >= m->faults.fail_append_at) {
        m->down = true;
        return STORE_DOWN;
    }
    struct group_bytes *g = group_bytes_new(NULL, group, 0, records);
    if (!g) { m->down = true; return STORE_DOWN; }
    m->newest = group;
    m->groups++;
    m->bytes += records.len;
    if (m->faults.holds) return hold(m, g);
    take_in(m, g);
    return STORE_OK;
}

void store_memory_sync(struct store *s, uint64_t group) {
    struct memory *m = memory_of(s);
    size_t done = 0;
    while (done < m->held_count && m->held[done]->group <= group) take_in(m, m->held[done++]);
    m->held_count -= done;
    if (done && m->held_count)
        memmove(m->held, m->held + done, m->held_count * sizeof(struct group_bytes *));
}

size_t store_memory_unsynced(const struct store *s) {
    return ((const struct memory *)s)->held_count;
}

void store_memory_crash(struct store *s, size_t keep) {
    struct memory *m = memory_of(s);
    size_t count = m->held_count;
    for (size_t i = 0; i < count; i++) {
        if (i < keep) take_in(m, m->held[i]);
        else group_bytes_release(m->held[i]);
    }
    m->held_count = 0;
    m->newest = m->synced;
    m->down = false;
    m->faults.fail_append_at = 0;
}

void store_memory_faults(struct store *s, const struct memory_faults *faults) {
    memory_of(s)->faults = *faults;
}

static uint64_t memory_next_group(const struct store *s) {
    return ((const struct memory *)s)->newest + 1;
}

static double memory_debt(struct store *s) {
    (void)s;
    return 0;
}

static bool memory_disk_full(struct store *s) { return memory_of(s)->faults.disk_full; }

static bool memory_view(struct store *s, uint64_t group, const struct collect *collect,
                        struct store_view *v, char *why, size_t why_size) {
    struct memory *m = memory_of(s);
    assert(group <= m->newest);
    if (group > m->synced) {
        snprintf(why, why_size, "group %llu is not durable yet", (unsigned long long)group);
        return false;
    }
    return overlay_collect(&v->overlay, m->pending, collect, NULL, NULL, why, why_size);
}

static void memory_stats(struct store *s, struct store_stats *stats) {
    struct memory *m = memory_of(s);
    struct pending_size size = pending_size(m->pending);
    *stats = (struct store_stats){.groups = m->groups, .bytes = m->bytes, .reached = m->synced,
                                  .pending_records = size.entries, .pending_bytes = size.bytes};
}

/* It has no table: what is appended is where it will stay. */
static bool memory_settle(struct store *s) { return !memory_of(s)->down; }

static const struct store_ops memory_ops = {
    memory_close, memory_append, memory_next_group, memory_debt, memory_disk_full, memory_view,
    memory_stats, memory_settle,
};

struct store *store_open_memory(const struct memory_faults *faults) {
    struct memory *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->store.ops = &memory_ops;
    if (faults) m->faults = *faults;
    m->pending = pending_new(true);
    if (m->pending) return &m->store;
    free(m);
    return NULL;
}
