#include "worker/speech/resampler.h"
#include <assert.h>
#include <math.h>
#include <string.h>

bool resampler_open(struct resampler *r, uint32_t from, uint32_t to) {
    if (from < RATE_MIN || from > RATE_MAX || to < RATE_MIN || to > RATE_MAX) return false;
    memset(r, 0, sizeof *r);
    r->from = from;
    r->to = to;
    r->end = UINT64_MAX;
    r->cutoff = to < from ? (double)to / from : 1;
    r->reach = (uint32_t)ceil(RESAMPLER_ZEROS / r->cutoff);
    for (int i = 0; i <= RESAMPLER_ZEROS * RESAMPLER_PHASES; i++) {
        double x = (double)i / RESAMPLER_PHASES; /* in zeros */
        double sinc = i == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
        r->kernel[i] = (float)(sinc * (0.5 + 0.5 * cos(M_PI * x / RESAMPLER_ZEROS)));
    }
    return true;
}

void resampler_put(struct resampler *r, int16_t sample) {
    r->ring[r->put++ % RESAMPLER_RING] = (float)sample;
}

/* The kernel at a distance in zeros, between its two nearest values. */
static double kernel_at(const struct resampler *r, double distance) {
    double at = distance * RESAMPLER_PHASES;
    uint32_t low = (uint32_t)at;
    if (low >= RESAMPLER_ZEROS * RESAMPLER_PHASES) return 0;
    double part = at - low;
    return r->kernel[low] + part * (double)(r->kernel[low + 1] - r->kernel[low]);
}

static int16_t clip(double value) {
    return (int16_t)lrint(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

bool resampler_get(struct resampler *r, int16_t *ret_sample) {
    uint64_t time = r->got * r->from;      /* in input samples, times `to` */
    uint64_t centre = time / r->to;
    double part = (double)(time % r->to) / r->to;
    if (r->got >= r->end) return false;
    if (r->end == UINT64_MAX && centre + r->reach + 1 > r->put) return false;
    uint64_t first = centre > r->reach ? centre - r->reach : 0;
    uint64_t last = centre + r->reach + 1;
    if (last > r->put) last = r->put;
    assert(r->put - first <= RESAMPLER_RING);
    double sum = 0;
    for (uint64_t i = first; i < last; i++) {
        double distance = fabs((double)i - (double)centre - part) * r->cutoff;
        sum += (double)r->ring[i % RESAMPLER_RING] * kernel_at(r, distance);
    }
    *ret_sample = clip(sum * r->cutoff);
    r->got++;
    return true;
}

void resampler_end(struct resampler *r) {
    r->end = (r->put * r->to + r->from - 1) / r->from;
}
