/* lexicon.h - the texts of a block (text.h) as words: each once, with the tasks that have it.
 *
 * A value is of parts, one for each time that something was added; of many the table makes one. A
 * part, little-endian:
 *   4 length of what follows, 2 number of entries, 4 bytes of the words
 *   entries: 2 each, the last bits of the id, and 0x8000 when its text could not be read
 *   words: folded, each with a 0 behind it
 *   for each word, in the same order: how many entries have it (varint), and their places in the
 *   list, 1 byte each when there are no more than 256 entries, else 2
 * What stands between blanks is a word; so a term of a search, which has none, is within one word.
 * A text that was replaced leaves its entry: of a task with two nothing is certain. Pure. */
#ifndef RELAIS_STORE_LEXICON_H
#define RELAIS_STORE_LEXICON_H
#include "store/text.h"

enum { PARTS_MAX = 8 /* of a value; more become one */ };

struct lexicon { /* a part under way; at first {0} */
    struct buffer words, entries, pairs; /* of words: bytes; 2 each; word and place, 4 + 2 each */
    uint32_t *slots;                     /* owned: of words by hash, place in `words` + 1 */
    struct lexicon_word { uint32_t at, len, number, last; } *list; /* owned; last: entry + 1 */
    uint32_t slot_count, word_count, word_cap, entry_count;
    bool failed; /* memory is out */
};
void lexicon_clear(struct lexicon *l);
void lexicon_free(struct lexicon *l);
/* At most LEXICON_ENTRIES_MAX. */
enum { LEXICON_ENTRIES_MAX = 0x7fff };
void lexicon_add(struct lexicon *l, const struct text_entry *e);
/* Appends the part. */
void lexicon_put(struct lexicon *l, struct buffer *out);

/* Flags of a block's tasks, by the last bits of their ids. */
enum { TEXT_SEEN = 1, TEXT_HOLDS = 2 /* may have all terms */, TEXT_UNSURE = 4 };
/* Which tasks may have all terms; in_ids: terms that may be in a task's spelling. The flags are
 * added to. False when the value is damaged. */
bool lexicon_search(struct slice value, uint64_t block, const struct terms *t,
                    const struct id_key *ids, uint32_t in_ids, uint8_t flags[BLOCK_IDS]);
/* What the table does with the parts of a value, oldest first. */
bool lexicon_merge(const struct slice *values, size_t count, struct buffer *out);
/* The newest text of a task, as its words in some order with a blank behind each; false when it has
 * none, or one that could not be read (*any), or the value is damaged. */
bool lexicon_text(struct slice value, uint64_t block, uint64_t id, struct buffer *out, bool *any);
#endif
