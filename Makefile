# One-line faces of scripts/, for people used to make. Everything also works without it.
SECONDS ?= 60
SEEDS ?= 10000

.PHONY: demo test fuzz bench-parse bench-srtp bench-machine bench-dht bench-scale bench-ice format lint interop-opendht interop-accounts interop-jami interop-ice test-namespace test-lan test-nat test-sound nat-matrix nat-matrix-quick nat-check ice-seeds

demo:
	@scripts/demo
test:
	@scripts/test
fuzz:
	@scripts/fuzz $(SECONDS)
bench-parse bench-srtp bench-machine: bench-%:
	@scripts/bench $*
bench-dht:
	@scripts/bench-dht
bench-scale:
	@scripts/bench-scale
interop-opendht:
	@scripts/interop-opendht
interop-accounts:
	@scripts/interop-accounts
interop-jami:
	@scripts/interop-jami
interop-ice:
	@scripts/interop-ice
	@scripts/interop-agents
test-namespace:
	@scripts/test-namespace
test-lan:
	@scripts/test-lan
test-nat:
	@scripts/test-nat
test-sound:
	@scripts/test-sound
nat-matrix:
	@scripts/nat-matrix --table Documentation/NATMatrix.md
nat-matrix-quick:
	@scripts/nat-matrix --quick
nat-check:
	@scripts/nat-matrix --check
ice-seeds:
	@swift run -c release ICESeeds 1 $(SEEDS)
bench-ice:
	@scripts/bench-ice
format:
	@swift format -i -r Package.swift Sources Tests Fuzz Benchmarks Examples
lint:
	@swift format lint --strict -r Package.swift Sources Tests Fuzz Benchmarks Examples
