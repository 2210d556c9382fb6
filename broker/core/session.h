/* session.h - sessions of dialect 003: who has which, and how it stands.
 *
 * A session is with one station or none. Its station's reports say how it stands; a report that is
 * older than the newest known, by the reporter's own clock, changes nothing (a time more than
 * CLOCK_AHEAD_MS ahead of ours is no measure, nor is one of another station).
 *
 * A station that reports a session as up (INIT, QR_REQUIRED, CONNECTED, RECONNECTING) which
 *   nobody knows          has made it: it is created there;
 *   is with no station, or with one that is dead, or with one that has reported it DISCONNECTED
 *   or ERROR and is not to start it: takes it over;
 *   is with another       is told to DISCONNECT it: a session runs once;
 *   its user has ended    is told to DISCONNECT it, likewise.
 * Reports of other statuses, and that it is gone, count only from the station it is with. A whole
 * list of sessions in a heartbeat also says which it has not: those are DISCONNECTED, unless they
 * are still to be started there.
 *
 * What goes to another station is to end at the one it was with: that is told to DISCONNECT it
 * when it is silent or has not said yet what came of its last order; an order to end it that is
 * out already stays. So it is known there even when the session itself is deleted meanwhile.
 *
 * What its user asks for: connect (INIT, CREATE to its station or the least loaded), restart
 * (RECONNECTING), disconnect and logout (DISCONNECTED at once; reports that it is up do not count
 * while the order is out; the seat is free when the station has said that it is done), delete (not
 * found from then on; gone when the station has said so). While a station is to end a session that
 * was deleted, no report of its makes that again, nor counts for another of the same name. An order
 * that no station ever confirms is given up (command.h): then what the station reports is the truth
 * again, and a session that was to be made is DISCONNECTED and can be connected again. */
#ifndef RELAIS_CORE_SESSION_H
#define RELAIS_CORE_SESSION_H
#include "broker/core/state.h"

enum { SESSION_TEXT_MAX = 255 };

struct session *session_find(const struct core *c, uint32_t brand, struct slice name);
struct slice session_text(const struct session *s, enum session_text which);
struct session_row session_row_of(const struct session *s);

struct session_row session_row_from(const struct core *c, const struct session_ref *m);
/* INIT, QR_REQUIRED, CONNECTED, RECONNECTING. */
bool session_status_up(uint8_t status);

/* A new one, with this station or none; NULL at a limit. */
struct session *session_make(struct core *c, struct fleet *f, struct station *st,
                             const struct session_row *row);
/* Changes; session_changed writes and tells them. */
void session_turn(struct session *s, enum session_status status);
void session_flag(struct session *s, uint8_t set, uint8_t clear);
/* One text is another now; false when it is the same. */
bool session_retext(struct session *s, enum session_text which, struct slice text);
void session_changed(struct core *c, struct session *s);
/* Deleted, but its station has to say so yet. */
void session_doom(struct session *s);
void session_end(struct core *c, struct session *s);

/* Its station fell silent or left: true when it is to be recovered. */
bool session_lose(struct core *c, struct session *s);
/* Its station is there again; kept: it never ended. */
void session_back(struct core *c, struct session *s, bool kept);
/* Its station started anew without having been away: what was up has to come up again. */
void session_renew(struct core *c, struct session *s);
/* Its station did not come back: it waits for another, or is with none. */
void session_gather(struct core *c, struct session *s);
/* It goes to this station, which is told to create it. */
void session_move(struct core *c, struct session *s, struct station *st);
/* It is with no station any more. */
void session_leave(struct core *c, struct session *s);
/* A row of a heartbeat; false when there was no room for a new one. */
bool session_listed(struct core *c, struct station *st, const struct session_row *row,
                    int64_t time_ms);
/* Its station's whole list does not name it. */
void session_missing(struct core *c, struct session *s, int64_t time_ms);
/* SESSION_REPORT about s, NULL = nobody knows it: answered, or a code. */
enum code session_told(struct core *c, const struct event *e, struct session *s, uint32_t brand);
/* Answers with its row. */
void session_say(struct core *c, const struct event *e, const struct session *s, bool changed,
                 uint64_t command);
/* A command was acknowledged: it is dropped, and what it asked for is done. */
void session_acked(struct core *c, struct command *cmd);
/* The station never said that it made it. */
void session_unmade(struct core *c, struct session *s, const struct station *st);
/* The station never said that it stopped it. */
void session_unheard(struct core *c, struct session *s, const struct station *st);

struct session_record session_record_of(const struct session *s);
void session_restore(struct core *c, const struct session_record *r);
#endif
