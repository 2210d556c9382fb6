#include "worker/command/show.h"
#include "proto/base/date.h"
#include "proto/base/utf8.h"
#include "worker/command/emit.h"
#include <inttypes.h>
#include <string.h>

enum { SHOWN_BYTES = 2000 };

static void json_attempts(struct emit *e, const struct relais_view *v) {
    emit_name(e, "attempts");
    putc('[', e->out);
    for (size_t i = 0; i < v->attempt_count; i++) {
        const struct relais_attempt *a = &v->attempts[i];
        if (i > 0) putc(',', e->out);
        struct emit row = emit_open(e->out);
        emit_number(&row, "run", a->run);
        emit_number(&row, "attempt", a->attempt);
        emit_string(&row, "reason", relais_reason_name(a->reason));
        emit_string(&row, "worker", a->worker);
        emit_time(&row, "started_at", a->started_ms);
        emit_time(&row, "ended_at", a->ended_ms);
        emit_string(&row, "message", a->message);
        putc('}', e->out);
    }
    putc(']', e->out);
}

static void json_log(struct emit *e, const struct relais_view *v) {
    emit_name(e, "log");
    putc('[', e->out);
    for (size_t i = 0; i < v->line_count; i++) {
        const struct relais_line *l = &v->lines[i];
        if (i > 0) putc(',', e->out);
        struct emit row = emit_open(e->out);
        emit_number(&row, "line", l->line);
        emit_number(&row, "level", l->level);
        emit_time(&row, "time", l->time_ms);
        emit_string(&row, "text", l->text);
        putc('}', e->out);
    }
    putc(']', e->out);
}

void show_json(FILE *out, const struct relais_view *v) {
    struct emit e = emit_open(out);
    emit_number(&e, "id", (int64_t)v->id);
    emit_string(&e, "status", relais_status_name(v->status));
    emit_string(&e, "queue", v->queue);
    emit_string(&e, "type", v->type);
    emit_string(&e, "labels", v->labels);
    emit_string(&e, "priority", relais_priority_name(v->priority));
    emit_number(&e, "brand", v->brand);
    emit_string(&e, "worker", v->worker && v->worker[0] ? v->worker : NULL);
    emit_number(&e, "progress", v->progress);
    emit_string(&e, "progress_text", v->progress_text);
    emit_number(&e, "run", v->run);
    emit_number(&e, "attempt", v->attempt);
    emit_number(&e, "retries", v->retries);
    emit_number(&e, "retry_count", v->retry_count);
    emit_number(&e, "crashes", v->crashes);
    emit_number(&e, "checkpoint", v->checkpoint);
    emit_number(&e, "place", (int64_t)v->place);
    emit_number(&e, "epoch", (int64_t)v->epoch);
    emit_string(&e, "reason", v->reason ? relais_reason_name(v->reason) : NULL);
    emit_string(&e, "message", v->message);
    emit_time(&e, "created_at", v->created_ms);
    emit_time(&e, "started_at", v->started_ms);
    emit_time(&e, "finished_at", v->finished_ms);
    emit_time(&e, "due_at", v->due_ms);
    emit_number(&e, "payload_bytes", (int64_t)v->payload_len);
    emit_number(&e, "result_bytes", (int64_t)v->result_len);
    if (v->source) emit_number(&e, "source_bytes", (int64_t)v->source_size);
    if (v->payload_given) emit_bytes(&e, "payload", slice_of(v->payload, v->payload_given));
    if (v->result_given) emit_bytes(&e, "result", slice_of(v->result, v->result_given));
    if (v->attempt_count) json_attempts(&e, v);
    if (v->line_count) json_log(&e, v);
    emit_close(&e);
}

static void line(FILE *out, const char *name, const char *value) {
    if (value && value[0]) fprintf(out, "  %-10s %s\n", name, value);
}

static void line_time(FILE *out, const char *name, int64_t ms) {
    char text[DATE_TEXT_MAX];
    date_format_ms(ms, text);
    if (ms) line(out, name, text);
}

