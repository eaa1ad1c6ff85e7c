# Two commands for newcomers: make report, make test. Each sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(PATH):/usr/local/go/bin

GO ?= go
BIN := bin/macroscope
# Rooms whose tests depend on which kernels run.
KERNEL_ROOMS := ./kernels/... ./quant/... ./nn/... ./ptq/... ./train
# Systems that we build for but do not run on here.
TARGETS := linux/arm64 darwin/arm64 windows/amd64 windows/arm64 linux/riscv64 js/wasm
# Generators, which ./... leaves out.
GENERATORS := ./kernels/amd64/_asm ./kernels/arm64/_asm
# Emulated CPUs, each after the implementations of float32, int8 and binary that it
# must choose: the first arm64, the first with SDOT, all there is but SVE. SVE's rows
# are tried alone, with vectors of 16, 32 and 64 bytes; the A64FX has the last, and
# no SDOT but SVE's. The kernels are tried at length, the runtime above them in short.
ARM64_CPUS := neon,neon,neon:cortex-a53 neon,dotprod,neon:cortex-a76 neon,i8mm,neon:max,sve=off
SVE_CPUS := neon,i8mm,neon:max,sve-default-vector-length=16 sve,i8mm,sve:max,sve-default-vector-length=32 sve,sve,sve:a64fx
# The commit goes into the binary where git answers; a checkout of another user
# it refuses to look at.
VCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)
ifeq ($(VCS),false)
export GOFLAGS := $(GOFLAGS) -buildvcs=false
endif
STATICCHECK := $(GO) tool -modfile=tools.mod staticcheck
BENCHFLAGS ?= -count=1
FUZZTIME ?= 10s

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

.PHONY: setup
setup: ## Install what tests need, where that is allowed.
	@.ci/setup go gcc qemu-aarch64 iverilog

.PHONY: setup-go
setup-go:
	@.ci/setup go

.PHONY: build
build: setup-go ## Build the command as bin/macroscope.
	@mkdir -p bin
	$(GO) build -buildvcs=$(VCS) -o $(BIN) ./cmd/macroscope

.PHONY: report
report: build ## Measure this CPU, simulate the designs: out/report/report.html and report.md; MODEL=FILE DATA=IMAGES for your network.
	$(BIN) report -o out/report $(if $(MODEL),--model '$(MODEL)') $(if $(DATA),--data '$(DATA)')

.PHONY: data
data: build ## Fetch CIFAR-10 into data/ and check its MD5.
	$(BIN) data data

.PHONY: bench
bench: setup-go ## Run the Go benchmarks; BENCHFLAGS='-count=10' for benchstat.
	$(GO) test -run '^$$' -bench . $(BENCHFLAGS) ./bench

# --- tests ---

.PHONY: test
test: setup ## Run all tests: plain, race detector, without assembly, down the ladder, arm64, Verilog; build for other systems.
	@$(MAKE) --no-print-directory vet test-go race test-purego test-ladder test-arm64 test-rtl cross
	@echo "make test: done"

.PHONY: vet
vet: setup-go
	$(GO) vet ./... $(GENERATORS)

.PHONY: test-go
test-go: setup-go ## Run the tests as they are.
	$(GO) test ./... $(GENERATORS)

.PHONY: race
race: setup-go ## Run the tests of what runs at once with the race detector (needs a C compiler).
	@if ! command -v "$$($(GO) env CC)" >/dev/null; then \
		echo "race: skipped: no C compiler, which the race detector needs"; \
	else \
		rooms=$$(grep -rlE --include='*.go' '^\s*go (func|[a-z])|"sync(/atomic)?"|\.Parallel\(\)' [a-z]* | xargs -n1 dirname | sort -u | sed 's,^,./,'); \
		echo "$(GO) test -race -short" $$rooms; \
		CGO_ENABLED=1 $(GO) test -race -short $$rooms; \
	fi

.PHONY: test-purego
test-purego: setup-go ## Run the kernels' users without any assembly.
	$(GO) test -short -tags purego $(KERNEL_ROOMS)

# The ladder: from the best implementations down, one more left out each time,
# so that every choice that some CPU makes is made once. What this CPU lacks is left
# out already.
.PHONY: test-ladder
test-ladder: build ## Run the kernels' users with instruction sets turned off one by one.
	@off=; for impl in $$($(BIN) kernels -o json | sed -n '/"impl"/{N;s/.*"impl": "\([^"]*\)",\n *"available": true.*/\1/p}' | awk '!seen[$$0]++' | tac); do \
		if [ "$$impl" != generic ]; then \
			off="$${off:+$$off,}-$$impl"; \
			echo "MACROSCOPE_KERNELS=$$off $(GO) test -short $(KERNEL_ROOMS)"; \
			MACROSCOPE_KERNELS="$$off" $(GO) test -short $(KERNEL_ROOMS); \
		fi; \
	done

