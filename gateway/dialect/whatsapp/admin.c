/* admin.c - the fleet as its administrator sees it. */
#include "gateway/dialect/whatsapp/whatsapp.h"

enum { PAGE_SIZE = 20, PAGE_MAX = 100, STATIONS_MAX = 1000 };

/* ---- lists ---- */

static bool word_query(struct exchange *x, const char *name, struct slice *ret) {
    const char *text = exchange_query(x, name);
    *ret = slice_text(text != NULL ? text : "");
    return ret->len > 0;
}

static void list_write(struct exchange *x, const struct message *answer) {
    const struct rows *rows = &answer->rows;
    struct out *o = &x->out;
    struct station_row s;
    uint32_t at = 0;
    whatsapp_open(x, NULL);
    out_key(o, "workers");
    out_list(o);
    while (station_row_next(rows->rows, &at, &s)) {
        out_object(o);
        station_show(o, &s);
        out_object_end(o);
    }
    out_list_end(o);
    paging_show(o, x->state, rows->total);
    whatsapp_close(x);
}

static bool list_read(struct exchange *x, bool room) {
    struct paging *page = exchange_alloc(x, sizeof *page);
    struct slice status, environment, search;
    struct message m = {.verb = VERB_STATION_LIST};
    m.stations.brand = x->who.brand;
    m.stations.room = room;
    *page = paging_read(x, PAGE_SIZE, PAGE_MAX);
    if (word_query(x, "status", &status)) {
        m.stations.status_mask = 1u << word_station(status);
        if (word_station(status) == 0)
            field_wrong(&x->errors, "status", FIELD_NOT_A_CHOICE, 0);
    }
    if (word_query(x, "environment", &environment)) {
        m.stations.environment = (uint8_t)word_environment(environment);
        if (m.stations.environment == 0)
            field_wrong(&x->errors, "environment", FIELD_NOT_A_CHOICE, 0);
    }
    if (word_query(x, "search", &search)) m.stations.search = search;
    m.stations.limit = page->size;
    m.stations.offset = paging_offset(page);
    if (!whatsapp_good(x)) return false;
    x->state = page;
    exchange_send(x, &m, list_write);
    return false;
}

bool admin_list_read(struct exchange *x, struct message *m) {
    (void)m;
    return list_read(x, false);
}

bool admin_available_read(struct exchange *x, struct message *m) {
    (void)m;
    return list_read(x, true);
}

/* ---- one worker ---- */

static void detail_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    station_show(&x->out, &a.station);
    sessions_show(&x->out, "sessions", a.sessions);
    whatsapp_close(x);
}

bool admin_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return station_get(x, detail_write);
}

static void changed_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, x->route->status == 201 ? "Worker created successfully"
                                             : "Worker updated successfully");
    station_show(&x->out, &a.station);
    whatsapp_close(x);
}

static void station_put(struct exchange *x, const struct registration *r, uint8_t mode,
                        exchange_then *then) {
    struct message put = {.verb = VERB_STATION_PUT};
    put.station = (struct station_ref){
        .name = r->station,
        .brand = x->who.brand,
        .mode = mode,
        .endpoint = r->endpoint,
        .description = r->description,
        .version = r->version,
        .status = (uint8_t)r->status,
        .environment = (uint8_t)r->environment,
        .sessions_max = r->sessions_max,
    };
    if (r->status != 0) put.station.set |= SET_STATION_STATUS;
    if (r->sessions_max != 0) put.station.set |= SET_STATION_MAX;
    if (r->endpoint.len > 0) put.station.set |= SET_STATION_ENDPOINT;
    if (r->description.data != NULL) put.station.set |= SET_STATION_DESCRIPTION;
    if (r->version.len > 0) put.station.set |= SET_STATION_VERSION;
    if (r->environment != 0) put.station.set |= SET_STATION_ENVIRONMENT;
    exchange_try(x, &put, then);
}

static void repeated_write(struct exchange *x, const struct message *answer) {
    const struct registration *r = x->state;
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    if (!slice_equal(r->endpoint, a.station.endpoint) ||
        !slice_equal(r->description, a.station.description) ||
        r->sessions_max != a.station.sessions_max)
        exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
    else
        changed_write(x, answer);
}

/* A repetition under an Idempotency-Key finds what the first one made. */
static void created(struct exchange *x, const struct message *answer) {
    const struct registration *r = x->state;
    enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && exchange_header(x, "Idempotency-Key") != NULL) {
        struct message get = {.verb = VERB_STATION_GET};
        get.station = (struct station_ref){.name = r->station, .brand = x->who.brand};
        exchange_send(x, &get, repeated_write);
    } else if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
    } else {
        changed_write(x, answer);
    }
}

