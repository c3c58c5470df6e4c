#!/usr/bin/env bash
# Proves the step in a file of inputs with EZKL: `run.sh INPUTS.json [RUNS]`. Makes an environment of its own in target/ the first time.
# The last line on stdout is JSON.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
base="${PEERS_EZKL_DIR:-$here/../../../target/ezkl}"
python="${PYTHON:-python3}"

mkdir -p "$base"
# Whatever is there under another list of versions is made anew.
if ! cmp --silent "$here/requirements.txt" "$base/venv/requirements.txt"; then
    rm -rf "$base/venv"
    "$python" -m venv "$base/venv"
    "$base/venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$base/venv/requirements.txt"
fi
# What EZKL keeps (parameters in ~/.ezkl) stays in the same folder.
export HOME="$base/home"
mkdir -p "$HOME"
exec "$base/venv/bin/python" "$here/step.py" "$1" "$base" "${2:-1}"
