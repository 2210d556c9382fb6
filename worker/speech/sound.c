#include "worker/speech/sound.h"
#include <string.h>

enum { WAV_MARK = 12 }; /* "RIFF", a length, "WAVE" */

static uint32_t little16(const uint8_t *b) { return (uint32_t)(b[0] | b[1] << 8); }
static uint32_t little32(const uint8_t *b) { return little16(b) | little16(b + 2) << 16; }

static void refuse(struct sound *s, const char *sentence) {
    s->state = SOUND_REFUSED;
    s->refusal = sentence;
}

/* The samples begin here. */
static void begin(struct sound *s) {
    s->state = SOUND_DATA;
    s->have = 0;
    s->begin = s->offset;
    if (s->channels < 1 || s->channels > CHANNELS_MAX) refuse(s, "1 to 8 channels are taken");
    else if (!resampler_open(&s->resampler, s->rate, SOUND_RATE))
        refuse(s, "sample rates from 4000 to 192000 Hz are taken");
}

void sound_open(struct sound *s, bool raw, uint32_t rate, uint32_t channels) {
    memset(s, 0, sizeof *s);
    s->raw = raw;
    s->rate = rate ? rate : SOUND_RATE;
    s->channels = channels ? channels : 1;
    s->until = UINT64_MAX;
}

void sound_resume(struct sound *s, uint32_t rate, uint32_t channels, uint64_t offset,
                  uint64_t until) {
    sound_open(s, true, rate, channels);
    s->offset = offset;
    s->until = until;
    begin(s);
}

/* ---- the chunks of a WAV ---- */

static void format_read(struct sound *s, uint32_t len) {
    uint32_t tag = little16(s->head);
    if (tag == 0xfffe && len >= 26) tag = little16(s->head + 24); /* the true one, in its GUID */
    if (tag != 1 || little16(s->head + 14) != 16) {
        refuse(s, "of WAV only 16-bit PCM is taken");
        return;
    }
    s->channels = little16(s->head + 2);
    s->rate = little32(s->head + 4);
    s->formatted = true;
}

static void data_begin(struct sound *s, uint32_t len) {
    if (!s->formatted) {
        refuse(s, "the WAV has samples before their format");
        return;
    }
    begin(s);
    if (len != 0 && len != UINT32_MAX) s->until = s->offset + len;
}

/* A chunk's name and length, 8 bytes. */
static void chunk_begin(struct sound *s) {
    uint32_t len = little32(s->head + 4);
    s->have = 0;
    if (memcmp(s->head, "data", 4) == 0) {
        data_begin(s, len);
    } else if (memcmp(s->head, "fmt ", 4) == 0) {
        s->chunk = len < SOUND_HEAD ? len : SOUND_HEAD;
        s->skip = len - s->chunk + (len & 1);
        if (len < 16) refuse(s, "the WAV's format is cut short");
    } else {
        s->skip = (uint64_t)len + (len & 1);
    }
}

/* ---- samples ---- */

static void frame_put(struct sound *s) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < s->channels; i++) sum += (int16_t)little16(s->head + 2 * i);
    resampler_put(&s->resampler, (int16_t)(sum / (int32_t)s->channels));
    s->have = 0;
}

/* At the rate we want nothing is reckoned, and nothing waits for what follows. */
static bool sample_get(struct sound *s, int16_t *sample) {
    struct resampler *r = &s->resampler;
    if (s->rate != SOUND_RATE) return resampler_get(r, sample);
    if (r->got == r->put) return false;
    *sample = (int16_t)r->ring[r->got++ % RESAMPLER_RING];
    return true;
}

static size_t data_take(struct sound *s, const uint8_t *bytes, size_t len) {
    if (s->offset >= s->until) {
        s->state = SOUND_PAST;
        return 0;
    }
    uint32_t want = 2 * s->channels - s->have;
    uint64_t left = s->until - s->offset;
    size_t some = len < want ? len : want;
    if (some > left) some = (size_t)left;
    memcpy(s->head + s->have, bytes, some);
    s->have += (uint32_t)some;
    s->offset += some;
    if (s->have == 2 * s->channels) frame_put(s);
    return some;
}

/* ---- what stands before them ---- */

/* There was no head: its bytes were samples. */
static void head_replay(struct sound *s) {
    uint8_t bytes[WAV_MARK];
    memcpy(bytes, s->head, sizeof bytes);
    s->offset -= sizeof bytes;
    begin(s);
    for (size_t at = 0; at < sizeof bytes && s->state == SOUND_DATA;)
        at += data_take(s, bytes + at, sizeof bytes - at);
}

static void head_step(struct sound *s) {
    if (s->state == SOUND_HEADING) {
        bool wav = memcmp(s->head, "RIFF", 4) == 0 && memcmp(s->head + 8, "WAVE", 4) == 0;
        s->have = 0;
        if (wav) s->state = SOUND_CHUNKS;
        else if (s->raw) head_replay(s);
        else refuse(s, "the sound is no WAV");
    } else if (s->chunk) {
        format_read(s, s->chunk);
        s->have = s->chunk = 0;
    } else {
        chunk_begin(s);
    }
}

/* Gathers what the next step needs; at once passes over what nobody wants. */
static size_t head_take(struct sound *s, const uint8_t *bytes, size_t len) {
    size_t some = len;
    if (s->skip && s->state == SOUND_CHUNKS && !s->chunk) {
        if (some > s->skip) some = (size_t)s->skip;
        s->skip -= some;
        s->offset += some;
        return some;
    }
    uint32_t want = s->state == SOUND_HEADING ? WAV_MARK : s->chunk ? s->chunk : 8;
    if (some > want - s->have) some = want - s->have;
    memcpy(s->head + s->have, bytes, some);
    s->have += (uint32_t)some;
    s->offset += some;
    if (s->have == want) head_step(s);
    return some;
}

size_t sound_take(struct sound *s, const uint8_t *bytes, size_t len, int16_t *samples, size_t max,
                  size_t *ret_count) {
    size_t taken = 0, count = 0;
    while (s->state != SOUND_REFUSED) {
        if (s->state == SOUND_DATA || s->state == SOUND_PAST) {
            while (count < max && sample_get(s, &samples[count])) count++;
            if (count == max) break;
        }
        if (taken == len) break;
        if (s->state == SOUND_DATA) taken += data_take(s, bytes + taken, len - taken);
        else if (s->state != SOUND_PAST) taken += head_take(s, bytes + taken, len - taken);
        else {
            s->offset += len - taken;
            taken = len;
        }
    }
    *ret_count = count;
    return taken;
}

uint64_t sound_mark(const struct sound *s) {
    if (s->state != SOUND_DATA && s->state != SOUND_PAST) return s->offset;
    uint64_t frames = s->resampler.got * s->rate / SOUND_RATE;
    return s->begin + frames * 2 * s->channels;
}

size_t sound_end(struct sound *s, int16_t *samples, size_t max) {
    size_t count = 0;
    if (s->state == SOUND_HEADING || s->state == SOUND_CHUNKS)
        refuse(s, s->offset ? "the sound ends within its head" : "there is no sound");
    if (s->state == SOUND_REFUSED) return 0;
    if (!s->ended) resampler_end(&s->resampler);
    s->ended = true;
    while (count < max && sample_get(s, &samples[count])) count++;
    return count;
}
