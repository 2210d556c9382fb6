/* word.h - the words of dialect 003: statuses, events and phone numbers, as real workers spell
 * them.
 *
 * Any case is taken, and the aliases that clients were seen to use; what is printed is the
 * dialect's own upper-case word. A session's status may come as a status or as the name of an
 * event ("qr_ready", "session_qr_ready"): one table knows both.
 *
 * A phone number is digits with an optional plus sign; WhatsApp's address suffixes
 * ("628123:12@s.whatsapp.net", "@c.us") are cut off. Other addresses (groups) stay as they are.
 * Pure. */
#ifndef RELAIS_GATEWAY_DIALECT_WHATSAPP_WORD_H
#define RELAIS_GATEWAY_DIALECT_WHATSAPP_WORD_H
#include "proto/fleet.h"

/* A message's way; each is later than the one before, FAILED only follows PENDING and SENT. */
enum delivery_word {
    DELIVERY_NONE = 0, DELIVERY_PENDING, DELIVERY_SENT, DELIVERY_DELIVERED, DELIVERY_READ,
    DELIVERY_FAILED
};
enum { PHONE_MAX = 16 /* + and 15 digits */ };

/* 0 = no such word. */
enum session_status word_session(struct slice text);
enum station_status word_station(struct slice text);
enum environment word_environment(struct slice text);
enum delivery_word word_delivery(struct slice text);
/* True when the event, with or without "session_", says that a session was removed. */
bool word_deleted(struct slice event);

/* Upper case; "" for 0. */
const char *session_word(enum session_status status);
const char *station_word(enum station_status status);
const char *environment_word(enum environment environment);
const char *delivery_word(enum delivery_word status);
/* True when a message in state `now` may go to `next`: forward only. */
bool delivery_follows(enum delivery_word now, enum delivery_word next);

/* The number without its suffix; the whole text when it is no phone number. */
struct slice phone_trim(struct slice text);
bool phone_good(struct slice text);
/* Letters, digits, _ and -, min to max of them. */
bool word_plain(struct slice text, uint32_t min, uint32_t max);
#endif
