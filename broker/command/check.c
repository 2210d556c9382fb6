/* check.c - `relais check`: audits a data folder that no broker is using. */
#include "broker/audit.h"
#include "command.h"
#include "proto/host/config.h"
#include "store/store.h"
#include <inttypes.h>
#include <stdio.h>

enum { FINDINGS_SHOWN = 100 };

static void finding_print(void *context, const char *finding) {
    uint64_t *shown = context;
    if (++*shown <= FINDINGS_SHOWN) printf("found: %s\n", finding);
}

int command_check(int argc, char **argv) {
    struct config config;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0) continue;
        puts("usage: relais check [--data DIR]\n\nCompares every index entry with its record and "
             "every counter with a recount, and verifies the chain of the audit log.\n"
             "Exit 0: nothing found.");
        return 0;
    }
    const int code = config_start(&config, SECTION_BASE | SECTION_BROKER, &argc, argv);
    if (code >= 0) return code;
    if (!config_used_up(argc, argv)) {
        config_free(&config);
        return 2;
    }
    struct store_options options = {.folder = config.data, .read_only = true};
#define OPTION(...)
#define LIMIT(...)
#define STORE(name, ...) options.name = config.name;
#include "proto/option.def"
    char why[512];
    struct store *store = store_open(&options, why, sizeof why);
    if (store == NULL) {
        fprintf(stderr, "relais check: %s\n", why);
        config_free(&config);
        return 1;
    }
    struct store_stats stats;
    uint64_t shown = 0;
    store_stats(store, &stats);
    struct audit_sum acts;
    uint64_t findings = store_audit(store, finding_print, &shown);
    store_close(&store);
    audit_check(config.data, finding_print, &shown, &acts);
    findings += acts.findings;
    printf("audit log: %" PRIu64 " acts", acts.lines);
    if (acts.files > 1) printf(" in %" PRIu32 " files", acts.files);
    if (acts.first > 1) printf(", from number %" PRIu64 " on", acts.first);
    printf(", newest hash %s\n", acts.hash);
    printf("%s: %" PRIu64 " groups reached the table, %" PRIu64 " bytes of a torn end were cut, "
           "%" PRIu64 " findings\n", config.data, stats.reached, stats.cut_bytes, findings);
    config_free(&config);
    return findings == 0 ? 0 : 1;
}
