/* listen.c - relais-listen: speech to text while the speaker still speaks.
 *
 *   relais-listen [--batch] [--broker tcp://127.0.0.1:5555]
 *
 * Takes streaming jobs: reads the sound as it is sent (WAV or raw 16-bit PCM of any rate), says as
 * progress what the sentence sounds like so far, and sends each sentence as a part once it is over.
 * Before a part its checkpoint is durable, with the part in it: whoever takes over after a crash
 * sends that part again, which the broker drops if it has it, and goes on behind it. With --batch
 * whole recordings of any format, too.
 * The language model is English and knows no punctuation. */
#include "worker/speech/booth.h"
#include "worker/speech/reel.h"
#include "worker/speech/sound.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { READ_MS = 500, GUESS_MS = 300, BYTES = 64 << 10, STORE_MS = 5000, AGAIN_MS = 200,
       GUESS_TEXT_MAX = 3000 };

struct hearing { /* a recording under way */
    struct booth *booth;
    struct relais_worker *worker;
    struct relais_task *task;
    struct reel reel;
    struct sound sound;
    struct transcript heard;
    int64_t base_ms;    /* time in the recording at which the recogniser began */
    uint64_t fed;       /* samples since then */
    int64_t guess_ms;   /* when the newest guess was sent */
    uint32_t guess_len; /* how long it was: a longer or shorter one is news */
    bool streaming;     /* each segment is a part, too */
    bool over;          /* the task is settled */
};

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void stop(struct hearing *h) {
    relais_release(h->worker, h->task); /* told to stop: it is reported as stopped */
    h->over = true;
}

static void refuse(struct hearing *h, const char *why) {
    booth_refuse(h->worker, h->task, why);
    h->over = true;
}

static void fail(struct hearing *h, int code) {
    relais_fail(h->worker, h->task, RELAIS_REASON_FAILED, relais_error_text(code));
    h->over = true;
}

/* ---- keeping what was heard ---- */

/* True when the same call should be made again: the broker is away or busy. */
static bool again(struct hearing *h, int code) {
    if (code != RELAIS_TIMEOUT && code != RELAIS_BUSY && code != RELAIS_UNAVAILABLE &&
        code != RELAIS_RATE_LIMITED && code != RELAIS_STORAGE_FULL)
        return false;
    if (relais_cancelled(h->worker, h->task)) return false;
    if (code != RELAIS_TIMEOUT)
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000L}, NULL);
    return true;
}

static void settle(struct hearing *h, int code) {
    if (code == RELAIS_OK) return;
    if (code == RELAIS_ATTEMPT_SUPERSEDED || relais_cancelled(h->worker, h->task)) stop(h);
    else if (code == RELAIS_LIMIT_REACHED || code == RELAIS_PAYLOAD_TOO_LARGE)
        refuse(h, "the transcript is over the broker's limits");
    else fail(h, code);
}

static void checkpoint(struct hearing *h) {
    char *text = transcript_save(&h->heard);
    int code = text ? RELAIS_OK : RELAIS_MEMORY;
    if (text)
        do code = relais_checkpoint(h->worker, h->task, "heard", text, strlen(text), STORE_MS,
                                    NULL);
        while (again(h, code));
    free(text);
    settle(h, code);
}

static void part_send(struct hearing *h, size_t index) {
    char *text = transcript_part(&h->heard, index);
    int code = text ? RELAIS_OK : RELAIS_MEMORY;
    if (text)
        do code = relais_part(h->worker, h->task, (uint32_t)index + 1, text, strlen(text),
                              STORE_MS);
        while (again(h, code));
    free(text);
    settle(h, code);
}

