# relais - one non-recursive Makefile. `make help` lists what it does.
VERSION := 0.1.0
FLAVOUR ?= release
B := build/$(FLAVOUR)
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3
JOBS ?= $(shell nproc)
FUZZ_S ?= 8

# tsan: clang's runtime knows C11 fences and finds more; fuzz: libFuzzer is clang's
CC_release := gcc
CC_asan := gcc
CC_tsan := clang
CC_cov := gcc
CC_fuzz := clang
CC := $(CC_$(FLAVOUR))
WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Werror
# clang: warns of signs and of {0} where gcc does not; gcc's build is the one that must be clean
WARN_clang := -Wno-sign-conversion -Wno-missing-field-initializers -Wno-unknown-warning-option \
	-Wno-format-nonliteral -Wno-string-conversion -Wno-error
CFLAGS_release := -O2 -g
# gcc sees less far through instrumented code and warns of what the release build shows is set
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -Wno-maybe-uninitialized
CFLAGS_tsan := -O1 -g -fsanitize=thread
CFLAGS_cov := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS := -std=gnu11 -I. -D_GNU_SOURCE -DRELAIS_VERSION='"$(VERSION)"' -pthread -MMD -MP $(WARN) \
	$(if $(filter clang,$(CC)),$(WARN_clang)) $(CFLAGS_$(FLAVOUR))
LDFLAGS := -Wl,--as-needed
LDLIBS := -lzmq -lczmq -lmsgpackc -lmicrohttpd -lwslay -lcurl -lrocksdb -lzstd -lsodium -lnettle -ljansson -linih -pthread -lm

lib_src = $(filter-out %/main_test.c,$(wildcard $(1)))
PROTO := $(call lib_src,proto/*.c proto/base/*.c proto/host/*.c)
STORE := $(call lib_src,store/*.c)
CORE := $(call lib_src,broker/core/*.c)
BROKER := $(call lib_src,broker/*.c broker/command/*.c)
WORKER := $(call lib_src,worker/*.c worker/command/*.c)
GATEWAY := $(call lib_src,gateway/*.c gateway/dialect/*.c gateway/dialect/*/*.c)
obj = $(patsubst %.c,$(B)/%.o,$(1))
# sub-makes share the jobs of this one, or use every core
SUB = +@$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: all
all: deps ## builds build/release/relais (FLAVOUR=asan, tsan, cov for the others)
	$(SUB) FLAVOUR=$(FLAVOUR) B=$(B) $(B)/relais examples speech

