/* fleet.h - a second world of the simulator: dialect 003's stations, sessions and commands.
 *
 * The real core over a memory store, groups that are committed when chance says, a broker that
 * crashes between any two of them. Stations are processes that run sessions, crash, fall silent
 * while they go on running, restart and register; their answers get lost; users connect, end and
 * delete sessions and send through them. Both clocks jump and stall.
 *
 * What must hold, at every look:
 *   a session is with one station at most, and both say the same; counts are real counts
 *   a station is OFFLINE when it was not heard for the dead time, and not before
 *   the sessions of a station that is OFFLINE leave it while another has room
 *   messages are first given in the order in which they were taken
 *   what lives is what is restored
 * and once all is calm:
 *   every message that was taken has reached a station, unless its session was ended
 *   a session runs at one station, the one that it is with, and nowhere when its user ended it
 *   or deleted it and has not yet connected the new one of its name
 *   a session that its user wants runs */
#ifndef RELAIS_TESTS_SIM_FLEET_H
#define RELAIS_TESTS_SIM_FLEET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False with the reason in why. steps: what the core was asked, added to. */
bool fleet_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t why_size);
#endif
