/* audit.h - the parts of store_audit (store.h) that are files of their own. */
#ifndef RELAIS_STORE_AUDIT_H
#define RELAIS_STORE_AUDIT_H
#include "store/view.h"

struct audit_texts {
    struct store_view *view;
    void *context; /* of both */
    struct slice (*type_of)(void *context, uint32_t lane);
    void (*say)(void *context, uint64_t id, const char *finding);
};
/* Looks at the search index; nothing when there is none. */
void audit_texts(struct audit_texts *a);
#endif