/* The utterance is over: what was said is kept, then told. */
static void utterance_end(struct hearing *h) {
    struct segment segment;
    h->guess_len = 0;
    if (!recogniser_final(h->booth->recogniser, &segment)) return;
    segment.start_ms += h->base_ms;
    segment.end_ms += h->base_ms;
    if (!transcript_add(&h->heard, &segment)) {
        refuse(h, "the transcript has too many segments");
        return;
    }
    h->heard.offset = sound_mark(&h->sound);
    h->heard.until = h->sound.until;
    h->heard.rate = h->sound.rate;
    h->heard.channels = h->sound.channels;
    h->heard.at_ms = h->base_ms + (int64_t)(h->fed * 1000 / SOUND_RATE);
    checkpoint(h);
    if (!h->over && h->streaming) part_send(h, h->heard.count - 1);
}

/* ---- guesses ---- */

static int percent_of(const struct hearing *h) {
    if (h->reel.size == 0) return -1;
    return (int)(sound_mark(&h->sound) * 100 / h->reel.size);
}

static void guess_send(struct hearing *h) {
    const char *text = recogniser_guess(h->booth->recogniser);
    int64_t now = now_ms();
    if (!text || now - h->guess_ms < GUESS_MS || strlen(text) == h->guess_len) return;
    size_t len = strlen(text), cut = len > GUESS_TEXT_MAX ? len - GUESS_TEXT_MAX : 0;
    json_t *guess = json_pack("{s:I,s:s}", "id", (json_int_t)h->heard.count, "text", text + cut);
    char *said = guess ? json_dumps(guess, JSON_COMPACT) : NULL;
    if (said) relais_progress(h->worker, h->task, percent_of(h), said);
    free(said);
    json_decref(guess);
    h->guess_len = (uint32_t)len;
    h->guess_ms = now;
}

/* ---- hearing ---- */

static void block_hear(struct hearing *h, const int16_t *samples, size_t count) {
    bool over = false;
    if (!recogniser_take(h->booth->recogniser, samples, count, &over)) {
        fail(h, RELAIS_SYSTEM);
        return;
    }
    h->fed += count;
    if (over) utterance_end(h);
    else guess_send(h);
}

struct block { int16_t samples[BLOCK]; size_t count; };

/* Whole blocks are heard, so that it does not matter in what pieces the sound came. */
static void bytes_hear(struct hearing *h, struct block *b, const uint8_t *bytes, size_t len) {
    size_t count = 1;
    for (size_t at = 0; (at < len || count) && !h->over;) {
        at += sound_take(&h->sound, bytes + at, len - at, b->samples + b->count, BLOCK - b->count,
                         &count);
        if (h->sound.state == SOUND_REFUSED) {
            refuse(h, h->sound.refusal);
            return;
        }
        b->count += count;
        if (b->count < BLOCK) continue;
        block_hear(h, b->samples, b->count);
        b->count = 0;
        if (!h->over && relais_cancelled(h->worker, h->task)) stop(h);
    }
}

static void end_hear(struct hearing *h, struct block *b) {
    size_t count;
    while (!h->over && (count = sound_end(&h->sound, b->samples + b->count, BLOCK - b->count))) {
        b->count += count;
        if (b->count < BLOCK) continue;
        block_hear(h, b->samples, b->count);
        b->count = 0;
    }
    if (!h->over && h->sound.state == SOUND_REFUSED) refuse(h, h->sound.refusal);
    if (!h->over && b->count) block_hear(h, b->samples, b->count);
    if (!h->over) utterance_end(h);
}

static void hear(struct hearing *h) {
    struct block block = {.count = 0};
    uint8_t *bytes = malloc(BYTES);
    uint64_t offset = h->heard.offset;
    bool end = false;
    if (!bytes) fail(h, RELAIS_MEMORY);
    while (!h->over && !end) {
        size_t len = 0;
        if (relais_cancelled(h->worker, h->task)) {
            stop(h);
            break;
        }
        int code = reel_read(&h->reel, offset, bytes, BYTES, READ_MS, &len, &end);
        if (code == RELAIS_NOT_FOUND) refuse(h, "the sound is gone");
        else if (code && !again(h, code)) settle(h, code);
        if (code) continue;
        offset += len;
        bytes_hear(h, &block, bytes, len);
    }
    if (!h->over) end_hear(h, &block);
    free(bytes);
}

