#!/usr/bin/env bash
# Installs what is missing, then configures and builds. Safe to run again and again; touches no network when nothing is missing.
#
#   tools/setup.sh [--preset NAME] [--with-reference] [--targets "A B"]
#
#   --preset NAME      CMake preset to configure and build (default: release)
#   --with-reference   also install diffusers and transformers, which the parity tests compare against
#   --targets "A B"    build only these (default: everything)
#
# LibTorch is taken from Torch_DIR or CMAKE_PREFIX_PATH where they name one, else from the pinned PyTorch wheel in build/venv.
# What was found is written to build/setup.env, for the scripts beside this one.
set -euo pipefail
cd "$(dirname "$0")/.."

torch_version=2.13.0
reference_packages=(diffusers==0.42.1 transformers==5.23.0)
preset=release with_reference=no targets=""
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --with-reference) with_reference=yes; shift ;;
    --targets) targets=${2:?--targets needs names}; shift 2 ;;
    *) echo "setup.sh: unknown option $1 (see the top of the script)" >&2; exit 2 ;;
  esac
done

say() { printf '== %s\n' "$*" >&2; }

# A tool counts as present wherever it comes from; a library only as a package.
has_cmake() { command -v cmake >/dev/null && cmake -P tools/cmake/require_3_22.cmake >/dev/null 2>&1; }
has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
missing=()
has_cmake || missing+=(cmake)
command -v ninja >/dev/null || missing+=(ninja-build)
command -v g++ >/dev/null || missing+=(g++)
command -v ccache >/dev/null || missing+=(ccache)
if command -v dpkg-query >/dev/null; then
  for package in libopencv-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libgtest-dev libbenchmark-dev libpng-dev \
    libsndfile1-dev libsoxr-dev; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
else
  say "not a Debian-like system: OpenCV, spdlog, CLI11, nlohmann-json, GoogleTest, Google Benchmark, libpng, libsndfile and libsoxr must be installed by hand"
fi
own_torch=no
if [ -z "${Torch_DIR:-}" ] && ! find ${CMAKE_PREFIX_PATH:+$(tr ':;' '  ' <<<"$CMAKE_PREFIX_PATH")} /dev/null -name TorchConfig.cmake 2>/dev/null | grep -q .; then
  own_torch=yes
fi
if [ $own_torch = yes ] || [ $with_reference = yes ]; then has_venv || missing+=(python3-venv); fi

install_packages() {
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  if command -v apt-get >/dev/null && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    say "installing ${missing[*]}"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "setup.sh: these packages are missing and cannot be installed from here: ${missing[*]}" >&2
    echo "setup.sh: for example: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
}

mkdir -p build
venv=$PWD/build/venv
prepare_python() {
  [ $own_torch = yes ] || [ $with_reference = yes ] || return 0
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  if ! "$venv/bin/python" -c "import sys, importlib.metadata as m; sys.exit(m.version('torch').split('+')[0] != '$torch_version')" 2>/dev/null; then
    say "installing PyTorch $torch_version into build/venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "torch==$torch_version" numpy
  fi
  if [ $with_reference = yes ] && ! "$venv/bin/python" -c 'import diffusers, transformers, numpy, safetensors, soundfile' 2>/dev/null; then
    say "installing the reference implementations into build/venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "torch==$torch_version" "${reference_packages[@]}" numpy safetensors soundfile
  fi
}

# Packages and wheels come from two places: at the same time where this Python can make environments already.
python_job=""
if has_venv; then prepare_python & python_job=$!; fi
install_packages
if [ -n "$python_job" ]; then wait "$python_job"; else prepare_python; fi

if [ $own_torch = yes ]; then
  wheel=$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')
  if grep -qE "^cuda.*= *'[0-9]" "$wheel/version.py" && ! command -v nvcc >/dev/null; then
    echo "setup.sh: the installed PyTorch is a CUDA build and needs a CUDA toolkit (nvcc on PATH) to link against." >&2
    echo "setup.sh: install one, or set PIP_INDEX_URL to PyTorch's CPU index and remove build/venv, or set Torch_DIR to a CPU LibTorch." >&2
    exit 1
  fi
  Torch_DIR=$wheel/share/cmake/Torch
fi

{
  [ -z "${Torch_DIR:-}" ] || printf 'export Torch_DIR=%q\n' "$Torch_DIR"
  [ $with_reference = no ] || printf 'export LIGHTSWITCH_REFERENCE_PYTHON=%q\n' "$venv/bin/python"
} > build/setup.env

say "configuring the $preset preset"
cmake --preset "$preset" ${Torch_DIR:+-DTorch_DIR="$Torch_DIR"} >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
say "building"
# A LibTorch translation unit takes up to 2 GB to compile: no more jobs at a time than memory carries.
jobs=$(( $(awk '/MemAvailable/ {print int($2 / 2000000)}' /proc/meminfo) ))
[ "$jobs" -ge 1 ] || jobs=1
[ "$jobs" -le "$(nproc)" ] || jobs=$(nproc)
cmake --build "build/$preset" --parallel "$jobs" ${targets:+--target $targets} >&2
