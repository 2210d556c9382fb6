#include "gateway/dialect/whatsapp/word.h"
#include <strings.h>

struct word { const char *text; int value; };

static bool is_word(struct slice text, const char *word) {
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

static int find(const struct word *words, struct slice text) {
    for (; words->text != NULL; words++) {
        if (is_word(text, words->text)) return words->value;
    }
    return 0;
}

/* The first word of each value is the one that is printed. */
static const char *spell(const struct word *words, int value) {
    for (; words->text != NULL; words++) {
        if (words->value == value) return words->text;
    }
    return "";
}

static struct slice without(struct slice text, const char *prefix) {
    size_t len = strlen(prefix);
    if (text.len <= len || strncasecmp((const char *)text.data, prefix, len) != 0) return text;
    return slice_of(text.data + len, text.len - len);
}

static const struct word session_words[] = {
    {"INIT", SESSION_INIT},
    {"QR_REQUIRED", SESSION_QR_REQUIRED},
    {"CONNECTED", SESSION_CONNECTED},
    {"DISCONNECTED", SESSION_DISCONNECTED},
    {"RECONNECTING", SESSION_RECONNECTING},
    {"ERROR", SESSION_ERROR},
    {"INITIALIZING", SESSION_INIT},
    {"CREATED", SESSION_INIT},
    {"CONNECTING", SESSION_INIT},
    {"QR_READY", SESSION_QR_REQUIRED},
    {"QR_CODE", SESSION_QR_REQUIRED},
    {"QR", SESSION_QR_REQUIRED},
    {"READY", SESSION_CONNECTED},
    {"AUTHENTICATED", SESSION_CONNECTED},
    {"LOGGED_OUT", SESSION_DISCONNECTED},
    {"CLOSED", SESSION_DISCONNECTED},
    {"RESTARTING", SESSION_RECONNECTING},
    {"FAILED", SESSION_ERROR},
    {"AUTH_FAILURE", SESSION_ERROR},
    {NULL, 0},
};
static const struct word station_words[] = {
    {"ONLINE", STATION_ONLINE},
    {"OFFLINE", STATION_OFFLINE},
    {"MAINTENANCE", STATION_MAINTENANCE},
    {NULL, 0},
};
static const struct word environment_words[] = {
    {"DEVELOPMENT", ENVIRONMENT_DEVELOPMENT},
    {"STAGING", ENVIRONMENT_STAGING},
    {"TESTING", ENVIRONMENT_TESTING},
    {"PRODUCTION", ENVIRONMENT_PRODUCTION},
    {"TEST", ENVIRONMENT_TESTING},
    {NULL, 0},
};
static const struct word delivery_words[] = {
    {"PENDING", DELIVERY_PENDING},
    {"SENT", DELIVERY_SENT},
    {"DELIVERED", DELIVERY_DELIVERED},
    {"READ", DELIVERY_READ},
    {"FAILED", DELIVERY_FAILED},
    {"PLAYED", DELIVERY_READ},
    {"ERROR", DELIVERY_FAILED},
    {NULL, 0},
};

enum session_status word_session(struct slice text) {
    return (enum session_status)find(session_words, without(text, "session_"));
}

enum station_status word_station(struct slice text) {
    return (enum station_status)find(station_words, text);
}

enum environment word_environment(struct slice text) {
    return (enum environment)find(environment_words, text);
}

enum delivery_word word_delivery(struct slice text) {
    return (enum delivery_word)find(delivery_words, without(text, "message_"));
}

bool word_deleted(struct slice event) { return is_word(without(event, "session_"), "deleted"); }

const char *session_word(enum session_status status) { return spell(session_words, (int)status); }

const char *station_word(enum station_status status) { return spell(station_words, (int)status); }

const char *environment_word(enum environment environment) {
    return spell(environment_words, (int)environment);
}

const char *delivery_word(enum delivery_word status) { return spell(delivery_words, (int)status); }

bool delivery_follows(enum delivery_word now, enum delivery_word next) {
    if (next == DELIVERY_FAILED) return now < DELIVERY_DELIVERED;
    return now != DELIVERY_FAILED && next > now;
}

bool phone_good(struct slice text) {
    if (text.len > 0 && text.data[0] == '+') text = slice_of(text.data + 1, text.len - 1);
    if (text.len < 2 || text.len > 15 || text.data[0] < '1' || text.data[0] > '9') return false;
    for (uint32_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    return true;
}

struct slice phone_trim(struct slice text) {
    uint32_t at = 0;
    if (text.len == 0) return text;
    while (at < text.len && text.data[at] != '@') at++;
    struct slice host = slice_of(text.data + at, text.len - at);
    if (host.len > 0 && !is_word(host, "@s.whatsapp.net") && !is_word(host, "@c.us")) return text;
    uint32_t end = 0;
    while (end < at && text.data[end] != ':') end++;
    struct slice number = slice_of(text.data, end);
    return phone_good(number) ? number : text;
}

bool word_plain(struct slice text, uint32_t min, uint32_t max) {
    if (text.len < min || text.len > max) return false;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && (c < '0' || c > '9') && c != '_' && c != '-') return false;
    }
    return true;
}