# V=1 shows the commands
V := 0
say = $(if $(filter 0,$(V)),@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,echo "  $(1) $@";) )
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) -c -o $@ $<
define archive
$(B)/lib$(1).a: $$(call obj,$$($(2)))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(eval $(call archive,proto,PROTO))
$(eval $(call archive,store,STORE))
$(eval $(call archive,core,CORE))
$(eval $(call archive,broker,BROKER))
$(eval $(call archive,worker,WORKER))
$(eval $(call archive,gateway,GATEWAY))
LIBS := $(foreach l,gateway worker broker core store proto,$(B)/lib$(l).a)
# a test links the archives that there are; the shell looks, for make remembers folders
LINK = $(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
	$$(ls $(LIBS) 2> /dev/null) -Wl,--end-group $(LDLIBS)
$(B)/relais: $(B)/relais.o $(B)/serve.o $(LIBS)
	$(LINK)
.SECONDARY:

# ---- librelais: worker/relais.h for other programs. Its roots are the functions called relais_*;
# the linker adds what those need from worker and proto, whose objects fit a shared library too, and
# nothing else is visible.
LIBRELAIS_LIBS := -lzmq -lmsgpackc -lsodium -lnettle -ljansson -linih -pthread
PUBLIC := worker/relais.h
$(B)/proto/%.o $(B)/worker/%.o: CFLAGS += -fPIC -fno-semantic-interposition -ffunction-sections \
	-fdata-sections
LIBRELAIS_FROM := $(B)/libworker.a $(B)/libproto.a
ROOTS = $$(nm --defined-only -g $(LIBRELAIS_FROM) | awk '$$2 == "T" && $$3 ~ /^relais_/ { print "-u " $$3 }')
$(B)/librelais.a: $(LIBRELAIS_FROM)
	ld -r -o $(B)/librelais.o $(ROOTS) --gc-sections $^
	objcopy --wildcard --keep-global-symbol='relais_*' $(B)/librelais.o
	@rm -f $@ && ar rcs $@ $(B)/librelais.o
$(B)/librelais.so: $(LIBRELAIS_FROM)
	printf '{ global: relais_*; local: *; };\n' > $(B)/librelais.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,defs -Wl,-soname,librelais.so.0 -Wl,--gc-sections \
	    -Wl,--version-script=$(B)/librelais.map -o $@ $(ROOTS) $^ $(LIBRELAIS_LIBS)
.PHONY: $(B)/relais.pc
$(B)/relais.pc: # holds PREFIX: written anew
	@mkdir -p $(@D)
	@printf '%s\n' 'Name: relais' 'Description: client and worker of the relais task broker' \
	    'Version: $(VERSION)' 'Libs: -L$(PREFIX)/lib -lrelais' \
	    'Libs.private: $(LIBRELAIS_LIBS)' \
	    'Cflags: -I$(PREFIX)/include' > $@
EXAMPLES := $(patsubst worker/example/%.c,$(B)/example/%,$(wildcard worker/example/*.c))
$(B)/example/%: worker/example/%.c $(B)/librelais.a
	@mkdir -p $(@D)
	$(CC) -Iworker $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(LIBRELAIS_LIBS)
.PHONY: examples
examples: $(EXAMPLES)

# ---- speech workers: programs of their own, which see relais.h alone; built where pocketsphinx is
SPEECH_LIBS := $(shell pkg-config --libs pocketsphinx sphinxbase 2> /dev/null)
SPEECH := $(if $(SPEECH_LIBS),$(B)/relais-listen $(B)/relais-speakers)
SPEECH_PURE := $(patsubst %,worker/speech/%.c,sound resampler transcript spectrum mixture voices)
SPEECH_ALL := $(call obj,$(SPEECH_PURE) $(patsubst %,worker/speech/%.c,recogniser booth reel))
$(B)/worker/speech/recogniser.o: CFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags \
	pocketsphinx sphinxbase 2> /dev/null))
$(B)/relais-%: $(B)/worker/speech/%.o $(SPEECH_ALL) $(B)/librelais.a
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBRELAIS_LIBS) $(SPEECH_LIBS) -lm
.PHONY: speech
speech: $(SPEECH) ## builds relais-listen and relais-speakers, where libpocketsphinx-dev is

.PHONY: install
install: all ## installs relais, librelais, relais.h, relais.pc and the speech workers that were built under PREFIX (DESTDIR is honoured)
	$(SUB) $(B)/librelais.a $(B)/librelais.so $(B)/relais.pc
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(B)/relais $(wildcard $(SPEECH)) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(PUBLIC) $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(B)/librelais.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(B)/librelais.so $(DESTDIR)$(PREFIX)/lib/librelais.so.0
	ln -sf librelais.so.0 $(DESTDIR)$(PREFIX)/lib/librelais.so
	install -m 644 $(B)/relais.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig # programs find the new library

.PHONY: install-check
install-check: ## installs into build/installed and builds an example against that alone
	@$(MAKE) --no-print-directory install PREFIX=$(CURDIR)/build/installed
	@for f in worker/example/*.c; do name=$$(basename $$f .c); \
	    flags=$$(PKG_CONFIG_PATH=build/installed/lib/pkgconfig pkg-config --cflags --libs relais) && \
	    $(CC) -Wall -Werror $$f -o build/installed/$$name $$flags \
	        -Wl,-rpath,$(CURDIR)/build/installed/lib || exit 1; \
	    echo "ok - $$name builds against what is installed"; done
	@build/installed/bin/relais --version

# ---- tests: a program is tests/FOLDER/test_NAME.c plus the folder's files of other names; it
# prints TAP. tests/FOLDER/FOLDER.c is a program of its own: story runs tests/story/*.story, sim
# is the simulator with every file beside it; crash/load is one process of the crash tests' load.
support = $(filter-out $(wildcard $(1)/test_*.c $(1)/fuzz_*.c) $(1)/$(notdir $(1)).c,$(wildcard $(1)/*.c))
define test_folder
TESTS_$(1) := $(patsubst %.c,$(B)/%,$(wildcard tests/$(1)/test_*.c))
$$(TESTS_$(1)): $(call obj,$(call support,tests/$(1)))
endef
$(foreach folder,unit story crash,$(eval $(call test_folder,$(folder))))
STORY := $(patsubst %.c,$(B)/%,$(wildcard tests/story/story.c))
SIM := $(patsubst %.c,$(B)/%,$(wildcard tests/sim/sim.c))
LOAD := $(patsubst %.c,$(B)/%,$(wildcard tests/crash/load.c))
ifneq ($(LOAD),)
$(LOAD): $(call obj,$(call support,tests/crash))
endif
ifneq ($(STORY),)
$(STORY): $(call obj,$(call support,tests/story))
endif
ifneq ($(SIM),)
$(SIM): $(call obj,$(call support,tests/sim))
endif
$(B)/tests/unit/test_sound $(B)/tests/unit/test_voices: $(call obj,$(SPEECH_PURE))
# tests are compiled more often than they run
ifeq ($(FLAVOUR),release)
$(B)/tests/unit/%.o $(B)/tests/story/%.o: CFLAGS += -O1
endif
# archives that were built are prerequisites, so that a test never links yesterday's code
$(B)/tests/%: $(B)/tests/%.o $(wildcard $(LIBS))
	$(LINK)
TAP_PROGRAMS := $(TESTS_unit) $(TESTS_story) $(TESTS_crash)
.PHONY: test-programs
test-programs: $(TAP_PROGRAMS) $(STORY) $(LOAD)

# what the suites see; the sanitizers' suppressions name uninstrumented libraries only
REPORT := $(CURDIR)/$(B)/report
SANITIZE := log_path=$(REPORT):allocator_may_return_null=1
RUN_ENV = RELAIS=$(CURDIR)/$(B)/relais RELAIS_BUILD=$(CURDIR)/$(B) RELAIS_FLAVOUR=$(FLAVOUR) \
	ASAN_OPTIONS=$(SANITIZE):detect_leaks=1 UBSAN_OPTIONS=$(SANITIZE):print_stacktrace=1 \
	LSAN_OPTIONS=$(SANITIZE):suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
	TSAN_OPTIONS=$(SANITIZE):suppressions=$(CURDIR)/tests/tsan.supp:ignore_noninstrumented_modules=1:die_after_fork=0
# ThreadSanitizer of clang 14 cannot place its shadow under the widest address randomisation
RUN = $(RUN_ENV) $(if $(filter tsan,$(FLAVOUR)),$(shell setarch -R true 2> /dev/null && echo setarch -R))
HAS_API := $(wildcard tests/api/test_*.py)
HAS_CRASH := $(wildcard tests/crash/test_*.py)
CRASH_FIRST = $(wildcard tests/crash/test_st*.py) $(filter-out tests/crash/test_st%,$(HAS_CRASH))
STORIES := $(wildcard tests/story/*.story)

.PHONY: suites suite-tap suite-story suite-python suite-api suite-crash
suites: # each one runs, whatever the others say; what a sanitizer said of any process fails it
	@rm -f $(REPORT).* $(FAILED); $(call EACH,400,$(SUITES)); ran=$$?; \
	said=$$(grep -lE 'ERROR: |runtime error: |WARNING: ThreadSanitizer' $(REPORT).* 2> /dev/null); \
	[ -z "$$said" ] || { echo sanitizer >> $(FAILED); head -n 60 $$said; }; \
	{ [ $$ran = 0 ] && [ ! -s $(FAILED) ]; } || { echo "failed: $$(sort $(FAILED) | xargs)"; exit 1; }
suite-tap:
	@$(if $(TAP_PROGRAMS),$(RUN) prove -j$(JOBS) --exec 'timeout 240' $(sort $(TAP_PROGRAMS)),true)
suite-story:
	@$(if $(and $(STORY),$(STORIES)),$(RUN) prove --exec 'timeout 120 $(STORY)' $(sort $(STORIES)),true)
# a process for each file of Python and one each for tap and story, all from one queue; each one's
# output in one piece. They wait more than they compute
API_JOBS = $(if $(API_$(FLAVOUR)),$(JOBS),$(shell echo $$(($(JOBS) * 3))))
PYTEST = timeout $(1) $(PYTHON) -B -m pytest -q -p no:cacheprovider
FAILED := $(B)/failed
EACH = printf '%s\n' $(2) | $(RUN) xargs -P $(API_JOBS) -n 1 sh -c 'case $$0 in \
	    *.py) said=$$($(call PYTEST,$(1)) "$$0" 2>&1) ;; \
	    *) said=$$($(MAKE) --no-print-directory -j1 FLAVOUR=$(FLAVOUR) B=$(B) suite-$$0 2>&1) ;; \
	esac; code=$$?; echo "$$0"; echo "$$said"; [ $$code = 0 ] || echo "$$0" >> $(FAILED); exit $$code'
# the longest first, so that none runs alone at the end. Sanitizers take three to ten times as long:
# they get the suites that parse most, and those where threads meet
API_LONG := whatsapp_day socket bench bounds voices qalpuch_lease http matrix hook speech_streaming \
	account commands megahub_day deputy qalpuch_account exec whatsapp_push
API_asan := attack attack_native bounds commands exec fleet heads hook http megahub megahub_checkpoint \
	megahub_job megahub_list megahub_monitor megahub_schedule objects qalpuch qalpuch_file \
	qalpuch_work socket speech speech_socket stream_native whatsapp whatsapp_session
API_tsan := beat fleet hook http megahub_worker objects python_worker qalpuch_work socket \
	speech_socket whatsapp_push
API_FIRST := $(wildcard $(API_LONG:%=tests/api/test_%.py))
API_SUITES = $(if $(API_$(FLAVOUR)),$(wildcard $(API_$(FLAVOUR):%=tests/api/test_%.py)),$\
	$(API_FIRST) $(filter-out $(API_FIRST),$(HAS_API)))
# kills and stops wait more than all others: they need no time of their own
SUITES = $(CRASH_FIRST) tap story $(API_SUITES)
suite-python:
	@$(if $(HAS_API)$(HAS_CRASH),$(call EACH,400,$(CRASH_FIRST) $(API_SUITES)),true)
suite-api:
	@$(if $(HAS_API),$(call EACH,400,$(API_SUITES)),true)
suite-crash:
	@$(if $(HAS_CRASH),$(call EACH,280,$(CRASH_FIRST)),true)

.PHONY: test
test: deps-test all ## builds and runs unit, story, API and short crash tests
	$(SUB) FLAVOUR=$(FLAVOUR) B=$(B) test-programs
	@$(MAKE) --no-print-directory -j1 FLAVOUR=$(FLAVOUR) B=$(B) suites

.PHONY: asan tsan
asan: deps-test deps-proof ## suites under AddressSanitizer, UBSan and LeakSanitizer
	$(SUB) FLAVOUR=asan build/asan/relais speech
	$(SUB) FLAVOUR=asan test-programs
	@$(MAKE) --no-print-directory -j1 FLAVOUR=asan suites
tsan: deps-test deps-proof ## suites under ThreadSanitizer
	$(SUB) FLAVOUR=tsan build/tsan/relais speech
	$(SUB) FLAVOUR=tsan test-programs
	@$(MAKE) --no-print-directory -j1 FLAVOUR=tsan suites

.PHONY: check tidy floors pure tables rows check-extra
check: all tidy floors pure tables rows ## style, floors, purity, documents, rows and their tests, warnings
check-extra: all ## lints and proves the OpenAPI documents with npm's redocly and prism
	@RELAIS=$(B)/relais scripts/openapi $(B)/extra
rows:
	@scripts/rows --check
tidy:
	@scripts/tidy
floors:
	@scripts/floors
pure: deps
	$(SUB) FLAVOUR=$(FLAVOUR) B=$(B) $(B)/libproto.a $(B)/libcore.a $(B)/libworker.a
	@scripts/pure $(B)
tables: all
	@scripts/tables --check $(B)/relais

.PHONY: sim chaos fuzz-short
sim: deps ## the simulator: 20,000 seeds, and every bug switch must be caught
	$(SUB) FLAVOUR=release B=build/release $(foreach l,core store proto,build/release/lib$(l).a)
	$(SUB) FLAVOUR=release B=build/release $(patsubst %.c,build/release/%,$(wildcard tests/sim/sim.c))
	@if [ -x build/release/tests/sim/sim ]; then timeout 300 build/release/tests/sim/sim --ci; \
	else echo 'sim: skipped, there is no tests/sim/sim.c'; fi
# two files at a time: a minute of speech in real time needs no core
chaos: API_JOBS := 2
CHAOS_API := $(wildcard tests/api/test_voices.py tests/api/test_speakers.py)
chaos: test-chaos-deps ## kills, stops and damage on real processes, at full length
	@$(if $(HAS_CRASH),export RELAIS_CHAOS=1; $(call EACH,600,$(CRASH_FIRST) $(CHAOS_API)),echo 'chaos: skipped, there are no tests/crash/test_*.py')
.PHONY: test-chaos-deps
test-chaos-deps: deps-test all
	$(SUB) FLAVOUR=$(FLAVOUR) B=$(B) test-programs
FUZZERS := $(patsubst %.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
ifeq ($(FLAVOUR),fuzz)
build/fuzz/tests/fuzz/fuzz_sound: $(call obj,$(SPEECH_PURE))
$(FUZZERS): build/fuzz/%: build/fuzz/%.o $(call obj,$(call support,tests/fuzz)) $(LIBS)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(LIBS) \
	    -Wl,--end-group $(LDLIBS)
endif
.PHONY: fuzzers
fuzzers: $(FUZZERS)
fuzz-short: deps-proof ## every fuzzer for FUZZ_S seconds over its committed corpus
	@if [ -z "$(FUZZERS)" ]; then echo 'fuzz-short: skipped, there are no tests/fuzz/fuzz_*.c'; \
	elif ! command -v clang > /dev/null; then echo 'fuzz-short: skipped, clang is missing'; \
	else $(MAKE) --no-print-directory -j$(JOBS) FLAVOUR=fuzz fuzzers && \
	printf '%s\n' $(FUZZERS) | xargs -P $(JOBS) -n 1 sh -c '\
	    name=$${0##*/fuzz_}; seeds=tests/fuzz/corpus/$$name; \
	    mkdir -p build/fuzz/corpus/$$name; [ -d $$seeds ] || seeds=; \
	    dict=tests/fuzz/$$name.dict; [ -f $$dict ] && dict=-dict=$$dict || dict=; \
	    ASAN_OPTIONS=allocator_may_return_null=1 $$0 $$dict -max_total_time=$(FUZZ_S) -timeout=60 \
	        -rss_limit_mb=2048 -verbosity=0 -print_final_stats=0 -artifact_prefix=build/fuzz/ \
	        build/fuzz/corpus/$$name $$seeds && echo "ok - fuzz $$name for $(FUZZ_S) s"'; fi

.PHONY: ci
ci: ## check, install-check, asan, tsan, sim, chaos, fuzz-short; goes on after a failure and names what failed
	@failed=; for part in check install-check asan tsan sim chaos fuzz-short; do \
	    echo "=== $$part"; \
	    if $(MAKE) --no-print-directory $$part; then echo "=== $$part: passed"; \
	    else echo "=== $$part: FAILED"; failed="$$failed $$part"; fi; \
	done; [ -z "$$failed" ] || { echo "ci: failed:$$failed"; exit 1; }

.PHONY: cov
cov: deps-test ## line coverage of the suites, per folder
	$(SUB) FLAVOUR=cov build/cov/relais
	$(SUB) FLAVOUR=cov test-programs
	-@$(MAKE) --no-print-directory -j1 FLAVOUR=cov suites
	@for d in proto proto/base proto/host store broker/core broker worker gateway; do \
	    gcov -n $$(find build/cov/$$d -maxdepth 1 -name '*.gcda' 2> /dev/null) 2> /dev/null | \
	    awk -v d="$$d" '/^File/ { mine = ($$2 ~ "^." d "/[^/]*[.]c") } \
	        mine && /^Lines executed/ { split($$2, v, /[:%]/); sum += v[2] * $$4; n += $$4; mine = 0 } \
	        END { if (n) printf "%-14s %6.1f %% of %d lines\n", d, sum / n, n }'; done

.PHONY: run bench
run: ## the demo: a recording in over HTTP, transcribed, one worker killed on the way
	@scripts/demo
bench: all ## measures relais, the peers that can be installed and this machine, in 25 minutes; writes BENCHMARKS.md (BENCH=--full: 10M tasks and all points of the curves)
	@scripts/bench $(B)/relais $(BENCH)

.PHONY: deps deps-test deps-demo deps-proof
# one after the other: two installations at once would lock each other out
deps:
	@scripts/deps build
deps-test: deps
	@scripts/deps test
deps-demo: deps-test
	@scripts/deps demo
deps-proof: deps-test
	@scripts/deps proof

.PHONY: clean help
clean: ## removes build/
	rm -rf build
help: ## shows this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
