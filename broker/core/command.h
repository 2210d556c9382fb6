/* command.h - what stations are told: durable, in order, until it is done or stale.
 *
 * A station's commands are a queue in order of their making. They leave in the answer of a
 * STATION_BEAT that asks for some, or of COMMANDS, which waits for the first. Many workers never
 * acknowledge, so a command that was given is given again after command_repeat_ms, until
 *   it is acknowledged, by its id or by its key;
 *   it is fulfilled: a report of the session shows what it asked for (session.h);
 *   it is replaced: the newest order about a session is the only one that counts (CREATE, RESTART,
 *     DISCONNECT, LOGOUT and DELETE replace each other; the same order twice is one command);
 *   it was given command_deliveries_max times;
 *   it is older than command_ttl_ms.
 * SEND and MANAGE go with their session when that moves, behind its CREATE, in their order; they
 * end with it. At most commands_max of them wait for one station: BUSY beyond, as when all
 * commands together are over command_bytes_max. Orders about sessions are always taken: their
 * number is bounded by that of the sessions.
 *
 * COMMANDS of no station waits for any of the brand's: for whoever pushes them to endpoints. */
#ifndef RELAIS_CORE_COMMAND_H
#define RELAIS_CORE_COMMAND_H
#include "broker/core/state.h"

/* COMMANDS */
void command_step(struct core *c, const struct event *e);
/* A new command at the end of the station's queue; s may be NULL. An order about a session
 * replaces its older ones at this station; the same again is the one that is there. */
struct command *command_add(struct core *c, struct station *st, struct session *s,
                            enum command_type type, struct slice payload, struct slice key);
/* True when a SEND or MANAGE of so many bytes finds room. */
bool command_room(const struct core *c, const struct station *st, uint32_t bytes);
/* The session's command with that key, NULL when there is none. */
struct command *command_keyed(const struct session *s, struct slice key);
/* A session's commands of the types in the mask (1 << type) at this station; NULL = at any. */
struct command *command_find(const struct session *s, const struct station *st, uint32_t types);
enum { COMMANDS_START = 1 << COMMAND_CREATE | 1 << COMMAND_RESTART,
       COMMANDS_STOP = 1 << COMMAND_DISCONNECT | 1 << COMMAND_LOGOUT | 1 << COMMAND_DELETE,
       COMMANDS_MESSAGE = 1 << COMMAND_SEND | 1 << COMMAND_MANAGE };
/* What stops a session of that name at the station, whoever's it is now. */
struct command *command_stops(const struct station *st, struct slice session);
/* They are over: fulfilled, replaced or pointless. */
void command_drop(struct core *c, struct command *cmd);
void command_drop_all(struct core *c, struct session *s, const struct station *st,
                      uint32_t types);
/* The station's own (DRAIN, REGISTER) of the types in the mask. */
void command_drop_own(struct core *c, struct station *st, uint32_t types);
/* After a whole list of the station's: what it was to stop and no longer has is stopped. */
void command_stopped(struct core *c, struct station *st);
/* Its messages go to `to`, behind what waits there; NULL = they wait without a station. */
void command_move(struct core *c, struct session *s, struct station *to);
/* The session goes: its messages and starts with it; what stops it stays. */
void command_orphan(struct core *c, struct session *s);
/* Gives up to `limit` due ones as rows; returns how many. */
uint32_t command_give(struct core *c, struct station *st, uint32_t limit, struct buffer *rows);
/* The same without giving them: what waits, in order. */
uint32_t command_peek(const struct station *st, uint32_t limit, struct buffer *rows);
/* Those of a station that nobody asks for any more, past their time; when to look again,
 * INT64_MAX = never. */
int64_t command_expire(struct core *c, struct station *st);
struct command_record command_record_of(const struct command *cmd);
void command_restore(struct core *c, const struct command_record *r);
/* At the end of a step: waits for which something came are answered. */
void command_flush(struct core *c);
/* A parked COMMANDS: its time, its link's or its station's end, UNWATCH of its number. */
void command_timer(struct core *c, struct command_wait *w);
void command_leave(struct core *c, struct link *link);
void command_unlisten(struct core *c, struct station *st);
bool command_unwait(struct core *c, struct link *link, uint64_t number);
#endif
