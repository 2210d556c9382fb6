#include "worker/note.h"
#include "proto/base/utf8.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static bool blank(struct slice line) {
    for (uint32_t i = 0; i < line.len; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t') return false;
    return true;
}

static void copy_text(char *to, const char *from, uint32_t max) {
    struct slice text = slice_text(from ? from : "");
    uint32_t len = utf8_cut(text, max);
    memcpy(to, text.data, len);
    to[len] = 0;
}

static int8_t percent_of(const json_t *value) {
    if (!json_is_number(value)) return -1;
    double number = json_number_value(value);
    return (int8_t)lround(number < 0 ? 0 : number > 100 ? 100 : number);
}

static void read_checkpoint(struct note *note, const json_t *name, const json_t *data) {
    note->kind = NOTE_CHECKPOINT;
    copy_text(note->text, json_string_value(name), NOTE_NAME_MAX);
    if (json_is_string(data)) {
        buffer_append(&note->data, json_string_value(data), json_string_length(data));
    } else if (data) {
        char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text) buffer_append(&note->data, text, strlen(text));
        else note->kind = NOTE_NONE;
        free(text);
    }
    if (note->data.failed) note->kind = NOTE_NONE;
}

enum note_kind note_read(struct note *note, struct slice line) {
    buffer_free(&note->data);
    *note = (struct note){.kind = NOTE_NONE, .percent = -1};
    if (blank(line)) return note->kind = NOTE_BLANK;
    json_t *object = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *name = json_object_get(object, "checkpoint");
    const json_t *message = json_object_get(object, "message");
    const json_t *progress = json_object_get(object, "progress");
    if (json_is_string(name)) {
        read_checkpoint(note, name, json_object_get(object, "data"));
    } else if (json_is_number(progress) || json_is_string(message)) {
        note->kind = NOTE_PROGRESS;
        note->percent = percent_of(progress);
        copy_text(note->text, json_string_value(message), NOTE_TEXT_MAX);
    }
    json_decref(object);
    return note->kind;
}

void note_close(struct note *note) { buffer_free(&note->data); }
