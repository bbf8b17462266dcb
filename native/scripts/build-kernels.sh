#!/usr/bin/env bash
# Compiles every kernel into one fat binary: machine code for each architecture of architectures.sh, PTX for later ones and for the
# stand-in driver. The headers are those beside the source's folder.
# usage: build-kernels.sh NVCC HOST_COMPILER SOURCE OUT    writes OUT and OUT.ptxas (what ptxas says of registers, shared memory, spills)
set -euo pipefail
nvcc=$1 host=$2 source=$3 out=$4
include=$(cd "$(dirname "$source")/../include" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/architectures.sh"

codes=()
for arch in $machine_code; do codes+=(-gencode "arch=compute_$arch,code=sm_$arch"); done
for arch in $ptx_code; do codes+=(-gencode "arch=compute_$arch,code=compute_$arch"); done

# --no-compress: the stand-in driver reads the PTX without NVIDIA's decompressor. A spill or local memory is an error here already.
if ! "$nvcc" -ccbin "$host" -allow-unsupported-compiler -std=c++17 -O3 -I"$include" "${codes[@]}" --threads 2 --no-compress \
    -Werror all-warnings -Xptxas -v,-warn-spills,-warn-lmem-usage -fatbin -o "$out" "$source" 2>"$out.ptxas"; then
  grep -E 'error|warning|fatal' "$out.ptxas" >&2 || cat "$out.ptxas" >&2
  exit 1
fi
