/* speakers.c - relais-speakers: who spoke when, and what.
 *
 *   relais-speakers [--broker tcp://127.0.0.1:5555]
 *
 * Takes diarization jobs: has the recording decoded (ffmpeg), parts it by voice (voices.h), and
 * writes down each turn (pocketsphinx). Result {full_text, segments[{id, start, end, text,
 * speaker}], language}; speakers are SPEAKER_00, SPEAKER_01, … in the order in which they begin.
 * min_speakers and max_speakers of the job bound how many there are.
 *
 * It is a simple method and says so: voices are told apart by their average sound and pitch, not
 * by a trained model of speakers. Two voices alike on one microphone become one, the same voice on
 * two microphones may become two, people who talk at once become one, somebody heard for less than
 * some three seconds is given to another, music counts as speech; names it does not know. A
 * recording is at most an hour long. */
#include "worker/speech/booth.h"
#include "worker/speech/reel.h"
#include "worker/speech/sound.h"
#include "worker/speech/voices.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PART_BYTES = 1 << 20, JOIN_MS = 500, AROUND_MS = 300, TURN_MS_MAX = 30000,
       STORE_MS = 5000, STORE_EVERY_S = 5,
       SAMPLES_PER_MS = SOUND_RATE / 1000, LOOKS_PER_CHECK = 1000,
       PARTED_PERCENT = 10 /* what the parting counts for in the progress */ };

struct hearing {
    struct booth *booth;
    struct relais_worker *worker;
    struct relais_task *task;
    int16_t *samples;       /* owned */
    size_t count;
    struct moment *moments; /* owned */
    struct turns turns;
    struct transcript heard; /* its segments are the turns done so far */
    time_t stored_s;
    bool over;              /* the task is settled */
};

static void fail(struct hearing *h, int code) {
    relais_fail(h->worker, h->task, RELAIS_REASON_FAILED, relais_error_text(code));
    h->over = true;
}

static void refuse(struct hearing *h, const char *why) {
    booth_refuse(h->worker, h->task, why);
    h->over = true;
}

/* ---- the recording ---- */

static void samples_read(struct hearing *h, struct reel *reel) {
    if (reel->size > (uint64_t)VOICES_S_MAX * SOUND_RATE * 2) {
        refuse(h, "the recording is longer than an hour");
        return;
    }
    h->samples = malloc(reel->size + 1);
    if (!h->samples) fail(h, RELAIS_MEMORY);
    bool end = false;
    for (size_t at = 0, some = 0; !h->over && !end; at += some) {
        int code = reel_read(reel, at, (uint8_t *)h->samples + at, PART_BYTES, 0, &some, &end);
        if (code) fail(h, code);
    }
    h->count = reel->size / 2;
}

static void recording_fetch(struct hearing *h) {
    struct reel reel;
    char why[REEL_WHY];
    int code = reel_decode(&reel, h->booth, h->worker, h->task, why);
    if (code == RELAIS_OK) {
        samples_read(h, &reel);
        reel_close(&reel);
        return;
    }
    h->over = true;
    if (code == RELAIS_CLOSED) relais_release(h->worker, h->task);
    else if (code == RELAIS_VALIDATION_ERROR) booth_refuse(h->worker, h->task, why);
    else relais_fail(h->worker, h->task, RELAIS_REASON_FAILED, why);
}

/* ---- who ---- */

/* How many speakers the job says there are; 0 = it does not say. */
static int bound_read(const struct relais_task *task, const char *name) {
    json_t *job = json_loadb(task->payload, task->payload_len, 0, NULL);
    json_int_t value = json_integer_value(json_object_get(job, name));
    json_decref(job);
    return value < 0 ? 0 : value > VOICES_MAX ? VOICES_MAX : (int)value;
}

/* Turns of one voice with a breath between them are one, as long as they are not too long. */
static void turns_join(struct turns *t) {
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct turn *last = kept ? &t->list[kept - 1] : NULL, *turn = &t->list[i];
        if (last && last->voice == turn->voice && turn->start_ms - last->end_ms < JOIN_MS &&
            turn->end_ms - last->start_ms <= TURN_MS_MAX)
            last->end_ms = turn->end_ms;
        else
            t->list[kept++] = *turn;
    }
    t->count = kept;
}

static void voices_find(struct hearing *h) {
    size_t frames = spectrum_frames(h->count);
    struct spectrum *spectrum = malloc(sizeof *spectrum);
    h->moments = malloc((frames + 1) * sizeof *h->moments);
    if (!spectrum || !h->moments) fail(h, RELAIS_MEMORY);
    else spectrum_open(spectrum);
    for (size_t i = 0; i < frames && !h->over; i++) {
        h->moments[i] = spectrum_look(spectrum, h->samples + i * HOP);
        if (i % LOOKS_PER_CHECK == 0) h->over = booth_stopped(h->worker, h->task);
    }
    free(spectrum);
    if (h->over) return;
    if (!voices_part(h->moments, frames, bound_read(h->task, "min_speakers"),
                     bound_read(h->task, "max_speakers"), &h->turns))
        fail(h, RELAIS_MEMORY);
    else
        turns_join(&h->turns);
}

