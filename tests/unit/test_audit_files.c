/* The audit log over many files: one chain, whatever ends, breaks off, goes or is changed. */
#include "broker/audit.h"
#include "tests/unit/tap.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 4096, ACTS = 200, FILES_MAX = 3, NAMES_MAX = 64 };

static char folder[64] = "/tmp/relais-audit-XXXXXX";
static uint32_t told;

static void tell(void *context, const char *finding) {
    (void)context;
    note("%s", finding);
    told++;
}

static struct audit_sum check(void) {
    struct audit_sum sum;
    told = 0;
    audit_check(folder, tell, NULL, &sum);
    return sum;
}

static struct audit *begin(uint32_t files_max) {
    char why[512] = "";
    const struct audit_options options = {.data = folder, .bytes_max = FILE_BYTES,
                                          .files_max = files_max};
    struct audit *a = audit_open(&options, why, sizeof why);
    if (a == NULL) note("%s", why);
    return a;
}

static void put(struct audit *a, uint32_t count) {
    struct act act = {.actor = "ann", .role = ROLE_ADMIN, .verb = "create", .kind = "user",
                      .brand = 7};
    for (uint32_t i = 0; i < count; i++) {
        snprintf(act.name, sizeof act.name, "user %u", i);
        audit_put(a, &act, "OK", 1784000000000 + i);
    }
}

/* The numbers of the files that were put away, sorted. */
static uint32_t ended(uint64_t *numbers) {
    uint32_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;)
        if (strncmp(d->d_name, "audit.log.", 10) == 0 && count < NAMES_MAX)
            numbers[count++] = strtoull(d->d_name + 10, NULL, 10);
    if (dir != NULL) closedir(dir);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = i + 1; k < count; k++)
            if (numbers[k] < numbers[i]) {
                const uint64_t n = numbers[i];
                numbers[i] = numbers[k];
                numbers[k] = n;
            }
    return count;
}

static const char *path_of(const char *name, uint64_t number) {
    static char path[4][128];
    static int turn;
    char *at = path[turn++ % 4];
    if (number == 0) snprintf(at, sizeof path[0], "%s/%s", folder, name);
    else snprintf(at, sizeof path[0], "%s/%s.%llu", folder, name, (unsigned long long)number);
    return at;
}

static void wipe(void) {
    uint64_t numbers[NAMES_MAX];
    const uint32_t count = ended(numbers);
    for (uint32_t i = 0; i < count; i++) unlink(path_of("audit.log", numbers[i]));
    unlink(path_of("audit.log", 0));
}

static void one_chain_goes_over_many_files(void) {
    uint64_t numbers[NAMES_MAX];
    struct stat st;
    struct audit *a = begin(0);
    put(a, ACTS / 2);
    audit_close(&a);
    a = begin(0);
    put(a, ACTS / 2);
    audit_close(&a);
    const uint32_t count = ended(numbers);
    const struct audit_sum sum = check();
    ok(count > 4, "a full file is put away");
    ok(stat(path_of("audit.log", numbers[0]), &st) == 0 && st.st_size < FILE_BYTES + 512,
       "when it is full and not later");
    is_int(sum.findings, 0, "the chain holds over all of them");
    is_int((int64_t)sum.lines, ACTS + count, "and has each act, and a line for each new file");
    is_int(sum.files, count + 1, "in so many files");
    is_int((int64_t)sum.first, 1, "from the first");
}

static void a_stop_between_two_files_loses_nothing(void) {
    uint64_t numbers[NAMES_MAX];
    const struct audit_sum before = check();
    const uint64_t newest = before.first + before.lines - 1;
    ok(rename(path_of("audit.log", 0), path_of("audit.log", newest)) == 0, "put away, no new one");
    struct audit *a = begin(0);
    ok(a != NULL, "the next start takes it up");
    put(a, 1);
    audit_close(&a);
    struct audit_sum sum = check();
    is_int(sum.findings, 0, "and continues the chain");
    is_int((int64_t)sum.lines, (int64_t)before.lines + 2, "with a line that says so");
    FILE *torn = fopen(path_of("audit.log", 0), "a");
    fputs("999\thalf a li", torn);
    fclose(torn);
    a = begin(0);
    put(a, 1);
    audit_close(&a);
    sum = check();
    is_int(sum.findings, 0, "half a line is cut");
    ok(ended(numbers) > 0 && (int64_t)sum.lines == (int64_t)before.lines + 3, "and nothing else");
}

static void what_is_changed_or_missing_is_found(void) {
    uint64_t numbers[NAMES_MAX];
    const uint32_t count = ended(numbers);
    const char *away = path_of("away", 0);
    ok(rename(path_of("audit.log", numbers[1]), away) == 0 && check().findings == 1,
       "a file that is missing in the middle is found");
    rename(away, path_of("audit.log", numbers[1]));
    FILE *file = fopen(path_of("audit.log", numbers[2]), "r+");
    fseek(file, 900, SEEK_SET);
    const int byte = fgetc(file);
    fseek(file, 900, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
    ok(check().findings == 1 && told == 1, "a byte that was changed in an old file is found");
    file = fopen(path_of("audit.log", numbers[2]), "r+");
    fseek(file, 900, SEEK_SET);
    fputc(byte, file);
    fclose(file);
    is_int(check().findings, 0, "and put right again");
    unlink(path_of("audit.log", numbers[0]));
    const struct audit_sum sum = check();
    is_int(sum.findings, 0, "the oldest may be taken away");
    is_int((int64_t)sum.first, (int64_t)numbers[0] + 1, "the check says from where on it knows");
    is_int(sum.files, count, "and in how many files");
}

static void only_so_many_are_kept(void) {
    uint64_t numbers[NAMES_MAX];
    wipe();
    struct audit *a = begin(FILES_MAX);
    put(a, ACTS);
    audit_close(&a);
    is_int(ended(numbers), FILES_MAX, "the oldest go beyond files_max");
    const struct audit_sum sum = check();
    is_int(sum.findings, 0, "what is left is a chain");
    ok(sum.first > 1 && sum.first + sum.lines - 1 > ACTS, "up to the newest act");
}

int main(void) {
    if (mkdtemp(folder) == NULL) return 1;
    one_chain_goes_over_many_files();
    a_stop_between_two_files_loses_nothing();
    what_is_changed_or_missing_is_found();
    only_so_many_are_kept();
    wipe();
    rmdir(folder);
    return done();
}
