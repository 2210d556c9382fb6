/* Sound as it comes: heads, pieces of any length, channels, rates, and where to go on. */
#include "tests/unit/tap.h"
#include "worker/speech/sound.h"
#include "worker/speech/transcript.h"
#include <math.h>
#include <stdlib.h>

enum { MANY = 64000 };
static uint8_t bytes[4 * MANY];
static int16_t got[4 * MANY];

static void little(uint8_t *at, uint32_t value, int len) {
    for (int i = 0; i < len; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* A head with a chunk that nobody wants before the samples; returns its length. */
static size_t head(uint32_t rate, uint32_t channels, uint32_t bits, uint32_t data) {
    memcpy(bytes, "RIFF....WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0", 32);
    little(bytes + 32, 1, 2);
    little(bytes + 34, channels, 2);
    little(bytes + 36, rate, 4);
    little(bytes + 40, rate * channels * bits / 8, 4);
    little(bytes + 44, channels * bits / 8, 2);
    little(bytes + 46, bits, 2);
    memcpy(bytes + 48, "data", 4);
    little(bytes + 52, data, 4);
    return 56;
}

static size_t tone(size_t at, uint32_t rate, double hertz, size_t frames, uint32_t channels) {
    for (size_t i = 0; i < frames; i++) {
        double value = 10000 * sin(2 * M_PI * hertz * (double)i / rate);
        for (uint32_t c = 0; c < channels; c++, at += 2)
            little(bytes + at, (uint16_t)(int16_t)lrint(value), 2);
    }
    return at;
}

/* Everything, in pieces of so many bytes; the count of samples. */
static size_t all(struct sound *s, size_t from, size_t len, size_t piece) {
    size_t total = 0, count = 0;
    for (size_t at = from; at < len;) {
        size_t some = len - at < piece ? len - at : piece;
        at += sound_take(s, bytes + at, some, got + total, 1000, &count);
        total += count;
        if (s->state == SOUND_REFUSED) return 0;
    }
    do {
        sound_take(s, bytes, 0, got + total, 1000, &count);
        total += count;
    } while (count);
    while ((count = sound_end(s, got + total, 1000))) total += count;
    return total;
}

static void samples_come_through_as_they_are(void) {
    struct sound *s = malloc(sizeof *s);
    size_t len = tone(head(16000, 1, 16, 2 * 5000), 16000, 440, 5000, 1);
    for (size_t piece = 1; piece < 5000; piece = piece * 7 + 1) {
        sound_open(s, false, 0, 0);
        is_int(all(s, 0, len, piece), 5000, "every sample, whatever the pieces");
        ok(memcmp(got, bytes + 56, 2 * 5000) == 0, "unchanged at 16 kHz mono");
    }
    memset(bytes + len, 7, 100);
    sound_open(s, false, 0, 0);
    is_int(all(s, 0, len + 100, 333), 5000, "what stands behind the samples is passed over");
    head(16000, 1, 16, UINT32_MAX);
    sound_open(s, false, 0, 0);
    is_int(all(s, 0, len + 100, 333), 5050, "a head without a length means to the end");
    sound_open(s, true, 0, 0);
    is_int(all(s, 0, len, 333), 5000, "a WAV is known as one where raw samples are expected");
    sound_open(s, true, 0, 0);
    is_int(all(s, 56, len, 5), 5000, "raw samples need no head");
    ok(memcmp(got, bytes + 56, 2 * 5000) == 0, "and lose none of it to the look for one");
    free(s);
}

static void what_is_not_taken_is_refused(void) {
    struct sound *s = malloc(sizeof *s);
    size_t len = tone(head(16000, 1, 8, 2000), 16000, 440, 1000, 1);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 100);
    is_text(s->refusal, "of WAV only 16-bit PCM is taken", "8 bits");
    head(16000, 9, 16, 2000);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 100);
    is_text(s->refusal, "1 to 8 channels are taken", "9 channels");
    head(3999, 1, 16, 2000);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 100);
    is_text(s->refusal, "sample rates from 4000 to 192000 Hz are taken", "4 kHz is the least");
    memcpy(bytes, "OggS", 4);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 100);
    is_text(s->refusal, "the sound is no WAV", "another format");
    head(16000, 1, 16, 2000);
    sound_open(s, false, 0, 0);
    all(s, 0, 50, 100);
    is_text(s->refusal, "the sound ends within its head", "a head cut short");
    sound_open(s, false, 0, 0);
    all(s, 0, 0, 1);
    is_text(s->refusal, "there is no sound", "nothing at all");
    memcpy(bytes + 24, "data", 4);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 100);
    is_text(s->refusal, "the WAV has samples before their format", "chunks in disorder");
    free(s);
}

/* How strong a tone is in what we got, 1 = as it went in. */
static double strength(double hertz, size_t from, size_t to) {
    double re = 0, im = 0;
    for (size_t i = from; i < to; i++) {
        re += got[i] * cos(2 * M_PI * hertz * (double)i / 16000);
        im += got[i] * sin(2 * M_PI * hertz * (double)i / 16000);
    }
    return sqrt(re * re + im * im) / ((double)(to - from) / 2 * 10000);
}

