#!/usr/bin/env bash
# Installs what the native tests build with: cmake, make and a C++ compiler. nvcc is fetched by native/scripts/get-nvcc.sh when they run.
# Quick when all is there; fails where it cannot be had.
set -euo pipefail
ready() { command -v cmake >/dev/null && command -v make >/dev/null && command -v g++ >/dev/null; }
ready && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
install() { $sudo apt-get install -y -qq --no-install-recommends cmake make g++ >/dev/null 2>&1; }
install || { $sudo apt-get update -qq >/dev/null 2>&1 && install; } || true
ready || { echo "native: could not install cmake, make and g++" >&2 && exit 1; }
