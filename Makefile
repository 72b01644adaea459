# Recipes for people and for CI, which calls the same scripts in ci/. `make` lists them.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup format lint test benchmarks docs clean

help: ## list the recipes
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: ## virtual environment with all engines and development tools
	bash ci/setup

format: setup ## rewrite the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup ## formatter, linter and types, changing nothing
	bash ci/lint

test: ## all tests, with the real engines and a real browser
	bash ci/test

benchmarks: setup ## speed of our own code, side by side with its peers
	bash ci/benchmarks

docs: setup ## write the generated parts of docs/reference
	$(BIN)/python -P ci/generate_docs.py

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
