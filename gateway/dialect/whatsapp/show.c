#include "gateway/dialect/whatsapp/whatsapp.h"
#include <sodium.h>
#include <stdio.h>

static const char *const command_words[COMMAND_TYPE_COUNT] = {
    "",
    [COMMAND_CREATE] = "create_session",
    [COMMAND_RESTART] = "restart_session",
    [COMMAND_DISCONNECT] = "disconnect_session",
    [COMMAND_LOGOUT] = "logout_session",
    [COMMAND_DELETE] = "delete_session",
    [COMMAND_SEND] = "send_message",
    [COMMAND_MANAGE] = "manage_message",
    [COMMAND_DRAIN] = "drain",
    [COMMAND_REGISTER] = "register",
};

static const char *command_word(uint8_t type) {
    return type < COMMAND_TYPE_COUNT ? command_words[type] : "";
}

static void text_or_null(struct out *o, const char *key, struct slice text) {
    out_key(o, key);
    out_text_or_null(o, text);
}

void station_show(struct out *o, const struct station_row *s) {
    out_key(o, "workerId");
    out_text(o, s->name);
    out_key(o, "id");
    out_text(o, s->name);
    text_or_null(o, "endpoint", s->endpoint);
    text_or_null(o, "description", s->description);
    out_key(o, "status");
    out_string(o, station_word((enum station_status)s->status));
    out_key(o, "maxSessions");
    out_unsigned(o, s->sessions_max);
    out_key(o, "currentSessions");
    out_unsigned(o, s->sessions);
    text_or_null(o, "version", s->version);
    out_key(o, "environment");
    out_string(o, environment_word((enum environment)s->environment));
    out_key(o, "lastHeartbeat");
    out_time(o, s->heard_ms);
    out_key(o, "createdAt");
    out_time(o, s->created_ms);
    out_key(o, "updatedAt");
    out_time(o, s->updated_ms);
    out_key(o, "draining");
    out_bool(o, s->draining);
    out_key(o, "registered");
    out_bool(o, !s->shadow && !s->left);
    out_key(o, "pendingCommands");
    out_unsigned(o, s->commands);
    out_key(o, "metrics");
    out_raw(o, s->beat); /* history_beat made it; nothing until the first heartbeat */
}

void session_show(struct out *o, const struct session_row *s) {
    out_key(o, "sessionId");
    out_text(o, s->name);
    out_key(o, "id");
    out_text(o, s->name);
    text_or_null(o, "userId", s->owner);
    text_or_null(o, "name", s->title);
    text_or_null(o, "sessionName", s->title);
    out_key(o, "status");
    out_string(o, session_word((enum session_status)s->status));
    text_or_null(o, "workerId", s->station);
    text_or_null(o, "phoneNumber", s->phone);
    text_or_null(o, "displayName", s->display);
    text_or_null(o, "reason", s->reason);
    out_key(o, "recovering");
    out_bool(o, s->recovering);
    out_key(o, "createdAt");
    out_time(o, s->created_ms);
    out_key(o, "updatedAt");
    out_time(o, s->updated_ms);
    out_key(o, "lastSeenAt");
    out_time(o, s->seen_ms);
}

/* What a message was sent with, or the session that is to be opened. */
static void payload_show(struct out *o, const struct command_row *c) {
    out_key(o, "payload");
    if (c->payload.len > 0) {
        out_value(o, c->payload);
        return;
    }
    out_object(o);
    if (c->session.len > 0) {
        out_key(o, "sessionId");
        out_text(o, c->session);
        text_or_null(o, "userId", c->owner);
        text_or_null(o, "sessionName", c->title);
    }
    out_object_end(o);
}

void commands_show(struct out *o, struct slice rows) {
    struct command_row c;
    uint32_t at = 0;
    char id[24];
    out_key(o, "commands");
    out_list(o);
    while (command_row_next(rows, &at, &c)) {
        snprintf(id, sizeof id, "%llu", (unsigned long long)c.id);
        out_object(o);
        out_key(o, "id");
        out_string(o, id);
        out_key(o, "type");
        out_string(o, command_word(c.type));
        text_or_null(o, "sessionId", c.session);
        payload_show(o, &c);
        out_key(o, "createdAt");
        out_time(o, c.created_ms);
        out_key(o, "deliveries");
        out_unsigned(o, c.deliveries);
        out_object_end(o);
    }
    out_list_end(o);
}

bool fleet_answer_read(struct exchange *x, const struct message *answer,
                       struct fleet_answer *ret) {
    return (answer->verb == VERB_ANSWER && fleet_read(answer->answer.body, ret)) ||
           exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
}

void uuid_new(char text[static UUID_SIZE]) {
    uint8_t b[16];
    randombytes_buf(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(text, UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
