#!/bin/sh
# Makes .venv from the hash-locked requirements. Usage: setup.sh PYTHON runtime|test
# Does nothing when the lock files, the interpreter and the folder are those of the last time.
set -eu
python=$1
part=$2
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or newer is needed and was not found" >&2
    exit 1
fi
stamp=.venv/.$part-stamp
version=$("$python" -c 'import sys; print(sys.version)' | tr -d '\n')
files="requirements/setup.txt requirements/runtime.txt pyproject.toml tools/setup.sh"
[ "$part" = test ] && files="$files requirements/test.txt"
# shellcheck disable=SC2086
wanted="$(pwd) $version $(cat $files | cksum)"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi
echo "setup: installing the $part requirements into .venv …"
if [ ! -x .venv/bin/python ] || [ ! -f .venv/.runtime-stamp ] ||
    [ "$(cut -d' ' -f1 .venv/.runtime-stamp)" != "$(pwd)" ]; then
    [ "$part" = test ] || rm -rf .venv
    if [ ! -d .venv ] && ! "$python" -m venv .venv 2>/dev/null; then
        rm -rf .venv
        package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq "$package" >/dev/null
            "$python" -m venv .venv
        else
            echo "setup: Python cannot make environments; install the package $package" >&2
            exit 1
        fi
    fi
fi
bin=.venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$bin/python" -m pip install --quiet --require-hashes -r requirements/setup.txt
install() {
    # uv is several times faster; pip takes over where uv is set up for another index.
    "$bin/uv" pip install --quiet --compile-bytecode --python "$bin/python" "$@" 2>.venv/uv.log ||
        "$bin/python" -m pip install --quiet "$@"
}
install --require-hashes -r requirements/runtime.txt
[ "$part" = test ] && install --require-hashes -r requirements/test.txt
"$bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
printf '%s' "$wanted" >"$stamp"
