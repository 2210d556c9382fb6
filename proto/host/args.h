/* args.h - the one reader of flags, and a command's own ones beside the options it shares.
 *
 *   static const struct arg table[] = {{"json", ARG_FLAG, &json, "one JSON object a line"}, …};
 *   int count = args_read(table, COUNT(table), "ID [--json]", argc, argv);
 *   if (count < 0) return args_exit(count);
 *
 * --NAME VALUE or --NAME=VALUE; a flag takes no value. What is not a flag is a word and moves to
 * argv[1…]; `--` ends the flags. --help prints the usage and the table. config_start reads its
 * options with the same flag_at, and leaves the rest for this. */
#ifndef RELAIS_PROTO_HOST_ARGS_H
#define RELAIS_PROTO_HOST_ARGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum arg_kind {
    ARG_FLAG,   /* bool */
    ARG_NUMBER, /* uint64_t; 10, 10k, 10M (powers of ten) */
    ARG_BYTES,  /* uint64_t; 10, 10K, 10M, 10G (powers of two) */
    ARG_TIME,   /* int64_t milliseconds; 10 (s), 10ms, 10s, 10m, 10h, 10d */
    ARG_TEXT,   /* const char *, borrowed from argv */
    ARG_LIST,   /* struct arg_list: the flag may repeat */
    ARG_SHOWN   /* nothing: an option of config_start that the help names */
};

enum { ARG_LIST_MAX = 64 };
struct arg_list { const char *at[ARG_LIST_MAX]; size_t count; };

struct arg {
    const char *name;
    enum arg_kind kind;
    void *value;
    const char *sentence;
};

enum { ARGS_HELP = -1, ARGS_WRONG = -2 };

struct flag { /* --NAME VALUE or --NAME=VALUE at one place of argv */
    const char *name, *value; /* value NULL = there is none */
    size_t len;               /* of the name */
    int words;                /* of argv that it takes when it has a value */
};
/* False when argv[at] is no flag. */
bool flag_at(struct flag *f, int argc, char **argv, int at);
bool flag_is(const struct flag *f, const char *name);

/* The number of words, ARGS_HELP when help was printed, or ARGS_WRONG when the cause was. */
int args_read(const struct arg *table, size_t count, const char *usage, int argc, char **argv);
/* The exit status that goes with a negative count. */
int args_exit(int count);
#endif
