/* reach.h - from the options in force to where the broker is, for librelais.
 *
 * Endpoint, file endpoint, the broker's key and our own CURVE certificate (--curve-file: a file
 * with public-key = "…" and secret-key = "…", as `relais key curve` writes it). */
#ifndef RELAIS_WORKER_REACH_H
#define RELAIS_WORKER_REACH_H
#include "proto/host/config.h"
#include "worker/relais.h"

struct reach {
    struct relais_link link; /* borrows from the rest, and from the config */
    char endpoint[CONFIG_ENDPOINT_MAX];
    char public_key[41], secret_key[41];
};

/* Reads the key pair of a certificate; false when it cannot be read, which has been said. */
bool reach_certificate(const char *path, char public_key[41], char secret_key[41]);
/* False when the certificate cannot be read; the cause has been said. config outlives it. */
bool reach_open(struct reach *r, const struct config *config);
#endif
