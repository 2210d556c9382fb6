/* plan.h - a third world of the simulator: schedules.
 *
 * The real core over a memory store, groups that are committed when chance says, a broker that
 * crashes between any two of them and loses what was not, clocks that jump both ways, a process
 * that stands still, a disk that fills up. Clients make schedules, change, pause, remove and run
 * them.
 *
 * What must hold in every group that becomes durable:
 *   each nominal time runs at most once in all of the history, and not before it has come
 *   the run that is recorded is the one that was promised, and what is promised next is the first
 *   time after it, or after what a misfire's rule passes over: no time is lost
 * and once all is calm every time of an active schedule has run. */
#ifndef RELAIS_TESTS_SIM_PLAN_H
#define RELAIS_TESTS_SIM_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False with the reason in why. steps: what the core was asked, added to. */
bool plan_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t why_size);
#endif
