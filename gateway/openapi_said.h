/* openapi_said.h - the words of openapi_body.def, read. Texts are borrowed: from the table, or for
 * the length of a call. Pure. */
#ifndef RELAIS_GATEWAY_OPENAPI_SAID_H
#define RELAIS_GATEWAY_OPENAPI_SAID_H
#include "gateway/route.h"

enum { SAID_TEXT_MAX = 300 };
enum said_kind { SAID_MEMBER, SAID_QUERY, SAID_STATUS, SAID_OTHER };
struct said_word {
    enum said_kind kind;
    char name[SAID_TEXT_MAX], type[SAID_TEXT_MAX];
    bool optional;
    int status;
};

/* What is said of a route; "" when nothing is. */
const char *said_of(const char *dialect, const struct route *r);
void said_each(const char *said, void (*each)(void *context, const struct said_word *w),
               void *context);
/* The type of an answer's content. */
const char *said_answer(const char *said);
bool said_socket(const char *said);
/* The JSON schema of a type; `null` = or null. */
void said_type_write(struct out *o, const char *type, bool null);
#endif
