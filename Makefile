# SPDX-License-Identifier: ISC
# One makefile, no recursion: `make` sees the whole tree, so -j and
# dependencies are exact.  A new .c file is picked up by itself.
#
#   make                          programs in build/bin
#   make check                    unit tests and lint (./check runs everything)
#   make units                    the unit tests' programs, not run
#   make rigs                     the programs and libraries of t/fault, t/crash and t/attack
#   make bench                    the load generators of t/bench
#   make man                      the list of settings into popstore.conf(5)
#   make F=asan                   the same programs under ASan + UBSan, in build/asan/bin
#   make F=fuzz CC=clang fuzz     every fuzzer for FUZZ_SECS each
#   make F=cov cov                line and branch coverage of the unit tests
#   make install DESTDIR= PREFIX=/usr/local SASLDIR=$(PREFIX)/lib/sasl2
#   make CFLAGS=-Werror           as CI does
#   make V=1                      show whole commands

# ---- what there is -------------------------------------------------------
LAYERS   := lib mail store auth sieve filter front
PROGRAMS := $(patsubst %/main.c,%,$(wildcard */main.c))
PKGS     := libconfuse libxxhash libcrypt libssl libcrypto libidn jansson libseccomp libpcre2-8

NAME_channel  := popstore-lmtpd
NAME_popd     := popstore-pop3d
NAME_milter   := popstore-milter
NAME_policy   := popstore-policyd
NAME_ctl      := popstore
NAME_submit   := popstore-submitd
NAME_dispatch := popstored
NAME_authd    := popstore-authd
NAME_passwd   := popstore-poppassd
NAME_managesieve := popstore-sieved

LIBS_milter := -lmilter
LIBS_authd  := -lsasl2 -lcurl
LIBS_rules  := $(LIBS_authd)
LIBS_unfit  := -lfuse3
LIBS_blocklog := -lfuse3

# ---- how it is built -----------------------------------------------------
F      ?= dev
O      := $(if $(filter dev,$(F)),build,build/$(F))
DIRS   := $(LAYERS) $(PROGRAMS) smtpauth
PREFIX ?= /usr/local
SASLDIR ?= $(PREFIX)/lib/sasl2

VERSION := 0.1
# Debian keeps the plug-ins of libraries under this name.
MULTIARCH := $(shell gcc -print-multiarch)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion \
        -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
        -Wwrite-strings -Wcast-qual -Wpointer-arith -Wundef -Wvla -Wformat=2 \
        -Wimplicit-fallthrough -Wswitch-enum -Wdate-time
HARD := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
        -fcf-protection -fPIE -fno-strict-aliasing -fno-strict-overflow \
        -fno-delete-null-pointer-checks
LINK := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed

ifneq ($(findstring clang,$(shell $(CC) --version)),)
WARN += -Wcomma -Wunreachable-code -Wconditional-uninitialized
else
# Texts are cut to fit on purpose: an error's, a log value's.
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference \
        -Wno-format-truncation
HARD += -ftrivial-auto-var-init=zero
endif

FLAVOR_dev  := -O2 -g $(HARD)
FLAVOR_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAVOR_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
FLAVOR_cov  := -O0 -g --coverage
ifeq ($(FLAVOR_$(F)),)
$(error F is one of dev asan fuzz cov)
endif

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
# libunistring comes without a .pc file.
PKG_LIBS   := $(shell pkg-config --libs $(PKGS)) -lunistring
ALL_CFLAGS  = -std=c17 -D_GNU_SOURCE -DPOPSTORE_VERSION='"$(VERSION)"' -DMULTIARCH='"$(MULTIARCH)"' -I. $(WARN) \
              $(FLAVOR_$(F)) -pthread $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(if $(filter dev,$(F)),$(LINK)) $(FLAVOR_$(F)) -pthread $(LDFLAGS)