bool admin_create_read(struct exchange *x, struct message *m) {
    struct registration *r = exchange_alloc(x, sizeof *r);
    (void)m;
    if (!whatsapp_object(x)) return false;
    registration_change_read(x->json, true, r, &x->errors);
    if (r->sessions_max == 0) r->sessions_max = STATION_SESSIONS_USUAL;
    if (r->environment == 0) r->environment = ENVIRONMENT_DEVELOPMENT;
    r->status = STATION_OFFLINE; /* until it registers */
    if (!whatsapp_good(x)) return false;
    x->state = r;
    station_put(x, r, STATION_CREATE, created);
    return false;
}

static void updated(struct exchange *x, const struct message *answer) {
    enum code code = exchange_code(answer);
    if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else changed_write(x, answer);
}

bool admin_update_read(struct exchange *x, struct message *m) {
    struct registration r;
    (void)m;
    if (!whatsapp_object(x)) return false;
    registration_change_read(x->json, false, &r, &x->errors);
    r.station = whatsapp_station(x, r.station);
    if (!whatsapp_good(x)) return false;
    station_put(x, &r, STATION_UPDATE, updated);
    return false;
}

/* ---- figures ---- */

static void figure(struct out *o, const char *key, uint32_t value) {
    out_key(o, key);
    out_unsigned(o, value);
}

static void statistics_write(struct exchange *x, const struct message *answer) {
    struct fleet_counts n;
    struct out *o = &x->out;
    uint32_t workers = 0, sessions = 0;
    if (answer->verb != VERB_ANSWER || !fleet_counts_read(answer->answer.body, &n)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    for (int i = 0; i < STATION_STATUS_COUNT; i++) workers += n.stations[i];
    for (int i = 0; i < SESSION_STATUS_COUNT; i++) sessions += n.sessions[i];
    whatsapp_open(x, NULL);
    figure(o, "totalWorkers", workers);
    figure(o, "onlineWorkers", n.stations[STATION_ONLINE]);
    figure(o, "offlineWorkers", n.stations[STATION_OFFLINE]);
    figure(o, "maintenanceWorkers", n.stations[STATION_MAINTENANCE]);
    figure(o, "totalSessions", sessions);
    figure(o, "assignedSessions", n.seated);
    figure(o, "waitingSessions", n.waiting);
    figure(o, "totalCapacity", n.capacity);
    figure(o, "availableCapacity", n.capacity > n.seated ? n.capacity - n.seated : 0);
    out_key(o, "utilization");
    out_number(o, n.capacity > 0 ? 100.0 * n.seated / n.capacity : 0);
    out_key(o, "sessions");
    out_object(o);
    for (int i = 1; i < SESSION_STATUS_COUNT; i++)
        figure(o, session_word((enum session_status)i), n.sessions[i]);
    out_object_end(o);
    whatsapp_close(x);
}

bool admin_statistics_read(struct exchange *x, struct message *m) {
    struct message ask = {.verb = VERB_FLEET_STATS, .fleet = {.brand = x->who.brand}};
    (void)m;
    exchange_send(x, &ask, statistics_write);
    return false;
}

/* ---- health-check ---- */

static void health_write(struct exchange *x, const struct message *answer) {
    const struct rows *rows = &answer->rows;
    struct out *o = &x->out;
    struct station_row s;
    uint32_t at = 0, healthy = 0, all = 0;
    whatsapp_open(x, NULL);
    out_key(o, "workers");
    out_list(o);
    while (station_row_next(rows->rows, &at, &s)) {
        bool well = s.status == STATION_ONLINE; /* silence ends that: the broker watches it */
        healthy += well;
        all++;
        out_object(o);
        out_key(o, "workerId");
        out_text(o, s.name);
        out_key(o, "status");
        out_string(o, station_word((enum station_status)s.status));
        out_key(o, "healthy");
        out_bool(o, well);
        out_key(o, "lastHeartbeat");
        out_time(o, s.heard_ms);
        out_key(o, "silentMs");
        if (s.heard_ms > 0) out_integer(o, x->wall_ms > s.heard_ms ? x->wall_ms - s.heard_ms : 0);
        else out_null(o);
        out_object_end(o);
    }
    out_list_end(o);
    figure(o, "checked", all);
    figure(o, "healthy", healthy);
    figure(o, "unhealthy", all - healthy);
    out_key(o, "total");
    out_integer(o, rows->total);
    out_key(o, "checkedAt");
    out_time(o, x->wall_ms);
    whatsapp_close(x);
}

bool admin_health_read(struct exchange *x, struct message *m) {
    struct message ask = {.verb = VERB_STATION_LIST,
                          .stations = {.brand = x->who.brand, .limit = STATIONS_MAX}};
    (void)m;
    exchange_send(x, &ask, health_write);
    return false;
}