.PHONY: test-arm64
test-arm64: setup-go ## Run the kernels' users on an emulated arm64.
	@if [ "$$($(GO) env GOHOSTARCH)" = arm64 ]; then \
		echo "test-arm64: skipped: this machine is arm64, the other tests cover it"; \
	elif ! command -v qemu-aarch64 >/dev/null; then \
		echo "test-arm64: skipped: no qemu-aarch64 (package qemu-user)"; \
	else \
		export GOARCH=arm64 CGO_ENABLED=0 MACROSCOPE_EMULATED=1; \
		run() { \
			IFS=, read -r f i b <<<"$${1%%:*}"; \
			export MACROSCOPE_EXPECT=float32=$$f,int8=$$i,binary=$$b; \
			echo "GOARCH=arm64 MACROSCOPE_EMULATED=1 MACROSCOPE_EXPECT=$$MACROSCOPE_EXPECT $${MACROSCOPE_KERNELS:+MACROSCOPE_KERNELS=$$MACROSCOPE_KERNELS }$(GO) test -exec 'qemu-aarch64 -cpu $${1#*:}' $${*:2}"; \
			$(GO) test -exec "qemu-aarch64 -cpu $${1#*:}" "$${@:2}"; \
		}; \
		for c in $(ARM64_CPUS); do run $$c ./kernels/... ./quant/...; run $$c -short ./nn/...; done; \
		export MACROSCOPE_KERNELS=-generic,-neon,-dotprod,-i8mm; \
		for c in $(SVE_CPUS); do run $$c -short ./kernels; done; \
	fi

.PHONY: test-rtl
test-rtl: setup-go ## Run the accelerators in Verilog against the simulator's cycles and sums.
	@if ! command -v iverilog >/dev/null || ! command -v vvp >/dev/null; then \
		echo "test-rtl: skipped: no Icarus Verilog (package iverilog)"; \
	else \
		echo "MACROSCOPE_RTL=all $(GO) test ./simhw/rtl"; \
		MACROSCOPE_RTL=all $(GO) test ./simhw/rtl; \
	fi

.PHONY: count-arm64
count-arm64: setup-go ## Count the instructions a MAC that the arm64 tiles execute under qemu, against what was counted.
	@$(GO) test -count=1 -v -run TestExecutedInstructions ./kernels/arm64

.PHONY: cross
cross: setup-go ## Build the command for other systems, vet all, tests too.
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; export CGO_ENABLED=0; \
	for t in $(TARGETS); do \
		export GOOS=$${t%/*} GOARCH=$${t#*/}; \
		echo "GOOS=$$GOOS GOARCH=$$GOARCH $(GO) build ./..., build ./cmd/macroscope, vet ./..."; \
		$(GO) build ./...; \
		$(GO) build -buildvcs=false -ldflags="-s -w" -o "$$dir/" ./cmd/macroscope; \
		$(GO) vet ./...; \
	done

.PHONY: fuzz
fuzz: setup-go ## Run every fuzz target for FUZZTIME (10s).
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "$$p $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; \
		done; \
	done

# --- keeping the house in order ---

.PHONY: fmt
fmt: setup-go ## Format the Go files.
	gofmt -w $$(git ls-files '*.go')

.PHONY: lint
lint: setup-go vet ## gofmt, go vet and staticcheck.
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	$(STATICCHECK) ./...

GENERATED := kernels/amd64 kernels/arm64 onnx/internal/onnxpb

.PHONY: generate
generate: setup-go ## Write generated files anew.
	@.ci/setup protoc
	$(GO) run ./kernels/amd64/_asm
	$(GO) run ./kernels/arm64/_asm
	@if command -v protoc >/dev/null; then \
		echo "$(GO) generate ./..."; $(GO) generate ./...; \
	else \
		echo "generate: skipped onnx/internal/onnxpb: no protoc"; \
	fi

.PHONY: check
check: lint ## lint, and generated files are what their generators write.
	@$(MAKE) --no-print-directory generate
	@if ! git rev-parse --git-dir >/dev/null 2>&1; then \
		echo "check: no git repository: generated files not compared"; \
	else \
		git diff --exit-code -- $(GENERATED) || { echo "check: generated files differ from what their generators write"; exit 1; }; \
		if [ -n "$$(git status --porcelain)" ]; then echo "check: note: the working tree has changes:"; git status --short; fi; \
	fi
	@echo "make check: done"

.PHONY: clean
clean: ## Remove what was built and reported.
	rm -rf bin out
