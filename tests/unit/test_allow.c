/* The allow-list of calls to the outside: what is public, and what a list lets through. */
#include "gateway/allow.h"
#include "tests/unit/tap.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_storage place;

static const struct sockaddr *at(const char *text) {
    struct sockaddr_in *v4 = (void *)&place;
    struct sockaddr_in6 *v6 = (void *)&place;
    memset(&place, 0, sizeof place);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) v6->sin6_family = AF_INET6;
    return (const struct sockaddr *)&place;
}

static void reach(void) {
    static const char *const open[] = {"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1",
                                       "100.128.0.1", "192.169.0.1", "2606:4700::1111",
                                       "::ffff:8.8.8.8", "223.255.255.1"};
    static const char *const closed[] = {
        "127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1",
        "240.0.0.1", "192.0.0.8", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1",
        "2001:db8::1", "2001::1", "fec0::1"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        char fact[96];
        snprintf(fact, sizeof fact, "%s is public", open[i]);
        ok(allow_public(at(open[i])), fact);
    }
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        char fact[96];
        snprintf(fact, sizeof fact, "%s is not", closed[i]);
        ok(!allow_public(at(closed[i])), fact);
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    ok(!allow_public(&other), "a socket in the file system is not");
}

static bool lets(const char *list, const char *host, uint16_t port, const char *address) {
    char why[128] = "";
    struct allow *a = allow_new(list, why, sizeof why);
    if (a == NULL) {
        note("%s", why);
        return false;
    }
    bool fits = allow_fits(a, host, port, at(address));
    allow_destroy(&a);
    return fits;
}

static void lists(void) {
    ok(!lets("", "example.org", 80, "8.8.8.8"), "the empty list lets nothing through");
    ok(lets("*", "example.org", 80, "8.8.8.8"), "* is every public address");
    ok(!lets("*", "example.org", 80, "127.0.0.1"), "but no private one");
    ok(lets("example.org", "EXAMPLE.org", 8080, "8.8.8.8"), "a name, in any case, at any port");
    ok(!lets("example.org", "evil.org", 80, "8.8.8.8"), "is not another name");
    ok(!lets("example.org", "example.org", 80, "10.0.0.1"), "and not a private address under it");
    ok(lets("example.org:80", "example.org", 80, "8.8.8.8") &&
           !lets("example.org:80", "example.org", 81, "8.8.8.8"), "a port is that port alone");
    ok(lets("127.0.0.1:8001", "127.0.0.1", 8001, "127.0.0.1"), "an address that is listed");
    ok(lets("127.0.0.1:8001", "localhost", 8001, "127.0.0.1"), "whatever its name");
    ok(!lets("127.0.0.1:8001", "127.0.0.1", 8002, "127.0.0.1"), "at its port");
    ok(lets("10.0.0.0/8", "worker", 8001, "10.200.3.4") &&
           !lets("10.0.0.0/8", "worker", 8001, "11.0.0.1"), "a network");
    ok(lets("10.128.0.0/9", "worker", 1, "10.200.3.4") &&
           !lets("10.128.0.0/9", "worker", 1, "10.100.3.4"), "to the bit");
    ok(lets("10.0.0.0/8", "worker", 1, "::ffff:10.0.0.1"), "also in its IPv6 form");
    ok(lets("::1", "::1", 1, "::1") && lets("[::1]:99", "::1", 99, "::1") &&
           !lets("[::1]:99", "::1", 98, "::1"), "IPv6 addresses");
    ok(lets("fd00::/8", "worker", 1, "fd12::9"), "and networks");
    ok(lets("a.org , b.org,,c.org", "c.org", 1, "8.8.8.8"), "several entries");
}

static bool hopes(const char *list, const char *host, uint16_t port) {
    char why[128];
    struct allow *a = allow_new(list, why, sizeof why);
    bool may = allow_hopes(a, host, port);
    allow_destroy(&a);
    return may;
}

static void hope(void) {
    ok(!hopes("", "a.org", 80) && hopes("*", "a.org", 80), "nothing, and everything");
    ok(hopes("a.org", "a.org", 80) && !hopes("a.org", "b.org", 80), "a name");
    ok(hopes("10.0.0.0/8", "worker", 80), "a name may turn out to be in a network");
    ok(hopes("10.0.0.0/8", "10.1.1.1", 80) && !hopes("10.0.0.0/8", "11.1.1.1", 80),
       "an address is or is not");
    ok(hopes("10.1.1.1:80", "10.1.1.1", 80) && !hopes("10.1.1.1:80", "10.1.1.1", 81), "a port");
}

static void malformed(void) {
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/0",
                                      "host/8", "host:", "host:0", "host:70000", "host:x", "[::1",
                                      "[::1]x", "user@host", ":80", "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char why[128] = "", fact[96];
        struct allow *a = allow_new(bad[i], why, sizeof why);
        snprintf(fact, sizeof fact, "\"%s\" is refused, with the cause", bad[i]);
        ok(a == NULL && why[0] != '\0', fact);
        allow_destroy(&a);
    }
}

int main(void) {
    reach();
    lists();
    hope();
    malformed();
    return done();
}
