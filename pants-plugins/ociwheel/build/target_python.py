"""Makes the Python that runs a build answer for the target: sysconfig data and a ``sitecustomize``."""

from __future__ import annotations

import ast
import pprint
import re
from pathlib import Path
from typing import Any

from ociwheel.errors import BuildError
from ociwheel.target import Target

# Flags of every extension: those that CPython itself is built with and that mean the same to clang.
_COMPILE_FLAGS = "-fno-strict-overflow -Wsign-compare -DNDEBUG -O2 -Wall"
# What a distribution hardens extensions with, where it does: Debian's Python says so to each native build.
_HARDENING = ("-fstack-protector-strong",)
_PATH_VARIABLES = (
    "INCLUDEPY",
    "CONFINCLUDEPY",
    "INCLUDEDIR",
    "CONFINCLUDEDIR",
    "LIBDIR",
    "LIBPL",
    "LIBPC",
)
# Values with gcc's flags or paths of the machine that built Debian's Python; nothing reads them in a build.
_FLAG_VARIABLE = re.compile(r"CFLAGS|LDFLAGS|CPPFLAGS|CONFIG_ARGS")

_SITECUSTOMIZE = '''\
"""The target, to whoever asks this Python about the machine."""
import os, platform, sysconfig

_uname = os.uname_result(("Linux", "localhost", "6.1.0", "#1 SMP", {machine!r}))
os.uname = lambda: _uname
platform.machine = lambda: {machine!r}
platform.processor = lambda: ""
platform.uname = lambda: platform.uname_result("Linux", "localhost", "6.1.0", "#1 SMP", {machine!r})
platform.architecture = lambda *a, **k: ({bits!r}, "ELF")
platform.libc_ver = lambda *a, **k: {libc!r}
for _scheme in sysconfig._INSTALL_SCHEMES.values():
    for _name in ("include", "platinclude"):
        if _name in _scheme:
            _scheme[_name] = {include!r}
'''


def library_folder(prefix: Path, target: Target) -> Path:
    """Return where :func:`write_target_python` writes modules, by the prefix it is given."""
    return prefix / "lib" / f"python{target.python_minor}"


def write_target_python(sysroot: Path, target: Target, prefix: Path) -> dict[str, str]:
    """Write what goes on ``PYTHONPATH`` for the hooks that compile, and return their variables.

    The prefix is laid out as that of an installed Python: from the folder of its library,
    ``PYO3_CROSS_LIB_DIR``, some build scripts of Rust go to that of its headers.

    :param sysroot: holds the target's ``_sysconfigdata_*.py`` and headers.
    :param prefix: the folder to write.
    :raises BuildError: the sysroot lacks the target's Python development files.
    """
    source = _find_sysconfigdata(sysroot, target)
    variables = _read(source)
    include = _find_include(sysroot, target)
    folder = library_folder(prefix, target)
    folder.mkdir(parents=True)
    headers = prefix / "include" / include.name
    headers.parent.mkdir()
    headers.symlink_to(include)
    name = source.stem
    values = rewrite(variables, sysroot, include, target.platform.triplet)
    text = f"build_time_vars = {pprint.pformat(values, width=110)}\n"
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(
        _SITECUSTOMIZE.format(
            machine=target.platform.machine,
            bits=f"{target.platform.elf_class}bit",
            libc=(target.libc, f"{target.libc_version[0]}.{target.libc_version[1]}"),
            include=str(include),
        ),
        encoding="utf-8",
    )
    return {
        "_PYTHON_SYSCONFIGDATA_NAME": name,
        "_PYTHON_HOST_PLATFORM": target.platform.sysconfig,
        "PYTHONPATH": str(folder),
    }


def rewrite(variables: dict[str, Any], sysroot: Path, include: Path, triplet: str) -> dict[str, Any]:
    """Return the target's build variables with our compiler and the sysroot's folders."""
    # Names, not paths: build systems split these values, and a path may hold spaces.
    cc, cxx = f"{triplet}-cc", f"{triplet}-c++"
    values = {k: "" if isinstance(v, str) and _FLAG_VARIABLE.search(k) else v for k, v in variables.items()}
    for name in _PATH_VARIABLES:
        value = values.get(name)
        if isinstance(value, str) and value.startswith("/"):
            values[name] = f"{sysroot}{value}"
    values |= {"INCLUDEPY": str(include), "CONFINCLUDEPY": str(include)}
    hardening = [flag for flag in _HARDENING if flag in str(variables.get("CFLAGS", "")).split()]
    flags = " ".join([_COMPILE_FLAGS, *hardening])
    values |= {
        "AR": f"{triplet}-ar",
        "ARFLAGS": "rcs",
        "BASECFLAGS": "",
        "BLDSHARED": f"{cc} -shared",
        "CC": cc,
        "CCSHARED": "-fPIC",
        "CFLAGS": flags,
        "CXX": cxx,
        "LDCXXSHARED": f"{cxx} -shared",
        "LDFLAGS": "",
        "LDSHARED": f"{cc} -shared",
        "LINKCC": cc,
        "LINKFORSHARED": "-Xlinker -export-dynamic",
        "MAINCC": cc,
        "OPT": "-DNDEBUG -O2 -Wall",
        "PY_CFLAGS": flags,
        "RANLIB": f"{triplet}-ranlib",
    }
    return values


def _find_sysconfigdata(sysroot: Path, target: Target) -> Path:
    minor = f"python{target.python_minor}"
    triplet = target.platform.triplet
    if target.libc == "musl":
        triplet = triplet.replace("gnu", "musl")
    for lib in ("usr/lib", "usr/local/lib"):
        found = sorted((sysroot / lib / minor).glob(f"_sysconfigdata_*{triplet}.py"))
        if found:
            return found[0]
    raise BuildError(
        f"the builder has no development files of Python {target.python_minor} for {target.platform.oci}",
        hint=f'add "libpython{target.python_minor}-dev" to builder_packages of the base and relock it',
    )


def _find_include(sysroot: Path, target: Target) -> Path:
    for prefix in ("usr", "usr/local"):
        folder = sysroot / prefix / "include" / f"python{target.python_minor}"
        if (folder / "Python.h").is_file():
            return folder
    raise BuildError(
        f"the builder has no Python.h of Python {target.python_minor} for {target.platform.oci}",
        hint=f'add "libpython{target.python_minor}-dev" to builder_packages of the base and relock it',
    )


def _read(path: Path) -> dict[str, Any]:
    """Return the one dictionary that a ``_sysconfigdata`` module assigns, without running it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            value = ast.literal_eval(node.value)
            if isinstance(value, dict):
                return value
    raise BuildError("holds no build variables", where=path.name)
