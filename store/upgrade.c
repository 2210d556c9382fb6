/* upgrade.c - a table as an older layout has it becomes one of today's; see LAYOUT.md.
 *
 * Everything that is derived from the tasks is taken away and derived anew, from their heads and
 * bodies. The version is written last: an upgrade that was cut short begins again. */
#include "proto/host/log.h"
#include "store/disk.h"
#include <stdio.h>

enum { CREATED_ONCE = 'b' /* brand id: of layouts 2 and 3 */ };

static bool write_some(struct disk *d, char *why, size_t why_size) {
    if (!briefs_write(&d->writer.briefs, d->writer.batch, why, why_size)) return false;
    if (d->writer.texts && !texts_write(d->writer.texts, d->writer.batch, why, why_size))
        return false;
    return table_write(d->table, d->writer.batch, why, why_size);
}

/* Whether a key of the index by status is still one of today's. */
static bool status_stays(struct slice key) {
    return key.len > 1 && (key.data[1] == STATUS_DELIVERED || key.data[1] == STATUS_RUNNING ||
                           key.data[1] == STATUS_PAUSED);
}

static bool take_away(struct disk *d, enum key_kind kind, char *why, size_t why_size) {
    struct key prefix;
    struct range range;
    uint32_t count = 0;
    bool ok = true;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(d->table, NULL, &range, false);
    for (; scan && ok && table_scan_valid(scan); table_scan_next(scan)) {
        if (kind == KEY_STATUS && status_stays(table_scan_key(scan))) continue;
        table_batch_delete(d->writer.batch, table_scan_key(scan));
        if (++count % BATCH_MAX == 0) ok = table_write(d->table, d->writer.batch, why, why_size);
    }
    ok = ok && scan && table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    return ok && table_write(d->table, d->writer.batch, why, why_size);
}

static bool derive(struct disk *d, const struct task_head *head, char *why, size_t why_size) {
    struct materialise *m = &d->writer;
    const struct brief brief = brief_of(head);
    struct buffer body = {0};
    struct record r;
    struct key key;
    briefs_note(&m->briefs, head->brand, &brief);
    materialise_time(m, head->created_ms);
    if (!m->texts) return true;
    key_id(&key, KEY_BODY, head->id);
    const int got = table_get(d->table, NULL, key_slice(&key), &body, why, why_size);
    if (got > 0 && record_decode_value(RECORD_BODY, buffer_slice(&body), &r))
        texts_note(m->texts, head->brand, head->id, pending_lane_type(d->pending, head->lane),
                   &r.body);
    buffer_free(&body);
    return got >= 0;
}

static bool derive_all(struct disk *d, uint64_t *count, char *why, size_t why_size) {
    struct key prefix;
    struct range range;
    struct record r;
    bool ok = true;
    key_begin(&prefix, KEY_HEAD);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(d->table, NULL, &range, false);
    for (; scan && ok && table_scan_valid(scan); table_scan_next(scan)) {
        ok = record_decode_value(RECORD_TASK, table_scan_value(scan), &r);
        if (!ok) snprintf(why, why_size, "%s/table: a task is damaged", d->folder);
        ok = ok && derive(d, &r.task, why, why_size);
        if (ok && ++*count % BATCH_MAX == 0) ok = write_some(d, why, why_size);
    }
    ok = ok && scan && table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    return ok && write_some(d, why, why_size);
}

bool disk_upgrade(struct disk *d, char *why, size_t why_size) {
    const bool older = d->version && d->version < LAYOUT_VERSION;
    const uint64_t wanted = d->options.id_key ? texts_mark(d->options.id_key) : 0;
    uint64_t count = 0;
    if (d->options.read_only) {
        if (older)
            snprintf(why, why_size, "%s/table: of layout %u; start the broker once, to bring it "
                     "to %d", d->folder, d->version, LAYOUT_VERSION);
        return !older;
    }
    if (!d->version || (!older && d->text_key == wanted)) return true;
    log_info("the table is brought up to date", field_text("folder", d->folder),
             field_number("layout", d->version));
    static const int kinds[] = {CREATED_ONCE, KEY_STATUS, KEY_BRIEF, KEY_TEXT, KEY_SIGN};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!take_away(d, (enum key_kind)kinds[i], why, why_size)) return false;
    d->writer.created_max_ms = d->writer.setback_ms = 0;
    if (!derive_all(d, &count, why, why_size)) return false;
    behind_put_reached(d, d->reached);
    if (!table_write(d->table, d->writer.batch, why, why_size)) return false;
    log_info("the table is up to date", field_number("tasks", count));
    return true;
}
