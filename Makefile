# datamover: make help

PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
B ?= build

PKGS = sqlite3 libnfs libcurl libcrypto libssl libssh jansson expat
CFLAGS_PKG := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linih -lm

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
OPT ?= -O2 -g
# The C library warns of the first without optimisation.
HARDEN ?= $(if $(filter -O0,$(OPT)),,-D_FORTIFY_SOURCE=2) \
	-fstack-protector-strong
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
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,\
	$(wildcard tests/unit/*/test_*.c))
KIT := $(patsubst tests/kit/%.c,$(B)/tests/kit/%.o,$(wildcard tests/kit/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS := $(patsubst tests/%.c,$(B)/tools/%,\
	$(wildcard tests/fault/*.c tests/bench/*.c))
PRELOADS := $(patsubst tests/%.c,$(B)/tools/%.so,\
	$(wildcard tests/fault/preload/*.c))

.PHONY: all check check-model check-system check-package check-all check-long \
	check-kills check-stores check-trixie \
	asan tsan fuzz fuzz-long coverage \
	lint lint-sql lint-layers lint-form lint-symbols lint-clang lint-doc \
	bench compare install deb clean help tools
.SECONDARY:

all: $(B)/datamover

help:
	@echo "make               build $(B)/datamover"
	@echo "make check         unit tests, fuzz targets on saved inputs,"
	@echo "                   a minute of histories against the program;"
	@echo "                   TESTS=\"wire/ split\": those with such a name"
	@echo "make check-model   more of those: SEEDS=n, from FIRST=k on;"
	@echo "                   one: $(B)/model/model --seed K --verbose"
	@echo "make check-system  real servers: nfs-ganesha, radosgw (root)"
	@echo "                   TESTS=\"put_ list\": those with such a name;"
	@echo "                   in five lanes for two processors, or LANES=n"
	@echo "make check-package the Debian package, contrib/install.sh"
	@echo "                   (root)"
	@echo "make check-long    10,000 strangers at the master's ports, and"
	@echo "                   runs of minutes with keys of seconds (root)"
	@echo "make check-trixie  the demo and all tests on Debian 13, in a"
	@echo "                   system that debootstrap makes (root)"
	@echo "make check-stores  stores of all kinds, each pair of traits by"
	@echo "                   itself: some 20 minutes"
	@echo "make check-kills   1,000 kills over PUT, GET, DEL against real"
	@echo "                   servers (root); KILLS=N, SEED=N"
	@echo "make asan tsan     unit tests and part of the system tests under"
	@echo "                   the sanitizers (SAN_TESTS= for all)"
	@echo "make fuzz          each fuzz target for a minute (clang)"
	@echo "make lint          layers, form, symbols, SQL plans, documents"
	@echo "make coverage      lines run by the unit tests"
	@echo "make bench         speed against peers, as ratios"
	@echo "make compare OLD=PROGRAM  CPU against another build, in pairs"
	@echo "make install       to $(PREFIX) (DESTDIR is honoured)"
	@echo "make deb           a Debian package, in build/deb"
	@echo "make clean"

$(B)/datamover: $(MAIN) $(B)/libdatamover.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libdatamover.a: $(LIB_OBJ)
	@rm -f $@
	ar qcs $@ $^

$(B)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What the ladder makes of an empty catalog: a new one begins with it.
LADDER := $(sort $(wildcard schema/[0-9]*.sql))
$(B)/db/tables.sql: $(LADDER)
	@mkdir -p $(@D)
	{ cat $(LADDER); echo "SELECT sql || ';' FROM sqlite_schema WHERE \
	    sql <> '' AND name NOT LIKE 'sqlite%' ORDER BY rowid;"; } | \
	    sqlite3 -bail -list -noheader > $@.tmp
	mv $@.tmp $@

# The ladder, those tables, the views and the named statements are compiled in.
EMBEDDED = $(LADDER) $(B)/db/tables.sql schema/views.sql schema/queries.sql
$(B)/db/schema.inc: $(EMBEDDED) schema/embed.awk
	awk -f schema/embed.awk $(EMBEDDED) > $@.tmp
	mv $@.tmp $@
$(OBJ): | $(B)/db/schema.inc

# What several tests share; a program takes of it what it calls.
$(B)/tests/kit/%.o: tests/kit/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c -o $@ $<

$(B)/tests/libkit.a: $(KIT)
	@rm -f $@
	ar qcs $@ $^

$(B)/tests/%: tests/unit/%.c $(B)/tests/libkit.a $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
	    $(B)/tests/libkit.a $(B)/libdatamover.a -lcmocka $(LDLIBS)

$(B)/tools/%: tests/%.c $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
	    $(B)/libdatamover.a $(LDLIBS)

# What is loaded before the C library, into the program as it is.
$(B)/tools/%.so: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -fPIC -shared -MMD -MP -o $@ $<

tools: $(TOOLS) $(PRELOADS)

# The model plays histories against the program; see tests/model/model.h.
MODEL := $(patsubst tests/model/%.c,$(B)/tests/model/%.o,\
	$(filter-out tests/model/preload.c,$(wildcard tests/model/*.c)))

$(B)/tests/model/%.o: tests/model/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c -o $@ $<

$(B)/model/model: $(MODEL) $(B)/tests/libkit.a $(B)/libdatamover.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/model/preload.so: tests/model/preload.c tests/model/preload.h Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(filter-out -Wpedantic,$(WARN)) \
	    $(WERROR) -O2 -g -shared \
	    -fPIC -o $@ $< -ldl

# A fuzz target is an LLVMFuzzerTestOneInput; with main.c it runs on
# saved inputs, with clang's -fsanitize=fuzzer it looks for new ones.
$(B)/fuzz/%: tests/fuzz/%.c $(B)/fuzz/main.o $(B)/libdatamover.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(B)/fuzz/main.o \
	    $(B)/libdatamover.a $(LDLIBS)

$(B)/fuzz/main.o: tests/fuzz/main.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# TESTS: words; programs with one of them in the name (ROOM/test_FILE, fuzz_x)
# are built and run, and the model is left out.
name = $(patsubst $(B)/tests/%,%,$(patsubst $(B)/fuzz/%,%,$(1)))
wanted = $(if $(TESTS),$(foreach p,$(1),$(if $(strip $(foreach w,$(TESTS),\
	$(findstring $(w),$(call name,$(p))))),$(p))),$(1))
check: all $(call wanted,$(UNIT) $(FUZZ)) \
	$(if $(TESTS),,$(B)/model/model $(B)/model/preload.so)
	@MODEL="$(if $(TESTS)$(SAN),,$(PLAY) --seeds $(HISTORIES) --seconds 60 \
	    $(wildcard tests/model/saved/*))" tests/unit/run.sh $(B) $(TESTS)

# HISTORIES: as many of them as a minute has room for.
HISTORIES ?= 1000
# SEEDS: how many histories; FIRST: the first of them.
SEEDS ?= 10000
FIRST ?= 1
PLAY = --program $(B)/datamover --preload $(B)/model/preload.so
check-model: all $(B)/model/model $(B)/model/preload.so
	@$(B)/model/model $(PLAY) --seeds $(SEEDS) --first $(FIRST)

# TESTS: words; tests with one of them in the name are run.
# LANES: how many of them at a time, each lane with its own servers.
check-system: all tools
	@tests/system/run.sh $(B) $(LANES:%=--lanes=%) $(TESTS)

check-all: check lint check-package check-system

# What is too long for every day: strangers by the thousand, and runs of 60 s
# and of 5 minutes with keys that live for 4 s.
check-long: all tools
	@STRANGERS=10000 tests/system/run.sh $(B) hostile_many
	@SECONDS_OF_KEYS=60 tests/system/run.sh $(B) keys_of_4_s
	@SECONDS_OF_KEYS=300 tests/system/run.sh $(B) keys_of_4_s

# kill -9 at so many moments; SEED chooses others.
KILLS ?= 1000
check-stores: all tools
	@tests/system/stores.py --build=$(B) --pairs

check-kills: all tools
	@KILLS=$(KILLS) tests/system/run.sh $(B) --lanes=2 \
	    kills_alone kills_clients

# The demo and tests/run.sh on another Debian than the machine's.
check-trixie:
	@tests/trixie.sh

# With a sanitizer gcc warns of what can't happen: it sees less of the code.
ASAN = B=build-asan WERROR= HARDEN= OPT="-O1 -g" \
	SAN="-fsanitize=address,undefined -fno-sanitize-recover=all"
TSAN = B=build-tsan WERROR= HARDEN= OPT="-O1 -g" SAN="-fsanitize=thread"
# What is run under the sanitizers of the system tests: each way through the
# stages, each way to stop them. "make asan SAN_TESTS=" runs all.
SAN_TESTS = put_v3 put_v4 put_mounted put_https put_sizes put_multipart \
	put_several odd_names special links_follow files_from dryrun exclude \
	swallowed reset_in corrupt_part corrupt_etag nfs_reset_v3 \
	vanishes shrinks changes_while_read changes removed stat_only \
	retry_failed nightly list_many list_json interrupt ctrl_c kill_ \
	keys_that_end_early \
	status_and sql_is views disk_full get_tree get_odd get_sizes \
	get_corrupt get_resume get_kill del_shares del_odd del_many \
	del_unanswered integrity_passes integrity_finds integrity_foreign \
	integrity_sample integrity_kill mirror_deletes mirror_kill \
	check_json check_exports check_no_s3 check_etag report_text \
	report_json report_csv report_html report_while stop_ends stop_now \
	stop_only adopt metrics clients
asan:
	$(MAKE) $(ASAN) check
	$(MAKE) $(ASAN) TESTS="$(SAN_TESTS)" check-system
tsan:
	$(MAKE) $(TSAN) check
	$(MAKE) $(TSAN) TESTS="$(SAN_TESTS)" check-system

fuzz:
	tests/fuzz/run.sh 60
fuzz-long:
	tests/fuzz/run.sh 3600

coverage:
	$(MAKE) B=build-cov SAN="--coverage" HARDEN= OPT="-O0 -g" check
	tests/coverage.sh build-cov

lint: lint-layers lint-form lint-symbols lint-clang lint-sql lint-doc
lint-layers:
	@tests/lint/layers.sh
	@tests/lint/banned.sh
lint-form:
	@tests/lint/form.sh
lint-sql:
	@tests/lint/sql.sh
lint-symbols: all
	@tests/lint/symbols.py $(B)
lint-clang: $(B)/db/schema.inc
	@tests/lint/clang.sh $(ALL_CFLAGS)
lint-doc: all
	@tests/lint/doc.sh $(B)
	@tests/lint/architecture.sh

bench: all tools
	tests/bench/run.sh $(B)
compare: all tools
	tests/bench/compare.sh "$(OLD)" $(B)/datamover

install: all
	install -D -m 755 $(B)/datamover $(DESTDIR)$(PREFIX)/bin/datamover
	for p in man/*.[1-9]; do install -D -m 644 $$p \
	    $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$${p##*/} || exit 1; done
	install -D -m 644 conf/datamover.conf \
	    $(DESTDIR)$(PREFIX)/share/doc/datamover/datamover.conf
	install -D -m 644 contrib/datamover.bash-completion \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/datamover
	mkdir -p $(DESTDIR)$(UNITDIR)
	sed 's|@bindir@|$(PREFIX)/bin|' contrib/systemd/datamover.service \
	    >$(DESTDIR)$(UNITDIR)/datamover.service
	install -m 644 contrib/systemd/datamover.timer $(DESTDIR)$(UNITDIR)

deb:
	contrib/deb.sh
check-package: all
	@tests/package/run.sh

clean:
	rm -rf build build-asan build-tsan build-cov build-fuzz

-include $(OBJ:.o=.d) $(UNIT:=.d) $(FUZZ:=.d) $(TOOLS:=.d) $(B)/fuzz/main.d \
	$(KIT:.o=.d) $(MODEL:.o=.d)
