#include "gateway/dialect/start.h"

void start_tell(struct exchange *x, const struct report *report) {
    struct message m = {.verb = VERB_START,
                        .report = {.task = report->task, .epoch = report->epoch, .percent = -1}};
    exchange_send(x, &m, NULL);
}
