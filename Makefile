# SPDX-License-Identifier: ISC
# Hand-written.  Plain `make` on a fresh clone makes configure and runs it; `make help` lists the targets.
#
#   O=DIR     where objects go (default: build)          V=1       show the commands
#   SAN=LIST  build with -fsanitize=LIST                  ROOT=DIR  with `make root`: programs that look for everything below DIR

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

# ---------------------------------------------------------------- configuration

srcdir ?= .
-include config.mk

ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
ifeq ($(wildcard config.mk),)
CONFIGURED = no
endif
endif

config.mk: $(srcdir)/configure $(srcdir)/config.mk.in $(srcdir)/config.h.in
	@if [ -x ./config.status ]; then ./config.status --recheck && ./config.status; else $(srcdir)/configure; fi
	@touch config.mk

$(srcdir)/configure: $(srcdir)/configure.ac
	@command -v autoconf >/dev/null || { echo "autoconf is missing: run 'sh packaging/deps' first" >&2; exit 1; }
	cd $(srcdir) && autoconf && rm -rf autom4te.cache

config.h: config.mk

# ---------------------------------------------------------------- flags

O ?= build
ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '  %-5s %s\n'
endif

WARNINGS = -Wall -Wextra -Wshadow -Wvla -Wundef -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wconversion -Wsign-conversion
ifeq ($(WERROR),yes)
WARNINGS += -Werror
endif
ifneq ($(SAN),)
SANFLAGS = -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDENING =
HARDENING_LD =
endif
CFLAGS ?= -g -O2
# 32-bit machines too have large files, and a clock after 2038
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -pthread -fPIE $(WARNINGS) $(HARDENING) $(CFLAGS) $(SANFLAGS)
ALL_CPPFLAGS = -I. -I$(srcdir)/src $(CPPFLAGS)
ALL_LDFLAGS = -pie $(HARDENING_LD) $(LDFLAGS) $(SANFLAGS)
LIB_CFLAGS = -DCARES_NO_DEPRECATED $(OPENSSL_CFLAGS) $(LIBCONFIG_CFLAGS) $(CARES_CFLAGS) $(IDN2_CFLAGS) $(JANSSON_CFLAGS)

# ---------------------------------------------------------------- what is made of what

LAYERS = base mail config smtp queue ipc
PROGRAMS = sendmail smtprelayd smtprelay smtprelay-worker
DIR_sendmail = sendmail
DIR_smtprelayd = daemon
DIR_smtprelay = admin
DIR_smtprelay-worker = worker
PROGRAM_DIRS = sendmail daemon admin worker

# the archives of a program, upper layer first; `make lint` checks what the result links
ARCHIVES_sendmail = sendmail mail base
ARCHIVES_smtprelayd = daemon config queue ipc mail base
ARCHIVES_smtprelay = admin config queue ipc mail base
ARCHIVES_smtprelay-worker = worker smtp config queue ipc mail base
LIBS_sendmail =
LIBS_smtprelayd = $(LIBCONFIG_LIBS) -pthread
LIBS_smtprelay = $(LIBCONFIG_LIBS) $(JANSSON_LIBS)
LIBS_smtprelay-worker = $(OPENSSL_LIBS) $(CARES_LIBS) $(IDN2_LIBS)

