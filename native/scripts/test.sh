#!/usr/bin/env bash
# Everything of native/: builds the kernels with the real nvcc, holds them to their budgets, runs their source on the host under
# sanitizers. usage: test.sh [--quick]      --quick leaves out what a second order of threads and the planted faults would add.
# Ends with "N passed, N failed, N skipped". Where nvcc can neither be found nor fetched this fails: it does not skip.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${GRPCREC_NATIVE_BUILD:-artifacts/native}
mkdir -p "$build"
quick=0
[ "${1:-}" = --quick ] && quick=1

passed=0 failed=0 skipped=0
count() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit $?
}
# Adds the counts of a log's last line "N passed, N failed, N skipped".
count_line() {
  local line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$1" | tail -n 1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
    count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
  else
    count 0 1 0
  fi
}

# 1. The compiler: named, in the path, or fetched.
nvcc=${NVCC:-$(command -v nvcc || true)}
if [ -z "$nvcc" ]; then
  nvcc=$(native/scripts/get-nvcc.sh | tail -n 1) || { echo "FAILED nvcc is not there and cannot be fetched"; count 0 1 0; finish; }
fi

# 2. Build. A spill fails it.
if ! cmake -S . -B "$build" -DGRPCREC_NVCC="$nvcc" >"$build.log" 2>&1 || ! cmake --build "$build" -- -j2 >>"$build.log" 2>&1; then
  grep -E 'error|FAILED|Error' "$build.log" | head -20
  echo "FAILED the native build; its log is $build.log"
  count 0 1 0
  finish
fi
count 1 0 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "== gates"
native/scripts/gates.sh "$(dirname "$nvcc")" "$build/gr_kernels.fatbin" | tee "$log" | tail -n 5
count_line "$log"

# 3. ctest: the host build, and the stand-in driver's own tests.
echo "== host build and stand-in driver"
exclude=()
[ "$quick" = 1 ] && exclude=(-E 'reverse|random_[124]')
ctest --test-dir "$build" -j2 --output-on-failure "${exclude[@]}" >"$log" 2>&1
grep -E '^ *[0-9]+/[0-9]+ Test|^FAILED|SUMMARY' "$log"
total=$(sed -nE 's/.* ([0-9]+) tests failed out of ([0-9]+).*/\1 \2/p' "$log" | tail -n 1)
if [ -n "$total" ]; then count $((${total#* } - ${total% *})) "${total% *}" 0; else count 0 1 0; fi
left_out=$(($(ctest --test-dir "$build" -N | sed -nE 's/^Total Tests: //p') - ${total#* }))
count 0 0 "$left_out"

# 4. Planted faults.
if [ "$quick" = 1 ]; then
  planted=$(grep -cvE '^(#|$)' native/tests/mutants/mutants.txt)
  echo "== planted faults: $planted left out of the quick form, $left_out other orders of threads too"
  count 0 0 "$planted"
else
  echo "== planted faults"
  native/scripts/mutants.sh "$build" "$nvcc" | tee "$log"
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ of\ ([0-9]+)\ caught ]]; then count "${BASH_REMATCH[1]}" $((BASH_REMATCH[2] - BASH_REMATCH[1])) 0; else count 0 1 0; fi
fi
finish
