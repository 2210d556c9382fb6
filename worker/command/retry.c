/* retry - queues a failed or cancelled task again, as its next run. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/show.h"

int command_retry(int argc, char **argv) {
    bool reset = false;
    struct relais_submit changes = {.queue = NULL};
    const struct arg table[] = {
        {"delay", ARG_TIME, &changes.delay_ms, "not before so long from now"},
        {"reset-progress", ARG_FLAG, &reset, "begin at 0 %"}};
    struct call c;
    if (call_open(&c, table, COUNT(table), "ID [--delay TIME] [--reset-progress] [--json]", 1, 1,
                  argc, argv) < 0)
        return call_exit(&c);
    uint64_t id;
    if (!call_id(&c, argv[1], &id)) return call_close(&c, RELAIS_OK) + 2;
    struct relais_view *v = NULL;
    int code = relais_retry(c.client, id, &changes, reset, &v);
    if (code == RELAIS_OK) show_task(v, c.json);
    relais_view_free(&v);
    return call_close(&c, code);
}