static void other_rates_become_ours(void) {
    static const uint32_t rates[] = {8000, 11025, 22050, 44100, 48000, 96000};
    struct sound *s = malloc(sizeof *s);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint32_t frames = rates[i] / 2;
        size_t len = tone(head(rates[i], 1, 16, 2 * frames), rates[i], 1000, frames, 1);
        sound_open(s, false, 0, 0);
        is_int(all(s, 0, len, 777), (8000LL * 2 * frames + rates[i] - 1) / rates[i],
               "half a second is half a second");
        ok(fabs(strength(1000, 400, 7600) - 1) < 0.01, "a tone keeps its pitch and strength");
        ok(strength(3000, 400, 7600) < 0.005, "and brings no other");
    }
    size_t len = tone(head(48000, 1, 16, 2 * 24000), 48000, 10000, 24000, 1);
    sound_open(s, false, 0, 0);
    all(s, 0, len, 777);
    ok(strength(6000, 400, 7600) < 0.01, "what is too high for the new rate does not fold back");
    free(s);
}

static void channels_are_averaged(void) {
    struct sound *s = malloc(sizeof *s);
    size_t from = head(16000, 2, 16, 4 * 1000);
    for (size_t i = 0; i < 1000; i++) {
        little(bytes + from + 4 * i, 3000, 2);
        little(bytes + from + 4 * i + 2, (uint16_t)-1000, 2);
    }
    sound_open(s, false, 0, 0);
    is_int(all(s, 0, from + 4000, 3), 1000, "two channels are one");
    ok(got[0] == 1000 && got[999] == 1000, "their mean");
    free(s);
}

static void another_worker_goes_on_at_the_mark(void) {
    struct sound *s = malloc(sizeof *s);
    size_t len = tone(head(16000, 1, 16, 2 * 5000), 16000, 440, 5000, 1), count;
    sound_open(s, false, 0, 0);
    size_t taken = sound_take(s, bytes, len, got, 1600, &count);
    is_int(count, 1600, "a block");
    is_int(sound_mark(s), 56 + 2 * 1600, "the mark stands behind what was given");
    ok(taken >= sound_mark(s), "not behind what was taken");
    uint64_t mark = sound_mark(s), until = s->until;
    sound_resume(s, 16000, 1, mark, until);
    is_int(all(s, mark, len, 99), 5000 - 1600, "the rest");
    ok(memcmp(got, bytes + mark, 2 * 3400) == 0, "sample by sample");
    len = tone(head(48000, 2, 16, 4 * 24000), 48000, 1000, 24000, 2);
    sound_open(s, false, 0, 0);
    sound_take(s, bytes, len, got, 1600, &count);
    is_int(sound_mark(s), 56 + 4 * 3 * 1600, "also at another rate");
    free(s);
}

static void a_transcript_survives_its_checkpoint(void) {
    struct transcript t = {.offset = 6400, .until = UINT64_MAX, .rate = 16000, .channels = 1,
                           .at_ms = 200};
    struct transcript back;
    transcript_add(&t, &(struct segment){.start_ms = 20, .end_ms = 1130, .speaker = -1,
                                         .text = (char *)"he \"was\""});
    transcript_add(&t, &(struct segment){.start_ms = 1500, .end_ms = 2000, .speaker = 1,
                                         .text = (char *)"not"});
    char *part = transcript_part(&t, 0), *saved = transcript_save(&t);
    char *result = transcript_result(&t, "en");
    is_text(part, "{\"id\":0,\"start\":0.02,\"end\":1.13,\"text\":\"he \\\"was\\\"\"}", "a part");
    is_text(result, "{\"full_text\":\"he \\\"was\\\" not\",\"segments\":[{\"id\":0,\"start\":0.02,"
            "\"end\":1.13,\"text\":\"he \\\"was\\\"\"},{\"id\":1,\"start\":1.5,\"end\":2.0,"
            "\"text\":\"not\",\"speaker\":\"SPEAKER_01\"}],\"language\":\"en\"}", "a result");
    ok(transcript_load(&back, saved, strlen(saved)), "what was saved is read");
    ok(back.count == 2 && back.segments[0].end_ms == 1130 && back.offset == 6400 &&
           back.until == UINT64_MAX && back.at_ms == 200, "as it was");
    transcript_free(&back);
    ok(!transcript_load(&back, "{\"offset\":1}", 12) && back.count == 0, "anything else is not");
    ok(!transcript_load(&back, saved, strlen(saved) - 5) && back.count == 0, "nor a part of it");
    free(part);
    free(saved);
    free(result);
    transcript_free(&t);
}

int main(void) {
    samples_come_through_as_they_are();
    what_is_not_taken_is_refused();
    other_rates_become_ours();
    channels_are_averaged();
    another_worker_goes_on_at_the_mark();
    a_transcript_survives_its_checkpoint();
    return done();
}
