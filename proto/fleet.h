/* fleet.h - dialect 003 on the wire: stations, their sessions and the commands they are sent.
 *
 * station: a registered worker of dialect 003 (the word worker is taken); it hosts sessions.
 * session: one account that a station keeps connected. command: what a station is told to do.
 *
 * STATION_PUT, STATION_BEAT, STATION_LEAVE, STATION_GET, SESSION_PUT, SESSION_REPORT, SESSION_DO,
 * SESSION_GET and COMMANDS are answered by an ANSWER whose body fleet_read reads. STATION_LIST and
 * the ASK of kind "sessions" are answered by ROWS of stations and of sessions; FLEET_STATS by an
 * ANSWER that fleet_counts_read reads. Rows are msgpack arrays; what a later version adds stands at
 * their end. PROTOCOL.md says what each verb does.
 *
 * Slices are borrowed: from the caller when written, from the body when read. Pure. */
#ifndef RELAIS_PROTO_FLEET_H
#define RELAIS_PROTO_FLEET_H
#include "proto/base/bytes.h"
#include "proto/record.h"

enum { FLEET_SESSIONS_MAX = 2000, /* of one STATION_BEAT */ FLEET_BEAT_BYTES_MAX = 4096,
       SESSION_NAME_MAX = 100, STATION_NAME_MAX = 50 };

/* [id, brand, name, endpoint, description, version, status, environment, sessions_max, sessions,
 *  commands, heard_ms, created_ms, updated_ms, draining, shadow, left, beat] */
struct station_row {
    uint64_t id;
    uint32_t brand;
    struct slice name, endpoint, description, version;
    uint8_t status;        /* enum station_status */
    uint8_t environment;   /* enum environment */
    uint32_t sessions_max, sessions, commands; /* allowed, assigned to it, waiting for it */
    int64_t heard_ms;      /* newest sign of life, 0 = never; coarse after a restart */
    int64_t created_ms, updated_ms;
    bool draining;         /* takes no further sessions */
    bool shadow;           /* only heartbeats are known of it: it has not registered */
    bool left;             /* it unregistered */
    struct slice beat;     /* what the newest STATION_BEAT brought, opaque; not kept at a restart */
};

/* [id, brand, name, owner, title, station, status, phone, display, reason, version, created_ms,
 *  updated_ms, seen_ms, reported_ms, wanted, recovering]. In STATION_BEAT name, status, phone,
 * display, reason and seen_ms count. */
struct session_row {
    uint64_t id;
    uint32_t brand, version; /* version is raised by each change but that of seen_ms */
    struct slice name, owner, title, station /* empty: assigned to none */, phone, display, reason;
    uint8_t status;          /* enum session_status */
    int64_t created_ms, updated_ms, seen_ms;
    int64_t reported_ms;     /* the reporter's own time of the newest report; 0 = none */
    bool wanted;             /* somebody wants it connected */
    bool recovering;         /* its station is dead; it moves when another has room */
};

/* [id, type, session, station, created_ms, deliveries, payload, key, owner, title, endpoint] */
struct command_row {
    uint64_t id;
    uint8_t type;          /* enum command_type */
    struct slice session;  /* name; empty for DRAIN and REGISTER */
    struct slice station;
    int64_t created_ms;
    uint32_t deliveries;   /* this one included */
    struct slice payload, key; /* as SESSION_DO brought them */
    struct slice owner, title; /* of the session */
    struct slice endpoint;     /* of the station */
};

/* [station or nil, session or nil, session count, sessions, command count, commands, lost, changed,
 *  command id] */
struct fleet_answer {
    struct station_row station;  /* id 0 = not part of this answer */
    struct session_row session;  /* id 0 likewise */
    struct slice sessions;       /* rows: session_row_next */
    struct slice commands;       /* rows: command_row_next */
    uint32_t session_count, command_count;
    uint32_t lost;   /* STATION_LEAVE: sessions that wait for another station; STATION_BEAT: new
                      * sessions that were not taken because of sessions_max */
    bool changed;    /* SESSION_REPORT: false = older than what is known, nothing was done */
    uint64_t command; /* SESSION_DO: the command that was made, 0 = none was needed */
};

/* [stations by status 0..3, sessions by status 0..6, capacity, seated, waiting] */
struct fleet_counts {
    uint32_t stations[STATION_STATUS_COUNT], sessions[SESSION_STATUS_COUNT];
    uint32_t capacity; /* sessions that the stations which are ONLINE may host */
    uint32_t seated;   /* sessions that those host */
    uint32_t waiting;  /* sessions that wait for a station with room */
};

void station_row_put(struct buffer *b, const struct station_row *row);
void session_row_put(struct buffer *b, const struct session_row *row);
void command_row_put(struct buffer *b, const struct command_row *row);
/* The next row, *at starts at 0; false at the end or when it is malformed. */
bool station_row_next(struct slice rows, uint32_t *at, struct station_row *ret);
bool session_row_next(struct slice rows, uint32_t *at, struct session_row *ret);
bool command_row_next(struct slice rows, uint32_t *at, struct command_row *ret);

void fleet_put(struct buffer *b, const struct fleet_answer *answer);
bool fleet_read(struct slice body, struct fleet_answer *ret);
void fleet_counts_put(struct buffer *b, const struct fleet_counts *counts);
bool fleet_counts_read(struct slice body, struct fleet_counts *ret);
#endif