/* ---- what ---- */

static void text_append(char *text, const char *more) {
    size_t len = strlen(text), some = strlen(more);
    if (len + some + 2 > SEGMENT_TEXT_MAX) return;
    if (len) text[len++] = ' ';
    memcpy(text + len, more, some + 1);
}

/* The samples of a turn, with some of the silence around it: words are found better with it. */
static void turn_bounds(const struct hearing *h, size_t index, size_t *ret_at, size_t *ret_end) {
    const struct turn *t = &h->turns.list[index];
    int64_t from = index ? t[-1].end_ms : 0, start = t->start_ms - AROUND_MS;
    int64_t to = index + 1 < h->turns.count ? t[1].start_ms : INT64_MAX;
    int64_t end = t->end_ms + AROUND_MS;
    *ret_at = (size_t)(start > from ? start : from) * SAMPLES_PER_MS;
    *ret_end = (size_t)(end < to ? end : to) * SAMPLES_PER_MS;
    if (*ret_end > h->count) *ret_end = h->count;
}

/* The words of one turn; whatever utterances it has are written one behind the other. */
static bool turn_hear(struct hearing *h, size_t index, char text[SEGMENT_TEXT_MAX]) {
    struct recogniser *r = h->booth->recogniser;
    struct segment segment;
    size_t at, end;
    turn_bounds(h, index, &at, &end);
    text[0] = 0;
    if (!recogniser_begin(r)) return false;
    while (at < end) {
        size_t some = end - at < BLOCK ? end - at : BLOCK;
        bool over = false;
        if (!recogniser_take(r, h->samples + at, some, &over)) return false;
        if (over && recogniser_final(r, &segment)) text_append(text, segment.text);
        at += some;
    }
    if (recogniser_final(r, &segment)) text_append(text, segment.text);
    return true;
}

/* The parting gives the same turns each time: what they say is all that must be kept. A checkpoint
 * that is not acknowledged in time is repeated by the library. */
static void store(struct hearing *h) {
    if (time(NULL) - h->stored_s < STORE_EVERY_S) return;
    h->stored_s = time(NULL);
    h->heard.rate = SOUND_RATE;
    h->heard.channels = 1;
    char *text = transcript_save(&h->heard);
    if (text)
        relais_checkpoint(h->worker, h->task, "turns", text, strlen(text), STORE_MS, NULL);
    free(text);
}

static void resume(struct hearing *h) {
    const struct relais_task *t = h->task;
    h->stored_s = time(NULL);
    if (!t->checkpoint || !transcript_load(&h->heard, t->checkpoint_data, t->checkpoint_len))
        return;
    if (h->heard.count > h->turns.count) transcript_free(&h->heard);
    for (size_t i = 0; i < h->heard.count; i++)
        h->heard.segments[i].speaker = h->turns.list[i].voice;
}

static void words_find(struct hearing *h) {
    char text[SEGMENT_TEXT_MAX];
    resume(h);
    for (size_t i = h->heard.count; i < h->turns.count && !h->over; i++) {
        const struct turn *turn = &h->turns.list[i];
        struct segment segment = {.start_ms = turn->start_ms, .end_ms = turn->end_ms,
                                  .speaker = turn->voice, .text = text};
        if (booth_stopped(h->worker, h->task)) {
            h->over = true;
        } else if (!turn_hear(h, i, text)) {
            fail(h, RELAIS_SYSTEM);
        } else if (!transcript_add(&h->heard, &segment)) {
            refuse(h, "the recording has too many turns");
        } else {
            size_t part = (100 - PARTED_PERCENT) * (i + 1) / h->turns.count;
            relais_progress(h->worker, h->task, PARTED_PERCENT + (int)part, text);
            store(h);
        }
    }
}

static void diarize(struct booth *b, struct relais_worker *w, struct relais_task *task) {
    struct hearing h = {.booth = b, .worker = w, .task = task};
    if (!task->source) refuse(&h, "the job has no recording");
    if (!h.over) recording_fetch(&h);
    if (!h.over) voices_find(&h);
    if (!h.over) words_find(&h);
    if (!h.over) booth_done(b, w, task, transcript_result(&h.heard, b->language));
    transcript_free(&h.heard);
    voices_free(&h.turns);
    free(h.moments);
    free(h.samples);
}

int main(int argc, char **argv) {
    static const struct program program = {
        .name = "relais-speakers",
        .about = "Who spoke when, and what: voices told apart by sound and pitch, words by\n"
                 "pocketsphinx (English). Recordings up to an hour, of any format ffmpeg reads.\n",
        .trades = {{"diarization_queue", "diarization", NULL, diarize}}};
    return booth_main(argc, argv, &program);
}
