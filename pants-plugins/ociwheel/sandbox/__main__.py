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
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

# What is imported everywhere and used in few steps: ``dataclasses`` imports ``inspect``, http's headers do
# ``calendar``, and each step names types of ``argparse``. Together they cost more than Python's own start.
_LATER = (
    *("argparse", "calendar", "configparser", "datetime", "inspect", "ipaddress", "locale", "netrc"),
    *("random", "selectors", "shutil", "ssl", "subprocess", "sysconfig", "tempfile", "zipfile"),
)
_KEPT_SECONDS = 30 * 86400
_Patterns = dict[tuple[object, int], tuple[object, ...]]


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
    :param roots: folders of modules, absolute.
    """

    def __init__(self, path: str, roots: list[str]) -> None:
        self._path = path
        self._roots = roots
        self._code: dict[str, tuple[int, str, bool, bytes]] = {}
        self._made: dict[str, bytes] = {}
        self._patterns: _Patterns = {}
        self._new = False
        try:
            with open(path, "rb") as file:
                mark, data = file.read(8), file.read()
            if mark == _mark(data):
                # Written by this class, on this machine.
                self._code, self._made, self._patterns = marshal.loads(data)  # noqa: S302
        except (OSError, EOFError, ValueError, TypeError):
            pass

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return where a module is: Python's own search, unless its code is kept."""
        if name in self._code:
            root, relative, is_package, _ = self._code[name]
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

    def code(self, name: str, origin: str) -> CodeType | None:
        """Return the code of a module that is kept, ``None`` for another."""
        if name not in self._code:
            return None
        code: CodeType = marshal.loads(self._code[name][3])  # noqa: S302 (as above)
        # What Python itself calls for bytecode that was moved.
        _imp._fix_co_filename(code, origin)  # type: ignore[attr-defined] # noqa: SLF001
        return code

    def keep(self, name: str, origin: str, code: CodeType) -> None:
        """Keep the code of a module that is below one of the folders."""
        for number, root in enumerate(self._roots):
            if origin.startswith(root + os.sep):
                relative = origin[len(root) + 1 :]
                is_package = os.path.basename(origin) == "__init__.py"
                self._code[name] = (number, relative, is_package, marshal.dumps(code))
                self._new = True
                return

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
                _compiler._sre = _Watched(self._patterns, (pattern, flags))  # noqa: SLF001
                try:
                    make(pattern, flags)
                finally:
                    _compiler._sre = _sre  # noqa: SLF001
                self._new = True
            return _sre.compile(*self._patterns[pattern, flags])

        _compiler.compile = compiled

    def _execute(self, text: str, names: dict[str, object], found: dict[str, object]) -> None:
        """Run the source of a dataclass's methods."""
        if text not in self._made:
            self._made[text] = marshal.dumps(compile(text, "<string>", "exec"))
            self._new = True
        builtins.exec(marshal.loads(self._made[text]), names, found)  # noqa: S102, S302 (as above)

    def write(self) -> None:
        """Write what is new, as a whole or not at all; where that cannot be, the next step compiles again."""
        if not self._new:
            return
        data = marshal.dumps((self._code, self._made, self._patterns))
        partial = f"{self._path}.{os.getpid()}"
        try:
            with open(partial, "wb") as file:
                file.write(_mark(data) + data)
            os.replace(partial, self._path)
            self._remove_old()
        except OSError:
            pass

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
        code = self._kept.code(fullname, self.path)
        if code is None and (code := super().get_code(fullname)) is not None:
            self._kept.keep(fullname, self.path, code)
        return code


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
        kept = _Kept(f"{os.path.abspath(os.environ['OCIWHEEL_CODE'])}-{python}", paths)
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
