#include "worker/speech/mixture.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

static const double spread_part_min = 0.05; /* of the whole recording's: no kind is one frame */

struct sums { double n[KINDS], first[KINDS][CEPSTRA], second[KINDS][CEPSTRA]; };

/* All frames as one kind: where every kind starts from, and the least spread. */
static void begin(struct mixture *m, const struct moment *moments, const size_t *which,
                  size_t count, double least[CEPSTRA]) {
    double mean[CEPSTRA] = {0}, square[CEPSTRA] = {0};
    for (size_t i = 0; i < count; i++) {
        for (int d = 0; d < CEPSTRA; d++) {
            double x = moments[which[i]].cepstra[d];
            mean[d] += x / (double)count;
            square[d] += x * x / (double)count;
        }
    }
    for (int k = 0; k < KINDS; k++) {
        size_t at = (2 * (size_t)k + 1) * count / (2 * KINDS);
        m->weight[k] = 1.0 / KINDS;
        for (int d = 0; d < CEPSTRA; d++) {
            double spread = square[d] - mean[d] * mean[d];
            least[d] = spread_part_min * (spread > 0 ? spread : 0) + 1e-3;
            m->spread[k][d] = spread > least[d] ? spread : least[d];
            m->mean[k][d] = moments[which[at]].cepstra[d];
        }
    }
}

/* How much a frame is of each kind. */
static void share(const struct mixture *m, const double constant[KINDS], const float *x,
                  float *shares) {
    double score[KINDS], best = -DBL_MAX, sum = 0;
    for (int k = 0; k < KINDS; k++) {
        score[k] = constant[k];
        for (int d = 0; d < CEPSTRA; d++) {
            double y = x[d] - m->mean[k][d];
            score[k] -= y * y / m->spread[k][d] / 2;
        }
        if (score[k] > best) best = score[k];
    }
    for (int k = 0; k < KINDS; k++) sum += score[k] = exp(score[k] - best);
    for (int k = 0; k < KINDS; k++) shares[k] = (float)(score[k] / sum);
}

static void constants(const struct mixture *m, double constant[KINDS]) {
    for (int k = 0; k < KINDS; k++) {
        constant[k] = log(m->weight[k]);
        for (int d = 0; d < CEPSTRA; d++) constant[k] -= log(m->spread[k][d]) / 2;
    }
}

static void maximise(struct mixture *m, const struct sums *s, size_t count,
                     const double least[CEPSTRA]) {
    for (int k = 0; k < KINDS; k++) {
        double n = s->n[k] + 1e-3;
        m->weight[k] = n / ((double)count + KINDS * 1e-3);
        for (int d = 0; d < CEPSTRA && s->n[k] > 1; d++) {
            double mean = s->first[k][d] / s->n[k];
            double spread = s->second[k][d] / s->n[k] - mean * mean;
            m->mean[k][d] = mean;
            m->spread[k][d] = spread > least[d] ? spread : least[d];
        }
    }
}

void mixture_learn(struct mixture *m, const struct moment *moments, const size_t *which,
                   size_t count, float (*shares)[KINDS]) {
    double least[CEPSTRA], constant[KINDS];
    assert(count > 0);
    begin(m, moments, which, count, least);
    for (int round = 0; round < MIXTURE_ROUNDS; round++) {
        struct sums s;
        memset(&s, 0, sizeof s);
        constants(m, constant);
        for (size_t i = 0; i < count; i++) {
            const float *x = moments[which[i]].cepstra;
            share(m, constant, x, shares[i]);
            for (int k = 0; k < KINDS; k++) {
                double part = shares[i][k];
                s.n[k] += part;
                for (int d = 0; d < CEPSTRA; d++) {
                    s.first[k][d] += part * x[d];
                    s.second[k][d] += part * x[d] * x[d];
                }
            }
        }
        if (round + 1 < MIXTURE_ROUNDS) maximise(m, &s, count, least);
    }
}
