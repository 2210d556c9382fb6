/* turn.h - the broker's loop: frames in, decisions, groups to disk, answers out.
 *
 * A turn takes what has arrived without waiting (TURN_FRAMES_MAX frames or about TURN_ITEMS_MAX
 * items at most, round the sockets: as long as it takes, nobody hears anything), steps the core for
 * each item, encodes what it says into the outboxes, and hands the group to the store thread when
 * that is idle; else the group goes on filling. What was said waits for the group that was open
 * then; `now` says leave at the end of the turn; when nothing has changed and nothing is in flight,
 * everything does. Then the loop sleeps until a frame, a finished group, an answer of another
 * thread, or the core's next timer.
 *
 * Two wake-ups are a good part of what a lonely task waits for. So a small group after which the
 * loop would sleep is written in this thread, while the disk is quick (HERE_). Should it stall
 * then, nobody hears anything, as if the process had been stopped, and it is made up for likewise.
 * When a delivery had to wait behind such a write, there are none for HERE_OFF_GROUPS.
 *
 * Time. The clock is read once a turn. Time that the loop neither worked nor meant to sleep is a
 * stall (SIGSTOP, a swapped-out process): EVENT_STALL tells the core before anything else is
 * stepped, so that no lease runs out for it. Frames come before timers, so that a beat that is
 * there counts.
 *
 * Life of the store: down -> opening -> restoring (the core reads what it needs) -> settling (the
 * first group of this incarnation) -> up. Only when up are frames stepped; else each item is
 * refused as UNAVAILABLE. A failed append says why, drops everything that was not released,
 * destroys the core and begins again from down, with back-off; then every link gets RESYNC.
 *
 * Crowd: when for CROWD_MS there was always more to read, the turn reads on: SUBMIT frames go into
 * the lobby (lobby.h), all others are taken as they come, and then the lobby has the rest of the
 * turn, LOBBY_ITEMS_MIN items at least. What would wait there for more than submit_wait_ms_max is
 * refused as BUSY, undecoded.
 *
 * Admission: BUSY to SUBMIT while the table is too far behind (store_debt >= 1) or the open group
 * holds more than GROUP_BYTES_MAX, because the disk hangs; EVENT_DISK at the watermark. */
#ifndef RELAIS_BROKER_TURN_H
#define RELAIS_BROKER_TURN_H
#include "broker/ask.h"
#include "broker/audit.h"
#include "broker/core/core.h"
#include "broker/filer.h"
#include "broker/router.h"

enum {
    TURN_FRAMES_MAX = 512, TURN_ITEMS_MAX = 1024, TURN_TIMERS_MAX = 64,
    CROWD_FRAMES_MAX = 2048, CROWD_MS = 10, LOBBY_ITEMS_MIN = 256,
    REFUSALS_PER_ITEM = 8 /* that cost as much as one that is taken */,
    SLEEP_MS_MAX = 1000, STALL_MS_MIN = 100, RETRY_SEND_MS = 1,
    GROUP_BYTES_MAX = 32 << 20,
    HERE_BYTES_MAX = 8192, HERE_ITEMS_MAX = 4, HERE_US_MAX = 1000, HERE_PEAK_US_MAX = 5000,
    HERE_OFF_GROUPS = 64, YIELD_US_MAX = 500,
    REOPEN_MS_MIN = 200, REOPEN_MS_MAX = 10000, UNAVAILABLE_RETRY_MS = 1000, BUSY_RETRY_MS = 100,
    SWEEP_MS = 1000, REST_ITEMS = 1000
};

struct turn_setup { /* all borrowed while the turn lives */
    struct router *router;
    struct filer *filer;
    const struct core_limits *limits;
    const struct router_limits *router_limits;
    const struct store_options *store;
    const struct secret *secret;
    const char *data;
    struct audit_options audit;
    uint32_t ask_rows_max, ask_ms_max, submit_wait_ms_max;
    bool all_brands; /* local workers serve all brands */
};

struct turn;

/* NULL with the cause in why. Starts the threads that read and write. */
struct turn *turn_new(const struct turn_setup *setup, char *why, size_t why_size);
/* Opens the store and restores until the first group is durable; sockets are bound after it.
 * False with the cause in why; `stop_fd` (may be -1) ends it early. */
bool turn_open(struct turn *t, int stop_fd, char *why, size_t why_size);
/* Runs until stop_fd is readable or turn_stop was called. */
void turn_run(struct turn *t, int stop_fd);
/* Any thread: ends turn_run. */
void turn_stop(struct turn *t);
/* What is in flight becomes durable and leaves, for at most drain_ms. */
void turn_drain(struct turn *t, uint32_t drain_ms);
void turn_destroy(struct turn **self);
#endif