# ---- from directory to archive to program ---------------------------------
obj      = $(patsubst %.c,$(O)/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
ARCHIVES = $(patsubst %,$(O)/%.a,$(DIRS))
LAYER_A  = $(patsubst %,$(O)/%.a,$(LAYERS))
BIN      = $(foreach p,$(PROGRAMS),$(O)/bin/$(NAME_$(p)))
OBJECTS  = $(patsubst %.c,$(O)/%.o,$(wildcard $(patsubst %,%/*.c,$(DIRS)) t/unit/*/*.c t/fuzz/*.c t/fault/*.c t/fault/lib/*.c t/crash/*.c t/attack/*.c t/bench/*.c t/bench/lib/*.c))
UNIT     = $(patsubst %.c,$(O)/%,$(wildcard t/unit/*/*.c))
FUZZ     = $(patsubst %.c,$(O)/%,$(wildcard t/fuzz/*.c))
RIGS     = $(patsubst %.c,$(O)/%,$(wildcard t/fault/*.c t/crash/*.c t/attack/*.c))
BENCH    = $(patsubst %.c,$(O)/%,$(wildcard t/bench/*.c))
SHIMS    = $(patsubst %.c,$(O)/%.so,$(wildcard t/crash/shim/*.c t/bench/shim/*.c))
# What the rigs of t/fault share; each takes from it what it needs.
FAULT_LIB = $(patsubst %.c,$(O)/%.o,$(wildcard t/fault/lib/*.c))
BENCH_LIB = $(patsubst %.c,$(O)/%.o,$(wildcard t/bench/lib/*.c))

# The plug-in for the SASL library of the MTAs. A shared object is made of objects of its own,
# and is the same in every flavour: no MTA has our sanitizers.
PLUGIN     = $(O)/lib/sasl2/libpopstore.so
PLUGIN_OBJ = $(patsubst %.c,$(O)/plugin/%.o,$(wildcard smtpauth/*.c) auth/wire.c store/record.c \
             lib/base.c lib/base64.c lib/buf.c lib/err.c lib/str.c)
PLUGIN_CFLAGS = $(subst -fPIE,-fPIC,$(FLAVOR_dev)) -fvisibility=hidden

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

.PHONY: all units rigs bench check check-unit lint man fuzz fuzzers cov clean install FORCE
all: $(BIN) $(PLUGIN)

define archive
$(O)/$(1).a: $(call obj,$(1)) $(O)/files
	$$(call say,AR)
	@rm -f $$@
	$(Q)ar rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach d,$(DIRS),$(eval $(call archive,$(d))))

define program
$(O)/bin/$(NAME_$(1)): $(O)/$(1)/main.o $(O)/$(1).a $(LAYER_A)
	$$(call say,LD)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS_$(1)) $$(PKG_LIBS) $$(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(UNIT): $(O)/%: $(O)/%.o $(ARCHIVES)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS_$(notdir $(@D))) -lcmocka $(PKG_LIBS) $(LDLIBS)

$(O)/t/fault/lib.a: $(FAULT_LIB) $(O)/files
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcsD $@ $(filter %.o,$^)

$(RIGS): $(O)/%: $(O)/%.o $(O)/t/fault/lib.a $(ARCHIVES)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(O)/t/fault/lib.a $(ARCHIVES) -Wl,--end-group $(LIBS_$(notdir $@)) $(PKG_LIBS) $(LDLIBS)

$(O)/t/bench/lib.a: $(BENCH_LIB) $(O)/files
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcsD $@ $(filter %.o,$^)

$(BENCH): $(O)/%: $(O)/%.o $(O)/t/bench/lib.a $(ARCHIVES)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) $(LDLIBS)

# Libraries to preload into the programs: they stand alone.
$(SHIMS): $(O)/%.so: %.c $(O)/flags
	$(call say,SO)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared $(CFLAGS) -o $@ $<

$(FUZZ): $(O)/%: $(O)/%.o $(ARCHIVES)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS_$(notdir $@)) $(PKG_LIBS) $(LDLIBS)

$(OBJECTS): $(O)/%.o: %.c $(O)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(PLUGIN): $(PLUGIN_OBJ)
	$(call say,SO)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-z,noexecstack $(PLUGIN_CFLAGS) -o $@ $(PLUGIN_OBJ) -lxxhash

$(PLUGIN_OBJ): $(O)/plugin/%.o: %.c $(O)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -I. $(WARN) $(PLUGIN_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Stamps: recompile when the compiler or its flags change, rebuild archives
# when a file appears or goes.
$(O)/flags: STAMP = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(O)/files: STAMP = $(OBJECTS)
$(O)/flags $(O)/files: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(STAMP))' | cmp -s - $@ || echo '$(subst ','\'',$(STAMP))' > $@
FORCE:

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# ---- tests ------------------------------------------------------------------
units: $(UNIT)
rigs: $(RIGS) $(SHIMS)
bench: $(BENCH) $(SHIMS)
check: check-unit lint
check-unit: $(UNIT)
	@set -e; for t in $(UNIT); do echo "  UNIT  $$t"; $$t; done

lint: all
	@for l in t/lint/*; do [ -x $$l ] || continue; echo "  LINT  $$l"; POPSTORE_BIN=$(O)/bin $$l || exit 1; done

man: all
	@POPSTORE_BIN=$(O)/bin t/lint/man --write

# What a run learns stays in the build tree; the committed corpus is read only.
FUZZ_SECS ?= 60
fuzzers: $(FUZZ)
fuzz: $(FUZZ)
	@set -e; for f in $(FUZZ); do n=$$(basename $$f); \
	  mkdir -p t/fuzz/corpus/$$n $(O)/corpus/$$n $(O)/found; \
	  echo "  FUZZ  $$n $(FUZZ_SECS)s"; \
	  $$f -max_total_time=$(FUZZ_SECS) $$(test -f t/fuzz/$$n.dict && echo -dict=t/fuzz/$$n.dict) \
	  -max_len=4096 -print_final_stats=1 -artifact_prefix=$(O)/found/$$n- \
	  $(O)/corpus/$$n t/fuzz/corpus/$$n; done

cov: check-unit
	gcovr -r . --object-directory $(O) -e 't/' --txt

# ---- install ----------------------------------------------------------------
MAN8 = $(wildcard $(patsubst %,%/*.8,$(DIRS)))
MAN5 = $(wildcard $(patsubst %,%/*.5,$(DIRS)))

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/
	install -d $(DESTDIR)$(SASLDIR)
	install -m 644 $(PLUGIN) $(DESTDIR)$(SASLDIR)/
	$(if $(MAN8),install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8/)
	$(if $(MAN5),install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/)

clean:
	rm -rf build
