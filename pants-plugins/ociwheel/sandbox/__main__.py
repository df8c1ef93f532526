"""The entry of a sandbox: ``python DIR/__main__.py STEP ...``, this file.

Sets ``sys.path`` to the core beside this file and to the toolbox's libraries, and nothing of the
interpreter's own site-packages, so that a step sees the same code wherever it runs.

``$OCIWHEEL_CODE`` names a file that keeps what Python made of that code, so that a step does not compile
it each time: see docs/decisions/029. Its name says which sources it is of.
"""

import _imp
import _sre  # type: ignore[import-not-found] # typeshed has no word of it
import atexit
import builtins
import marshal
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

# What is imported everywhere and used in few steps: ``dataclasses`` imports ``inspect``, http's headers do
# ``calendar``, and each step names types of ``argparse``. Together they cost more than Python's own start.
_LATER = (
    *("argparse", "calendar", "configparser", "datetime", "inspect", "ipaddress", "locale", "netrc"),
    *("random", "selectors", "shutil", "ssl", "subprocess", "sysconfig", "tempfile", "zipfile"),
)
_KEPT_SECONDS = 30 * 86400
# Four times what all modules of the core and its libraries come to.
_MOST_SHARED_BYTES = 8 << 20
# By name: hash of the source, number of the folder, path in it, whether it is a package, code.
_Modules = dict[str, tuple[bytes, int, str, bool, bytes]]
_Patterns = dict[tuple[object, int], tuple[object, ...]]
# With the methods of dataclasses, by their source.
_File = tuple[_Modules, dict[str, bytes], _Patterns]


class _Later(ModuleType):
    """A module that is imported when something of it is wanted."""

    def __getattr__(self, name: str) -> object:
        # Another thread may be where this one is, and must not remove what this one imports.
        _imp.acquire_lock()
        try:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        finally:
            _imp.release_lock()
        return getattr(__import__(self.__name__), name)


class _Kept:
    """Finds modules below some folders, and keeps the code that Python makes of them.

    :param path: the file that keeps it; one that is missing or damaged counts as empty.
    :param shared: the file that keeps what any step made, for the first step of another kind: most of what
        that imports is what others import, too.
    :param roots: folders of modules, absolute.
    """

    def __init__(self, path: str, shared: str, roots: list[str]) -> None:
        self._path = path
        self._shared_path = shared
        self._roots = roots
        self._modules, self._made, self._patterns = _read(path) or ({}, {}, {})
        self._shared: _File | None = None
        self._new = self._compiled = False

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return where a module is: Python's own search, unless its code is kept."""
        if name in self._modules:
            _, root, relative, is_package, _ = self._modules[name]
            origin = os.path.join(self._roots[root], relative)
            spec = ModuleSpec(name, _Loader(self, name, origin), origin=origin, is_package=is_package)
            spec.has_location = True
            if is_package and spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(os.path.dirname(origin))
            return spec
        found = PathFinder.find_spec(name, path, target)  # type: ignore[arg-type] # as Python hands it over
        if found is not None and type(found.loader) is SourceFileLoader and found.origin:
            found.loader = _Loader(self, name, found.origin)
        return found

    def code(self, name: str, origin: str, make: Callable[[], CodeType | None]) -> CodeType | None:
        """Return the code of a module, and keep it if the module is below one of the folders.

        :param make: compiles it.
        """
        if name in self._modules:
            return _loaded(self._modules[name][-1], origin)
        place = self._place(origin)
        if place is None:
            return make()
        with open(origin, "rb") as file:
            mark = _mark(file.read())
        other = self._others()[0].get(name)
        if other is not None and other[0] == mark:
            code: CodeType | None = _loaded(other[-1], origin)
        else:
            code, self._compiled = make(), True
        if code is not None:
            self._modules[name] = (mark, *place, marshal.dumps(code))
            self._new = True
        return code

    def _others(self) -> _File:
        if self._shared is None:
            self._shared = _read(self._shared_path) or ({}, {}, {})
        return self._shared

    def _place(self, origin: str) -> tuple[int, str, bool] | None:
        """Return where a module is below one of the folders, and whether it is a package."""
        for number, root in enumerate(self._roots):
            if origin.startswith(root + os.sep):
                return number, origin[len(root) + 1 :], os.path.basename(origin) == "__init__.py"
        return None

    def watch(self) -> None:
        """Keep, too, what modules make when they are imported: methods of dataclasses, and patterns.

        Compiling those costs a step as much as all else that it imports.
        """
        import dataclasses
        from re import _compiler  # type: ignore[attr-defined]

        # Both look their functions up when they call them, so that these are found first.
        dataclasses.exec = self._execute  # type: ignore[attr-defined]
        make = _compiler.compile

        def compiled(pattern: object, flags: int = 0) -> object:
            # Others depend on what a step reads, and would be ever more.
            if sys._getframe(3).f_code.co_name != "<module>":  # noqa: SLF001
                return make(pattern, flags)
            if (pattern, flags) not in self._patterns:
                self._new = True
                others = self._others()[2]
                if (pattern, flags) in others:
                    self._patterns[pattern, flags] = others[pattern, flags]
                else:
                    self._compiled = True
                    _compiler._sre = _Watched(self._patterns, (pattern, flags))  # noqa: SLF001
                    try:
                        make(pattern, flags)
                    finally:
                        _compiler._sre = _sre  # noqa: SLF001
            return _sre.compile(*self._patterns[pattern, flags])

        _compiler.compile = compiled

    def _execute(self, text: str, names: dict[str, object], found: dict[str, object]) -> None:
        """Run the source of a dataclass's methods."""
        if text not in self._made:
            self._new = True
            code = self._others()[1].get(text)
            if code is None:
                self._compiled = True
                code = marshal.dumps(compile(text, "<string>", "exec"))
            self._made[text] = code
        builtins.exec(marshal.loads(self._made[text]), names, found)  # noqa: S102, S302 (as above)

    def write(self) -> None:
        """Write what is new, as a whole or not at all; where that cannot be, the next step compiles again."""
        if not self._new:
            return
        try:
            _write(self._path, (self._modules, self._made, self._patterns))
            if self._compiled:
                self._share()
            self._remove_old()
        except OSError:
            pass

    def _share(self) -> None:
        """Add what this step has to what others made; of two that do so at once, one's may be missing."""
        modules, made, patterns = _read(self._shared_path) or ({}, {}, {})
        both = ({**modules, **self._modules}, {**made, **self._made}, {**patterns, **self._patterns})
        if not _write(self._shared_path, both, _MOST_SHARED_BYTES):
            _write(self._shared_path, (self._modules, self._made, self._patterns))

    def _remove_old(self) -> None:
        """Remove files of sources that were replaced long ago; a step that wants one writes it again."""
        for other in os.scandir(os.path.dirname(self._path)):
            if other.stat().st_mtime < os.stat(self._path).st_mtime - _KEPT_SECONDS:
                os.unlink(other.path)


