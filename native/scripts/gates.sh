#!/usr/bin/env bash
# Holds what nvcc made of the kernels to kernels/budgets.txt: no spill and no local memory, registers and shared memory within budget on
# every architecture, tensor cores and asynchronous copies in the machine code where they are due, PTX for later devices.
# usage: gates.sh NVCC_FOLDER FATBIN [--faults]      (FATBIN.ptxas beside it; cuobjdump and nvdisasm in the folder)
# --faults tests the gates too: budgets and measurements are altered one at a time, and each must be told. Ends with "N passed, N failed, N skipped".
set -euo pipefail
tools=$1 fatbin=$2 faults=${3:-}
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$scripts/architectures.sh"
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
for arch in $machine_code; do
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

# 3. PTX: later devices compile it, the stand-in driver interprets it.
"$tools/cuobjdump" -lptx "$fatbin" | sed -nE 's/.*sm_([0-9]+).*/\1/p' | sort -u >"$work/ptx"
cp "$scripts/../kernels/budgets.txt" "$work/budgets"

# 4. All of it against the budgets: lines FAILED, then "passed failed". Reads the files ptxas, sass, ptx and budgets of a folder.
judge() {
  awk -v architectures="$machine_code" -v ptx_architectures="$ptx_code" '
  function fail(text) { failed++; print "FAILED " text }
  function glob(pattern) { gsub(/\*/, ".*", pattern); return "^" pattern "$" }
  FILENAME ~ /budgets$/ { if ($1 !~ /^#/ && NF == 5) { line[++lines] = glob($1); budget[lines] = $2; shared_budget[lines] = $3; from[lines] = $4; code[lines] = $5; text[lines] = $1 } next }
  FILENAME ~ /ptxas$/  { names[$1] = 1; registers[$1, $2] = $3; shared[$1, $2] = $4; lost[$1, $2] = $5; next }
  FILENAME ~ /ptx$/    { ptx[$1] = 1; next }
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
    count = split(ptx_architectures, list, " ")
    for (a = 1; a <= count; a++) if (list[a] in ptx) passed++; else fail("no PTX for sm_" list[a])
    print passed + 0, failed + 0
  }' "$1/budgets" "$1/ptxas" "$1/ptx" "$1/sass"
}
judge "$work" >"$work/verdict"
grep '^FAILED' "$work/verdict" || true
read -r passed failed < <(tail -n 1 "$work/verdict")

# 5. The gates themselves. A fault is an edit of one of the files; the verdict must then say what the last column says.
fault() {
  local file=$1 edit=$2 told=$3 copy=$work/faults
  rm -rf "$copy"
  mkdir "$copy"
  cp "$work"/{budgets,ptxas,ptx,sass} "$copy"
  sed -E -i "$edit" "$copy/$file"
  if cmp -s "$work/$file" "$copy/$file"; then
    failed=$((failed + 1)); echo "FAILED gates: the edit changes nothing in $file: $edit"
  elif judge "$copy" | grep -E "^FAILED .*$told" >/dev/null; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1)); echo "FAILED gates: nothing noticed $edit in $file"
  fi
}
if [ "$faults" = --faults ]; then
  before=$passed
  most() { awk -v name="$1" -v column="$2" '$1 == name && $column > most { most = $column } END { print most - 1 }' "$work/ptxas"; }
  last=${machine_code##* } first=${machine_code%% *}
  fault budgets "s/^(gr_rank_merge +)[0-9]+/\1$(most gr_rank_merge 3)/" 'gr_rank_merge on sm_.* registers, budget'
  fault budgets "s/^(gr_query_round +[0-9]+ +)[0-9]+/\1$(most gr_query_round 4)/" 'gr_query_round on sm_.* bytes of shared memory, budget'
  fault budgets 's/^(gr_rank_merge .*)fma/\1mma/' 'gr_rank_merge on sm_.*: no product on tensor cores'
  fault budgets 's/^(gr_lstm_step_f16 .*)mma/\1fma/' 'gr_lstm_step_f16 on sm_.*: a float32 kernel uses tensor cores'
  fault budgets 's/^(gr_pair_dot .*)fma/\1fma,copy/' 'gr_pair_dot on sm_.*: no asynchronous copy'
  fault budgets "s/^(gr_rank_merge .* )70 /\1$((first + 1)) /" "gr_rank_merge on sm_$first: is there, and is due from"
  fault budgets 's/^(gr_lstm_step_bf16 .* )80 /\175 /' 'gr_lstm_step_bf16 on sm_75: is missing'
  fault budgets '/^gr_pair_dot /d' 'gr_pair_dot: no line of budgets.txt is for it'
  fault budgets '$a gr_nobody 32 0 70 fma' 'names gr_nobody and no kernel is that'
  fault ptxas "s/^(gr_rank_merge $last .* )0\$/\18/" "gr_rank_merge on sm_$last: 8 bytes of stack and spills"
  fault ptxas "/^gr_rank_merge $last /d" "gr_rank_merge on sm_$last: is missing"
  fault sass "s/^(gr_rank_merge $last .* )0\$/\11/" "gr_rank_merge on sm_$last: .* 1 accesses to local memory"
  fault sass "/^gr_rank_merge $last /d" "gr_rank_merge on sm_$last: is missing"
  fault ptx '1d' 'no PTX for sm_'
  echo "faults planted into the gates: $((passed - before)) told"
fi

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
