# Sourced: which capabilities, times ten, the fat binary has machine code for, and which of them PTX. The one place that says so.
# GRPCREC_ARCHITECTURES names fewer where a compiler no longer knows them all; kernels/budgets.txt is held for those alone.
machine_code=${GRPCREC_ARCHITECTURES:-70 75 80 86 89 90}
ptx_code=""
for arch in 70 75 80 90; do [[ " $machine_code " == *" $arch "* ]] && ptx_code+="$arch "; done
[ -n "$ptx_code" ] || { echo "GRPCREC_ARCHITECTURES is '$machine_code': name at least one of 70 75 80 90, divided by blanks" >&2 && exit 2; }
