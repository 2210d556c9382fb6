/* resampler.h - samples of one rate as samples of another: a windowed sinc, one at a time.
 *
 * Output n stands at the time of input n * from / to, reckoned in whole numbers, so that an hour
 * of sound does not drift. The kernel is a sinc of ZEROS crossings on either side under a Hann
 * window; going down its cutoff is the new half rate, so that nothing folds back. Input before the
 * first and after the last sample is silence. Pure.
 *
 *   while there is input: resampler_put(&r, sample); while (resampler_get(&r, &out)) use(out);
 *   resampler_end(&r); while (resampler_get(&r, &out)) use(out); */
#ifndef RELAIS_WORKER_SPEECH_RESAMPLER_H
#define RELAIS_WORKER_SPEECH_RESAMPLER_H
#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_MIN = 4000, RATE_MAX = 192000, /* Hz */
    RESAMPLER_ZEROS = 16,
    RESAMPLER_PHASES = 256,   /* kernel values between two zeros */
    RESAMPLER_RING = 2048     /* > 2 * ZEROS * RATE_MAX / RATE_MIN + 2 */
};

struct resampler {
    uint32_t from, to;        /* Hz */
    uint32_t reach;           /* input samples on either side that an output looks at */
    double cutoff;            /* of the input's half rate, 0..1 */
    uint64_t put, got;        /* samples so far */
    uint64_t end;             /* got stops here; UINT64_MAX until resampler_end */
    float ring[RESAMPLER_RING];
    float kernel[RESAMPLER_ZEROS * RESAMPLER_PHASES + 2];
};

/* False when a rate is out of bounds. */
bool resampler_open(struct resampler *r, uint32_t from, uint32_t to);
/* All that resampler_get has must be taken first. */
void resampler_put(struct resampler *r, int16_t sample);
bool resampler_get(struct resampler *r, int16_t *ret_sample);
/* No more input: the last outputs no longer wait for what would follow. */
void resampler_end(struct resampler *r);
#endif
