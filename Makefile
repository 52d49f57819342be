# The verbs of novm. Each is a script in scripts/, which says what it does; nothing else hides here.

PREFIX ?= /usr/local
ONLY ?=

.PHONY: help
help:
	@echo 'make setup     install the packages that the rest needs (root, or by sudo)'
	@echo 'make build     novm and its other programs, in .build/novm'
	@echo 'make library   libnovm, beside what make build makes'
	@echo 'make wheel     the Python package with all of this in it, in .build/wheel'
	@echo 'make examples  the programs of Examples, in each language whose compiler is there'
	@echo 'make install   the same into PREFIX ($(PREFIX)), below DESTDIR'
	@echo 'make deb       the same as a Debian package, in .build'
	@echo 'make rpm       the same as an RPM package, in .build'
	@echo 'make test      unit tests, embedded build, fuzzing for a bounded time, guest tests; ONLY=name for one guest test'
	@echo 'make test-full the same with the long guest tests, such as a database in a machine'
	@echo 'make fuzz      each fuzz target, for SECONDS_EACH (60)'
	@echo 'make check     formatting, layers, shell scripts, embedded build'
	@echo 'make fmt       format all sources in place'
	@echo 'make embedded  the core as Embedded Swift without an operating system'
	@echo 'make bench     the measured promises of SPECIFICATION.md; ONLY=name for one'
	@echo 'make clean     remove what these made'

.PHONY: setup build library wheel examples test check fmt embedded bench fuzz deb rpm
setup build library wheel examples check fmt embedded deb rpm:
	@scripts/$@

test:
	@scripts/test $(ONLY)

.PHONY: test-full
test-full:
	@scripts/test --full

fuzz:
	@scripts/fuzz $(or $(SECONDS_EACH),60)

bench: build
	@scripts/bench $(ONLY)

.PHONY: install
install: build library
	@DESTDIR=$(DESTDIR) scripts/install $(PREFIX)
	@DESTDIR=$(DESTDIR) scripts/install-library $(PREFIX)

.PHONY: clean
clean:
	rm -rf .build/novm .build/embedded .build/fuzz .build/deb .build/*.deb .build/rpm .build/*.rpm .build/wheel .build/examples .build/go
	swift package clean