class _Watched:
    """Python's engine of patterns, for the one pattern whose compiled form is to be kept."""

    def __init__(
        self, patterns: dict[tuple[object, int], tuple[object, ...]], key: tuple[object, int]
    ) -> None:
        self._patterns = patterns
        self._key = key

    def compile(self, pattern: object, flags: int, code: list[int], *groups: object) -> None:
        """Keep what a pattern is made from."""
        # The numbers have names, and are of a class that only that module knows.
        self._patterns[self._key] = (pattern, int(flags), [int(one) for one in code], *groups)

    def __getattr__(self, name: str) -> object:
        return getattr(_sre, name)


class _Loader(SourceFileLoader):
    def __init__(self, kept: _Kept, name: str, origin: str) -> None:
        super().__init__(name, origin)
        self._kept = kept

    def get_code(self, fullname: str) -> CodeType | None:
        return self._kept.code(fullname, self.path, lambda: SourceFileLoader.get_code(self, fullname))


def _loaded(data: bytes, origin: str) -> CodeType:
    code: CodeType = marshal.loads(data)  # noqa: S302 (written by this file, on this machine)
    # What Python itself calls for bytecode that was moved.
    _imp._fix_co_filename(code, origin)  # type: ignore[attr-defined] # noqa: SLF001
    return code


def _read(path: str) -> _File | None:
    """Return what :func:`_write` wrote, ``None`` where there is no such file, or a damaged one."""
    try:
        with open(path, "rb") as file:
            mark, data = file.read(8), file.read()
        found: _File | None = marshal.loads(data) if mark == _mark(data) else None  # noqa: S302 (as above)
        return found
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _write(path: str, value: _File, most: int | None = None) -> bool:
    """Write a file as a whole; return whether it has at most so many bytes, else nothing is written.

    :raises OSError: it cannot be written.
    """
    data = marshal.dumps(value)
    if most is not None and len(data) > most:
        return False
    half = f"{path}.{os.getpid()}"
    with open(half, "wb") as file:
        file.write(_mark(data) + data)
    os.replace(half, path)
    return True


def _mark(data: bytes) -> bytes:
    """Return what tells that a file is whole: the hash that Python has for its own bytecode."""
    return bytes(_imp.source_hash(0, data))


def _main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != here]
    paths = [here]
    tools = os.environ.get("OCIWHEEL_TOOLS")
    if tools:
        tools = os.path.abspath(tools)
        tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        machine = os.uname()
        # As `sysconfig.get_platform()` begins, without what that imports.
        system = "macosx" if machine.sysname == "Darwin" else machine.sysname.lower()
        native = f"{tag}-{system}-{machine.machine}"
        paths += [os.path.join(tools, "lib"), os.path.join(tools, "native", native)]
    sys.path[:0] = paths
    sys.modules.update({name: _Later(name) for name in _LATER})
    kept = None
    if os.environ.get("OCIWHEEL_CODE"):
        # Made by this very Python: a release may change what bytecode means.
        python = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
        place = os.path.abspath(os.environ["OCIWHEEL_CODE"])
        # Another version of this file may have another form: then the number is another.
        kept = _Kept(f"{place}-{python}", f"{os.path.dirname(place)}/modules-1-{python}", paths)
        sys.meta_path.insert(-1, kept)
        kept.watch()
    from ociwheel.cli.main import main

    code = main(sys.argv[1:])
    if kept is not None and code == 0:
        kept.write()
    return code


def _leave(code: int) -> None:
    """End, as ``sys.exit`` does, without taking apart what was loaded: that costs as much as loading some."""
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(_main())
