/* artifact.c - the bytes behind a task, whichever dialect it came by.
 *
 *   /tasks/{id}/result/  what it gave, once it has completed: a file, or what result_data holds
 *   /tasks/{id}/source/  the file that it was made of; of a recording that is still being made all
 *                        that is there and then what comes, until it ends */
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/output.h"

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };

static bool result_read(struct exchange *x, struct message *m) {
    m->ref.want = WANT_RESULT;
    return megahub_id_read(x, &m->ref.id);
}

static void result_write(struct exchange *x, const struct message *answer) {
    if (answer->view.head.status == STATUS_COMPLETED) output_answer(x, &answer->view);
    else monitor_missing(x);
}

static bool source_read(struct exchange *x, struct message *m) {
    m->ref.want = WANT_BODY;
    return megahub_id_read(x, &m->ref.id);
}

static void source_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (v->body.source_file == 0) {
        monitor_missing(x);
        return;
    }
    struct file_answer file = {.file = v->body.source_file, .size = v->source_size,
                               .name = v->source_name, .mime = v->source_mime,
                               .attachment = true};
    if (v->head.flags & TASK_STREAM) exchange_growing(x, &file, 0);
    else exchange_file(x, &file);
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/{id}/result", MEMBER_GUARD, 200, result_read,
          "the bytes that a completed task gave", .verb = VERB_GET, .write = result_write),
    ROUTE(GET, NONE, "/tasks/{id}/source", MEMBER_GUARD, 200, source_read,
          "the file that a task was made of", .verb = VERB_GET, .write = source_write),
};
const struct routes megahub_artifact = {routes, sizeof routes / sizeof *routes};
