"""What a user can do about an error: a code with arguments, which whoever runs the step renders.

The words here are for steps that are run by hand. A build system renders the same codes as its own commands
and options: it knows what the user types, this package does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from ociwheel.wording import shown

TEXT = "text"
"""The code of a remedy that is the same for everybody; its argument ``text`` says it."""

_SETTINGS = "its build settings"
WORDS: Mapping[str, str] = {
    TEXT: "{text}",
    "install-python": "install one (apt-get install python3.11, brew install python@3.11)",
    # Locks of distributions.
    "write-lock": "write the lock first",
    "relock": "lock again",
    "relock-uv": "lock again with the tool that wrote it: `uv lock`",
    "relock-with-hashes": "lock again with hashes: `uv pip compile --generate-hashes` or "
    "`pip-compile --generate-hashes`",
    "require-and-relock": "add it to the requirements of this resolve, then lock again",
    "agree-and-relock": "make them agree, or use targets of one resolve; then lock again",
    # Downloads.
    "name-index": "name an index: `indexes` of network.json, or `pip config set global.index-url URL`",
    "trust-certificates": "name the certificates of your company or proxy: `ca_bundle` of network.json, "
    "`pip config set global.cert FILE`, or SSL_CERT_FILE",
    "file-gone": "it was deleted, or is on an index that is not configured: add that index, or lock again",
    "version-gone": "this version was deleted, or is on an index that is not configured: add that index, "
    "or lock "
    "again",
    "install-git": "install git (apt-get install git), or lock a version of it from an index",
    "pin-commit": "name a commit in its requirement (`{name} @ git+URL@COMMIT`), then lock again",
    "commit-gone": "its history may have been rewritten, or this machine may not read it (`git ls-remote "
    "{url}` tells): lock again with a commit that is there",
    "file-differs": "either the file was tampered with, or it was uploaded again: find out which before "
    "you lock "
    "again",
    # Debian packages.
    "find-python": "{suites}; or take an image of a registry that has it, such as python:{minor}-slim",
    "find-loader": "name later suites (bookworm and later), or take an image of a registry, such as "
    "python:3.11-slim-bullseye",
    "name-mirror": "name one: `debian_mirrors` in network.json (on Debian the mirrors of /etc/apt are used)",
    "name-mirrors": "name mirrors of {archive}: `debian_mirrors` in network.json, or add an apt source",
    "mirror-out-of-step": "the mirror is out of step with itself: try later, or name another one",
    "mirror-out-of-date": "the mirror is out of date: name another one",
    "package-gone": "mirrors drop old versions: lock the base again, or add a mirror that keeps them",
    # Bases from registries.
    "blob-repository-unknown": "name an image of the repository that has it: --repository NAME",
    "relock-base": "lock the base again",
    "read-base-or-relock": "log in with an account that may read the base's repository too, "
    "or lock the base again",
    # Registries that images are sent to.
    "trust-registry": "where it has no TLS, or a certificate of its own: --insecure {host}",
    # Builds.
    "relock-build-requirements": "lock the build requirements of {resolve} anew",
    "relock-or-constrain-build-requirement": "lock the build requirements of {resolve} anew; where the index "
    "has no such wheel, constrain it to a version that has one: `constraints` of "
    f"{_SETTINGS}",
    "add-builder-package": 'add "{package}" to the builder packages of {base} and lock it again',
    "find-builder-package": "find the Debian package that ships it (apt-file search {file}), add it to the "
    "builder "
    "packages of {base} and lock it again",
    "constrain-build-requirement": f"constrain it to a version with a wheel: `constraints` of {_SETTINGS}, "
    f"or put a "
    "wheel of it on an index of your own",
    "use-wheel-or-cargo": 'use a version that has a wheel for this platform, or add "cargo-web" (Debian '
    '12; "cargo" '
    f"on Debian 13) to `builder_packages` of {_SETTINGS} and lock the base",
    "emulate": "build it in a container of {platform}, where its programs run (the steps container and "
    "emulate); or use a version that has a wheel for this platform",
    "emulate-or-set-variable": "set a variable that its setup.py reads, if one makes it do without "
    f"({{variables}}): `env` of {_SETTINGS}; or build it in a container of {{platform}}, where its programs "
    "run (the steps container and emulate)",
    "use-system-libraries": f"let it take Debian's libraries: set `config_settings` of {_SETTINGS} to "
    '{{"setup-args": [{options}]}}, and add {packages} to the builder packages of {base} and lock it again',
    "emulate-with-package": "build it in a container of {platform} that has Debian's {package} (the steps "
    "container and emulate); or use a version that has a wheel for this platform",
    "add-emulation-package": 'add "{package}" to the packages of the container, and lock the base again',
    "use-gcc": f"set `compiler` of {_SETTINGS} to gcc, and lock the base",
    "builds-fetch-nothing": "where it fetches a finished wheel, lock that wheel by URL and hash instead "
    "(NAME @ URL); where it fetches a library's sources, add Debian's package of it to the builder packages "
    "of the base",
    "add-suite-of-rust": 'add the suite "{suite}", whose {package} has rustc {version}, to the suites of '
    "the base and lock it again, or use a version that has a wheel for this platform",
    "raise-build-limit": "raise --{limit}-limit, or use a version that has a wheel for this platform",
    "mark-pure": "the output tells the reason; if this project is meant to be pure Python, set `pure` of "
    f"{_SETTINGS}",
    "set-compiler-variable": "its build calls a compiler other than $CC; set the variable that it reads in "
    "the `env` "
    f"of {_SETTINGS}",
    # Archives.
    "raise-limit": "it is damaged, or made to do harm; if you trust it, raise the limit: "
    'OCIWHEEL_LIMITS="{limit}={value}"',
    # Layers.
    "raise-layer-size": "raise --max-size",
    "divide-file": "divide the file, leave it out of the image, or raise --max-size",
    # The audit.
    "add-runtime-packages": "add {packages} to the packages of the base and lock it again",
    "use-image-with-packages": "use a base image that has Debian's {packages}, then lock it again",
    "use-image-with-libraries": "use a base image that has {libraries}, then lock it again; names of "
    "packages are Debian's here, and for those of Alpine ask there: apk search {search}",
    # The check of a whole image.
    "add-script-package": 'add "{package}" to the packages of the base and lock it again; or write the '
    "script in Python",
    "add-requirements": "add {names} to the requirements beside {name}, then lock again",
}
"""By code, what to say; names in braces are the arguments."""


Render = Callable[["Remedy"], str]
"""Says a remedy in words."""


def placeholders(words: str) -> set[str]:
    """Return the names of the arguments that words need."""
    return {name for _, name, _, _ in Formatter().parse(words) if name}


@dataclass(frozen=True)
class Remedy:
    """What to do next.

    :param code: one of :data:`WORDS`.
    :param arguments: the names that its words need, no more and no less.
    """

    code: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", {key: shown(value) for key, value in self.arguments.items()})
        if placeholders(WORDS[self.code]) != set(self.arguments):
            raise ValueError(f"{self.code} needs {sorted(placeholders(WORDS[self.code]))}")

    @staticmethod
    def text(text: str) -> Remedy:
        """Return the remedy that ``text`` says."""
        return Remedy(TEXT, {"text": text})

    def render(self) -> str:
        """Return the remedy in words."""
        return WORDS[self.code].format_map(self.arguments)

    def to_json(self) -> dict[str, Any]:
        """Return the remedy as part of a document."""
        return {"code": self.code, "arguments": dict(self.arguments)}


def in_words(value: Any) -> Render:
    """Return what renders remedies in the words of whoever runs the step.

    :param value: an object with ``words``, as :data:`WORDS` has them, and ``names``, which these may name
        beside the arguments. What it has no words for keeps those of this package.
    """
    words, names = value["words"], value["names"]

    def render(remedy: Remedy) -> str:
        try:
            return str(words[remedy.code].format_map({**remedy.arguments, **names}))
        except (LookupError, ValueError, TypeError, AttributeError):
            return remedy.render()

    return render
