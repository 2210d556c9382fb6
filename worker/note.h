/* note.h - what a command says on fd 3: one JSON object a line.
 *
 *   {"progress": 0-100, "message": "…"}      progress may be null or left out
 *   {"checkpoint": "NAME", "data": …}        data: a string is kept as its bytes, anything else
 *                                            as compact JSON; left out = no bytes
 *
 * Tolerant: unknown keys are ignored, a fraction is rounded, a number outside 0-100 is moved to
 * the nearer end, blank lines are skipped. A line that is no JSON object, has a duplicate key or
 * holds neither kind is refused as NOTE_NONE; the caller counts those and the command goes on.
 *
 * Limits: NOTE_TEXT_MAX of a message (cut at a whole character), NOTE_NAME_MAX of a name. */
#ifndef RELAIS_WORKER_NOTE_H
#define RELAIS_WORKER_NOTE_H
#include "proto/base/bytes.h"

enum { NOTE_TEXT_MAX = 1024, NOTE_NAME_MAX = 128 };
enum note_kind { NOTE_NONE = 0, NOTE_BLANK = 1, NOTE_PROGRESS = 2, NOTE_CHECKPOINT = 3 };

struct note {
    enum note_kind kind;
    int8_t percent; /* -1 = not given */
    char text[NOTE_TEXT_MAX + 1]; /* message of a progress, name of a checkpoint */
    struct buffer data;           /* owned: a checkpoint's bytes */
};

/* Reads a line; what *note owned before is freed. */
enum note_kind note_read(struct note *note, struct slice line);
void note_close(struct note *note);
#endif
