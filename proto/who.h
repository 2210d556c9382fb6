/* who.h - the principal on whose behalf a message is handled.
 *
 * A native peer's principal comes from its endpoint and CURVE key; a gateway attaches one to each
 * frame (the fifth element, see PROTOCOL.md "who") and only a gateway may. The core checks role,
 * brand and lease against it again. Pure data; no ownership, copied by value. */
#ifndef RELAIS_PROTO_WHO_H
#define RELAIS_PROTO_WHO_H
#include <stdbool.h>
#include <stdint.h>

enum { WHO_NAME_MAX = 64 }; /* bytes of a principal's name, terminator included */

enum role {
    ROLE_NONE = 0,
    ROLE_ADMIN = 1,   /* everything in its brand; with brand 0 in all brands */
    ROLE_USER = 2,    /* its brand's tasks */
    ROLE_SERVICE = 3, /* dialect 004's API key: its brand's transcriptions */
    ROLE_WORKER = 4,  /* takes tasks; writes only what it holds */
    ROLE_CLIENT = 5,  /* native client: submits and reads in its brand */
    ROLE_GATEWAY = 6, /* speaks for the principal it attaches */
    ROLE_LOCAL = 7,   /* loopback without CURVE: client of brand 1 and worker */
    ROLE_FLEET = 8    /* dialect 003's static worker token: the stations of its brand */
};

struct who {
    uint8_t role;            /* enum role */
    bool brand_admin;        /* may write rules and workers of 002 */
    uint32_t brand;          /* acting brand; 0 = all (admins, and workers of all brands) */
    uint64_t boot;           /* HTTP workers: the token's incarnation; 0 = none */
    char name[WHO_NAME_MAX]; /* user, worker or key name; "" = unnamed */
};
#endif
