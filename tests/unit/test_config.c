/* Options: sources, precedence, and what a bad one is told. */
#include "proto/host/config.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <unistd.h>

static char why[CONFIG_WHY_MAX];

static bool read_text(struct config *c, unsigned sections, const char *text) {
    config_init(c, sections);
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    why[0] = 0;
    bool good = config_read(c, file, "relais.conf", why);
    fclose(file);
    return good;
}

/* Reads a file that must be refused with this text. */
static void refused(const char *text, const char *cause, const char *fact) {
    struct config c;
    bool good = read_text(&c, SECTION_BROKER, text);
    is_text(good ? "(taken)" : why, cause, fact);
    config_free(&c);
}

static void test_defaults(void) {
    struct config c;
    config_init(&c, SECTION_BROKER);
    is_int(c.beat_ms, 2000, "a link beats every 2 s by default");
    is_int(c.keep_ms, -1, "native tasks are kept when they failed");
    is_int(c.dialect_keep, 7 * 86400000ll, "tasks of the dialects are kept 7 days");
    is_text(c.http, "127.0.0.1:8000", "HTTP listens on loopback");
    is_text(c.open, "", "nothing is open without credentials");
    config_free(&c);
    char cause[OPTION_WHY_MAX], text[5000];
    config_init(&c, SECTION_BROKER);
    bool all = true;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_print(&option_table[i], &c, text, sizeof text);
        if (!option_set(&option_table[i], &c, text, cause)) {
            note("%s = %s: %s", option_table[i].name, text, cause);
            all = false;
        }
    }
    ok(all, "every default is within its own bounds");
    config_free(&c);
}

static void test_file(void) {
    struct config c;
    ok(read_text(&c, SECTION_BROKER, "; a comment\n[base]\ndata = /tmp/x ; inline\n"
                                     "[broker]\nbeat_ms = 5s\nbody_bytes_max = 2M\nkeep_ms=7d\n"
                                     "[gateway]\nhttp = [::1]:80\n"),
       "a file with three sections is taken");
    is_text(c.data, "/tmp/x", "a text ends before its comment");
    is_int(c.beat_ms, 5000, "5s is 5000 ms");
    is_int(c.body_bytes_max, 2 << 20, "2M is 2 MiB");
    is_int(c.keep_ms, 604800000, "7d is a week");
    is_text(c.http, "127.0.0.1:8000", "a broker does not read [gateway]");
    config_free(&c);
    read_text(&c, SECTION_GATEWAY, "[gateway]\nlog_level = debug\n[base]\nlog_level = error\n");
    is_text(c.log_level, "debug", "a role's section wins over [base], wherever it stands");
    config_free(&c);
    read_text(&c, SECTION_GATEWAY | SECTION_BROKER,
              "[broker]\nlog_level = warn\n[gateway]\nlog_level = debug\n");
    is_text(c.log_level, "warn", "under serve the broker's section wins over the gateway's");
    config_free(&c);
    char line[1200] = "[base]\ndata = /";
    memset(line + strlen(line), 'a', 1000);
    ok(read_text(&c, SECTION_BROKER, line), "a line of 1,000 bytes is read");
    is_int(strlen(c.data), 1001, "and read whole");
    config_free(&c);
}

static void test_refusals(void) {
    refused("[broker]\nhttp = 127.0.0.1:1\n",
            "relais.conf:2: [broker] http: is an option of [gateway]",
            "a key of another role is named with its role");
    refused("[base]\n\nbeat = 3\n", "relais.conf:3: [base] beat: there is no such option",
            "an unknown key is named with its line");
    refused("[gateway]\nhttp = 8000\n",
            "relais.conf:2: [gateway] http = 8000: is not an address: HOST:PORT, port 0 to 65535",
            "a bad value in the section of another role is refused too");
    refused("[base]\ndata = a\ndata = b\n", "relais.conf:3: [base] data: was given before",
            "a key given twice is refused");
    refused("[brokers]\na = 1\n", "relais.conf:2: there is no section [brokers]",
            "an unknown section is refused");
    refused("data = a\n", "relais.conf:1: data stands before any section; begin with [base]",
            "a key before any section is refused");
    refused("[base]\nnonsense\n",
            "relais.conf:2: is neither [section], name = value nor a comment",
            "a line of another form is refused");
    refused("[broker]\nbeat_ms = 2x\n",
            "relais.conf:2: [broker] beat_ms = 2x: ends in \"x\"; times end in ms, s, m, h or d",
            "an unknown unit is told the known ones");
    refused("[broker]\nbeat_ms = 99999999999999999999\n",
            "relais.conf:2: [broker] beat_ms = 99999999999999999999: is too large",
            "a number over 64 bits is refused");
    refused("[broker]\nbeat_ms = 1\n",
            "relais.conf:2: [broker] beat_ms = 1: must be 20 to 60000 ms", "bounds are told");
    refused("[gateway]\nlegacy_failed = 404\n",
            "relais.conf:2: [gateway] legacy_failed = 404: must be one of 200|500",
            "a number with fixed choices takes no other");
    refused("[base]\nlog_level = loud\n",
            "relais.conf:2: [base] log_level = loud: must be one of debug|info|warn|error",
            "a word that is no choice is told the choices");
    char line[9100] = "[base]\ndata = /";
    memset(line + strlen(line), 'a', 9000);
    refused(line, "relais.conf:2: the line is longer than 8189 bytes",
            "a line over the limit is refused, not cut");
}

