/* transcript.h - what was heard so far: segments, and how far into the sound they reach.
 *
 * Kept as a checkpoint it is JSON {offset, until, rate, channels, at_ms, segments[]}: all that
 * another worker needs to go on. The newest segment is in it before it is sent as a part, and the
 * number of a part is the segment's place: whoever takes over sends the last one again, the broker
 * drops it when it has it, so none is lost and none told twice.
 * Limit: a checkpoint holds 1 MiB, some ten thousand segments; TRANSCRIPT_SEGMENTS_MAX. */
#ifndef RELAIS_WORKER_SPEECH_TRANSCRIPT_H
#define RELAIS_WORKER_SPEECH_TRANSCRIPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRANSCRIPT_SEGMENTS_MAX = 8000, SEGMENT_TEXT_MAX = 4000 /* bytes; longer ones are cut */ };

struct segment {
    int64_t start_ms, end_ms;
    int speaker;   /* 0, 1, …; -1 = nobody asked */
    char *text;    /* owned by the transcript */
};

struct transcript {
    struct segment *segments; /* owned */
    size_t count, cap;
    uint64_t offset, until;   /* of the sound, sound.h */
    uint32_t rate, channels;
    int64_t at_ms;            /* time in the recording at offset */
};

/* Copies the text. False without memory, or when it is full. */
bool transcript_add(struct transcript *t, const struct segment *segment);
void transcript_free(struct transcript *t);
/* A part: {id, start, end, text}; a result: {full_text, segments[…], language}; with speakers each
 * segment also {speaker}. Owned by the caller, free(); NULL without memory. */
char *transcript_part(const struct transcript *t, size_t index);
char *transcript_result(const struct transcript *t, const char *language);
/* The checkpoint and back. False when it is not what transcript_save wrote: t is empty then. */
char *transcript_save(const struct transcript *t);
bool transcript_load(struct transcript *t, const void *data, size_t len);
#endif
