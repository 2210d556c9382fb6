/* life.h - the moves of a task's life, from the one table in life.def. */
#ifndef RELAIS_CORE_LIFE_H
#define RELAIS_CORE_LIFE_H
#include "proto/message.h"
#include "proto/record.h"

enum move {
    MOVE_DUE,      /* its time has come */
    MOVE_DELIVER,  /* given to a worker */
    MOVE_START,    /* the worker began */
    MOVE_COMPLETE, /* the worker is done */
    MOVE_FAIL,     /* the run ends in failure */
    MOVE_AGAIN,    /* the attempt failed; retry after a back-off */
    MOVE_BACK,     /* the attempt ended without fault of the task: wait for the next worker */
    MOVE_HOLD,     /* a worker re-presents an attempt that is still its own */
    MOVE_CANCEL,
    MOVE_PAUSE,
    MOVE_REVIVE,   /* manual retry, or resume: opens the next run */
    MOVE_DELAY,    /* a new due time */
    MOVE_COUNT
};

/* Where the move leads from `from`; STATUS_NONE when it is refused, *code then says why. */
enum status life_next(enum status from, enum move move, enum code *code);
#endif
