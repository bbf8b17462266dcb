#!/usr/bin/env bash
# Tests the tests: plants the faults of tests/mutants/mutants.txt one at a time into a copy of the kernels and expects each to be caught.
# usage: mutants.sh BUILD_FOLDER NVCC [NAME...]      after a build; without names all; ends with "N of N caught"
set -uo pipefail
build=$(cd "$1" && pwd) nvcc=$2
shift 2
native=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trim() { sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<<"$1"; }
host=$(sed -n 's/^GRPCREC_NVCC_HOST:[A-Z]*=//p' "$build/CMakeCache.txt")
simt=$build/native/sim/simt

# What a test that fails prints. An exit status alone could be a misspelt filter.
found='^FAILED |ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|deadly signal'

# Compiles the mutated kernel and links it in the place of the sound one. Prints why not.
link() {
  local kernel=$1 build_name=$2 flags objects
  case $build_name in
    asan) flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" ;;
    tsan) flags="-fsanitize=thread" ;;
    *) echo "unknown build $build_name"; return 1 ;;
  esac
  # By name: a build folder that was used before may hold objects of sources that are gone.
  objects=$(find "$simt/CMakeFiles/simt_$build_name.dir" -path '*/kernels/*.cu.o' ! -name "$kernel.cu.o"
            find "$simt/CMakeFiles/simt_$build_name.dir" -name test_simt.cpp.o
            find "$simt/CMakeFiles/simt_${build_name}_emulator.dir" "$simt/CMakeFiles/simt_tests.dir" -name '*.o')
  # shellcheck disable=SC2086
  ${CXX:-g++} -std=c++20 -O1 -g1 $flags -DGR_HOST_ARCH=800 -Wno-unknown-pragmas -I"$native/sim/simt" -I"$work/native/include" -x c++ -c "$work/native/kernels/$kernel.cu" -o "$work/mutant.o" &&
    ${CXX:-g++} $flags "$work/mutant.o" $objects -o "$work/mutant"
}

planted=0 caught=0
while IFS='|' read -r name file kernel build_name schedule tests script; do
  name=$(trim "$name")
  case $name in ''|'#'*) continue ;; esac
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  file=$(trim "$file") kernel=$(trim "$kernel") build_name=$(trim "$build_name") schedule=$(trim "$schedule") tests=$(trim "$tests") script=$(trim "$script")
  planted=$((planted + 1))
  rm -rf "$work/native"
  mkdir -p "$work/native"
  cp -r "$native/include" "$native/kernels" "$work/native/"
  sed -i "$script" "$work/native/$file"
  if cmp -s "$native/$file" "$work/native/$file"; then
    echo "FAILED $name: the patch changes nothing in $file; mend mutants.txt"
    continue
  fi
  if [ "$build_name" = nvcc ]; then
    if "$nvcc" -ccbin "$host" -allow-unsupported-compiler -std=c++17 -O3 -I"$work/native/include" -arch=sm_80 -Werror all-warnings -Xptxas -warn-spills,-warn-lmem-usage \
        -cubin -o "$work/mutant.cubin" "$work/native/kernels/$kernel.cu" >"$work/log" 2>&1; then
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
  ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1 timeout 120 "$work/mutant" --schedule "$schedule" --only "$tests" >"$work/log" 2>&1
  if grep -qE "$found" "$work/log"; then
    caught=$((caught + 1))
    echo "caught $name: $(grep -m1 -E "$found" "$work/log" | sed -E 's/^=+[0-9]*=*//; s/ \(pid=[0-9]+\)//' | cut -c1-150)"
  else
    echo "FAILED $name: nothing noticed it ($(tail -n 1 "$work/log"))"
  fi
done <"$native/tests/mutants/mutants.txt"

echo "$caught of $planted caught"
[ "$caught" -eq "$planted" ] && [ "$planted" -gt 0 ]
