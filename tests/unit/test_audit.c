/* The audit log: a chain that shows what was changed, left out, put in or cut off. */
#include "broker/audit.h"
#include "tests/unit/tap.h"
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64] = "/tmp/relais-audit-XXXXXX", path[96];

static void count(void *context, const char *finding) {
    (void)finding;
    ++*(int *)context;
}

static int findings(uint64_t *lines) {
    struct audit_sum sum;
    int told = 0;
    audit_check(folder, count, &told, &sum);
    if (lines != NULL) *lines = sum.lines;
    return told == (int)sum.findings ? told : -1;
}

static struct audit *log_open(char *why, size_t why_size) {
    const struct audit_options options = {.data = folder, .bytes_max = 1 << 20};
    return audit_open(&options, why, why_size);
}

static bool write_some(const char *actor, int acts) {
    char why[300];
    struct audit *a = log_open(why, sizeof why);
    if (a == NULL) {
        note("%s", why);
        return false;
    }
    struct act act = {.role = ROLE_ADMIN, .verb = "change", .kind = "user", .brand = 7};
    snprintf(act.actor, sizeof act.actor, "%s", actor);
    snprintf(act.name, sizeof act.name, "bob\tx\n%%");
    for (int i = 0; i < acts; i++) audit_put(a, &act, "OK", 1800000000000 + i);
    audit_close(&a);
    return true;
}

static size_t file_read(char *text, size_t size) {
    FILE *f = fopen(path, "r");
    const size_t len = f == NULL ? 0 : fread(text, 1, size - 1, f);
    if (f != NULL) fclose(f);
    text[len] = 0;
    return len;
}

static void file_write(const char *text, size_t len) {
    FILE *f = fopen(path, "w");
    fwrite(text, 1, len, f);
    fclose(f);
}

static void a_chain_is_written(void) {
    char text[8192];
    uint64_t lines = 0;
    is_int(findings(NULL), 0, "no log is no finding");
    ok(write_some("root", 2) && write_some("eve\r\n3\tx", 1), "acts are written, in two runs");
    is_int(findings(&lines), 0, "the chain holds over a restart");
    is_int((int64_t)lines, 3, "with every act");
    file_read(text, sizeof text);
    ok(strstr(text, "\troot\tadmin\tchange\tuser\tbob%09x%0A%25\t7\tOK\t") != NULL,
       "a line says who did what to which, and nothing breaks it");
    ok(strstr(text, "eve%0D%0A3%09x") != NULL, "an actor's name neither");
}

static void damage_shows(void) {
    char whole[8192], text[8192], why[300];
    const size_t len = file_read(whole, sizeof whole);
    uint64_t lines;
    memcpy(text, whole, len + 1);
    *strstr(text, "root") = 'R';
    file_write(text, len);
    is_int(findings(&lines), 1, "a changed line is found");
    is_int((int64_t)lines, 0, "where it is");
    ok(log_open(why, sizeof why) == NULL && strstr(why, "damaged") != NULL,
       "nothing is written behind it");
    const char *second = strchr(whole, '\n') + 1, *third = strchr(second, '\n') + 1;
    memcpy(text, whole, (size_t)(second - whole));
    memcpy(text + (second - whole), third, len - (size_t)(third - whole));
    file_write(text, len - (size_t)(third - second));
    is_int(findings(NULL), 1, "a line that was left out is found");
    file_write(second, len - (size_t)(second - whole));
    is_int(findings(NULL), 1, "so is a lost beginning");
    file_write(whole, len - 5);
    is_int(findings(&lines), 0, "a torn last line is no finding");
    is_int((int64_t)lines, 2, "nor is it an act");
    ok(write_some("root", 1), "it is cut at the next start");
    is_int(findings(&lines), 0, "and the chain goes on");
    is_int((int64_t)lines, 3, "from before it");
}

int main(void) {
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/audit.log", folder);
    a_chain_is_written();
    damage_shows();
    unlink(path);
    rmdir(folder);
    return done();
}
