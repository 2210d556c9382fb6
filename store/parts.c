#include "store/parts.h"

/* NEAR: numbers between two tasks, of which one in three or so is another's id. A step over a head
 * costs about a tenth of finding one. */
enum { CHUNK = 128, NEAR = 32 };

static bool walk(struct store_view *v, enum key_kind kind, const uint64_t *ids, size_t count,
                 struct buffer *bytes, struct piece *pieces) {
    struct range range;
    size_t at = 0;
    key_id(&range.from, kind, ids[0]);
    key_id(&range.to, kind, ids[count - 1] + 1);
    for (size_t i = 0; i < count; i++) pieces[i].len = UINT32_MAX;
    struct table_scan *scan = table_scan_open(v->table, v->snapshot, &range, false);
    for (; scan && at < count && table_scan_valid(scan); table_scan_next(scan)) {
        const uint64_t id = key_tail_id(table_scan_key(scan));
        while (at < count && ids[at] < id) at++;
        if (at == count || ids[at] != id) continue;
        const struct slice value = table_scan_value(scan);
        pieces[at++] = (struct piece){bytes->len, value.len};
        buffer_append(bytes, value.data, value.len);
    }
    const bool ok = scan && table_scan_ok(scan, v->why, sizeof v->why);
    table_scan_close(&scan);
    return ok;
}

static bool find(struct store_view *v, enum key_kind kind, const uint64_t *ids, size_t count,
                 struct buffer *bytes, struct piece *pieces) {
    struct key keys[CHUNK];
    struct slice slices[CHUNK];
    for (size_t i = 0; i < count; i++) {
        key_id(&keys[i], kind, ids[i]);
        slices[i] = key_slice(&keys[i]);
    }
    return table_get_many(v->table, v->snapshot, slices, count, bytes, pieces, v->why,
                          sizeof v->why);
}

bool parts_read(struct store_view *v, enum key_kind kind, const uint64_t *ids, size_t count,
                struct buffer *bytes, struct piece *pieces) {
    bool ok = true;
    buffer_clear(bytes);
    for (size_t done = 0; ok && done < count;) {
        const size_t some = count - done < CHUNK ? count - done : CHUNK;
        const bool near = ids[done + some - 1] - ids[done] < NEAR * some;
        ok = (near ? walk : find)(v, kind, ids + done, some, bytes, pieces + done);
        done += some;
    }
    return ok && !bytes->failed;
}
