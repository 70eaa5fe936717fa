# One-line faces of scripts/, for people used to make. Everything also works without it.
SECONDS ?= 60

.PHONY: demo test fuzz bench-parse bench-srtp bench-machine format lint interop-opendht interop-accounts interop-jami interop-ice test-namespace test-sound

demo:
	@scripts/demo
test:
	@scripts/test
fuzz:
	@scripts/fuzz $(SECONDS)
bench-parse bench-srtp bench-machine: bench-%:
	@scripts/bench $*
interop-opendht:
	@scripts/interop-opendht
interop-accounts:
	@scripts/interop-accounts
interop-jami:
	@scripts/interop-jami
interop-ice:
	@scripts/interop-ice
test-namespace:
	@scripts/test-namespace
test-sound:
	@scripts/test-sound
format:
	@swift format -i -r Package.swift Sources Tests Fuzz Benchmarks Examples
lint:
	@swift format lint --strict -r Package.swift Sources Tests Fuzz Benchmarks Examples
