/* Pitch, spectrum and the parting by voice, on sound that is made here. */
#include "tests/unit/tap.h"
#include "worker/speech/mixture.h"
#include "worker/speech/voices.h"
#include <math.h>
#include <stdlib.h>

enum { RATE = 16000, SECONDS_MAX = 60 };
static int16_t samples[SECONDS_MAX * RATE];
static struct moment moments[SECONDS_MAX * 100];
static struct spectrum spectrum;

static double noise(void) {
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return (double)(state >> 8) / (1 << 24) - 0.5;
}

/* Something like a vowel: a pulse train of this pitch through one resonance; the resonance moves
 * from syllable to syllable, so that the same voice makes different sounds. Returns the end. */
static size_t speak(size_t at, double pitch, double throat, double seconds) {
    static const double vowels[] = {500, 800, 650, 400, 950};
    double phase = 0, y1 = 0, y2 = 0;
    for (size_t i = 0; i < (size_t)(seconds * RATE); i++) {
        double t = (double)i / RATE, vowel = vowels[(size_t)(t * 4) % 5] * throat;
        double sway = pitch * (1 + 0.06 * sin(2 * M_PI * 0.7 * t));
        double r = 0.96, c = 2 * r * cos(2 * M_PI * vowel / RATE);
        phase += sway / RATE;
        double pulse = phase >= 1 ? 1 : 0;
        if (phase >= 1) phase -= 1;
        double y = pulse + 0.005 * noise() + c * y1 - r * r * y2;
        y2 = y1;
        y1 = y;
        samples[at + i] = (int16_t)lrint(fmax(-32000, fmin(32000, 2500 * y)));
    }
    return at + (size_t)(seconds * RATE);
}

static size_t rest(size_t at, double seconds) {
    for (size_t i = 0; i < (size_t)(seconds * RATE); i++)
        samples[at + i] = (int16_t)lrint(20 * noise());
    return at + (size_t)(seconds * RATE);
}

static size_t look(size_t len) {
    size_t frames = spectrum_frames(len);
    for (size_t i = 0; i < frames; i++) moments[i] = spectrum_look(&spectrum, samples + i * HOP);
    return frames;
}

static void a_tone_has_its_pitch(void) {
    for (double hertz = 80; hertz < 390; hertz *= 1.17) {
        for (size_t i = 0; i < FRAME; i++)
            samples[i] = (int16_t)lrint(8000 * sin(2 * M_PI * hertz * (double)i / RATE));
        struct moment m = spectrum_look(&spectrum, samples);
        if (!ok(fabs(m.pitch / hertz - 1) < 0.02, "a sine's pitch is found within 2 %"))
            note("%.1f instead of %.1f", (double)m.pitch, hertz);
    }
    for (size_t i = 0; i < FRAME; i++)
        samples[i] = (int16_t)lrint(8000 * sin(2 * M_PI * 200 * (double)i / RATE));
    ok(fabs(spectrum_look(&spectrum, samples).level_db - 10 * log10(8000.0 * 8000 / 2 / 32768 /
                                                                     32768)) < 0.2,
       "its level is its power");
    for (size_t i = 0; i < FRAME; i++) samples[i] = (int16_t)lrint(20000 * noise());
    ok(spectrum_look(&spectrum, samples).pitch == 0, "noise has no pitch");
    memset(samples, 0, FRAME * sizeof *samples);
    struct moment silence = spectrum_look(&spectrum, samples);
    ok(silence.pitch == 0 && silence.level_db == -100, "silence has neither pitch nor level");
}

static double apart(struct moment a, struct moment b) {
    double sum = 0;
    for (int i = 0; i < CEPSTRA; i++) sum += (a.cepstra[i] - b.cepstra[i]) *
                                             (a.cepstra[i] - b.cepstra[i]);
    return sqrt(sum);
}

static void cepstra_see_the_shape_and_not_the_loudness(void) {
    speak(0, 120, 1, 0.2);
    struct moment loud = spectrum_look(&spectrum, samples + 1000);
    for (size_t i = 0; i < RATE / 5; i++) samples[i] = (int16_t)(samples[i] / 4);
    struct moment quiet = spectrum_look(&spectrum, samples + 1000);
    ok(apart(loud, quiet) < 0.5, "a quarter as loud is the same sound");
    ok(fabs(loud.level_db - quiet.level_db - 12) < 0.5, "12 dB less loud");
    speak(0, 120, 1.6, 0.2);
    ok(apart(loud, spectrum_look(&spectrum, samples + 1000)) > 2, "another throat is another");
}

