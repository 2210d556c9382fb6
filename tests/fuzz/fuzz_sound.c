/* Any bytes as a stream of sound, in two different cuts: the same samples, the same refusal, the
 * same mark. And any bytes as a worker's checkpoint: what is read is written as it was. */
#include "worker/speech/sound.h"
#include "worker/speech/transcript.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard { uint64_t hash, count, mark; const char *refusal; };

static void mix(struct heard *h, const int16_t *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        h->hash = (h->hash ^ (uint16_t)samples[i]) * UINT64_C(0x100000001b3);
    h->count += count;
}

static struct heard hear(struct sound *s, const uint8_t *data, size_t size, size_t cut,
                         size_t room) {
    int16_t samples[700];
    struct heard h = {.hash = 1};
    size_t count, at = 0;
    do {
        size_t len = size - at < cut ? size - at : cut;
        at += sound_take(s, data + at, len, samples, room, &count);
        assert(at <= size && count <= room);
        mix(&h, samples, count);
    } while ((at < size || count) && s->state != SOUND_REFUSED);
    while ((count = sound_end(s, samples, room))) mix(&h, samples, count);
    h.refusal = s->refusal;
    h.mark = sound_mark(s);
    if (!h.refusal) assert(h.count * s->rate <= ((uint64_t)size + 2) * SOUND_RATE);
    return h;
}

static void sound_try(const uint8_t *data, size_t size, bool raw, uint32_t rate,
                      uint32_t channels) {
    struct sound *s = malloc(sizeof *s);
    sound_open(s, raw, rate, channels);
    struct heard a = hear(s, data, size, 1, 1);
    sound_open(s, raw, rate, channels);
    struct heard b = hear(s, data, size, size + 1, 700);
    assert(a.refusal == b.refusal);
    assert(a.refusal || (a.hash == b.hash && a.count == b.count && a.mark == b.mark));
    free(s);
}

static void checkpoint_try(const uint8_t *data, size_t size) {
    struct transcript t, again;
    if (!transcript_load(&t, data, size)) return;
    char *saved = transcript_save(&t);
    if (saved) {
        assert(transcript_load(&again, saved, strlen(saved)));
        assert(again.count == t.count && again.offset == t.offset && again.at_ms == t.at_ms);
        transcript_free(&again);
    }
    free(saved);
    transcript_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    if (data[0] == '{') checkpoint_try(data, size);
    else sound_try(data + 3, size - 3, data[0] & 1, (uint32_t)data[1] * 800, data[2] % 10);
    return 0;
}
