/* demand.h - what is asked of dialect 003's sessions, each a message of its own.
 *
 * SESSION_PUT creates one, DISCONNECTED and with no station. SESSION_DO: connect (CONFLICT when it
 * is connected or on its way, NO_AVAILABLE_WORKERS without room), restart, disconnect, logout,
 * delete; send and manage only while it is CONNECTED (SESSION_NOT_CONNECTED) and its station has
 * room for one more (BUSY): the same key while the first still waits is the same command.
 * SESSION_REPORT is a station's word about one (session.h). With an owner named, another's session
 * is not found. */
#ifndef RELAIS_CORE_DEMAND_H
#define RELAIS_CORE_DEMAND_H
#include "broker/core/state.h"

/* SESSION_PUT SESSION_REPORT SESSION_DO SESSION_GET */
void demand_step(struct core *c, const struct event *e);
#endif