# a directory's archive holds everything but main.c, the compiled-in paths and what is another system's (src/base/README.md)
SYSTEMS = linux freebsd
SYSTEM ?= linux
ELSEWHERE = $(foreach s,$(filter-out $(SYSTEM),$(SYSTEMS)),%_$(s).c)
sources = $(filter-out %/main.c %/paths.c $(ELSEWHERE),$(wildcard $(srcdir)/src/$(1)/*.c))
objects = $(patsubst $(srcdir)/%.c,$(O)/%.o,$(call sources,$(1)))
ARCHIVE_DIRS = $(LAYERS) $(PROGRAM_DIRS)
archive = $(O)/lib/$(1).a

all: $(PROGRAMS:%=$(O)/%)

define archive_rule
$(O)/lib/$(1).a: $(call objects,$(1))
	$$(say) AR $$@
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach d,$(ARCHIVE_DIRS),$(eval $(call archive_rule,$(d))))

$(O)/src/%.o: $(srcdir)/src/%.c config.mk
	$(say) CC $<
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(LIB_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

PATH_FLAGS = -DSBINDIR='"$(sbindir)"' -DLIBEXECDIR='"$(libexecdir)"' -DSYSCONFDIR='"$(sysconfdir)"' \
	-DLOCALSTATEDIR='"$(localstatedir)"' -DRUNSTATEDIR='"$(runstatedir)"' -DDATADIR='"$(datadir)"'
$(O)/paths.o: $(srcdir)/src/base/paths.c config.mk Makefile
	$(say) CC $<
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(PATH_FLAGS) $(ALL_CFLAGS) -c -o $@ $<

# $(call link,program,paths object,target)
define link_rule
$(3): $(O)/src/$(DIR_$(1))/main.o $(2) $(foreach a,$(ARCHIVES_$(1)),$(O)/lib/$(a).a)
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call link_rule,$(p),$(O)/paths.o,$(O)/$(p))))

# ---------------------------------------------------------------- a root of its own (tests, demo)

# The same objects, linked with other compiled-in paths: nothing at run time can send a program elsewhere.
TABLES = $(srcdir)/conf/explanations $(srcdir)/conf/providers
ifdef ROOT
root_path = $(if $(filter smtprelay-worker,$(1)),$(ROOT)/libexec/$(1),$(ROOT)/sbin/$(1))
ROOT_FLAGS = -DSBINDIR='"$(ROOT)/sbin"' -DLIBEXECDIR='"$(ROOT)/libexec"' -DSYSCONFDIR='"$(ROOT)/etc"' \
	-DLOCALSTATEDIR='"$(ROOT)/var"' -DRUNSTATEDIR='"$(ROOT)/run"' -DDATADIR='"$(ROOT)/share"'
root: $(foreach p,$(PROGRAMS),$(call root_path,$(p)))
	@mkdir -p $(ROOT)/etc $(ROOT)/run $(ROOT)/var $(ROOT)/share/smtprelay
	@cp $(TABLES) $(ROOT)/share/smtprelay
$(ROOT)/paths.o: $(srcdir)/src/base/paths.c config.mk Makefile
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(ROOT_FLAGS) $(ALL_CFLAGS) -c -o $@ $<
$(foreach p,$(PROGRAMS),$(eval $(call link_rule,$(p),$(ROOT)/paths.o,$(call root_path,$(p)))))
endif

# ---------------------------------------------------------------- tests

UNIT = $(patsubst $(srcdir)/tests/unit/%.c,$(O)/tests/unit/%,$(wildcard $(srcdir)/tests/unit/test_*.c))
FUZZ = $(patsubst $(srcdir)/tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard $(srcdir)/tests/fuzz/fuzz_*.c))
HUB = $(O)/tests/hub/hub
ALL_ARCHIVES = $(foreach d,$(PROGRAM_DIRS) $(LAYERS),$(O)/lib/$(d).a)
ALL_LIBS = $(LIBCONFIG_LIBS) $(OPENSSL_LIBS) $(CARES_LIBS) $(IDN2_LIBS) $(JANSSON_LIBS) -pthread
TEST_CFLAGS = -I$(srcdir)/tests -DTESTDATA='"$(abspath $(srcdir))/tests"' $(CHECK_CFLAGS)

$(O)/tests/%.o: $(srcdir)/tests/%.c config.mk
	$(say) CC $<
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(LIB_CFLAGS) $(TEST_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

UNIT_HELP = $(patsubst $(srcdir)/%.c,$(O)/%.o,$(filter-out $(srcdir)/tests/unit/test_%.c,$(wildcard $(srcdir)/tests/unit/*.c)))
$(UNIT): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(UNIT_HELP) $(O)/paths.o $(ALL_ARCHIVES)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(UNIT_HELP) $(O)/paths.o -Wl,--start-group $(ALL_ARCHIVES) -Wl,--end-group $(ALL_LIBS) $(CHECK_LIBS)

# a fuzz target replays files (tests/fuzz/replay.c) unless FUZZER=1 links it with libFuzzer (clang)
ifeq ($(FUZZER),1)
FUZZ_MAIN =
FUZZ_LD = -fsanitize=fuzzer
else
FUZZ_MAIN = $(O)/tests/fuzz/replay.o
endif
$(FUZZ): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(FUZZ_MAIN) $(O)/paths.o $(ALL_ARCHIVES)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $(FUZZ_LD) -o $@ $< $(FUZZ_MAIN) $(O)/paths.o -Wl,--start-group $(ALL_ARCHIVES) -Wl,--end-group $(ALL_LIBS)

HUB_OBJECTS = $(patsubst $(srcdir)/%.c,$(O)/%.o,$(wildcard $(srcdir)/tests/hub/*.c))
$(HUB): $(HUB_OBJECTS) $(O)/lib/mail.a $(O)/lib/base.a
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(OPENSSL_LIBS)

MEASURE = $(O)/tests/bench/measure
$(MEASURE): $(O)/tests/bench/measure.o
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $<

# a program as on a kernel that lacks something
LACKS = $(O)/tests/lacks
$(LACKS): $(O)/tests/lacks.o
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $<

tests: $(UNIT) $(FUZZ) $(if $(HUB_OBJECTS),$(HUB)) $(LACKS)

# ROOT of the test run: programs linked for it, shared by all black-box tests (which write only to their own folders);
# a script that has a configuration and sockets there names one of its own, $O/root-NAME
ROOTS = root $(sort $(shell sed -n 's,.*\$$O/\(root-[a-z][a-z]*\).*,\1,p' $(srcdir)/tests/blackbox/*.sh)) root-life root-abuse
roots:
	$(Q)for r in $(ROOTS); do $(MAKE) --no-print-directory root ROOT=$(abspath $(O))/$$r || exit 1; done
check: all
ifneq ($(HAVE_CHECK),yes)
	@echo "libcheck is missing: run 'sh packaging/deps', then ./configure" >&2; exit 1
endif
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)$(MAKE) --no-print-directory roots
	$(Q)O=$(abspath $(O)) $(srcdir)/tests/run $(TESTS)

# the same under AddressSanitizer and UndefinedBehaviorSanitizer
check-san:
	$(Q)ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(MAKE) --no-print-directory O=$(O)-san SAN=address,undefined CFLAGS='-g -O1' check TESTS='$(TESTS)'

# what is killed, cut off and raced against, at length; SEED=N repeats a run
crash: all
	$(Q)$(MAKE) --no-print-directory $(HUB)
	$(Q)$(MAKE) --no-print-directory root ROOT=$(abspath $(O))/root-crash
	$(Q)O=$(abspath $(O)) SEED='$(SEED)' sh $(srcdir)/tests/crash/run $(CRASHARGS)

demo: all
	$(Q)$(MAKE) --no-print-directory $(HUB)
	$(Q)$(MAKE) --no-print-directory root ROOT=$(abspath $(O))/demo
	$(Q)O=$(abspath $(O)) sh $(srcdir)/tests/demo

lint: all
	$(Q)O=$(O) CC='$(CC)' sh $(srcdir)/tests/lint/run $(srcdir)

fuzz:
	$(Q)sh $(srcdir)/tests/fuzz/run $(FUZZARGS)

# BENCH='NAME...': only these; tests/bench/README.md
bench: all
	$(Q)$(MAKE) --no-print-directory $(HUB) $(MEASURE)
	$(Q)$(MAKE) --no-print-directory bench-scan
	$(Q)$(MAKE) --no-print-directory root ROOT=$(abspath $(O))/bench
	$(Q)O=$(abspath $(O)) sbindir=$(sbindir) libexecdir=$(libexecdir) sysconfdir=$(sysconfdir) runstatedir=$(runstatedir) \
	    BENCH_STRICT=$(BENCH_STRICT) sh $(srcdir)/tests/bench/run $(BENCH)

# what the first look at a queue of 100,000 messages costs
$(O)/tests/bench/scan: $(O)/tests/bench/scan.o $(O)/lib/queue.a $(O)/lib/mail.a $(O)/lib/base.a
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -pthread

bench-scan: $(O)/tests/bench/scan
	$(Q)$(O)/tests/bench/scan $(N)

format:
	cd $(srcdir) && clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]')

tidy:
	cd $(srcdir) && clang-tidy --quiet $$(git ls-files 'src/*.c') -- $(ALL_CPPFLAGS) $(LIB_CFLAGS) -std=c11 -D_GNU_SOURCE

coverage:
	$(Q)$(MAKE) --no-print-directory O=$(O)-cov CFLAGS='-g -O0 --coverage' LDFLAGS=--coverage HARDENING= check
	$(Q)cd $(O)-cov && gcov -r -n $$(find src -name '*.gcda') 2>/dev/null | awk '/^File/{f=$$2} /^Lines/{print f, $$0}' | sort

# ---------------------------------------------------------------- installation

INSTALL = install
MAN = $(wildcard $(srcdir)/man/*.[1-9])
UNITS = smtprelay.service smtprelay.socket
systemdunitdir = $(prefix)/lib/systemd/system
EXPAND = sed -e 's,@sbindir@,$(sbindir),g' -e 's,@sysconfdir@,$(sysconfdir),g' -e 's,@localstatedir@,$(localstatedir),g' -e 's,@runstatedir@,$(runstatedir),g'

# 711: a program that its user cannot read is not dumpable from its first instruction on; the worker holds a secret
install: all
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(prefix)/lib $(DESTDIR)$(sysconfdir)
	$(INSTALL) -m 755 $(O)/sendmail $(O)/smtprelayd $(O)/smtprelay $(DESTDIR)$(sbindir)
	$(INSTALL) -m 711 $(O)/smtprelay-worker $(DESTDIR)$(libexecdir)
	ln -sf $(sbindir)/sendmail $(DESTDIR)$(prefix)/lib/sendmail
	ln -sf $(sbindir)/sendmail $(DESTDIR)$(bindir)/mailq
	ln -sf $(sbindir)/sendmail $(DESTDIR)$(bindir)/newaliases
	$(INSTALL) -d $(DESTDIR)$(datadir)/doc/smtprelay
	$(INSTALL) -m 644 $(srcdir)/conf/smtprelay.conf $(srcdir)/README.md $(srcdir)/LICENSE $(DESTDIR)$(datadir)/doc/smtprelay
	$(INSTALL) -d $(DESTDIR)$(datadir)/smtprelay
	$(INSTALL) -m 644 $(TABLES) $(srcdir)/packaging/prometheus/smtprelay.rules.yml $(DESTDIR)$(datadir)/smtprelay
	$(INSTALL) -d $(DESTDIR)$(datadir)/bash-completion/completions $(DESTDIR)$(datadir)/zsh/site-functions
	$(INSTALL) -m 644 $(srcdir)/packaging/completion/smtprelay.bash $(DESTDIR)$(datadir)/bash-completion/completions/smtprelay
	ln -sf smtprelay $(DESTDIR)$(datadir)/bash-completion/completions/smtprelayd
	$(INSTALL) -m 644 $(srcdir)/packaging/completion/_smtprelay $(DESTDIR)$(datadir)/zsh/site-functions
	$(INSTALL) -d $(DESTDIR)$(systemdunitdir) $(DESTDIR)$(prefix)/lib/sysusers.d $(DESTDIR)$(prefix)/lib/tmpfiles.d
	for u in $(UNITS); do $(EXPAND) $(srcdir)/packaging/systemd/$$u.in >$(DESTDIR)$(systemdunitdir)/$$u || exit 1; done
	$(EXPAND) $(srcdir)/packaging/systemd/tmpfiles.conf.in >$(DESTDIR)$(prefix)/lib/tmpfiles.d/smtprelay.conf
	$(INSTALL) -m 644 $(srcdir)/packaging/systemd/sysusers.conf $(DESTDIR)$(prefix)/lib/sysusers.d/smtprelay.conf
	$(INSTALL) -d $(DESTDIR)$(datadir)/logwatch/dist.conf/services $(DESTDIR)$(datadir)/logwatch/scripts/services
	$(INSTALL) -m 644 $(srcdir)/packaging/logwatch/smtprelay.conf $(DESTDIR)$(datadir)/logwatch/dist.conf/services
	$(INSTALL) -m 755 $(srcdir)/packaging/logwatch/smtprelay $(DESTDIR)$(datadir)/logwatch/scripts/services
	for m in $(MAN); do s=$${m##*.}; $(INSTALL) -d $(DESTDIR)$(mandir)/man$$s && $(INSTALL) -m 644 $$m $(DESTDIR)$(mandir)/man$$s || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(sbindir)/sendmail $(DESTDIR)$(sbindir)/smtprelayd $(DESTDIR)$(sbindir)/smtprelay
	rm -f $(DESTDIR)$(libexecdir)/smtprelay-worker $(DESTDIR)$(prefix)/lib/sendmail
	rm -f $(DESTDIR)$(bindir)/mailq $(DESTDIR)$(bindir)/newaliases
	rm -rf $(DESTDIR)$(datadir)/doc/smtprelay $(DESTDIR)$(datadir)/smtprelay
	rm -f $(DESTDIR)$(datadir)/bash-completion/completions/smtprelay $(DESTDIR)$(datadir)/bash-completion/completions/smtprelayd
	rm -f $(DESTDIR)$(datadir)/zsh/site-functions/_smtprelay
	for u in $(UNITS); do rm -f $(DESTDIR)$(systemdunitdir)/$$u; done
	rm -f $(DESTDIR)$(prefix)/lib/sysusers.d/smtprelay.conf $(DESTDIR)$(prefix)/lib/tmpfiles.d/smtprelay.conf
	rm -f $(DESTDIR)$(datadir)/logwatch/dist.conf/services/smtprelay.conf $(DESTDIR)$(datadir)/logwatch/scripts/services/smtprelay
	for m in $(MAN); do rm -f $(DESTDIR)$(mandir)/man$${m##*.}/$${m##*/}; done

# what is committed; the same commit gives the same bytes
dist:
	$(Q)O=$(abspath $(O)) sh $(srcdir)/packaging/dist

# that the tarball is all one needs to build, test, install and uninstall it
distcheck:
	$(Q)$(srcdir)/tests/package/dist

# Debian's package, from what `dist` makes, into $(O)/deb; DEB_BUILD_OPTIONS=nocheck leaves the tests out
deb:
	$(Q)$(MAKE) --no-print-directory -s dist >/dev/null
	$(Q)O=$(abspath $(O)) VERSION="$$(sh $(srcdir)/packaging/version)" sh $(srcdir)/packaging/build-deb

clean:
	rm -rf $(O) $(O)-san $(O)-cov $(O)-clang $(O)-fuzz

distclean: clean
	rm -rf config.mk config.h config.log config.status autom4te.cache $(srcdir)/configure

help:
	@sed -n 's/^\([a-z-]*\):.*/  \1/p' $(srcdir)/Makefile | sort -u

.PHONY: all root roots tests check check-san crash demo lint fuzz bench bench-scan format tidy coverage install uninstall dist distcheck deb clean distclean help

-include $(shell find $(O)/src $(O)/tests -type f -name '*.d' 2>/dev/null)
