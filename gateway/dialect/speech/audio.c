#include "gateway/dialect/speech/speech.h"
#include <string.h>
#include <strings.h>

static bool type_matches(const char *wanted, size_t len, const char *file_name, const char *mime) {
    if (len == 0) return false;
    if (wanted[0] == '.') { /* a file extension; it speaks for a type that says nothing */
        size_t name_len = strlen(file_name);
        bool silent = *mime == '\0' || strcmp(mime, "application/octet-stream") == 0;
        return silent && name_len > len &&
               strncasecmp(file_name + name_len - len, wanted, len) == 0;
    }
    if (wanted[len - 1] == '*') return strncasecmp(mime, wanted, len - 1) == 0;
    return strlen(mime) == len && strncasecmp(mime, wanted, len) == 0;
}

const char *audio_refusal(const struct exchange *x, const char *file_name, const char *mime) {
    if (*file_name == '\0') return "Le nom du fichier audio est vide";
    const char *at = exchange_option(x, "audio_types");
    while (at != NULL && *at != '\0') {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ", ");
        if (type_matches(at, len, file_name, mime)) return NULL;
        at += len;
    }
    return "Le fichier fourni n'est pas un fichier audio pris en charge";
}

bool language_read(const struct exchange *x, struct slice text, char language[LANGUAGE_SIZE]) {
    if (text.len == 0) {
        const char *preset = exchange_option(x, "speech_language");
        text = slice_text(preset != NULL ? preset : "fr");
    }
    if (text.len != 2) return false;
    for (int i = 0; i < 2; i++) {
        uint8_t letter = text.data[i] | 0x20;
        if (letter < 'a' || letter > 'z') return false;
        language[i] = (char)letter;
    }
    language[2] = '\0';
    return true;
}
