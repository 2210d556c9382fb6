/* recogniser.h - words from samples as they come: Debian's pocketsphinx, English model.
 *
 * One utterance after the other: it begins with the first speech and is over after a pause of
 * pause_ms, or after UTTERANCE_MS_MAX without one, so that a speaker who never rests is heard, too.
 * Sound is taken in blocks of BLOCK samples, whatever the pieces it arrives in: the same sound
 * gives the same words. Not shared between threads. */
#ifndef RELAIS_WORKER_SPEECH_RECOGNISER_H
#define RELAIS_WORKER_SPEECH_RECOGNISER_H
#include "worker/speech/transcript.h"

enum { BLOCK = 1600 /* samples, 100 ms */, UTTERANCE_MS_MAX = 30000, PAUSE_MS = 250 };

struct recogniser;

/* model: a folder that holds en-us/, en-us.lm.bin and cmudict-en-us.dict, or NULL = Debian's.
 * Takes about half a second. NULL when it cannot be loaded. */
struct recogniser *recogniser_new(const char *model, uint32_t pause_ms);
void recogniser_destroy(struct recogniser **self);
/* Begins with a new recording. False when pocketsphinx fails, as with recogniser_take. */
bool recogniser_begin(struct recogniser *r);
/* Takes at most BLOCK samples. *ret_over: an utterance is over; recogniser_final comes next. */
bool recogniser_take(struct recogniser *r, const int16_t *samples, size_t count, bool *ret_over);
/* What the utterance under way sounds like so far; NULL = nothing yet. Borrowed until the next
 * call. */
const char *recogniser_guess(struct recogniser *r);
/* Ends the utterance. False when nothing was said. Times count from recogniser_begin; the text is
 * borrowed until the next call. */
bool recogniser_final(struct recogniser *r, struct segment *ret_segment);
#endif
