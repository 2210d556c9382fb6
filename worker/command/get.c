/* get - shows a task. */
#include "command.h"
#include "proto/host/clock.h"
#include "worker/command/call.h"
#include "worker/command/show.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FOLLOW_MS = 20000 }; /* of one question */

/* The result and nothing else: the bytes, or the file's. */
static int print_result(const struct call *c, const struct relais_view *v) {
    if (!v->result_file) {
        fwrite(v->result, 1, v->result_given, stdout);
        return fflush(stdout) == 0 ? RELAIS_OK : RELAIS_SYSTEM;
    }
    struct relais_files *files;
    int code = relais_files_open(&files, &c->reach.link);
    if (code != RELAIS_OK) return code;
    code = relais_download(files, v->result_file, v->result_ticket, STDOUT_FILENO, NULL);
    relais_files_close(&files);
    return code;
}

/* Each part on a line of its own as it comes, until the task's end or the time is over. */
static int follow(const struct call *c, uint64_t id, int64_t wait_ms) {
    int64_t until = clock_mono_ms() + wait_ms, left;
    uint32_t after = 0, version = 0;
    for (bool over = false; !over;) {
        struct relais_view *v = NULL;
        left = until - clock_mono_ms();
        uint32_t ms = left < 0 ? 0 : left < FOLLOW_MS ? (uint32_t)left : FOLLOW_MS;
        int code = relais_parts(c->client, id, after, version, ms, &v);
        if (code != RELAIS_OK) return code;
        for (size_t i = 0; i < v->part_count; i++) {
            puts(v->parts[i].text);
            after = v->parts[i].line;
        }
        fflush(stdout);
        version = v->version;
        bool all = v->part_count == 0 || after >= v->parts_total;
        over = all && (v->status >= RELAIS_COMPLETED || left <= 0);
        relais_view_free(&v);
    }
    return RELAIS_OK;
}

int command_get(int argc, char **argv) {
    bool result = false, parts = false;
    int64_t wait_ms = 0;
    const struct arg table[] = {
        {"result", ARG_FLAG, &result, "print the result's bytes and nothing else"},
        {"parts", ARG_FLAG, &parts, "print the parts of its result; with --wait as they come"},
        {"wait", ARG_TIME, &wait_ms, "wait so long for the task's end; 30 or 30s, 5m"}};
    struct call c;
    if (call_open(&c, table, COUNT(table), "ID [--json] [--result] [--parts] [--wait TIME]",
                  1, 1, argc, argv) < 0)
        return call_exit(&c);
    uint64_t id;
    if (!call_id(&c, argv[1], &id)) return call_close(&c, RELAIS_OK) + 2;
    if (parts) return call_close(&c, follow(&c, id, wait_ms));
    unsigned want = RELAIS_WANT_BODY | RELAIS_WANT_RESULT | RELAIS_WANT_ATTEMPTS | RELAIS_WANT_LOG;
    struct relais_view *v = NULL;
    uint32_t ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    int code = RELAIS_TIMEOUT;
    if (wait_ms > 0) code = relais_wait(c.client, id, want, ms, &v);
    if (code == RELAIS_TIMEOUT) code = relais_get(c.client, id, want, &v);
    if (code == RELAIS_OK && result) {
        bool done = v->status == RELAIS_COMPLETED;
        if (done) code = print_result(&c, v);
        else fprintf(stderr, "relais get: the task is %s\n", relais_status_name(v->status));
        relais_view_free(&v);
        return call_close(&c, code) || !done;
    }
    if (code == RELAIS_OK) show_task(v, c.json);
    relais_view_free(&v);
    return call_close(&c, code);
}
