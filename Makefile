# The targets are the project's vocabulary; `make help` says what each does.

INPUT   ?=
KILLS   ?= 10
SEED    ?= 1
KAFKA   ?=
SEEDS   ?= 200
FUZZTIME ?= 10s

# TAGS=norocksdb leaves RocksDB out, which alone needs its library.
TAGS    ?=
export GOFLAGS += $(if $(TAGS),-tags=$(TAGS))

.DEFAULT_GOAL := help
.PHONY: help setup rocksdb demo test test-kafka race lint doubt sim mutants soak bench bench-kafka fuzz generate clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: rocksdb ## fetch Go modules and tools, install RocksDB; say what optional programs are missing
	go mod download
	go build -o /dev/null google.golang.org/protobuf/cmd/protoc-gen-go
	@command -v protoc >/dev/null || echo "protoc is missing: only 'make generate' needs it (Debian: apt-get install protobuf-compiler)"

rocksdb: # what persistence/rocksdb is built with; TAGS=norocksdb does without
	@case ",$(TAGS)," in *,norocksdb,*) ;; *) .ci/rocksdb ;; esac

demo: ## taxi tips, killed and restarted: INPUT=trips.csv KILLS=10 SEED=1; KAFKA=fake or real: in Kafka
	go run ./examples/tips demo -input "$(INPUT)" -kills $(KILLS) -seed $(SEED) -kafka "$(KAFKA)"

test: rocksdb ## all tests; TAGS=norocksdb: those that need no RocksDB
	go test ./...

test-kafka: KAFKA ?=
test-kafka: ## the Kafka connector on real brokers, which are killed, and a stand-in at length; by apt Java, Maven and kcat: KAFKA=4.1.1 for one
	.ci/kafka
	go test -tags kafka -p 1 -count=1 -timeout 60m ./operators/kafka/... -run '^TestReal$(if $(KAFKA),$$/^$(KAFKA)$$)'
	go test -count=1 -timeout 60m ./operators/kafka -run Conforms -conform.full

race: rocksdb ## all tests under the race detector
	go test -race -timeout 30m ./...

lint: rocksdb ## formatting, vet, staticcheck, generated code
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "gofmt -w is due for: $$bad"; exit 1; }
	go vet ./...
	go vet -tags kafka ./operators/kafka/...
	go tool staticcheck ./...
	go tool staticcheck -tags kafka ./operators/kafka/...
	go -C examples/kafkacost vet .
	.ci/generated

doubt: MINUTES ?= 1
doubt: ## windows, joins and timers against their twins, with fresh seeds: MINUTES=1
	go test ./operators/doubt -count=1 -timeout 0 -v -run '^TestDoubt$$' -doubt.minutes=$(MINUTES)

sim: ## simulated jobs under faults: SEEDS=200; of all other simulations, weaker modes and equal traces among them, a tenth
	go test ./cluster/sim -count=1 -timeout 60m -v -run '^TestSim$$' -sim.seeds=$(SEEDS)
	go test ./cluster/sim -count=1 -timeout 60m -v -run '^TestSim.' -sim.seeds=$$(($(SEEDS) / 10 + 1))

mutants: ## plant bugs and see that each is found, by drawn windows and joins, by the tests on a stand-in for Kafka, or by the simulation
	go test ./operators/doubt -count=1 -tags mutants -run Mutants -v -timeout 60m
	go test ./operators/kafka -count=1 -tags mutants -run Mutants -v -timeout 60m
	go test ./cluster/sim -count=1 -tags mutants -run Mutants -v -timeout 60m

soak: MINUTES ?= 10
soak: ## real processes, many kills, memory watched: MINUTES=10; KAFKA=real: in Kafka
	go run ./examples/tips soak -minutes $(MINUTES) -seed $(SEED) -kafka "$(KAFKA)"

bench: ## engine against hand-written loops, the table of BENCHMARKS.md
	go run ./examples/cost

bench-kafka: ## the Kafka connector against hand-written loops and sarama, on a real broker; a table of BENCHMARKS.md; DATA= is the broker's folder
	.ci/kafka
	go -C examples/kafkacost run . -data "$(abspath $(DATA))"

fuzz: rocksdb ## every fuzz target for FUZZTIME=10s
	.ci/fuzz $(FUZZTIME)

generate: ## protobuf code; needs protoc
	go generate ./...

clean: ## what builds and runs left behind
	rm -rf out bin
	go clean ./...
