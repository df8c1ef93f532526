"""The compiler as packages call it: gcc's and clang's arguments in, clang's out.

This file runs on its own, as ``python compiler.pyc CONFIGURATION TOOL ARGUMENTS``, hundreds of times
in a build: it imports nothing of the core, and only what is in Python itself. `dataclasses` and `json` alone
cost three times what it does.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ociwheel.build.compiler_settings import Configuration, ZigRuntime

_LINK_LESS = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only"}
_QUERIES = {"-dumpversion", "-dumpfullversion", "-###", "--help", "--version", "-v", "-V", "-qversion"}
# gcc's optimizer and debugger options that clang refuses, or that would make output depend on the machine.
_DROPPED = {
    "-fuse-ld=bfd",
    "-fuse-ld=gold",
    "-fuse-ld=lld",
    "-pipe",
    "-fno-lto",
    "-mno-cygwin",
    "-march=native",
    "-mtune=native",
    "-mcpu=native",
}
_DROPPED_PREFIXES = (
    "-flto",
    "-specs=",
    "-fplugin=",
    "-ffile-prefix-map=",
    "-fdebug-prefix-map=",
    "-fuse-linker-plugin",
)
_X86_ONLY = ("-fcf-protection", "-mindirect-branch", "-mfunction-return", "-msse", "-mavx", "-mfpmath")
_X86_FAMILY = ("x86_64", "i386", "i686")
# Linker words that glibc of the target may not know, or that name the machine that builds.
_DROPPED_LINKER = {"pack-relative-relocs"}
# gcc's runtime, where zig's stands in for it: libc++ and compiler-rt, at the end of every link.
_RUNTIME_LIBRARIES = {
    "-static-libgcc",
    "-static-libstdc++",
    "-lstdc++",
    "-lsupc++",
    "-lgcc",
    "-lgcc_s",
    "-lgcc_eh",
    "-lstdc++fs",
    "-lc++",
    "-lc++abi",
}
# The unwinder comes with libc++: gcc has it in libgcc_s and libgcc_eh.
_CXX_WORDS = {"c++", "-xc++", "-lstdc++", "-lc++", "-lsupc++", "-lgcc_s", "-lgcc_eh"}
_SOURCES = (".c", ".cpp", ".cc", ".cxx", ".S", ".C", ".c++")
_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/opt/homebrew", "/opt/local")
_FOLDER_FLAGS = ("-isystem", "-idirafter", "-iquote", "-I", "-L")
_HELD_VALUES = (
    "-o",
    "-MF",
    "-MT",
    "-MQ",
    "-D",
    "-U",
    "-include",
    "-imacros",
    "-Xlinker",
    "-Xclang",
    "-x",
    "-z",
)


def rewrite(arguments: list[str], cxx: bool, config: Configuration) -> list[str]:
    """Return clang's arguments for a command of gcc's or clang's.

    :param cxx: the command is ``c++``.
    :param arguments: as given, without the program.
    """
    if arguments and set(arguments) <= _QUERIES:
        return list(arguments)
    kept = _kept(arguments, config)
    optimized = any(a.startswith("-O") for a in kept)
    preamble = [
        "--no-default-config",
        *config.flags,
        *(("-nostdinc",) if config.runtime else ()),
        "-fPIC",
        "-Qunused-arguments",
        "-Wno-unknown-warning-option",
        # Who asks for errors gets those of gcc too: its warnings.
        *(() if "-Werror" in kept else config.lenient),
        *(() if optimized else ("-O2",)),
    ]
    after = ["-g0", *_includes(arguments, cxx, config, config.runtime)]
    if _links(kept):
        # As Debian's gcc links: a library that nothing is taken from is not named.
        needed = () if config.runtime else ("-Wl,--as-needed",)
        return [*preamble, *needed, *kept, *after, *_link_arguments(kept, config)]
    return [*preamble, *kept, *after]


def rewrite_for_gcc(arguments: list[str], config: Configuration, programs: str) -> list[str]:
    """Return gcc's own arguments for a command: what it takes for granted stays as Debian chose it.

    :param programs: see :class:`Gcc`.
    """
    if arguments and set(arguments) <= _QUERIES:
        return list(arguments)
    kept = _kept(arguments, config)
    of_both = [flag for flag in config.flags if flag.startswith(("--sysroot=", "-ffile-prefix-map="))]
    optimized = any(a.startswith("-O") for a in kept)
    command = [f"-B{programs}", *of_both, "-fPIC", *(() if optimized else ("-O2",)), *kept, "-g0"]
    # Nested functions may need a stack that can run: what gcc says of it stays.
    links = _links(kept) and "-r" not in arguments
    return [*command, *(("-Wl,--build-id=none", "-Wl,-s", *config.link) if links else ())]


def _kept(arguments: list[str], config: Configuration) -> list[str]:
    kept: list[str] = []
    language = False
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        language = language or word.startswith("-x")
        if word in _HELD_VALUES and position < len(arguments):
            value = arguments[position]
            position += 1
            if value not in _DROPPED_LINKER:
                kept += [word, value]
        elif word in _FOLDER_FLAGS and position < len(arguments):
            folder = _folder(arguments[position], config)
            position += 1
            kept += [word, folder] if folder else []
        elif word == "-" and not language:
            # meson pipes a program into `cc -E -dM -`: gcc takes C for granted, clang does not.
            kept += ["-x", "c", "-"]
        else:
            kept += _word(word, config)
    return kept


def _word(word: str, config: Configuration) -> list[str]:
    """Return what becomes of one argument that stands alone."""
    if word in _DROPPED or word.startswith(_DROPPED_PREFIXES):
        return []
    if config.runtime and word in _RUNTIME_LIBRARIES:
        return []
    if word.startswith("-g") and not word.startswith(("-gcc", "-gen")):
        return []
    if word.startswith(_X86_ONLY) and not config.triplet.startswith(_X86_FAMILY):
        return []
    for flag in _FOLDER_FLAGS:
        if word.startswith(flag) and word != flag:
            folder = _folder(word[len(flag) :], config)
            return [flag + folder] if folder else []
    return _linker_words(word) if word.startswith("-Wl,") else [word]


def _linker_words(word: str) -> list[str]:
    """Return ``-Wl,…`` without the ``-z`` keywords of :data:`_DROPPED_LINKER`."""
    parts = word.split(",")[1:]
    kept: list[str] = []
    for part in parts:
        if part in _DROPPED_LINKER and kept[-1:] == ["-z"]:
            kept.pop()
        else:
            kept.append(part)
    if kept == parts:
        return [word]
    return [",".join(["-Wl", *kept])] if kept else []


def _folder(folder: str, config: Configuration) -> str | None:
    """Return where a folder of headers or libraries is for the target; ``None``: leave it out."""
    if folder.startswith(config.kept_roots) or not folder.startswith("/"):
        return folder
    inside = folder.removeprefix(config.sysroot).rstrip("/") or "/"
    in_sysroot = inside != folder.rstrip("/")
    if not in_sysroot and not _below(inside, _SYSTEM_FOLDERS):
        return folder
    if inside in {"/usr/include", f"/usr/include/{config.triplet}"}:
        return None  # searched anyway, after the compiler's own libc headers
    translated = config.sysroot + inside
    return translated if in_sysroot or os.path.isdir(translated) else None


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def _includes(
    arguments: list[str], cxx: bool, config: Configuration, runtime: ZigRuntime | None
) -> list[str]:
    if runtime is None:
        return []
    after = f"{config.sysroot}/usr/include"
    system = runtime.c
    if _is_cxx(arguments, cxx) and "-nostdinc++" not in arguments:
        system = runtime.cxx or ()
    return [*system, "-idirafter", f"{after}/{config.triplet}", "-idirafter", after]


def _is_cxx(arguments: list[str], cxx: bool) -> bool:
    """Tell whether a command compiles or links C++.

    :param cxx: the command is ``c++``; gcc and clang compile even ``file.c`` as C++ then.
    """
    sources = [a for a in arguments if a.endswith((".cpp", ".cc", ".cxx", ".C", ".c++", ".mm", ".hpp"))]
    return cxx or bool(sources) or any(a in _CXX_WORDS for a in arguments)


def _links(arguments: list[str]) -> bool:
    return not _LINK_LESS.intersection(arguments) and any(not a.startswith("-") for a in arguments)


def _link_arguments(arguments: list[str], config: Configuration) -> list[str]:
    runtime = config.runtime
    lld = f"--ld-path={config.linker}"
    if "-r" in arguments or "-Wl,-r" in arguments:
        return ["-nostdlib", lld]
    result = [lld, "-Wl,--build-id=none", "-Wl,-s", "-Wl,--gc-sections", "-Wl,-z,noexecstack"]
    if runtime is None:
        return [*result, *config.link]
    result += ["-nostdlib", "-nostartfiles", f"-L{runtime.folder}"]
    if "-nostdlib" in arguments:
        return result
    if "-shared" not in arguments and "-Wl,-shared" not in arguments:
        start = "crt1.o" if "-no-pie" in arguments else "Scrt1.o"
        result.insert(0, f"{runtime.folder}/{start}")
        if runtime.dynamic_linker:
            result.append(f"-Wl,--dynamic-linker={runtime.dynamic_linker}")
    libraries = [f"{runtime.folder}/{name}" for name in runtime.libraries]
    result += config.link
    return [*result, "-Wl,--push-state,--as-needed", *libraries, "-Wl,--pop-state"]


def _log(arguments: list[str], config: Configuration) -> None:
    """Keep which sources were compiled, so that an extension that is dropped in silence is noticed."""
    sources = [a for a in arguments if a.endswith(_SOURCES)]
    if config.log and sources:
        with open(config.log, "a", encoding="utf-8") as file:
            file.writelines(os.path.abspath(source) + "\n" for source in sources)


def _forget_places(arguments: list[str], config: Configuration) -> None:
    """Put ``/build`` in the place of the build's folder in what Cython generated.

    For tracebacks Cython keeps the path of a ``.pyx``, absolute where it is not below its working directory;
    as a string, which no prefix map reaches.
    """
    for source in arguments:
        if not source.endswith(_SOURCES) or not os.path.isfile(source):
            continue
        if not os.path.abspath(source).startswith(config.kept_roots):
            continue
        with open(source, "rb") as file:
            data = file.read()
        roots = {name.encode() for root in config.kept_roots for name in (root, os.path.realpath(root))}
        if not data.startswith(b"/* Generated by Cython") or not any(root in data for root in roots):
            continue
        for root in sorted(roots, key=len, reverse=True):
            data = data.replace(root, b"/build")
        with open(source, "wb") as file:
            file.write(data)


def _read_settings(path: str) -> Configuration:
    """Return what :func:`ociwheel.build.compiler_settings.write_settings` wrote."""
    namespace: type = type(sys.implementation)
    with open(path, "rb") as file:
        value = marshal.load(file)  # noqa: S302 (written for this build by the same Python)
    for name in ("runtime", "gcc"):
        value[name] = value[name] and namespace(**value[name])
    config: Configuration = namespace(**value)
    return config


def main(argv: list[str]) -> None:
    """Replace this process by the compiler: ``compiler.py CONFIGURATION cc|c++ ARGUMENTS``."""
    config = _read_settings(argv[1])
    arguments = argv[3:]
    if "-dumpmachine" in arguments or "--print-multiarch" in arguments or "-print-multiarch" in arguments:
        sys.stdout.write(f"{config.triplet}\n")
        return
    queries = not arguments or set(arguments) <= _QUERIES
    lacking = config.runtime is not None and config.runtime.cxx is None
    if config.runtime and lacking and not queries and _is_cxx(arguments, argv[2] == "c++"):
        with open(config.runtime.wants_cxx, "w", encoding="utf-8"):
            sys.exit("this is C++, and the runtime has no libc++: the build starts anew with it")
    _log(arguments, config)
    _forget_places(arguments, config)
    if config.gcc:
        program = config.gcc.cxx if argv[2] == "c++" else config.gcc.c
        words = [program, *rewrite_for_gcc(arguments, config, config.gcc.programs)]
        os.execve(program, words, {**os.environ, "LD_LIBRARY_PATH": config.gcc.libraries})  # noqa: S606
    driver = ["--driver-mode=g++"] if argv[2] == "c++" else []
    command = [config.zig, "clang", *driver, *rewrite(arguments, argv[2] == "c++", config)]
    os.execv(config.zig, command)  # noqa: S606 (a shell has no part in this)


if __name__ == "__main__":
    main(sys.argv)