/* ---- a task ---- */

/* What the job says of its sound. False: it was refused. */
static bool sound_read(struct hearing *h) {
    const struct relais_task *t = h->task;
    json_t *job = json_loadb(t->payload, t->payload_len, 0, NULL);
    json_int_t rate = json_integer_value(json_object_get(job, "sampleRate"));
    json_int_t channels = json_integer_value(json_object_get(job, "channels"));
    const char *format = json_string_value(json_object_get(job, "format"));
    bool wav = format && strcmp(format, "wav") == 0;
    bool known = !format || wav || strcmp(format, "s16le") == 0 || strcmp(format, "raw") == 0 ||
                 strcmp(format, "pcm") == 0;
    if (rate < 0 || rate > RATE_MAX) rate = 1; /* refused with the range, as 0 would not be */
    sound_open(&h->sound, !wav, (uint32_t)rate, channels < 0 || channels > CHANNELS_MAX
                                                    ? CHANNELS_MAX + 1 : (uint32_t)channels);
    json_decref(job);
    if (!known) refuse(h, "a stream is s16le or wav; other formats are for whole recordings");
    return known;
}

/* Where an earlier attempt left off; its newest part may not have been told. */
static void resume(struct hearing *h) {
    const struct relais_task *t = h->task;
    if (!t->checkpoint || !transcript_load(&h->heard, t->checkpoint_data, t->checkpoint_len))
        return;
    sound_resume(&h->sound, h->heard.rate, h->heard.channels, h->heard.offset, h->heard.until);
    h->base_ms = h->heard.at_ms;
    fprintf(stderr, "task %llu: resuming at %.2f s, %zu segments\n", (unsigned long long)t->id,
            (double)h->base_ms / 1000, h->heard.count);
    for (size_t i = t->parts; h->streaming && i < h->heard.count && !h->over; i++) part_send(h, i);
}

static void task_hear(struct hearing *h) {
    resume(h);
    if (!h->over && !recogniser_begin(h->booth->recogniser)) fail(h, RELAIS_SYSTEM);
    if (!h->over) hear(h);
    if (!h->over)
        booth_done(h->booth, h->worker, h->task,
                   transcript_result(&h->heard, h->booth->language));
    transcript_free(&h->heard);
}

static void stream_work(struct booth *b, struct relais_worker *w, struct relais_task *task) {
    struct hearing h = {.booth = b, .worker = w, .task = task, .streaming = true};
    if (!task->source) {
        booth_refuse(w, task, "the job has no sound");
        return;
    }
    reel_follow(&h.reel, b, task);
    if (sound_read(&h)) task_hear(&h);
}

static void batch_work(struct booth *b, struct relais_worker *w, struct relais_task *task) {
    struct hearing h = {.booth = b, .worker = w, .task = task};
    char why[REEL_WHY];
    int code = reel_decode(&h.reel, b, w, task, why);
    if (code == RELAIS_CLOSED) stop(&h);
    else if (code == RELAIS_VALIDATION_ERROR) refuse(&h, why);
    else if (code) relais_fail(w, task, RELAIS_REASON_FAILED, why);
    if (code) return;
    sound_resume(&h.sound, SOUND_RATE, 1, 0, UINT64_MAX);
    task_hear(&h);
    reel_close(&h.reel);
}

int main(int argc, char **argv) {
    static const struct program program = {
        .name = "relais-listen",
        .about = "Speech to text while the speaker still speaks; English (pocketsphinx).\n"
                 "Guesses are progress, each finished sentence is a part.\n",
        .trades = {{"streaming_queue", "streaming", NULL, stream_work},
                   {"batch_queue", "transcription", "batch", batch_work}}};
    return booth_main(argc, argv, &program);
}