static void test_precedence(void) {
    char path[] = "/tmp/relais-test-config-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fputs("[broker]\nbeat_ms = 30\nquiet_ms = 40\nlinks_max = 50\n", file);
    fclose(file);
    setenv("RELAIS_QUIET_MS", "41", 1);
    setenv("RELAIS_LINKS_MAX", "51", 1);
    setenv("RELAIS_TASK_ID", "what an exec worker sets", 1);
    char *argv[] = {"broker", "--mine", "1", "--links-max=52", "--config", path,
                    "--data", "d",      "--", "--data",        "e",        NULL};
    int argc = 11;
    struct config c;
    ok(config_load(&c, SECTION_BROKER, &argc, argv, why), "all sources together are taken");
    is_int(c.beat_ms, 30, "the file wins over the default");
    is_int(c.quiet_ms, 41, "the environment wins over the file");
    is_int(c.links_max, 52, "the command line wins over the environment");
    is_text(c.data, "d", "flags end at --");
    is_int(argc, 6, "what was not taken stays");
    is_text(argv[1], "--mine", "in its order");
    is_text(argv[3], "--", "with the -- before what follows it");
    config_free(&c);
    unsetenv("RELAIS_QUIET_MS");
    unsetenv("RELAIS_LINKS_MAX");
    unlink(path);
}

static void flag_refused(const char *flag, const char *value, const char *cause,
                         const char *fact) {
    char *argv[] = {"broker", (char *)(uintptr_t)flag, (char *)(uintptr_t)value, NULL};
    int argc = value == NULL ? 2 : 3;
    struct config c;
    bool good = config_load(&c, SECTION_BROKER, &argc, argv, why);
    is_text(good ? "(taken)" : why, cause, fact);
    if (good) {
        config_free(&c);
    }
}

static void test_flags(void) {
    flag_refused("--listen", "localhost",
                 "--listen localhost: is not an endpoint: tcp://HOST:PORT, ipc://PATH or "
                 "inproc://NAME",
                 "a bad flag is named with its value");
    flag_refused("--data", NULL, "--data needs a value", "a flag without its value is refused");
    flag_refused("--lost-ms", "7s", "beat_ms < suspect_ms <= doubt_ms < lost_ms must hold",
                 "times that contradict each other are refused");
    flag_refused("--config", "/nonexistent/file",
                 "/nonexistent/file: No such file or directory", "a missing file is named");
}

static void test_print(void) {
    struct config c, again;
    read_text(&c, SECTION_BROKER | SECTION_GATEWAY, "[broker]\nkeep_ms = 3d\n");
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    config_print(&c, out);
    fclose(out);
    ok(strstr(text, "keep_ms = 259200000\n") != NULL, "a value prints in its unit");
    ok(read_text(&again, SECTION_BROKER | SECTION_GATEWAY, text),
       "what --print-config prints can be loaded");
    is_int(again.keep_ms, c.keep_ms, "and says the same");
    config_free(&again);
    config_free(&c);
    free(text);
}

static void test_endpoints(void) {
    char host[CONFIG_HOST_MAX], text[CONFIG_ENDPOINT_MAX];
    uint16_t port = 7;
    ok(config_address("[::1]:80", host, &port) && port == 80, "an IPv6 address has brackets");
    is_text(host, "::1", "which the host does not");
    ok(!config_address("::1:80", host, &port), "IPv6 without brackets is refused");
    ok(!config_address("a:65536", host, &port) && !config_address("a:", host, &port) &&
           !config_address(":1", host, &port) && !config_address("a:1x", host, &port),
       "a bad port or no host is refused");
    config_files_endpoint("tcp://127.0.0.1:5555", text);
    is_text(text, "tcp://127.0.0.1:5556", "the file endpoint is the next port");
    config_files_endpoint("tcp://127.0.0.1:0", text);
    is_text(text, "tcp://127.0.0.1:0", "a free port goes with a free port");
    config_files_endpoint("ipc:///d/broker.ipc", text);
    is_text(text, "ipc:///d/broker.ipc-files", "and a socket has its own beside it");
}

int main(void) {
    test_defaults();
    test_file();
    test_refusals();
    test_precedence();
    test_flags();
    test_print();
    test_endpoints();
    return done();
}
