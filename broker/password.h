/* password.h - one-time passwords, and the text that a password is stored as. */
#ifndef RELAIS_BROKER_PASSWORD_H
#define RELAIS_BROKER_PASSWORD_H
#include "proto/account.h"

enum { PASSWORD_SIZE = 21 };

/* Letters and digits that are not mistaken for each other; about 115 bits. */
void password_make(char text[PASSWORD_SIZE]);
/* argon2id, as gateways compare it; takes tens of milliseconds. False when memory is out. */
bool password_text(char hash[ACCOUNT_HASH_SIZE], const char *password);
#endif
