/* cancel - cancels a task; a running one is told to stop. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/show.h"

int command_cancel(int argc, char **argv) {
    const char *reason = NULL;
    const struct arg table[] = {{"reason", ARG_TEXT, &reason, "kept with the task"}};
    struct call c;
    if (call_open(&c, table, COUNT(table), "ID [--reason TEXT] [--json]", 1, 1, argc, argv) < 0)
        return call_exit(&c);
    uint64_t id;
    if (!call_id(&c, argv[1], &id)) return call_close(&c, RELAIS_OK) + 2;
    struct relais_view *v = NULL;
    int code = relais_cancel(c.client, id, reason, &v);
    if (code == RELAIS_OK) show_task(v, c.json);
    relais_view_free(&v);
    return call_close(&c, code);
}
