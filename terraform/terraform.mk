# Infrastructure: Terraform, its tests and the cost page. Included by the root Makefile.

TF_RC := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/terraform.rc
BIN_INFRA := .venv-infra/bin

.venv-infra/.ready: requirements/infra.txt
	@$(ENVIRONMENT) .venv-infra $(@F) --require-hashes -r requirements/infra.txt

setup-infra: .venv-infra/.ready  ## make the environment of the infrastructure's tests (.venv-infra), with terraform's provider
	@.ci/terraform.sh "$(TF_RC)"

lint-terraform: setup-infra  ## terraform fmt and validate, checkov, and types of the infrastructure's Python
	terraform fmt -check -recursive -diff terraform
	TF_CLI_CONFIG_FILE="$(TF_RC)" terraform -chdir=terraform init -backend=false -input=false -no-color >/dev/null
	TF_CLI_CONFIG_FILE="$(TF_RC)" terraform -chdir=terraform validate -no-color
	$(BIN_INFRA)/checkov -d terraform --framework terraform --skip-download --compact --quiet
	$(BIN_INFRA)/mypy tests/terraform

test-terraform: setup-infra  ## terraform test, then apply to an emulator, read back, destroy (about 4 minutes)
	$(BIN_INFRA)/python -m pytest --confcutdir=tests/terraform tests/terraform

mutate-terraform: setup-infra  ## break every rule once and see that a test notices (an hour; WORD=queue picks some)
	$(BIN_INFRA)/python -m tests.terraform.mutations $(WORD)

lint: lint-terraform
test: test-terraform

.PHONY: setup-infra lint-terraform test-terraform mutate-terraform
