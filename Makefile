# The face of the build: everything is done by Meson and Ninja; this says it in one word each. `make help` lists them.
BUILD ?= build
CC ?= cc
DESTDIR ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SEEDS ?= 0
FROM ?= 1

# A release: optimised and hardened. A build folder that is there already is taken as it was set up.
$(BUILD)/build.ninja:
	@scripts/setup.sh build
	@CC="$(CC)" scripts/quietly.sh meson setup $(BUILD) --prefix="$(PREFIX)" -Dbuildtype=release -Doptimization=2 -Dtests=false

build: $(BUILD)/build.ninja ## build it: build/orch and the libraries
	@echo "building in $(BUILD)"
	@scripts/quietly.sh ninja -C $(BUILD)

demo: build ## run a workflow on this machine's own package database
	@$(BUILD)/orch run examples/packages/packages.yaml -p out="$(abspath $(BUILD))/demo"
	@echo
	@echo "The report: $(abspath $(BUILD))/demo/report.html"
	@echo "Try next:"
	@echo "  $(BUILD)/orch graph examples/packages/packages.yaml    what was run, as a picture"
	@echo "  $(BUILD)/orch run examples/gate/gate.yaml              retries, approvals, loops: see examples/"
	@echo "  $(BUILD)/orch help                                     everything else"

check: ## build it and run all tests
	@scripts/setup.sh build test
	@scripts/check.sh $(BUILD)

sanitize: ## run the tests with the address, undefined behaviour and thread sanitizers
	@scripts/setup.sh build test sanitize
	@scripts/sanitize.sh

fuzz: ## fuzz what reads outside bytes for FUZZ_SECONDS each, or TARGETS of it
	@scripts/setup.sh build test sanitize
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(TARGETS)

sim: ## simulate under faults, seed after seed, until stopped (SEEDS=0) or so many, from FROM on
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@$(BUILD)/tests/sim/orch-sim --seeds $(SEEDS) --from $(FROM)

planted: ## plant faults in a copy of the code: the simulator has to find each
	@scripts/setup.sh build test
	@python3 tests/sim/planted.py .

nasty: ROUNDS ?= 200
nasty: ## end programs that do not want to end, ROUNDS times (200)
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@python3 tests/nasty/campaign.py --orch $(BUILD)/orch --programs $(BUILD)/tests/nasty --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

full: ROUNDS ?= 100
full: ## fill the disk below a store at work and free it, ROUNDS times (100); takes root, for a small file system
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@python3 tests/full/cycles.py --orch $(BUILD)/orch --load $(BUILD)/tests/full/load --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

oom: ## fail each allocation, one after the other, wherever there is a scenario
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@scripts/oom.sh $(BUILD)

damage: DEEP ?= 32
damage: ## turn every single bit of a small store, one by one (one in DEEP (32) with all that can be asked), and damage PIECES (60) of its files
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@$(BUILD)/tests/damage/flip --pages small --deep $(DEEP) --sample 64 --jobs $$(nproc)
	@$(BUILD)/tests/damage/flip --pages small --bits 1 --pieces $(or $(PIECES),60) --jobs $$(nproc) --seed $(or $(SEED),1)

crash: ROUNDS ?= 200
crash: ## kill the program ROUNDS times (200), and fault each call of its input and output, or each EVERY-th (10)
	@scripts/setup.sh build test
	@scripts/check.sh --build $(BUILD)
	@tests/crash/run.sh $(BUILD) $(ROUNDS) $(or $(EVERY),10)

bench: build ## measure, beside make and a bare loop
	@scripts/quietly.sh ninja -C $(BUILD) benches
	@bench/run.sh $(BUILD)

install: build ## install to PREFIX, below DESTDIR
	@meson configure $(BUILD) --prefix="$(PREFIX)"
	@scripts/quietly.sh meson install -C $(BUILD) --quiet $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")
	@echo "installed to $(DESTDIR)$(PREFIX)"

clean: ## remove what was built
	@rm -rf $(BUILD) build-asan build-tsan build-fuzz

help: ## this list
	@echo "make TARGET"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

.DEFAULT_GOAL := build
.PHONY: build demo check sanitize fuzz oom sim planted nasty full damage crash bench install clean help
