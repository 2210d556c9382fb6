/* layout.h - how each item lies on the wire: one table per verb, read both ways.
 *
 * An item is an array of fields in order, or holds a map of named fields; a field says its wire
 * form and where in the struct it lives. item_read and item_write walk the same tables, so what
 * is written can be read. Private to proto. */
#ifndef RELAIS_PROTO_LAYOUT_H
#define RELAIS_PROTO_LAYOUT_H
#include "proto/message.h"

enum form {
    FORM_U8, FORM_U16, FORM_U32, FORM_U64, FORM_I64, FORM_BOOL,
    FORM_SMALL,    /* int8, -1 = not given, nil on the wire */
    FORM_TEXT,     /* UTF-8, checked */
    FORM_BIN,      /* opaque */
    FORM_KIND,     /* enum link_kind by name */
    FORM_STATUSES, /* [numbers] in a mask */
    FORM_ORDER,    /* bool descending as "asc" or "desc" */
    FORM_AT,       /* options.due_ms, absolute */
    FORM_DELAY,    /* options.due_ms, relative */
    FORM_TEXTS,    /* packed lists, with their count beside them */
    FORM_HELD,
    FORM_VERDICTS,
    FORM_ATTEMPTS,
    FORM_LOGS,
    FORM_MAP,      /* a map of `sub` */
    FORM_GROUP,    /* an array of `sub`; nil when nothing in it is set */
    FORM_VIEW      /* `sub` as an array, or with a code its text */
};

struct layout;
struct field {
    const char *name; /* its key in a map; in an array only for people */
    const struct layout *sub;
    uint32_t set;     /* bit of the layout's set word; 0 = given when not zero */
    uint16_t at;      /* offset in the enclosing struct */
    uint16_t count_at; /* lists: offset of their count */
    uint16_t max;     /* lists: most elements */
    uint8_t form;     /* enum form */
    uint8_t len;      /* of the name */
    uint16_t word;    /* the eight bytes of the struct that tell whether it is not zero, */
    uint8_t bit, bits; /* and which of their bits do; bits 0 = its form decides */
};

struct layout {
    const struct field *fields;
    uint16_t size;      /* verbs: bytes of the struct, cleared before reading */
    uint16_t set_at;    /* offset of the set word */
    uint8_t count;      /* fields */
    uint8_t required;   /* the first so many must be there, not nil */
    uint8_t written;    /* the first so many are always written */
    uint8_t set_bytes;  /* 0 (no set word), 1 or 4 */
};

/* NULL for a number that is no verb. */
const struct layout *layout_of(uint64_t verb);
/* The array of a VIEW, which is also a row of ROWS; offsets from the struct message. */
extern const struct layout view_layout;
/* Sets what is not zero when it is left out. The item's struct was cleared before. */
void item_default(struct message *m);
#endif
