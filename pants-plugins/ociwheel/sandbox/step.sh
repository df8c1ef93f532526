#!/bin/sh
# Runs one step of the core in a sandbox: step.sh STEP ARGUMENTS...
# The interpreter is found here, when the step runs, so that its location is in no cache key:
#   1. $OCIWHEEL_INTERPRETER: a folder with an unpacked Python (content, see `ociwheel interpreter`);
#   2. the link that the machine's owner, or who runs the steps, left in $OCIWHEEL_MACHINE;
#   3. the usual places.
# It is given a file, not the folder: for a folder, Python imports what runs zip files too.
set -u
core=${0%/*}

fits() {
    [ -x "$1" ] && "$1" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ -n "${OCIWHEEL_INTERPRETER:-}" ]; then
    exec "$OCIWHEEL_INTERPRETER/usr/bin/python3" -I -S -B -X utf8 "$core/__main__.py" "$@"
fi
# Who left the link has looked whether it fits; asking again would start Python twice for each step.
if [ -n "${OCIWHEEL_MACHINE:-}" ] && [ -x "$OCIWHEEL_MACHINE/python" ]; then
    exec "$OCIWHEEL_MACHINE/python" -I -S -B -X utf8 "$core/__main__.py" "$@"
fi
for folder in /usr/local/bin /usr/bin /opt/homebrew/bin /opt/local/bin; do
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        if fits "$folder/$name"; then
            exec "$folder/$name" -I -S -B -X utf8 "$core/__main__.py" "$@"
        fi
    done
done
echo "error: no Python 3.11 or later on this machine" >&2
echo "  -> install one (apt-get install python3.11, brew install python@3.11)" >&2
printf '%s' '{"details":[],"errors":[],"kind":"tool","remedy":{"arguments":{},"code":"install-python"},' \
    '"schema":"ociwheel.error/1","what":"no Python 3.11 or later on this machine","where":null}'
echo
exit 20
