/* list - lists tasks, queues, workers and whatever else the broker holds. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/emit.h"
#include "worker/command/show.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = 100 };

/* "queued,running" to a bit each; false when a word is no status. */
static bool read_statuses(const char *text, uint32_t *mask) {
    while (text && *text) {
        size_t len = strcspn(text, ",");
        int status = RELAIS_SCHEDULED;
        for (; status <= RELAIS_CANCELLED; status++) {
            const char *name = relais_status_name(status);
            if (strlen(name) == len && strncmp(name, text, len) == 0) break;
        }
        if (status > RELAIS_CANCELLED) return false;
        *mask |= 1U << status;
        text += len + (text[len] == ',');
    }
    return true;
}

/* Rows of other kinds than tasks, laid out as PROTOCOL.md says: they are shown as JSON. */
static const struct kind {
    const char *name;
    bool of_task; /* --id is needed */
    const char *columns[16];
} kinds[] = {
    {"tasks", false, {NULL}},
    {"queues", false, {"brand", "queue", "paused", "running_max", "rate_per_min", "weight",
                       "keep_ms", "tasks_by_status"}},
    {"lanes", false, {"lane", "brand", "queue", "type", "labels", "tasks_by_status"}},
    {"workers", false, {"worker", "brand", "name", "boot", "http"}},
    {"objects", false, {"id", "kind", "brand", "name", "body", "created_ms", "updated_ms",
                        "version", "owner", "until_ms", "file", "file_size", "file_name",
                        "file_mime"}},
    {"checkpoints", true, {"seq", "epoch", "time_ms", "name", "data"}},
    {"attempts", true, {"epoch", "run", "attempt", "reason", "started_ms", "ended_ms", "worker",
                        "message"}},
    {"log", true, {"line", "level", "time_ms", "text"}}};

static const struct kind *kind_find(const char *name) {
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

static bool print_named(const struct relais_rows *rows, const struct kind *kind) {
    struct decode d = decode_of(rows->rows, rows->rows_len);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t count;
        if (!decode_array(&d, &count)) return false;
        struct emit e = emit_open(stdout);
        const char *const *column = kind->columns;
        for (; count > 0; count--) {
            if (!*column) {
                if (!decode_skip(&d, 1)) return false; /* of a newer broker */
                continue;
            }
            emit_name(&e, *column++);
            if (!emit_msgpack(stdout, &d)) return false;
        }
        emit_close(&e);
    }
    return true;
}

static bool print_tasks(const struct relais_rows *rows, bool json) {
    struct relais_view *v;
    uint32_t shown = 0;
    for (size_t at = 0; relais_rows_view(rows, &at, &v); shown++) {
        if (json) show_json(stdout, v);
        else show_row(stdout, v);
        relais_view_free(&v);
    }
    return shown == rows->count;
}

/* Pages until the limit is reached or the list ends. */
static int print_all(struct call *c, struct relais_question *q, const struct kind *kind,
                     uint64_t limit) {
    bool tasks = !kind->columns[0];
    struct relais_rows *rows = NULL, *page;
    int code = RELAIS_OK;
    while (limit > 0 && code == RELAIS_OK) {
        q->limit = limit < PAGE ? (uint32_t)limit : PAGE;
        code = relais_list(c->client, q, &page);
        if (code != RELAIS_OK) break;
        if (!rows && tasks && !c->json && !q->count) show_row_head(stdout);
        relais_rows_free(&rows); /* held until here for its cursor */
        rows = page;
        if (q->count) {
            printf(c->json ? "{\"count\":%lld}\n" : "%lld\n", (long long)rows->total);
            break;
        }
        if (!(tasks ? print_tasks(rows, c->json) : print_named(rows, kind)))
            code = RELAIS_BAD_FRAME;
        limit -= rows->count < limit ? rows->count : limit;
        if (rows->next_len == 0) break;
        q->cursor = rows->next;
        q->cursor_len = rows->next_len;
    }
    relais_rows_free(&rows);
    return code;
}

int command_list(int argc, char **argv) {
    struct relais_question q = {.kind = "tasks", .descending = true};
    const char *status = NULL;
    uint64_t limit = 20;
    bool oldest = false;
    const struct arg table[] = {
        {"queue", ARG_TEXT, &q.queue, "of this queue"},
        {"type", ARG_TEXT, &q.type, "of this type"},
        {"status", ARG_TEXT, &status, "queued,running,…: in one of these states"},
        {"worker", ARG_TEXT, &q.worker, "held by this worker"},
        {"id", ARG_NUMBER, &q.id, "of this task: checkpoints, attempts, log"},
        {"limit", ARG_NUMBER, &limit, "so many rows (20)"},
        {"oldest", ARG_FLAG, &oldest, "the oldest first"},
        {"count", ARG_FLAG, &q.count, "how many there are"}};
    struct call c;
    int words = call_open(&c, table, COUNT(table), "[tasks|queues|lanes|workers|objects]\n"
                          "       relais list checkpoints|attempts|log --id ID", 0, 1, argc, argv);
    if (words < 0) return call_exit(&c);
    if (words == 1) q.kind = argv[1];
    const struct kind *kind = kind_find(q.kind);
    if (!kind || (kind->of_task && q.id == 0)) {
        fprintf(stderr, kind ? "relais list: %s are those of a task: --id ID\n"
                             : "relais list: there is no list of %.64s; --help names them\n",
                q.kind);
        return call_close(&c, RELAIS_OK) + 2;
    }
    q.descending = !oldest;
    q.brand = (uint32_t)c.brand;
    if (!read_statuses(status, &q.status_mask)) {
        fprintf(stderr, "relais list: --status %s: there is no such state\n", status);
        return call_close(&c, RELAIS_OK) + 2;
    }
    return call_close(&c, print_all(&c, &q, kind, limit));
}
