#include "worker/speech/transcript.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DUMP = JSON_COMPACT | JSON_REAL_PRECISION(9) };

bool transcript_add(struct transcript *t, const struct segment *segment) {
    if (t->count == TRANSCRIPT_SEGMENTS_MAX) return false;
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        struct segment *grown = realloc(t->segments, cap * sizeof *grown);
        if (!grown) return false;
        t->segments = grown;
        t->cap = cap;
    }
    char *text = strndup(segment->text, SEGMENT_TEXT_MAX);
    if (!text) return false;
    t->segments[t->count] = *segment;
    t->segments[t->count++].text = text;
    return true;
}

void transcript_free(struct transcript *t) {
    for (size_t i = 0; i < t->count; i++) free(t->segments[i].text);
    free(t->segments);
    *t = (struct transcript){0};
}

static json_t *segment_json(const struct segment *s, size_t id) {
    json_t *object = json_pack("{s:I,s:f,s:f,s:s}", "id", (json_int_t)id, "start",
                               (double)s->start_ms / 1000, "end", (double)s->end_ms / 1000,
                               "text", s->text);
    if (object && s->speaker >= 0)
        json_object_set_new(object, "speaker", json_sprintf("SPEAKER_%02d", s->speaker));
    return object;
}

static json_t *segments_json(const struct transcript *t) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < t->count; i++)
        json_array_append_new(list, segment_json(&t->segments[i], i));
    return list;
}

static char *full_text(const struct transcript *t) {
    size_t len = 1;
    for (size_t i = 0; i < t->count; i++) len += strlen(t->segments[i].text) + 1;
    char *text = malloc(len), *at = text;
    if (!text) return NULL;
    for (size_t i = 0; i < t->count; i++) {
        if (t->segments[i].text[0] == 0) continue;
        if (at != text) *at++ = ' ';
        at = stpcpy(at, t->segments[i].text);
    }
    *at = 0;
    return text;
}

/* The text of a value that is not used further. */
static char *dumped(json_t *value) {
    char *text = value ? json_dumps(value, DUMP) : NULL;
    json_decref(value);
    return text;
}

char *transcript_part(const struct transcript *t, size_t index) {
    return dumped(segment_json(&t->segments[index], index));
}

char *transcript_result(const struct transcript *t, const char *language) {
    char *full = full_text(t);
    char *text = !full ? NULL
                       : dumped(json_pack("{s:s,s:o,s:s}", "full_text", full, "segments",
                                          segments_json(t), "language", language));
    free(full);
    return text;
}

char *transcript_save(const struct transcript *t) {
    json_int_t until = t->until == UINT64_MAX ? -1 : (json_int_t)t->until;
    return dumped(json_pack("{s:I,s:I,s:i,s:i,s:I,s:o}", "offset", (json_int_t)t->offset, "until",
                            until, "rate", (int)t->rate, "channels", (int)t->channels, "at_ms",
                            (json_int_t)t->at_ms, "segments", segments_json(t)));
}

static int64_t ms_of(const json_t *seconds) {
    double s = json_number_value(seconds);
    return s > 0 && s < 1e9 ? (int64_t)(s * 1000 + 0.5) : 0;
}

bool transcript_load(struct transcript *t, const void *data, size_t len) {
    json_int_t offset, until, at_ms;
    int rate, channels;
    json_t *list, *one, *saved = json_loadb(data, len, 0, NULL);
    size_t i;
    *t = (struct transcript){0};
    bool good = json_unpack(saved, "{s:I,s:I,s:i,s:i,s:I,s:o}", "offset", &offset, "until", &until,
                            "rate", &rate, "channels", &channels, "at_ms", &at_ms, "segments",
                            &list) == 0 && json_is_array(list) && offset >= 0 && rate > 0 &&
                channels > 0 && at_ms >= 0;
    if (good) {
        t->offset = (uint64_t)offset;
        t->until = until < 0 ? UINT64_MAX : (uint64_t)until;
        t->rate = (uint32_t)rate;
        t->channels = (uint32_t)channels;
        t->at_ms = at_ms;
        json_array_foreach(list, i, one) {
            const char *text = json_string_value(json_object_get(one, "text"));
            struct segment segment = {.start_ms = ms_of(json_object_get(one, "start")),
                                      .end_ms = ms_of(json_object_get(one, "end")), .speaker = -1,
                                      .text = (char *)text};
            good = good && text && transcript_add(t, &segment);
        }
    }
    json_decref(saved);
    if (!good) transcript_free(t);
    return good;
}