static void line_bytes(FILE *out, const char *name, const void *data, size_t len) {
    if (len == 0) return;
    struct slice bytes = slice_of(data, len);
    if (!utf8_valid(bytes)) {
        fprintf(out, "  %-10s %zu bytes, not text\n", name, len);
        return;
    }
    uint32_t shown = utf8_cut(bytes, SHOWN_BYTES);
    fprintf(out, "  %-10s %.*s%s\n", name, (int)shown, (const char *)data,
            shown < len ? " …" : "");
}

static void page_attempts(FILE *out, const struct relais_view *v) {
    for (size_t i = 0; i < v->attempt_count; i++) {
        const struct relais_attempt *a = &v->attempts[i];
        char text[DATE_TEXT_MAX];
        date_format_ms(a->ended_ms, text);
        fprintf(out, "  ended      %s run %d attempt %d: %s%s%s%s%s\n", text, a->run, a->attempt,
                relais_reason_name(a->reason), a->worker && a->worker[0] ? ", worker " : "",
                a->worker ? a->worker : "", a->message && a->message[0] ? ": " : "",
                a->message ? a->message : "");
    }
    for (size_t i = 0; i < v->line_count; i++) {
        char text[DATE_TEXT_MAX];
        date_format_ms(v->lines[i].time_ms, text);
        fprintf(out, "  log        %s %s\n", text, v->lines[i].text);
    }
}

static void page_write(FILE *out, const struct relais_view *v) {
    char text[256];
    fprintf(out, "task %" PRIu64 ": %s", v->id, relais_status_name(v->status));
    if (v->status == RELAIS_RUNNING || v->progress > 0) fprintf(out, ", %d %%", v->progress);
    if (v->place > 0) fprintf(out, ", place %" PRIu64, v->place);
    const char *reason = relais_reason_name(v->reason);
    if (v->status >= RELAIS_FAILED && v->reason && strcmp(reason, relais_status_name(v->status)))
        fprintf(out, ", %s", reason);
    putc('\n', out);
    line(out, "message", v->message && v->message[0] ? v->message : v->progress_text);
    line(out, "queue", v->queue);
    line(out, "type", v->type);
    line(out, "labels", v->labels);
    line(out, "priority", relais_priority_name(v->priority));
    line(out, "worker", v->worker);
    snprintf(text, sizeof text, "%u of run %u, %u automatic retries allowed", v->attempt, v->run,
             v->retries);
    line(out, "attempt", text);
    snprintf(text, sizeof text, "%u", v->checkpoint);
    if (v->checkpoint) line(out, "checkpoint", text);
    line_time(out, "created", v->created_ms);
    line_time(out, "due", v->status == RELAIS_SCHEDULED ? v->due_ms : 0);
    line_time(out, "started", v->started_ms);
    line_time(out, "finished", v->finished_ms);
    snprintf(text, sizeof text, "%s, %" PRIu64 " bytes", v->source_name ? v->source_name : "file",
             v->source_size);
    if (v->source) line(out, "source", text);
    line_bytes(out, "payload", v->payload, v->payload_given);
    snprintf(text, sizeof text, "a file of %" PRIu64 " bytes", v->result_size);
    if (v->result_file) line(out, "result", text);
    line_bytes(out, "result", v->result, v->result_given);
    page_attempts(out, v);
}

void show_row_head(FILE *out) {
    fprintf(out, "%-16s  %-9s  %-16s  %-16s  %-8s  %4s  %7s  %-16s  %s\n", "ID", "STATUS", "QUEUE",
            "TYPE", "PRIORITY", "%", "ATTEMPT", "WORKER", "CREATED");
}

void show_row(FILE *out, const struct relais_view *v) {
    char text[DATE_TEXT_MAX];
    date_format_s(v->created_ms, text);
    fprintf(out, "%-16" PRIu64 "  %-9s  %-16s  %-16s  %-8s  %4d  %7u  %-16s  %s\n", v->id,
            relais_status_name(v->status), v->queue, v->type, relais_priority_name(v->priority),
            v->progress, v->attempt, v->worker && v->worker[0] ? v->worker : "-", text);
}

void show_task(const struct relais_view *v, bool json) {
    if (json) show_json(stdout, v);
    else page_write(stdout, v);
}
