#include "worker/speech/spectrum.h"
#include <math.h>
#include <string.h>

enum { RATE = 16000, BAND_LOW = 100, BAND_HIGH = 7000, FLOOR_DB = -100 };
static const float periodic = 0.7f; /* correlation from which a period counts */

static double mel(double hz) { return 1127 * log(1 + hz / 700); }
static double hertz(double mels) { return 700 * (exp(mels / 1127) - 1); }

void spectrum_open(struct spectrum *s) {
    double low = mel(BAND_LOW), step = (mel(BAND_HIGH) - low) / (BANDS + 1);
    for (int i = 0; i < FRAME; i++)
        s->window[i] = (float)(0.54 - 0.46 * cos(2 * M_PI * i / (FRAME - 1)));
    for (int i = 0; i < FFT / 2; i++) {
        s->cosine[i] = (float)cos(2 * M_PI * i / FFT);
        s->sine[i] = (float)sin(2 * M_PI * i / FFT);
    }
    for (int i = 0; i < BANDS + 2; i++)
        s->edges[i] = (uint16_t)lrint(hertz(low + step * i) * FFT / RATE);
    for (int k = 0; k < CEPSTRA; k++)
        for (int i = 0; i < BANDS; i++)
            s->dct[k][i] = (float)(sqrt(2.0 / BANDS) * cos(M_PI * (k + 1) * (i + 0.5) / BANDS));
}

/* In place, FFT points: bits reversed, then butterflies. */
static void transform(const struct spectrum *s, float *re, float *im) {
    for (unsigned i = 1, j = 0; i < FFT; i++) {
        unsigned bit = FFT >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i >= j) continue;
        float swap = re[i];
        re[i] = re[j];
        re[j] = swap;
        swap = im[i];
        im[i] = im[j];
        im[j] = swap;
    }
    for (unsigned len = 2; len <= FFT; len <<= 1) {
        unsigned half = len / 2, stride = FFT / len;
        for (unsigned at = 0; at < FFT; at += len) {
            for (unsigned k = 0; k < half; k++) {
                float c = s->cosine[k * stride], n = -s->sine[k * stride];
                float *a = re + at + k, *b = im + at + k;
                float x = a[half] * c - b[half] * n, y = a[half] * n + b[half] * c;
                a[half] = *a - x;
                b[half] = *b - y;
                *a += x;
                *b += y;
            }
        }
    }
}

/* Logarithms of the power in triangular bands, evenly spread as the ear hears. */
static void bands_sum(const struct spectrum *s, const float *re, const float *im, float *bands) {
    for (int i = 0; i < BANDS; i++) {
        int left = s->edges[i], middle = s->edges[i + 1], right = s->edges[i + 2];
        double sum = 1e-4;
        for (int k = left; k < right; k++) {
            double weight = k < middle ? (double)(k - left + 1) / (middle - left + 1)
                                       : (double)(right - k) / (right - middle);
            sum += weight * ((double)re[k] * re[k] + (double)im[k] * im[k]);
        }
        bands[i] = (float)log(sum);
    }
}

/* Every second sample is enough for a pitch, and a quarter of the work. */
enum { SLOW_RATE = RATE / 2, SLOW = FRAME / 2, SHORT = SLOW_RATE / PITCH_MAX,
       LONG = SLOW_RATE / PITCH_MIN };

/* score[lag]: how well the frame correlates with itself a period later, -1 to 1; the best of it. */
static float correlate(const float *flat, float *score) {
    float x[SLOW], best = 0;
    double energy[SLOW + 1] = {0}; /* of the samples before */
    for (int i = 0; i < SLOW; i++) {
        x[i] = (flat[2 * i] + flat[2 * i + 1]) / 2;
        energy[i + 1] = energy[i] + (double)x[i] * x[i];
    }
    for (int lag = SHORT; lag <= LONG; lag++) {
        double product = 0, both = energy[SLOW - lag] * (energy[SLOW] - energy[lag]);
        for (int i = 0; i + lag < SLOW; i++) product += (double)x[i] * x[i + lag];
        score[lag] = both > 0 ? (float)(product / sqrt(both)) : 0;
        if (score[lag] > best) best = score[lag];
    }
    return best;
}

/* The shortest period that correlates nearly as well as the best: not its double. */
static float pitch_of(const float *flat) {
    float score[LONG + 2] = {0}, best = correlate(flat, score);
    if (best < periodic) return 0;
    for (int lag = SHORT + 1; lag < LONG; lag++) {
        float a = score[lag - 1], b = score[lag], c = score[lag + 1];
        if (b < 0.9f * best || b < a || b < c) continue;
        float bend = a - 2 * b + c; /* the top of the parabola through the three */
        float shift = bend < 0 ? 0.5f * (a - c) / bend : 0;
        return SLOW_RATE / ((float)lag + shift);
    }
    return 0;
}

struct moment spectrum_look(const struct spectrum *s, const int16_t *samples) {
    float re[FFT] = {0}, im[FFT] = {0}, flat[FRAME], bands[BANDS];
    struct moment m = {.level_db = FLOOR_DB};
    double mean = 0, power = 0;
    for (int i = 0; i < FRAME; i++) mean += samples[i];
    mean /= FRAME;
    for (int i = 0; i < FRAME; i++) {
        flat[i] = (float)((samples[i] - mean) / 32768);
        power += (double)flat[i] * flat[i];
        float before = i ? flat[i - 1] : 0;
        re[i] = (flat[i] - 0.97f * before) * s->window[i]; /* high frequencies are weak in speech */
    }
    if (power > 0) m.level_db = (float)(10 * log10(power / FRAME));
    if (m.level_db < FLOOR_DB) m.level_db = FLOOR_DB;
    m.pitch = pitch_of(flat);
    transform(s, re, im);
    bands_sum(s, re, im, bands);
    for (int k = 0; k < CEPSTRA; k++)
        for (int i = 0; i < BANDS; i++) m.cepstra[k] += s->dct[k][i] * bands[i];
    return m;
}

size_t spectrum_frames(size_t samples) {
    return samples < FRAME ? 0 : (samples - FRAME) / HOP + 1;
}
