#!/usr/bin/env bash
# Installs what the interop tests call the server with: Debian's Python gRPC, the Node sample's packages, buf. Quick when all is there.
# What cannot be installed is said; the tests then skip visibly, unless CI=true, when this script and they fail.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
buf_version=1.75.0
missing=()

# 1. Debian's packages. /usr/bin/python3: another Python on the PATH does not see them.
python_ready() {
  [ -x /usr/bin/protoc ] && [ -x /usr/bin/grpc_python_plugin ] && [ -f /usr/include/google/protobuf/any.proto ] \
    && /usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null
}
if ! python_ready; then
  sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  packages=(python3 python3-grpcio python3-protobuf protobuf-compiler protobuf-compiler-grpc libprotobuf-dev)
  export DEBIAN_FRONTEND=noninteractive
  { $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" || { $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}"; }; } >/dev/null 2>&1
  python_ready || missing+=("Debian's Python gRPC (${packages[*]})")
fi

# 2. The Node sample's packages, as its lock file says.
sample="$root/samples/node"
if ! command -v npm >/dev/null; then
  missing+=("npm (Node 18 or later), for samples/node and buf")
elif [ ! -f "$sample/node_modules/.package-lock.json" ] || [ "$sample/package-lock.json" -nt "$sample/node_modules/.package-lock.json" ]; then
  (cd "$sample" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null 2>&1 && touch node_modules/.package-lock.json) || missing+=("the packages of samples/node")
fi

# 3. buf: its binary lies in the package, so install scripts stay off.
tools="$root/build/tools"
if command -v npm >/dev/null && [ "$("$tools/node_modules/.bin/buf" --version 2>/dev/null)" != "$buf_version" ]; then
  mkdir -p "$tools"
  npm install --prefix "$tools" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "@bufbuild/buf@$buf_version" >/dev/null 2>&1
  [ "$("$tools/node_modules/.bin/buf" --version 2>/dev/null)" = "$buf_version" ] || missing+=("@bufbuild/buf $buf_version")
fi

[ ${#missing[@]} -eq 0 ] && exit 0
printf 'interop: could not install %s\n' "${missing[@]}" >&2
[ "${CI:-}" != true ]
