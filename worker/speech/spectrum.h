/* spectrum.h - what a moment of sound is like: its loudness, its pitch, the shape of its spectrum.
 *
 * A frame is FRAME samples at 16 kHz, one every HOP. Its shape is the cepstral coefficients 1 to 12
 * over 26 mel bands (0, loudness, is `level_db`); its pitch is the best period of the normalised
 * autocorrelation, PITCH_MIN to PITCH_MAX Hz, 0 where nothing is periodic. Pure. */
#ifndef RELAIS_WORKER_SPEECH_SPECTRUM_H
#define RELAIS_WORKER_SPEECH_SPECTRUM_H
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME = 640, HOP = 160, HOP_MS = 10, /* samples; 40 ms, 10 ms */
    CEPSTRA = 12, BANDS = 26, FFT = 1024,
    PITCH_MIN = 70, PITCH_MAX = 400      /* Hz */
};

struct moment {
    float level_db;         /* of full scale: 0 is the loudest */
    float pitch;            /* Hz; 0 = none */
    float cepstra[CEPSTRA];
};

struct spectrum { /* tables; set up once, read only then */
    float window[FRAME], cosine[FFT / 2], sine[FFT / 2];
    float dct[CEPSTRA][BANDS];
    uint16_t edges[BANDS + 2];
};

void spectrum_open(struct spectrum *s);
/* samples: FRAME of them. */
struct moment spectrum_look(const struct spectrum *s, const int16_t *samples);
/* Frames that fit into so many samples. */
size_t spectrum_frames(size_t samples);
#endif
