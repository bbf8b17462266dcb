#!/usr/bin/env bash
# Generates the Python stubs into stubs/. With pip instead of Debian's packages: python -m grpc_tools.protoc with the same arguments.
set -euo pipefail
cd "$(dirname "$0")"
stubs=${1:-stubs}
mkdir -p "$stubs"
/usr/bin/protoc -I ../../protos -I ../protos \
  --python_out="$stubs" --grpc_out="$stubs" --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  ../../protos/grpcrec/v1/*.proto ../protos/error_details.proto
