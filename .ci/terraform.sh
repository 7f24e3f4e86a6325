#!/usr/bin/env bash
# Makes terraform and its AWS provider ready for the infrastructure's tests, or says what is missing and fails.
#
# usage: .ci/terraform.sh [CONFIG]
#
# terraform must be on PATH. The provider is taken from a folder that TF_PLUGINS names, else from an
# unpacked copy found on this disk, else from wherever `terraform init` gets it. CONFIG (by default
# $XDG_CACHE_HOME/silver-guardian/terraform.rc) becomes a terraform CLI configuration that points there;
# terraform/terraform.mk uses it. It needs nothing when the provider answers already.
set -euo pipefail

config=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/silver-guardian/terraform.rc}
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^ *version *= *"~> *\([0-9.]*\)"/\1/p' "$root/terraform/versions.tf")

fail() { echo "terraform.sh: $*" >&2; exit 1; }

command -v terraform >/dev/null || fail "no terraform on PATH; install Terraform 1.9 or later"

provider_of() { # FOLDER: whether it holds the provider in the layout of a filesystem mirror
  compgen -G "$1/*/hashicorp/aws/${version}*/*/terraform-provider-aws_v*" >/dev/null
}

answers() { # whether terraform can initialise this configuration, with CONFIG as it is
  local work; work=$(mktemp -d)
  cp "$root/terraform/versions.tf" "$work/"
  local rc=0
  TF_CLI_CONFIG_FILE=$config CHECKPOINT_DISABLE=1 timeout 300 \
    terraform -chdir="$work" init -input=false -backend=false -no-color >"$work/init.log" 2>&1 || rc=$?
  [ "$rc" = 0 ] || tail -20 "$work/init.log" >&2
  rm -rf "$work"
  return "$rc"
}

if [ -z "${TF_PLUGINS:-}" ] && [ -f "$config" ] && answers 2>/dev/null; then
  echo "terraform.sh: terraform and AWS provider $version answer"
  exit 0
fi

plugins=${TF_PLUGINS:-}
if [ -n "$plugins" ]; then
  provider_of "$plugins" || fail "TF_PLUGINS=$plugins holds no hashicorp/aws provider $version"
else
  found=$(find / -xdev -type f -name "terraform-provider-aws_v${version}*" -path '*/hashicorp/aws/*' \
    -not -path '*/.terraform/*' 2>/dev/null | head -1 || true)
  plugins=${found%/*/hashicorp/aws/*}
fi

mkdir -p "$(dirname "$config")"
if [ -n "$plugins" ]; then
  cat >"$config" <<EOF
provider_installation {
  filesystem_mirror {
    path    = "$plugins"
    include = ["hashicorp/aws"]
  }
  direct {
    exclude = ["hashicorp/aws"]
  }
}
EOF
else
  : >"$config"
fi
answers || fail "terraform init finds no AWS provider $version; set TF_PLUGINS to a folder that holds it"
echo "terraform.sh: $(terraform version -json 2>/dev/null | sed -n 's/.*"terraform_version": *"\([^"]*\)".*/terraform \1/p'), AWS provider $version${plugins:+ from $plugins}"
