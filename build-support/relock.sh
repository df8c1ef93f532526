#!/usr/bin/env bash
# Resolves requirements again and writes the hash-pinned lock beside them. The only thing that resolves Python packages.
#
# usage: build-support/relock.sh [default|pytest|dev|buildgrid|buildbox|pants|backend]... [-- argument of `uv pip compile`...]
#   no name: all of them;  `-- --upgrade` or `-- --upgrade-package NAME`: newer versions, kept otherwise
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# name | Python | folder | requirements | lock
locks='
default|3.11|3rdparty/python|requirements.txt|default.lock
pytest|3.11|3rdparty/python|pytest-requirements.txt|pytest.lock
dev|3.11|3rdparty/python|dev-requirements.txt|dev.lock
buildgrid|3.13|3rdparty/python|buildgrid-requirements.txt|buildgrid.lock
buildbox|3.11|3rdparty/python|buildbox-requirements.txt|buildbox.lock
pants|3.9|3rdparty/pants|requirements.txt|pants.lock
backend|3.9|3rdparty/pants|backend-requirements.txt|backend.lock
'

names=()
while (($#)) && [ "$1" != -- ]; do
    grep -q "^$1|" <<<"$locks" || { echo "$0: no lock is called '$1'" >&2; exit 2; }
    names+=("$1")
    shift
done
[ "${1:-}" != -- ] || shift

if ! uv=$(command -v uv); then
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/slim-python-image/uv"
    [ -x "$venv/bin/uv" ] || { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet uv; }
    uv="$venv/bin/uv"
fi

while IFS='|' read -r name python folder requirements lock; do
    [ -n "$name" ] || continue
    if ((${#names[@]})) && ! grep -qw -- "$name" <<<"${names[*]}"; then
        continue
    fi
    # From the requirements' own folder and without the index's address, so that no path and no host is in the lock.
    (cd "$folder" && "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
        --custom-compile-command "build-support/relock.sh $name" --python-version "$python" \
        "$@" --output-file "$lock" "$requirements" >/dev/null)
    echo "wrote $folder/$lock"
done <<<"$locks"
