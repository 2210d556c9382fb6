/* sound.h - 16 kHz mono samples from a stream of bytes, which comes in pieces of any length.
 *
 *   head --"RIFF"--> chunks --"data"--> data --its length is over--> past
 *     `--anything else, where raw samples are expected--> data, to the end of the stream
 *
 * Taken: WAV with 16-bit PCM, and raw s16le of a rate and channel count that is given; channels
 * are averaged. A WAV that is written while it is sent does not know its length: 0 and 2^32-1 in
 * its head mean until the end. Everything else is refused with a sentence in `refusal`.
 * sound_mark is the place in the stream that the samples given so far reach to: with it and the
 * format another worker can go on (sound_resume); it must begin to read there. Pure. */
#ifndef RELAIS_WORKER_SPEECH_SOUND_H
#define RELAIS_WORKER_SPEECH_SOUND_H
#include "worker/speech/resampler.h"
#include <stddef.h>

enum { SOUND_RATE = 16000, CHANNELS_MAX = 8, SOUND_HEAD = 40 };

enum sound_state { SOUND_HEADING = 0, SOUND_CHUNKS, SOUND_DATA, SOUND_PAST, SOUND_REFUSED };

struct sound {
    enum sound_state state;
    bool raw;               /* what is no WAV is raw samples */
    uint32_t rate, channels;
    uint64_t offset;        /* bytes taken of the stream */
    uint64_t begin, until;  /* of the samples in the stream; until UINT64_MAX = its end */
    uint64_t skip;          /* bytes of a chunk to pass over */
    bool formatted;         /* "fmt " was read */
    uint8_t head[SOUND_HEAD]; /* what is gathered of a head, a chunk or a frame of samples */
    uint32_t have, chunk;   /* bytes in it; bytes of "fmt " to come, 0 = a chunk's name */
    bool ended;
    const char *refusal;
    struct resampler resampler;
};

/* raw: what does not begin as a WAV is raw samples, of the rate and channels given; 0 = 16000
 * and 1. Otherwise it is refused. */
void sound_open(struct sound *s, bool raw, uint32_t rate, uint32_t channels);
/* Goes on at s->offset of a stream whose format is known. */
void sound_resume(struct sound *s, uint32_t rate, uint32_t channels, uint64_t offset,
                  uint64_t until);
/* Takes bytes until `max` samples are there or the bytes are over; returns how many bytes it took,
 * and in *ret_count how many samples it wrote. */
size_t sound_take(struct sound *s, const uint8_t *bytes, size_t len, int16_t *samples, size_t max,
                  size_t *ret_count);
/* Where in the stream the first sample stands that was not given yet. */
uint64_t sound_mark(const struct sound *s);
/* The stream has ended: the samples still under way, at most max of them; 0 = none is left. */
size_t sound_end(struct sound *s, int16_t *samples, size_t max);
#endif
