/* whatsapp.h - dialect 003, the backend of WhatsApp workers (bases /api/v1 and /api): what its
 * files share.
 *
 * word.c     statuses, events and phone numbers as workers spell them
 * report.c   every generation of a worker's report, read into one struct
 * whatsapp.c the table and the envelope
 * show.c     stations, sessions and commands as JSON
 * list.c     pages, and lists of sessions and records
 * worker.c   register, heartbeat, unregister, commands
 * hook.c     session and message status, events
 * delivery.c a message's record: made, moved forward, shown
 * history.c  figures and events of a worker, kept for 7 days
 * recovery.c sessions that survive a worker
 * admin.c    the administrator's view of the fleet
 * session.c  sessions as their users see them
 * message.c  messages as their users see them
 * stream.c   server-sent events and WebSocket
 *
 * A worker of this dialect is a `station` of the broker, which holds all rules about stations,
 * sessions and commands. What only needs to be kept is an object:
 *
 *   kind          name                  key              owner     body
 *   message       hash of both ids      "m:" messageId   session   JSON as it is shown
 *   session_qr    session                                session   JSON {qrCode, qrString, …}
 *   fleet_metric  uuid                                   worker    JSON as it is shown
 *   fleet_event   uuid                                   worker    JSON as it is shown
 *
 * A fleet token is of one brand; nothing of another brand is ever looked at. */
#ifndef RELAIS_GATEWAY_DIALECT_WHATSAPP_WHATSAPP_H
#define RELAIS_GATEWAY_DIALECT_WHATSAPP_WHATSAPP_H
#include "gateway/dialect/whatsapp/report.h"
#include "gateway/exchange.h"
#include "gateway/route.h"
#include "proto/fleet.h"
#include "proto/object.h"

enum {
    HEARTBEAT_MS = 30000,       /* what workers are asked for */
    COMMANDS_A_BEAT = 32,
    UUID_SIZE = 37,
    WEEK_MS = 7 * 24 * 3600 * 1000,
    QR_KEEP_MS = 600 * 1000     /* a code that nobody renews is worthless long before */
};

/* ---- whatsapp.c ---- */

/* {"success":true,["message":…,]"data":{ … }}: the members of data go in between. */
void whatsapp_open(struct exchange *x, const char *message);
void whatsapp_close(struct exchange *x); /* ends the exchange with the route's status */
void whatsapp_fail(struct exchange *x, enum code code, const char *text);
/* False after refusing what the getters noted. */
bool whatsapp_good(struct exchange *x);
/* False after refusing a body that is no object. */
bool whatsapp_object(struct exchange *x);
/* exchange_try for the dialect's own records: they are the house's, in the caller's brand, for a
 * fleet token by itself writes no objects. */
void whatsapp_keep(struct exchange *x, const struct message *m, exchange_then *then);
/* The worker's id in the path, else `in_body`; notes what is wrong with it. */
struct slice whatsapp_station(struct exchange *x, struct slice in_body);

/* ---- show.c ---- */

/* Members of the worker's JSON. */
void station_show(struct out *o, const struct station_row *s);
void session_show(struct out *o, const struct session_row *s);
/* Member commands: the whole list. */
void commands_show(struct out *o, struct slice rows);
/* The fleet's answer; false after refusing what is none. */
bool fleet_answer_read(struct exchange *x, const struct message *answer,
                       struct fleet_answer *ret);
/* A random UUID (version 4). */
void uuid_new(char text[static UUID_SIZE]);

/* ---- list.c ---- */

struct paging { uint32_t number, size; };
/* Query keys page and limit: `usual` rows, or `most` when that is fewer. */
struct paging paging_read(struct exchange *x, uint32_t usual, uint32_t most);
uint32_t paging_offset(const struct paging *p);
/* Member pagination. */
void paging_show(struct out *o, const struct paging *p, int64_t total);
/* A member that lists sessions, or the bodies of records. */
void sessions_show(struct out *o, const char *member, struct slice rows);
void records_show(struct out *o, const char *member, struct slice rows);
/* Asks for records of the path's {id}, newest first. */
void records_ask(struct exchange *x, const char *kind, uint32_t limit, uint32_t offset,
                 exchange_then *then);
