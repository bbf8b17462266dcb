#!/usr/bin/env bash
# Holds what nvcc made of the kernels to kernels/budgets.txt: no spill and no local memory, registers and shared memory within budget on
# every architecture, tensor cores and asynchronous copies in the machine code where they are due, PTX for later devices.
# usage: gates.sh NVCC_FOLDER FATBIN      (FATBIN.ptxas beside it; cuobjdump and nvdisasm in the folder); ends with "N passed, N failed, N skipped"
set -euo pipefail
tools=$1 fatbin=$2
budgets=${GRPCREC_BUDGETS:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/kernels/budgets.txt}
architectures="70 75 80 86 89 90"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 1. One line for each kernel and architecture: registers, shared bytes, stack and spill bytes, from ptxas.
awk '
  /Compiling entry function/ { split($0, part, "\x27"); name = part[2]; arch = substr(part[4], 4); lost = "?" }
  /bytes stack frame/        { lost = $1 + $5 + $9 }
  /Used [0-9]+ registers/    { match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5); shared = 0
                               if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
                               print name, arch, registers, shared, lost }' "$fatbin.ptxas" | sort >"$work/ptxas"

# 2. The same from the machine code: tensor-core products, asynchronous copies, accesses to local memory.
# A cubin at a time: cuobjdump -sass starts the disassembler once for each kernel, which takes minutes.
fatbin=$(realpath "$fatbin")
(cd "$work" && "$tools/cuobjdump" -xelf all "$fatbin" >/dev/null)
for arch in $architectures; do
  cubin=$(find "$work" -name "*.sm_$arch.cubin" | head -n 1)
  [ -n "$cubin" ] || continue  # its kernels are then missing, and said to be
  "$tools/nvdisasm" -c "$cubin" | awk -v arch="$arch" '
    function put() { if (name != "") print name, arch, mma, copies, local }
    /^\.text\./       { put(); name = substr($1, 7, length($1) - 7); mma = copies = local = 0 }
    / HMMA\./         { mma++ }
    / LDGSTS/         { copies++ }
    / (STL|LDL)[. ]/  { local++ }
    END               { put() }'
done | sort >"$work/sass"

# 3. Against the budgets.
awk -v architectures="$architectures" '
  function fail(text) { failed++; print "FAILED " text }
  function glob(pattern) { gsub(/\*/, ".*", pattern); return "^" pattern "$" }
  FILENAME ~ /budgets/ { if ($1 !~ /^#/ && NF == 5) { line[++lines] = glob($1); budget[lines] = $2; shared_budget[lines] = $3; from[lines] = $4; code[lines] = $5; text[lines] = $1 } next }
  FILENAME ~ /ptxas$/  { names[$1] = 1; registers[$1, $2] = $3; shared[$1, $2] = $4; lost[$1, $2] = $5; next }
  { mma[$1, $2] = $3; copies[$1, $2] = $4; local[$1, $2] = $5; seen[$1, $2] = 1 }
  END {
    for (name in names) {
      for (i = 1; i <= lines && name !~ line[i]; i++);
      if (i > lines) { fail(name ": no line of budgets.txt is for it"); continue }
      used[i] = 1
      count = split(architectures, list, " ")
      for (a = 1; a <= count; a++) {
        arch = list[a]; where = name " on sm_" arch
        if (arch + 0 < from[i] + 0) { if ((name, arch) in registers) fail(where ": is there, and is due from sm_" from[i]); continue }
        if (!((name, arch) in registers) || !((name, arch) in seen)) { fail(where ": is missing"); continue }
        bad = failed
        if (lost[name, arch] != 0 || local[name, arch] != 0) fail(where ": " lost[name, arch] " bytes of stack and spills, " local[name, arch] " accesses to local memory")
        if (registers[name, arch] > budget[i]) fail(where ": " registers[name, arch] " registers, budget " budget[i])
        if (shared[name, arch] > shared_budget[i]) fail(where ": " shared[name, arch] " bytes of shared memory, budget " shared_budget[i])
        if (code[i] ~ /mma/ && mma[name, arch] == 0) fail(where ": no product on tensor cores")
        if (code[i] ~ /fma/ && mma[name, arch] != 0) fail(where ": a float32 kernel uses tensor cores")
        if (code[i] ~ /copy/ && arch >= 80 && copies[name, arch] == 0) fail(where ": no asynchronous copy")
        if (failed == bad) passed++
      }
    }
    for (i = 1; i <= lines; i++) if (!used[i]) fail("budgets.txt names " text[i] " and no kernel is that")
    print passed + 0, failed + 0
  }' "$budgets" "$work/ptxas" "$work/sass" >"$work/verdict"
grep '^FAILED' "$work/verdict" || true
read -r passed failed < <(tail -n 1 "$work/verdict")

# 4. PTX: later devices compile it, the stand-in driver interprets it.
ptx=$("$tools/cuobjdump" -lptx "$fatbin" | grep -oE 'sm_[0-9]+' | sort -u | tr '\n' ' ')
for arch in 70 75 80 90; do
  case " $ptx" in
    *" sm_$arch "*) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)); echo "FAILED no PTX for sm_$arch in $(basename "$fatbin")" ;;
  esac
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
