#include "gateway/dialect/speech/speech.h"
#include <strings.h>

static const struct mode modes[] = {
    {.name = "batch", .type = "transcription",
     .queued = "Votre demande est dans la file d'attente", .time_key = "transcription_time"},
    {.name = "streaming", .type = "streaming",
     .queued = "Votre demande de streaming est dans la file d'attente",
     .time_key = "transcription_time", .live = true},
    {.name = "diarization", .type = "diarization",
     .queued = "Votre demande de diarization est dans la file d'attente",
     .time_key = "diarization_time", .speakers = true},
};
enum { MODES = sizeof modes / sizeof modes[0] };

const struct mode *mode_of(const struct exchange *x) {
    static const char base[] = "/api/";
    if (x->route == NULL || strncmp(x->route->path, base, sizeof base - 1) != 0) return NULL;
    const char *at = x->route->path + sizeof base - 1;
    for (int i = 0; i < MODES; i++)
        if (strncmp(at, modes[i].name, strlen(modes[i].name)) == 0) return &modes[i];
    return NULL;
}

const struct mode *mode_of_view(const struct view *v) {
    for (int i = 0; i < MODES && v->head.dialect == SPEECH_NUMBER; i++)
        if (slice_equal(v->type, slice_text(modes[i].type))) return &modes[i];
    return NULL;
}

struct slice mode_queue(const struct exchange *x, const struct mode *mode) {
    if (mode->live) return slice_text(exchange_option(x, "streaming_queue"));
    if (mode->speakers) return slice_text(exchange_option(x, "diarization_queue"));
    return slice_text(exchange_option(x, "batch_queue"));
}
