#include "gateway/hook.h"
#include "gateway/account.h"
#include "proto/hook.h"
#include "proto/object.h"

void hook_submit(struct exchange *x, const struct hook_event *e, exchange_then *then) {
    struct buffer payload = {0};
    feed_row_put(&payload, &(struct feed_row){.time_ms = x->wall_ms, .key = e->key,
                                              .topic = slice_text(e->topic), .data = e->data});
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){.queue = slice_text(HOOK_QUEUE), .type = slice_text(HOOK_TYPE_EVENT),
                               .payload = buffer_slice(&payload)};
    m.submit.options = (struct options){.set = SET_BRAND | SET_RETRIES | SET_KEEP,
                                        .brand = x->who.brand, .retries = HOOK_EVENT_RETRIES,
                                        .keep_ms = KEEP_FAILED};
    exchange_try_as(x, &account_house, &m, then);
    buffer_free(&payload);
}
