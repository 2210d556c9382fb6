/* form.h - a streaming multipart/form-data parser (RFC 7578), strict and bounded.
 *
 * Bytes are fed as they come, in any cut; what belongs to a part's body is handed on at once, so
 * memory does not grow with a file. Lines end with CRLF; each part needs Content-Disposition:
 * form-data with a name; a body that ends before the closing boundary is bad. Content-Transfer-
 * Encoding other than binary, 8bit and 7bit is refused. What follows the closing boundary is
 * thrown away.
 *
 * Refusals: FORM_BAD with a sentence in form_why. Limits: FORM_HEAD_MAX bytes of headers a part,
 * FORM_BOUNDARY_MAX bytes of boundary, the number of parts at form_open. Pure. */
#ifndef RELAIS_GATEWAY_FORM_H
#define RELAIS_GATEWAY_FORM_H
#include "proto/base/bytes.h"

enum {
    FORM_HEAD_MAX = 2048, FORM_BOUNDARY_MAX = 70, FORM_NAME_MAX = 128, FORM_FILE_NAME_MAX = 255
};

/* A part's headers. The texts live during the call only. */
struct form_part {
    const char *name;
    const char *file_name; /* last path component; NULL = a plain field; "" = a file without one */
    const char *mime;      /* lower case, without parameters; "" = not given */
};

/* What happens to the parts; false stops the parser (FORM_STOPPED). */
struct form_sink {
    void *context;
    bool (*part)(void *context, const struct form_part *part);
    bool (*data)(void *context, struct slice bytes);
    bool (*close)(void *context); /* the part's body is whole */
};

enum form_state { FORM_GO, FORM_END, FORM_BAD, FORM_STOPPED };

struct form { /* open, so that it can lie in the exchange's arena; nothing in it is the caller's */
    struct form_sink sink;
    enum form_step { STEP_FIRST, STEP_BODY, STEP_TAIL, STEP_HEAD, STEP_REST } step;
    enum form_state state;
    const char *why;
    char delimiter[FORM_BOUNDARY_MAX + 5]; /* CR LF - - boundary */
    uint32_t delimiter_len, matched;       /* bytes of it that the last ones fed are */
    uint32_t parts, parts_max, head_len;
    char tail[2];                          /* behind a boundary: CR LF or - - */
    uint32_t tail_len;
    char head[FORM_HEAD_MAX];
};

/* Finds the boundary in a Content-Type header; false when the header is no multipart/form-data
 * with a well-formed boundary. */
bool form_open(struct form *f, const char *content_type, uint32_t parts_max,
               struct form_sink sink);
/* Takes all bytes unless it ends. */
enum form_state form_feed(struct form *f, struct slice bytes);
/* A static sentence; NULL when nothing was bad. */
const char *form_why(const struct form *f);
/* The value of one parameter (`name=value` or `name="value"`) of a header value, unquoted; -1 =
 * absent, -2 = malformed or longer than size - 1; else its length. */
int header_parameter(const char *value, const char *name, char *text, size_t size);
#endif
