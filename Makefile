# relais - one non-recursive Makefile. `make help` lists what it does.
FLAVOUR ?= release
B := build/$(FLAVOUR)
CC := gcc
PKGS := libzmq libmicrohttpd libsodium jansson
WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Werror
CFLAGS_release := -O2 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread
CFLAGS_cov := -O0 -g --coverage
CFLAGS := -std=gnu11 -I. -D_GNU_SOURCE -pthread -MMD -MP $(WARN) $(CFLAGS_$(FLAVOUR))
LDLIBS := -lzmq -lczmq -lmsgpackc -lmicrohttpd -lrocksdb -lsodium -ljansson -linih -lzstd -pthread -lm

lib_src = $(filter-out %/main_test.c,$(wildcard $(1)))
PROTO := $(call lib_src,proto/*.c proto/base/*.c proto/host/*.c)
STORE := $(call lib_src,store/*.c)
CORE := $(call lib_src,broker/core/*.c)
BROKER := $(call lib_src,broker/*.c broker/command/*.c)
WORKER := $(call lib_src,worker/*.c worker/command/*.c)
GATEWAY := $(call lib_src,gateway/*.c gateway/dialect/*.c gateway/dialect/*/*.c)
obj = $(patsubst %.c,$(B)/%.o,$(1))

.PHONY: all
all: $(B)/relais

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<
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
$(B)/relais: $(B)/relais.o $(LIBS)
	$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)
# a unit test is one file; it links only the archives it needs
$(B)/tests/%: $(B)/tests/%.o
	$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(wildcard $(LIBS)) -Wl,--end-group $(LDLIBS)
-include $(shell find $(B) -name '*.d' 2>/dev/null)
