/* need.h - what the core asks of the store: one key or one bounded range.
 *
 * The core puts needs into its effects, the shell has store_load read them and steps
 * EVENT_LOADED. Every need is answered, found or not. Pure data. */
#ifndef RELAIS_PROTO_NEED_H
#define RELAIS_PROTO_NEED_H
#include "proto/base/bytes.h"
#include <stdint.h>

enum need_kind {
    NEED_NONE = 0,
    NEED_TASK = 1,   /* id: head, body, result, ledger, log; seq not 0: parts from number seq on,
                        as many as one answer takes */
    NEED_BODY = 2,   /* id: body, and the checkpoint `seq` (0 = the newest) when there is one */
    NEED_LANE = 3,   /* lane, priority, from order (>=), count: heads with status queued, in
                        order, each followed by its body */
    NEED_DUE = 4,    /* from due_ms (>=) and id (>), count: heads with status scheduled, by due
                        time */
    NEED_DEDUP = 5,  /* brand, key */
    NEED_OBJECT = 6, /* object kind, brand, key = one of its names; or, without a key, id */
    NEED_RESTORE = 7, /* meta, all lanes, queues and workers, then every head delivered, running
                         or paused, and all objects of kind `object` */
    NEED_SWEEP = 8,  /* object 0: from id (>), count: heads of ended tasks in order of id, for
                        retention; object 1: dedup records after (brand, key), count; object 2:
                        objects that end from due_ms (>=) on but not after `order`, count;
                        object 3: tallies behind (brand, lane = span, seq = slot, id), count */
    NEED_FILE = 9,   /* id: the file record */
    NEED_POINT = 11, /* id: the checkpoint `seq` as it is stored, packed or not */
    NEED_ZONE = 10   /* key: the bytes of that time zone's file, as the body of an object record;
                        the shell's, not the store's */
};

enum sweep { SWEEP_TASKS = 0, SWEEP_DEDUPS = 1, SWEEP_OBJECTS = 2,
             SWEEP_TALLIES = 3, SWEEP_KINDS = 4 }; /* need.object */

struct need {
    enum need_kind kind;
    uint64_t id, order;    /* NEED_DUE: order is the id to start after */
    int64_t due_ms;
    uint32_t lane, brand, count, seq;
    uint8_t priority, object;
    struct slice key;      /* borrowed until the next core call */
    uint64_t ticket;       /* the core's own; the shell hands it back in EVENT_LOADED */
};
#endif
