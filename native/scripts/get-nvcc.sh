#!/usr/bin/env bash
# Unpacks Debian's CUDA 11.8 compiler (non-free section) into a private folder, in the layout that nvcc expects.
# Nothing is installed: no driver, no diversions, no compiler in the system's path. 0.9 GB is read, 260 MB stay.
# usage: get-nvcc.sh [PREFIX]     prints the path of nvcc on its last line; a second call finds it there
set -euo pipefail

cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set and no PREFIX was given}/.cache}
prefix=${1:-$cache/grpcrec/cuda-11.8}
stamp=$prefix/.complete
packages=(nvidia-cuda-toolkit nvidia-cuda-dev libcudart11.0 libnvrtc11.2 libnvrtc-builtins11.8 libnvvm4 libcu++-dev)

fail() {
  echo "get-nvcc: $1" >&2
  exit 1
}

# 1. Done before, and still works? A folder without its stamp is a half-done one: it is made again.
if [ -f "$stamp" ] && "$prefix/bin/nvcc" --version >/dev/null 2>&1; then
  echo "$prefix/bin/nvcc"
  exit 0
fi
for tool in apt-get dpkg-deb tar flock; do
  command -v "$tool" >/dev/null || fail "needs $tool; on other systems install NVIDIA's CUDA toolkit 11.8 or later and set NVCC to its nvcc (docs/CUDA.md)"
done
mkdir -p "$prefix"
exec 9>"$prefix/.lock"
flock -w 900 9 || fail "another run holds $prefix/.lock for 15 minutes"
if [ -f "$stamp" ] && "$prefix/bin/nvcc" --version >/dev/null 2>&1; then
  echo "$prefix/bin/nvcc"
  exit 0
fi

# 2. Where Debian's packages come from: the machine's own source with the non-free section added, in lists of our own.
sources=/etc/apt/sources.list.d/debian.sources
work=$(mktemp -d "$prefix/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work"/debs "$work"/root
if [ -f "$sources" ]; then
  uri=$(awk '/^URIs:/{print $2; exit}' "$sources")
  # apt refuses one address with two keys ("Conflicting values set for option Signed-By"), so the same key is named.
  key=$(awk '/^Signed-By:/{print $2; exit}' "$sources")
else
  uri=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }' /etc/apt/sources.list 2>/dev/null || true)
  key=$(sed -n 's/^deb .*signed-by=\([^] ]*\).*/\1/p' /etc/apt/sources.list 2>/dev/null | head -1)
fi
[ -n "${uri:-}" ] || fail "no Debian package source found in $sources or /etc/apt/sources.list"
echo "deb ${key:+[signed-by=$key] }$uri bookworm main contrib non-free" >"$work/sources.list"
apt=(apt-get "-oDir::Etc::sourcelist=$work/sources.list" -oDir::Etc::sourceparts=- "-oDir::State::lists=$work/lists"
     "-oDir::Cache=$work/cache" -oAPT::Sandbox::User=root -oAcquire::Retries=3 -qq)

# 3. Fetch.
echo "get-nvcc: fetching CUDA 11.8's compiler from $uri: 0.9 GB, of which 260 MB stay in $prefix" >&2
"${apt[@]}" update || fail "the package lists cannot be read: is the network there, and does the source serve the non-free section?"
(cd "$work/debs" && "${apt[@]}" download "${packages[@]}") || fail "the CUDA packages cannot be fetched"

# 4. Unpack what compiling and disassembling need; profilers, libraries and samples stay out.
cd "$work/root"
for deb in "$work"/debs/*.deb; do
  case $deb in
    */nvidia-cuda-dev_*)
      dpkg-deb --fsys-tarfile "$deb" | tar -x --wildcards './usr/include/*' './usr/lib/x86_64-linux-gnu/libcuda*' './usr/lib/x86_64-linux-gnu/libculibos.a' './usr/lib/x86_64-linux-gnu/stubs/libcuda.so' ;;
    */nvidia-cuda-toolkit_*)
      dpkg-deb --fsys-tarfile "$deb" | tar -x --exclude='*compute-sanitizer*' --exclude='*TreeLauncher*' --exclude='./usr/share/man' ;;
    *) dpkg-deb -x "$deb" . ;;
  esac
done

# 5. NVIDIA's layout.
toolkit=usr/lib/nvidia-cuda-toolkit
rm -rf "$prefix"/{bin,nvvm,lib64,include}
mkdir -p "$prefix"/{bin,nvvm/bin,lib64/stubs}
cp -a usr/bin/. "$prefix/bin/"
rm -f "$prefix/bin/nvcc"
cp -a $toolkit/bin/nvcc $toolkit/bin/crt "$prefix/bin/"
cp -a $toolkit/bin/cicc "$prefix/nvvm/bin/"
cp -a $toolkit/libdevice "$prefix/nvvm/libdevice"
cp -a usr/include "$prefix/include"
cp -a usr/lib/x86_64-linux-gnu/lib{cuda,culibos,nvrtc}* "$prefix/lib64/"
cp -a usr/lib/x86_64-linux-gnu/stubs/libcuda.so "$prefix/lib64/stubs/"
cp -a usr/lib/x86_64-linux-gnu/libnvvm* "$prefix/nvvm/"
cat >"$prefix/bin/nvcc.profile" <<'PROFILE'
TOP              = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
LD_LIBRARY_PATH += $(TOP)/lib64:
PATH            += $(TOP)/nvvm/bin:$(_HERE_):
INCLUDES        += "-I$(TOP)/include" $(_SPACE_)
LIBRARIES       =+ $(_SPACE_) "-L$(TOP)/lib64/stubs" "-L$(TOP)/lib64"
PROFILE
# NVIDIA's terms stay beside the tools: they are the user's to keep, and none of these files belongs in a repository or an image.
cp usr/share/doc/nvidia-cuda-toolkit/copyright "$prefix/LICENSE.nvidia" 2>/dev/null || true

# 6. It must run, not only be there.
for tool in nvcc ptxas fatbinary cuobjdump nvdisasm; do
  "$prefix/bin/$tool" --version >/dev/null || fail "$prefix/bin/$tool does not run"
done
touch "$stamp"
echo "$prefix/bin/nvcc"
