#!/usr/bin/env bash
# Tests the tests: plants the faults of tests/mutants/mutants.txt one at a time into a copy of the kernels and expects each to be caught.
# A fault counts only where the sound source, made and run in the same way, passes.
# usage: mutants.sh BUILD_FOLDER NVCC [NAME...]      after a build; without names all; ends with "N of N caught"
set -uo pipefail
build=$(cd "$1" && pwd) nvcc=$2
shift 2
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
native=$(dirname "$scripts")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trim() { sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<<"$1"; }
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
host=$(cached GRPCREC_NVCC_HOST) cxx=$(cached CMAKE_CXX_COMPILER)
[ -n "$host" ] && [ -n "$cxx" ] || { echo "FAILED $build/CMakeCache.txt names no compilers: build first"; exit 1; }
simt=$build/native/sim/simt

# What a test that fails prints. An exit status alone could be a misspelt filter.
found='^FAILED |ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|deadly signal'

# Compiles a kernel of the work folder and links it in the place of the built one. Prints why not.
link() {
  local kernel=$1 build_name=$2 flags objects
  case $build_name in
    asan) flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" ;;
    tsan) flags="-fsanitize=thread" ;;
    *) echo "error: unknown build $build_name"; return 1 ;;
  esac
  # By name: a build folder that was used before may hold objects of sources that are gone.
  objects=$(find "$simt/CMakeFiles/simt_$build_name.dir" -path '*/kernels/*.cu.o' ! -name "$kernel.cu.o"
            find "$simt/CMakeFiles/simt_$build_name.dir" -name test_simt.cpp.o
            find "$simt/CMakeFiles/simt_${build_name}_emulator.dir" "$simt/CMakeFiles/simt_tests.dir" -name '*.o')
  # shellcheck disable=SC2086
  "$cxx" -std=c++20 -O1 -g1 $flags -DGR_HOST_ARCH=800 -Wno-unknown-pragmas -I"$native/sim/simt" -I"$work/native/include" -x c++ -c "$work/native/kernels/$kernel.cu" -o "$work/kernel.o" &&
    "$cxx" $flags "$work/kernel.o" $objects -o "$work/program"
}

run() { # what it prints goes to the log; its status is the program's
  ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1 timeout 120 "$work/program" --schedule "$1" --only "$2" >"$work/log" 2>&1
}

# One architecture shows a spill as well as six.
by_nvcc() { GRPCREC_ARCHITECTURES=80 "$scripts/build-kernels.sh" "$nvcc" "$host" "$work/native/kernels/$1.cu" "$work/kernel.fatbin" >"$work/log" 2>&1; }

fresh() {
  rm -rf "$work/native" "$work/kernel.o" "$work/program" "$work/kernel.fatbin"*
  mkdir -p "$work/native"
  cp -r "$native/include" "$native/kernels" "$work/native/"
}

# The sound source by the recipe of a fault: "" when it passes, else why not. Each recipe once; its program once for a kernel and a build.
declare -A verdicts
declare -A programs
control() {
  local kernel=$1 build_name=$2 schedule=$3 tests=$4 recipe="$*" program="$work/sound_$1_$2"
  if [ -z "${verdicts[$recipe]+set}" ]; then
    verdicts[$recipe]="" why=""
    fresh
    if [ "$build_name" = nvcc ]; then
      by_nvcc "$kernel" || why="nvcc refuses it: $(grep -m1 -E 'error|warning' "$work/log")"
    elif [ -z "${programs[$program]+set}" ] && ! link "$kernel" "$build_name" >"$work/log" 2>&1; then
      why="it does not compile: $(grep -m1 error "$work/log")"
    else
      [ -n "${programs[$program]+set}" ] || mv "$work/program" "$program"
      programs[$program]=1
      cp "$program" "$work/program"
      run "$schedule" "$tests" && ! grep -qE "$found" "$work/log" && grep -qE '^[1-9][0-9]* passed, 0 failed' "$work/log" || why="$(grep -m1 -E "$found" "$work/log" || tail -n 1 "$work/log")"
    fi
    verdicts[$recipe]=$why
  fi
  why=${verdicts[$recipe]}
}

planted=0 caught=0
while IFS='|' read -r name file kernel build_name schedule tests script; do
  name=$(trim "$name")
  case $name in ''|'#'*) continue ;; esac
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  file=$(trim "$file") kernel=$(trim "$kernel") build_name=$(trim "$build_name") schedule=$(trim "$schedule") tests=$(trim "$tests") script=$(trim "$script")
  planted=$((planted + 1))
  control "$kernel" "$build_name" "$schedule" "$tests"
  if [ -n "$why" ]; then
    echo "FAILED $name: the sound source does not pass either: $why"
    continue
  fi
  fresh
  sed -i "$script" "$work/native/$file"
  if cmp -s "$native/$file" "$work/native/$file"; then
    echo "FAILED $name: the patch changes nothing in $file; mend mutants.txt"
    continue
  fi
  if [ "$build_name" = nvcc ]; then
    if by_nvcc "$kernel"; then
      echo "FAILED $name: nvcc took it"
    elif grep -qE 'spilled|Local memory' "$work/log"; then
      caught=$((caught + 1)); echo "caught $name: $(grep -m1 -oE 'Registers are spilled[^,]*|Local memory used[^,]*' "$work/log")"
    else
      echo "FAILED $name: nvcc failed for another reason: $(grep -m1 error "$work/log")"
    fi
    continue
  fi
  if ! link "$kernel" "$build_name" >"$work/log" 2>&1; then
    echo "FAILED $name: it does not compile: $(grep -m1 error "$work/log")"
    continue
  fi
  run "$schedule" "$tests"
  if grep -qE "$found" "$work/log"; then
    caught=$((caught + 1))
    echo "caught $name: $(grep -m1 -E "$found" "$work/log" | sed -E 's/^=+[0-9]*=*//; s/ \(pid=[0-9]+\)//' | cut -c1-150)"
  else
    echo "FAILED $name: nothing noticed it ($(tail -n 1 "$work/log"))"
  fi
done <"$native/tests/mutants/mutants.txt"

echo "${#verdicts[@]} recipes tried on the sound source"
echo "$caught of $planted caught"
[ "$caught" -eq "$planted" ] && [ "$planted" -gt 0 ]
