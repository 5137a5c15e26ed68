#!/usr/bin/env bash
# Builds the image and runs it for real: a case on 2 ranks, then its pictures. Prints sizes and times.
#
# Needs no Docker daemon and no image registry: the base image is made from Debian packages (mmdebstrap) and imported
# under the name that the Dockerfile asks for; buildah builds, podman runs. For Debian 12 or newer, as root; missing
# tools are installed by apt-get.
#
#   bash docker/test.sh [FOLDER]     FOLDER keeps the results (default: a temporary one, removed at the end)
#
# CASE=cases/other.toml runs another case, SET (one section.key=value a line) other overrides of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

base=debian:13-slim
image=femli-test
case_file=${CASE:-cases/demo.toml}
# Overrides for a short run, one a line: two steps' worth of lithium.
short='stop.capacity=0.002 mAh/cm^2
output.every=0.001 mAh/cm^2'
set_words=()
while IFS= read -r line; do set_words+=(--set "$line"); done <<<"${SET:-$short}"

fail() {
    echo "docker/test.sh: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "run it as root (it makes a root file system)"
lacking=()
for tool in mmdebstrap buildah podman runc; do command -v "$tool" >/dev/null || lacking+=("$tool"); done
if [ ${#lacking[@]} -gt 0 ]; then
    echo "== apt-get install ${lacking[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}" >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
results=${1:-$work/results}
mkdir -p "$results"
results=$(cd "$results" && pwd)
chmod 1777 "$results" # the container's user is not ours

step() {
    local start=$SECONDS title=$1
    shift
    echo "== $title"
    "$@"
    echo "   $((SECONDS - start)) s"
}

# The mirror is the one that this machine's own apt uses.
make_base() {
    local mirror
    # shellcheck disable=SC2016  # apt-get expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
    mmdebstrap --quiet --variant=minbase trixie "$work/base.tar" "$mirror"
    podman import --quiet "$work/base.tar" "$base" >/dev/null
    rm "$work/base.tar"
}

# A site's own certificates and pip settings are lent to the build, not copied into the image. (Not at the usual
# place of the certificates: the package ca-certificates must be able to write there.)
build() {
    local certificates=/etc/ssl/certs/ca-certificates.crt lent=()
    if [ -f "$certificates" ]; then
        { sed '/^ *cert *=/d' /etc/pip.conf 2>/dev/null || true; } >"$work/pip.conf"
        printf '\n[global]\ncert = /run/lent.crt\n' >"$work/cert.conf"
        lent=(--volume "$certificates:/run/lent.crt:ro" --volume "$work/pip.conf:/etc/pip.conf:ro"
            --volume "$work/cert.conf:/root/.config/pip/pip.conf:ro")
    fi
    buildah bud --layers --isolation chroot --network host --pull-never "${lent[@]}" \
        --ignorefile docker/Dockerfile.dockerignore --file docker/Dockerfile --tag "$image" . >"$work/build.log" 2>&1 ||
        { tail -n 40 "$work/build.log" && return 1; }
}

# runc, cgroupfs and the host's network work where systemd and netavark are not there (in a container, in CI).
run() {
    podman --runtime runc --cgroup-manager cgroupfs run --rm --network host \
        --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --volume "$results:/home/femli/results" "$@"
}

solve() { run --entrypoint mpiexec "$image" -n 2 femli run "$case_file" -o results/run --force "${set_words[@]}"; }

podman image exists "$base" || step "base image from Debian packages" make_base
step "build" build
[ "$(run --entrypoint id "$image" -u)" != 0 ] || fail "the image runs as root"
step "femli --help" run "$image" --help >/dev/null
step "solve on 2 ranks" solve
grep -Eq '"ranks": *2\b' "$results/run/summary.json" || fail "summary.json is not of 2 ranks"
step "pictures" run "$image" render results/run
pictures=$(find "$results/run" -name '*.png' -size +5k | wc -l)
[ "$pictures" -gt 0 ] || fail "no picture was made"

echo "== $pictures pictures in $results/run"
podman images --format '{{.Repository}}:{{.Tag}}  {{.Size}}' | grep -E "(^|/)($image|${base%%:*}):"
