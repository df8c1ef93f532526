"""What would run programs of the target on the machine that builds: left out, as the machine cannot.

It is left out where the machine could, too: a wheel depends on its target, not on who builds it.
"""

from __future__ import annotations

from pathlib import Path

from ociwheel.build.scripts import write_script

_MAKE = """\
#!/bin/sh
# Calls make without the goals that run what was just compiled.
left_out= goals= value=
for word do
    shift
    if [ -n "$value" ]; then
        value=
    else
        case $word in
            -[CfIoW]) value=1 ;;
            check | test | tests | installcheck)
                left_out="$left_out $word"
                continue
                ;;
            -* | *=*) ;;
            *) goals=1 ;;
        esac
    fi
    set -- "$@" "$word"
done
if [ -n "$left_out" ]; then
    echo "left out: make$left_out, which would run programs of the target on this machine" >&2
    [ -n "$goals" ] || exit 0
fi
here=${0%/*}
IFS=:
for folder in $PATH; do
    [ "$folder" = "$here" ] || [ ! -x "$folder/make" ] || exec "$folder/make" "$@"
done
echo "sh: make: not found" >&2
exit 127
"""
_CTEST = """\
#!/bin/sh
echo "left out: ctest, which would run programs of the target on this machine" >&2
"""


def write_without_checks(binaries: Path, scripts: Path) -> None:
    """Write ``make`` and ``ctest`` that run no tests.

    :param binaries: the folder of programs that a build finds first, but for:
    :param scripts: those of its requirements, such as CMake's own ``ctest``.
    """
    for name in ("make", "gmake"):
        write_script(binaries / name, _MAKE)
    write_script(binaries / "ctest", _CTEST)
    own = scripts / "ctest"
    if own.exists():
        own.unlink()
        write_script(own, _CTEST)
