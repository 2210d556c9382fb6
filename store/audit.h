/* audit.h - the parts of store_audit (store.h) that are files of their own. */
#ifndef RELAIS_STORE_AUDIT_H
#define RELAIS_STORE_AUDIT_H
#include "store/view.h"

struct audit_blocks {
    struct store_view *view;
    void *context; /* of both */
    struct slice (*type_of)(void *context, uint32_t lane);
    void (*say)(void *context, uint64_t id, const char *finding); /* id 0: of no task alone */
};
/* Looks at what the table has of tasks in blocks: briefs, and what they are searched by. */
void audit_blocks(struct audit_blocks *a);
#endif