/* Asks for the worker in the path, or refuses its id; always false. */
bool station_get(struct exchange *x, exchange_then *then);

/* ---- delivery.c ---- */

typedef void delivery_then(struct exchange *x, json_t *message);
/* Makes the message or moves it forward, by compare and set; `then` gets it as stored (borrowed).
 * `facts` (JSON text or empty) fills in members that it does not have yet. Report and facts live as
 * long as the exchange. x->state is kept over the call. */
void delivery_note(struct exchange *x, const struct delivery_report *report,
                   struct slice facts, delivery_then *then);
/* Name and key of a message's object. */
enum { DELIVERY_NAME_SIZE = 33 };
void delivery_name(struct slice session, struct slice message, char text[DELIVERY_NAME_SIZE]);
struct slice delivery_key(struct exchange *x, struct slice message);

/* ---- history.c ---- */

typedef void history_then(struct exchange *x);
/* Keep one heartbeat's figures, or one event, for 7 days; then go on, even when that failed.
 * x->state is kept over the call. */
void history_metric(struct exchange *x, struct slice station, const struct heartbeat *h,
                    history_then *then);
void history_event(struct exchange *x, struct slice station, struct slice event,
                   struct slice session, const json_t *data, int64_t time_ms,
                   history_then *then);
/* The figures of a heartbeat as a JSON object, for station_row.beat. */
struct slice history_beat(struct exchange *x, const struct heartbeat *h);

/* ---- hook.c ---- */

/* Forgets a session's QR code: it is used, or the session has gone. */
void qr_drop(struct exchange *x, struct slice session, history_then *then);

/* ---- session.c ---- */

/* "" for those who see all sessions of the brand, else the caller's name. */
struct slice session_owner(const struct exchange *x);
/* The id in the path; false after refusing it. */
bool session_id_read(struct exchange *x, struct slice *ret);

/* ---- routes: all of them end the exchange themselves ---- */

#define ROUTE_READ(name) bool name(struct exchange *x, struct message *m)
ROUTE_READ(worker_register_read);
ROUTE_READ(worker_beat_read);
ROUTE_READ(worker_leave_read);
ROUTE_READ(command_list_read);
ROUTE_READ(command_ack_read);
ROUTE_READ(hook_session_read);
ROUTE_READ(hook_message_read);
ROUTE_READ(event_read);
ROUTE_READ(recovery_assigned_read);
ROUTE_READ(recovery_status_read);
ROUTE_READ(recovery_preserved_read);
ROUTE_READ(admin_list_read);
ROUTE_READ(admin_create_read);
ROUTE_READ(admin_statistics_read);
ROUTE_READ(admin_available_read);
ROUTE_READ(admin_health_read);
ROUTE_READ(admin_detail_read);
ROUTE_READ(admin_update_read);
ROUTE_READ(history_metrics_read);
ROUTE_READ(history_events_read);
ROUTE_READ(session_list_read);
ROUTE_READ(session_create_read);
ROUTE_READ(session_detail_read);
ROUTE_READ(session_remove_read);
ROUTE_READ(session_connect_read);
ROUTE_READ(session_restart_read);
ROUTE_READ(session_disconnect_read);
ROUTE_READ(session_logout_read);
ROUTE_READ(session_status_read);
ROUTE_READ(session_qr_read);
ROUTE_READ(message_send_read);
ROUTE_READ(message_list_read);
ROUTE_READ(message_detail_read);
ROUTE_READ(stream_events_read);
ROUTE_READ(stream_socket_read);
#undef ROUTE_READ

extern const struct dialect whatsapp;
#endif
