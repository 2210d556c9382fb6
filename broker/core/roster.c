#include "broker/core/roster.h"
#include "broker/core/effect.h"
#include "broker/core/fleet.h"
#include "broker/core/session.h"

enum { LIST_MAX = 1000, LIST_USUAL = 100 };

bool station_takes(const struct station *st) {
    return st->record.status == STATION_ONLINE && !(st->record.flags & STATION_DRAINING) &&
           st->session_count < st->record.sessions_max;
}

struct station_row station_row_of(const struct station *st) {
    const struct station_record *r = &st->record;
    return (struct station_row){
        .id = r->id, .brand = r->brand, .name = r->name, .endpoint = r->endpoint,
        .description = r->description, .version = r->version, .status = r->status,
        .environment = r->environment, .sessions_max = r->sessions_max,
        .sessions = st->session_count, .commands = st->command_count, .heard_ms = st->heard_ms,
        .created_ms = r->created_ms, .updated_ms = r->updated_ms,
        .draining = r->flags & STATION_DRAINING, .shadow = r->flags & STATION_SHADOW,
        .left = r->flags & STATION_LEFT, .beat = buffer_slice(&st->beat)};
}

/* Its sessions as rows; those that are being deleted are not there. */
uint32_t station_sessions(const struct station *st, struct buffer *rows) {
    uint32_t count = 0;
    for (const struct node *n = st->sessions.next; n != &st->sessions; n = n->next) {
        const struct session *s = owner_of(n, struct session, in_station);
        if (s->flags & SESSION_DELETING) continue;
        const struct session_row row = session_row_of(s);
        session_row_put(rows, &row);
        count++;
    }
    return count;
}

static bool text_has(struct slice text, struct slice part) {
    for (uint32_t at = 0; at + part.len <= text.len; at++) {
        uint32_t i = 0;
        for (; i < part.len; i++) {
            uint8_t a = text.data[at + i], b = part.data[i];
            if (a >= 'A' && a <= 'Z') a = (uint8_t)(a + 32);
            if (b >= 'A' && b <= 'Z') b = (uint8_t)(b + 32);
            if (a != b) break;
        }
        if (i == part.len) return true;
    }
    return false;
}

static bool station_passes(const struct station *st, const struct station_question *q) {
    const struct station_record *r = &st->record;
    if (r->flags & STATION_REMOVED) return false;
    if (q->status_mask && !(q->status_mask >> r->status & 1)) return false;
    if (q->environment && q->environment != r->environment) return false;
    if (q->room && !station_takes(st)) return false;
    return !q->search.len || text_has(r->name, q->search) || text_has(r->endpoint, q->search) ||
           text_has(r->description, q->search);
}

void roster_step(struct core *c, const struct event *e) {
    const struct station_question *q = &e->message->stations;
    struct fleet *f;
    uint32_t brand, limit = q->limit ? q->limit : LIST_USUAL, total = 0, count = 0;
    enum code code = fleet_enter(c, e, q->brand, FLEET_READS, &f, &brand);
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (limit > LIST_MAX) limit = LIST_MAX;
    struct buffer rows = {0};
    for (struct node *n = f ? f->stations.next : NULL; f && n != &f->stations; n = n->next) {
        const struct station *st = owner_of(n, struct station, in_fleet);
        if (!station_passes(st, q) || total++ < q->offset || count == limit) continue;
        const struct station_row row = station_row_of(st);
        station_row_put(&rows, &row);
        count++;
    }
    struct message *m = say(c, e->peer, VERB_ROWS, e->message->number);
    m->rows = (struct rows){.number = e->message->number, .rows = note_keep(c, buffer_slice(&rows)),
                            .row_count = count, .total = total, .total_exact = true};
    buffer_free(&rows);
}
