# Two commands for a newcomer: `make demo` and `make test`. Everything else serves those who change the project.
SHELL := /bin/sh
ifndef PYTHON
PYTHON := $(shell sh tools/find_python.sh)
endif
BIN := .venv/bin
# What test-device has just run on every Python, and what holds nothing against a library that only this environment has.
REPEATED := tests/test_edge/test_microphone.py \
	$(filter-out %/test_c_code.py, $(shell grep -LP 'importorskip..(?!soundfile|sounddevice|serial|hypothesis|cffi)' \
		tests/test_edge/test_*.py tests/test_firmware_bridge/test_*.py))
# They listen in real time, two files at a time and nothing else beside them.
LISTENING := $(wildcard tests/test_end_to_end/test_listen_*.py)

.PHONY: demo test test-device lint lint-deployment rehearse format bench pins development bindings python clean

demo: python  ## a simulated auscultation through the real pipeline, with the device's needs alone
	@$(PYTHON) tools/environment.py device .venv-device
	.venv-device/bin/respire-edge listen --device littmann3200 --source demo

test: lint test-device bindings  ## everything: the gate, the device side on each Python, then the whole suite
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(foreach file,$(REPEATED) $(LISTENING),--ignore=$(file))
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(LISTENING)

test-device: python  ## the device side on Python 3.10, 3.11 and 3.12, without torch
	@$(PYTHON) tools/test_device.py

lint: development  ## one gate: lint, format, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: development  ## what the gate can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: development  ## measure this machine; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.run --output docs/benchmarks.md

lint-deployment: development  ## the image, its composition and the service, which cannot be built everywhere
	$(BIN)/python -m tools.lint_deployment

rehearse: python  ## the image's own commands in a throw-away copy of this system's files; as root
	$(PYTHON) tools/rehearse_install.py

pins: development  ## derive requirements/constraints.txt from pyproject.toml and requirements/chosen.txt
	$(BIN)/python tools/derive_pins.py

development: python
	@$(PYTHON) tools/environment.py development .venv

bindings: development  # where they cannot be had the tests that need them say so and are skipped
	@$(BIN)/python tools/install_tensorrt_bindings.py || true

python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.10 or newer on the PATH; on Debian and Ubuntu: sudo apt install python3 python3-venv" >&2; exit 2; }

clean:  ## remove the environments and caches that make made
	rm -rf .venv .venv-device .venv-device-test-* .tensorrt-bindings .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
