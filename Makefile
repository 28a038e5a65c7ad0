# datamover: make help

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
B ?= build

PKGS = sqlite3 libnfs libcurl libcrypto libssl libssh jansson expat
CFLAGS_PKG := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linih -lm

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
OPT ?= -O2 -g
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SAN ?=
CFLAGS ?=
WERROR ?= -Werror
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Isrc -I$(B) $(WARN) $(WERROR) $(OPT) \
	$(HARDEN) $(SAN) $(CFLAGS_PKG) $(CFLAGS) -pthread
ALL_LDFLAGS = $(SAN) $(LDFLAGS) -pthread

SRC := $(wildcard src/*/*.c)
OBJ := $(SRC:src/%.c=$(B)/%.o)
MAIN := $(B)/cmd/main.o
LIB_OBJ := $(filter-out $(MAIN),$(OBJ))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS := $(patsubst tests/%.c,$(B)/tools/%,$(wildcard tests/fault/*.c tests/bench/*.c))

.PHONY: all check check-system check-all asan tsan fuzz fuzz-long coverage \
	lint lint-sql lint-layers lint-doc bench install clean help tools
.SECONDARY:

all: $(B)/datamover

help:
	@echo "make               build $(B)/datamover"
	@echo "make check         unit tests, fuzz targets on their saved inputs"
	@echo "make check-system  real servers: nfs-ganesha, radosgw (root)"
	@echo "make asan tsan     unit and system tests under the sanitizers"
	@echo "make fuzz          each fuzz target for a minute (clang)"
	@echo "make lint          layers, SQL plans, manual pages, documents"
	@echo "make coverage      lines run by the unit tests"
	@echo "make bench         speed against peers, as ratios"
	@echo "make install       to $(PREFIX) (DESTDIR is honoured)"
	@echo "make clean"

$(B)/datamover: $(MAIN) $(B)/libdatamover.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libdatamover.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The ladder and the named statements are compiled in.
$(B)/catalog/schema.inc: $(sort $(wildcard schema/*.sql)) schema/embed.awk
	@mkdir -p $(@D)
	awk -f schema/embed.awk $(sort $(wildcard schema/*.sql)) > $@.tmp
	mv $@.tmp $@
$(patsubst src/%.c,$(B)/%.o,$(wildcard src/catalog/*.c)): $(B)/catalog/schema.inc

$(B)/tests/%: tests/unit/%.c $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(B)/libdatamover.a \
	    -lcmocka $(LDLIBS)

$(B)/tools/%: tests/%.c $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(B)/libdatamover.a $(LDLIBS)

tools: $(TOOLS)

# A fuzz target is an LLVMFuzzerTestOneInput; with fuzz_main.c it runs on
# saved inputs, with clang's -fsanitize=fuzzer it looks for new ones.
$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/main.c $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< tests/fuzz/main.c \
	    $(B)/libdatamover.a $(LDLIBS)

check: all $(UNIT) $(FUZZ)
	@tests/unit/run.sh $(B)

check-system: all tools
	@tests/system/run.sh $(B)

check-all: check lint check-system

ASAN = B=build-asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" HARDEN= OPT="-O1 -g"
TSAN = B=build-tsan SAN="-fsanitize=thread" HARDEN= OPT="-O1 -g"
asan:
	$(MAKE) $(ASAN) check check-system
tsan:
	$(MAKE) $(TSAN) check check-system

fuzz:
	tests/fuzz/run.sh 60
fuzz-long:
	tests/fuzz/run.sh 3600

coverage:
	$(MAKE) B=build-cov SAN="--coverage" HARDEN= OPT="-O0 -g" check
	tests/coverage.sh build-cov

lint: lint-layers lint-sql lint-doc
lint-layers:
	@tests/lint/layers.sh
	@tests/lint/banned.sh
lint-sql:
	@tests/lint/sql.sh
lint-doc: all
	@tests/lint/doc.sh $(B)

bench: all tools
	tests/bench/run.sh $(B)

install: all
	install -D -m 755 $(B)/datamover $(DESTDIR)$(PREFIX)/bin/datamover
	for p in man/*.[1-9]; do install -D -m 644 $$p \
	    $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$${p##*/} || exit 1; done
	install -D -m 644 conf/datamover.conf \
	    $(DESTDIR)$(PREFIX)/share/doc/datamover/datamover.conf

clean:
	rm -rf build build-asan build-tsan build-cov build-fuzz

-include $(OBJ:.o=.d)
