/* voices.h - who speaks when: a recording's frames, parted by voice.
 *
 *   frames --loudness--> stretches of speech --a second each--> pieces --alike--> voices
 *
 * How different two pieces are is the distance of their mean cepstra, kind of sound by kind of
 * sound (mixture.h), and of their mean pitch. The two that cost least are joined, again and again,
 * until the next two differ by more than one voice does from itself, or max is reached; min keeps
 * that many apart. Then each frame goes to the voice that explains its surroundings best
 * (Viterbi, a change costs something). The limits were set on Debian's pocketsphinx-testdata.
 *
 * What it cannot do: two people at once count as one; a voice heard for less than about three
 * seconds in all is seldom told from others, nor are two alike ones on one microphone; music and
 * noise of speech's loudness are taken for speech; the same person in two rooms, or on two
 * microphones, may count as two; a turn shorter than half a second goes to its neighbour. Pure;
 * owns its memory. */
#ifndef RELAIS_WORKER_SPEECH_VOICES_H
#define RELAIS_WORKER_SPEECH_VOICES_H
#include "worker/speech/spectrum.h"
#include <stdbool.h>

enum { VOICES_MAX = 20, VOICES_S_MAX = 3600 /* longest recording */ };

struct turn { /* somebody's */
    int64_t start_ms, end_ms;
    int voice; /* 0 = whoever spoke first, 1 = the next new one, … */
};
struct turns { /* in the order of time; owned by the caller */
    struct turn *list;
    size_t count;
    int voices;
};

/* min 0 = 1, max 0 = VOICES_MAX. False without memory. */
bool voices_part(const struct moment *moments, size_t count, int min, int max,
                 struct turns *ret_turns);
void voices_free(struct turns *turns);
#endif
