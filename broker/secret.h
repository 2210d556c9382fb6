/* secret.h - the secrets of an installation: DATA/secret/, made at first start.
 *
 *   DATA/secret/jwt    two lines of 64 hex digits at most: the secret that signs tokens, then the
 *                      one before it, still accepted (rotation: put a new line on top)
 *   DATA/secret/id     32 hex digits: the key that public ids and file tickets are spelled with
 *   DATA/secret/curve  the server's CURVE certificate with its secret key, as ZeroMQ writes them
 *   DATA/server.key    the server's public key alone, Z85, for those who connect
 *
 * The folder is 0700, the files 0600. Making them holds a lock on the folder, so that a server
 * and `relais token` may start at the same moment; a file is written whole under another name and
 * renamed. Nothing secret is ever logged. */
#ifndef RELAIS_BROKER_SECRET_H
#define RELAIS_BROKER_SECRET_H
#include "proto/host/token.h"

enum { CURVE_TEXT_SIZE = 41, ID_KEY_BYTES = 16 };

struct secret {
    struct token_secret tokens[TOKEN_SECRETS_MAX];
    uint32_t token_count;
    uint8_t id_key[ID_KEY_BYTES];
    char curve_public[CURVE_TEXT_SIZE], curve_secret[CURVE_TEXT_SIZE]; /* Z85 */
};

/* Reads the secrets of the data folder; makes folder and secrets that are missing. False with
 * the cause in why. */
bool secret_open(struct secret *s, const char *data, char *why, size_t why_size);
void secret_wipe(struct secret *s);
/* Makes a folder with mode 0700 unless it is there. */
bool folder_make(const char *path, char *why, size_t why_size);
/* What was made, renamed or taken away in it is so on disk. */
void folder_sync(const char *folder);
/* Writes a file of mode 0600 whole, under another name first, and syncs it. */
bool file_put(const char *folder, const char *name, const char *text, char *why, size_t why_size);
/* The ticket for reading a file: a keyed MAC over its id; never 0. */
uint64_t ticket_of(const uint8_t id_key[ID_KEY_BYTES], uint64_t file);
#endif