static void a_mixture_tells_kinds_apart(void) {
    static float shares[800][KINDS];
    static size_t which[800];
    struct mixture m;
    for (size_t i = 0; i < 800; i++) {
        which[i] = i;
        for (int d = 0; d < CEPSTRA; d++)
            moments[i].cepstra[d] = (float)(noise() + (i / 100 % 2 ? 5 : -5));
    }
    mixture_learn(&m, moments, which, 800, shares);
    double weights = 0, across = 0;
    for (int k = 0; k < KINDS; k++) weights += m.weight[k];
    for (int k = 0; k < KINDS; k++) across += (double)shares[0][k] * shares[100][k];
    ok(fabs(weights - 1) < 1e-6, "the weights are parts of one");
    ok(across < 1e-6, "two kinds of frames share no kind");
}

static bool told(const struct turns *t, const char *want, const char *fact) {
    char text[512] = "";
    for (size_t i = 0; i < t->count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%d:%.0f-%.0f", i ? " " : "", t->list[i].voice,
                 round((double)t->list[i].start_ms / 500) / 2 * 10,
                 round((double)t->list[i].end_ms / 500) / 2 * 10);
    }
    return is_text(text, want, fact);
}

static void two_voices_are_two(void) {
    struct turns t;
    size_t len = rest(0, 1);
    len = rest(speak(len, 110, 1, 5), 1);
    len = rest(speak(len, 230, 1.3, 6), 1);
    len = rest(speak(len, 110, 1, 4), 1);
    ok(voices_part(moments, look(len), 0, 0, &t), "it is parted");
    is_int(t.voices, 2, "two voices of different pitch and throat are two");
    told(&t, "0:10-60 1:70-130 0:140-180", "whose turn it is, to half a second");
    voices_free(&t);
    ok(voices_part(moments, look(len), 1, 1, &t), "with at most one");
    is_int(t.voices, 1, "they are one");
    told(&t, "0:10-60 0:70-130 0:140-180", "and the pauses stay");
    voices_free(&t);
}

static void pitch_alone_is_enough(void) {
    struct turns t;
    size_t len = rest(0, 1);
    len = rest(speak(len, 100, 1, 5), 1);
    len = rest(speak(len, 215, 1, 5), 1);
    voices_part(moments, look(len), 0, 0, &t);
    is_int(t.voices, 2, "the same throat an octave higher is another voice");
    voices_free(&t);
}

static void one_voice_is_one(void) {
    struct turns t;
    size_t len = rest(0, 1);
    for (int i = 0; i < 4; i++) len = rest(speak(len, 118 + 4 * (i % 2), 1, 4), 0.7);
    voices_part(moments, look(len), 0, 0, &t);
    is_int(t.voices, 1, "a voice that sways is still one");
    voices_free(&t);
    voices_part(moments, look(len), 2, 0, &t);
    is_int(t.voices, 2, "unless at least two are asked for");
    voices_free(&t);
}

static void a_change_without_a_pause_is_found(void) {
    struct turns t;
    size_t len = speak(rest(0, 1), 110, 1, 5);
    len = rest(speak(len, 230, 1.3, 5), 1);
    voices_part(moments, look(len), 0, 0, &t);
    told(&t, "0:10-60 1:60-110", "one begins where the other ends");
    voices_free(&t);
}

static void nothing_has_nobody(void) {
    struct turns t;
    ok(voices_part(moments, 0, 0, 0, &t), "no frames are no trouble");
    is_int(t.voices, 0, "and nobody's");
    voices_free(&t);
    memset(samples, 0, sizeof samples);
    ok(voices_part(moments, look(10 * RATE), 2, 5, &t), "silence is no trouble");
    is_int(t.count, 0, "and nobody's, however many are asked for");
    voices_free(&t);
    speak(rest(0, 1), 120, 1, 0.4);
    ok(voices_part(moments, look(2 * RATE), 3, 5, &t), "one word");
    is_int(t.voices, 1, "is one voice's");
    voices_free(&t);
}

int main(void) {
    spectrum_open(&spectrum);
    a_tone_has_its_pitch();
    cepstra_see_the_shape_and_not_the_loudness();
    a_mixture_tells_kinds_apart();
    two_voices_are_two();
    pitch_alone_is_enough();
    one_voice_is_one();
    a_change_without_a_pause_is_found();
    nothing_has_nobody();
    return done();
}
