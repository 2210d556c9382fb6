/* mixture.h - the sounds of a recording: a mixture of KINDS Gaussians over cepstra.
 *
 * It says of each frame what kind of sound it is, so that voices are compared sound by sound and
 * not by what they happen to say. Deterministic: it starts from frames spread over the recording
 * and takes a fixed number of rounds (expectation, maximisation). Pure. */
#ifndef RELAIS_WORKER_SPEECH_MIXTURE_H
#define RELAIS_WORKER_SPEECH_MIXTURE_H
#include "worker/speech/spectrum.h"
#include <stdbool.h>

enum { KINDS = 8, MIXTURE_ROUNDS = 20 };

struct mixture {
    double weight[KINDS], mean[KINDS][CEPSTRA], spread[KINDS][CEPSTRA]; /* spread: variances */
};

/* which: indices of the `count` frames to learn from; shares: count rows of KINDS, how much each
 * frame is of each kind, filled. count > 0. */
void mixture_learn(struct mixture *m, const struct moment *moments, const size_t *which,
                   size_t count, float (*shares)[KINDS]);
#endif
