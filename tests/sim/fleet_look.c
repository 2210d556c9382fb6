#include "tests/sim/fleet_world.h"
#include <stdlib.h>

/* Asks the core and reads the answer before it leaves: a look at this very moment. */
static struct slice look(struct world *w, struct message *m) {
    free(w->now_answer.body);
    w->now_answer = (struct answer_kept){0};
    uint64_t number = fleet_speak(w, ROLE_ADMIN, m);
    for (uint32_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i].number != number) continue;
        w->now_answer = w->waiting[i];
        w->waiting[i] = w->waiting[--w->waiting_count];
        return slice_of(w->now_answer.body, w->now_answer.len);
    }
    return (struct slice){0};
}

struct seen { int8_t at[SESSIONS]; bool up[STATIONS], room, stuck[STATIONS]; uint32_t online; };

static void look_station(struct world *w, int i, struct seen *seen) {
    struct message m = {.verb = VERB_STATION_GET};
    struct fleet_answer f;
    struct session_row row;
    m.station.name = slice_text(fleet_name('w', i));
    if (!fleet_read(look(w, &m), &f)) return;
    uint32_t deleting = 0;
    for (int k = 0; k < SESSIONS; k++) deleting += w->users[k].deleting || w->users[k].asked;
    if (f.station.sessions < f.session_count ||
        f.station.sessions > f.session_count + deleting)
        fleet_violate(w, "station %d counts %u sessions and has %u", i, f.station.sessions,
                f.session_count);
    seen->up[i] = f.station.status != STATION_OFFLINE;
    bool online = f.station.status == STATION_ONLINE;
    seen->online += online ? f.station.sessions : 0;
    seen->room |= online && !f.station.draining && f.station.sessions < f.station.sessions_max;
    for (uint32_t at = 0; session_row_next(f.sessions, &at, &row);) {
        int k = fleet_index(row.name);
        if (seen->at[k] >= 0) fleet_violate(w, "session %d is at %d and at %d", k, seen->at[k], i);
        seen->at[k] = (int8_t)i;
        if (!seen->up[i] && row.recovering) seen->stuck[i] = true;
    }
}

static void look_times(struct world *w, const struct seen *seen) {
    if (!seen->room) w->room_since = 0;
    else if (!w->room_since) w->room_since = w->now;
    for (int i = 0; i < STATIONS; i++) {
        struct host *h = &w->hosts[i];
        int64_t silence = h->heard_at == INT64_MIN ? INT64_MAX
                                                   : w->now - w->core_stalled - h->heard_at;
        if (h->known && seen->up[i] && silence > DEAD_MS + SLACK_MS && silence != INT64_MAX)
            fleet_violate(w, "station %d is up after %lld ms of silence", i, (long long)silence);
        if (h->beaten && !seen->up[i] && silence < DEAD_MS)
            fleet_violate(w, "station %d is down after %lld ms of silence", i, (long long)silence);
        if (!seen->stuck[i] || !w->room_since) h->stuck_since = 0;
        else if (!h->stuck_since) h->stuck_since = w->now;
        bool late = h->stuck_since && w->now - h->stuck_since > RECOVERY_MS + SLACK_MS;
        h->overdue = late ? h->overdue + 1 : 0;
        if (h->overdue == LATE_LOOKS) /* room may have come this very moment */
            fleet_violate(w, "sessions do not leave station %d, and there is room", i);
    }
}

void fleet_look(struct world *w) {
    struct seen seen = {0};
    struct message stats = {.verb = VERB_FLEET_STATS};
    struct fleet_counts counts = {0};
    memset(seen.at, -1, sizeof seen.at);
    for (int i = 0; i < STATIONS; i++) look_station(w, i, &seen);
    look_times(w, &seen);
    if (fleet_counts_read(look(w, &stats), &counts) && counts.seated != seen.online)
        fleet_violate(w, "%u sessions are counted at those ONLINE, which have %u", counts.seated,
                seen.online);
    uint32_t there = 0, told = 0;
    for (int i = 1; i < SESSION_STATUS_COUNT; i++) told += counts.sessions[i];
    for (int k = 0; k < SESSIONS && !w->failed; k++) {
        struct message m = {.verb = VERB_SESSION_GET};
        struct fleet_answer f;
        m.session.name = slice_text(fleet_name('s', k));
        struct slice body = look(w, &m);
        if (w->now_answer.code != CODE_OK || !fleet_read(body, &f)) continue;
        there++;
        if (f.session.station.len ? fleet_index(f.session.station) != seen.at[k] : seen.at[k] >= 0)
            fleet_violate(w, "session %d and station %d disagree", k, seen.at[k]);
        bool down = f.session.status == SESSION_DISCONNECTED && !f.session.recovering;
        if (down) fleet_send_void(w, k); /* nobody is to bring it up again but its user */
    }
    if (there != told) fleet_violate(w, "%u sessions are counted, %u are there", told, there);
}

/* Nothing has gone wrong for long: everything is as it was asked for. */
void fleet_look_calm(struct world *w) {
    for (int k = 0; k < SESSIONS; k++) {
        const struct user *u = &w->users[k];
        int running = 0, at = -1;
        for (int i = 0; i < STATIONS; i++)
            if (w->hosts[i].runs[k]) running++, at = i;
        struct message m = {.verb = VERB_SESSION_GET};
        struct fleet_answer f = {0};
        m.session.name = slice_text(fleet_name('s', k));
        struct slice body = look(w, &m);
        bool there = w->now_answer.code == CODE_OK && fleet_read(body, &f);
        if (running > 1) fleet_violate(w, "session %d runs at %d stations", k, running);
        if (running && u->ended) fleet_violate(w, "session %d was ended and runs at %d", k, at);
        if (running && there && fleet_index(f.session.station) != at)
            fleet_violate(w, "session %d runs at %d and is with %d", k, at,
                          fleet_index(f.session.station));
        if (!running && there && (u->wanted || f.session.recovering) &&
            f.session.status != SESSION_DISCONNECTED)
            fleet_violate(w, "session %d is wanted and does not run", k);
    }
    for (uint32_t i = 0; i < w->send_count; i++) {
        const struct sent *sent = &w->sends[i];
        if (sent->taken && !sent->void_ && !sent->reached)
            fleet_violate(w, "message %u of session %u was lost", i, sent->session);
    }
}
