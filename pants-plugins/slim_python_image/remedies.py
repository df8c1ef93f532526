"""What the core says of an error, in the words of Pants: its remedies as commands and options.

The core names a remedy by a code with arguments (`ociwheel/remedies.py`), because it does not know what the
user types. Each of its codes has words here.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

from pants.util.docutil import bin_name

MOST_LINES = 38
"""Lines of a message before its remedy, as the core has it."""
ERROR_SCHEMA = "ociwheel.error/1"
_BUILDS = "[slim-image].builds"
_MIRRORS = "[slim-image].debian_mirrors"
_IMAGE = "the builder image"
_TEMPLATES: Mapping[str, str] = {
    "text": "{text}",
    "install-python": "install one (apt-get install python3.11, brew install python@3.11), or name its "
    "folder in "
    "[python-bootstrap].search_path of pants.toml",
    # Locks of distributions.
    "write-lock": "make it with `{lock}`",
    "relock": "lock again with `{lock}`",
    "relock-uv": "lock again with the tool that wrote it: `{lock}`, or `uv lock`",
    "relock-with-hashes": "lock again with hashes: `{lock}`, `uv pip compile --generate-hashes` or "
    "`pip-compile "
    "--generate-hashes`",
    "require-and-relock": "add it to the requirements of this resolve, then lock again with `{lock}`",
    "agree-and-relock": "make them agree, or use targets of one resolve; then lock again with `{lock}`",
    # Downloads.
    "name-index": "name an index: [python-repos].indexes in pants.toml, or `pip config set "
    "global.index-url URL`",
    "trust-certificates": "name the certificates of your company or proxy: [GLOBAL].ca_certs_path in "
    "pants.toml, "
    "`pip config set global.cert FILE`, or SSL_CERT_FILE",
    "file-gone": "it was deleted, or is on an index that is not configured: add that index, or lock again "
    "with "
    "`{lock}`",
    "version-gone": "this version was deleted, or is on an index that is not configured: add that index, "
    "or lock "
    "again with `{lock}`",
    "install-git": "install git (apt-get install git), or lock a version of it from an index",
    "pin-commit": "name a commit in its requirement (`{name} @ git+URL@COMMIT`), then lock again "
    "with `{lock}`",
    "commit-gone": "its history may have been rewritten, or this machine may not read it (`git ls-remote "
    "{url}` tells): lock again with a commit that is there, `{lock}`",
    "file-differs": "either the file was tampered with, or it was uploaded again: find out which before "
    "you lock "
    "again with `{lock}`",
    # Debian packages.
    "find-python": "{suites}; or take an image that has it: "
    '`registry_python_base(image="python:{minor}-slim", builder_image="python:{minor}")`',
    "find-loader": "name later suites (bookworm and later), or take an image: "
    '`registry_python_base(image="python:3.11-slim-bullseye", builder_image="python:3.11-bullseye")`',
    "name-mirror": f"name one: {_MIRRORS} in pants.toml, or `debian_mirrors` in network.json (on Debian "
    f"the mirrors "
    "of /etc/apt are used)",
    "name-mirrors": f"name mirrors in pants.toml, {_MIRRORS} = "
    '{{"{archive}" = ["https://<mirror>/{archive}"]}}, or add an apt source',
    "mirror-out-of-step": f"the mirror is out of step with itself: try later, or name another one in "
    f"{_MIRRORS}",
    "mirror-out-of-date": f"the mirror is out of date: name another one in {_MIRRORS}",
    "package-gone": "mirrors drop old versions: lock again with `{lock_base}`, or add a mirror that keeps "
    "them",
    # Bases from registries.
    "blob-repository-unknown": "build on a machine that Pants runs on, or let it read a remote cache that "
    "has the blob",
    "relock-base": "lock the base again: {lock_base}",
    "read-base-or-relock": "log in with an account that may read the base's repository too, or lock the "
    "base again: {lock_base}",
    # Registries that images are sent to.
    "trust-registry": 'where it has no TLS, or a certificate of its own: add "{host}" to '
    "[slim-image-publish].insecure_registries",
    # Builds.
    "relock-build-requirements": "lock the build requirements anew: {lock_builds}",
    "relock-or-constrain-build-requirement": "lock the build requirements anew: {lock_builds}; where the "
    "index has no such wheel, constrain it to a version that has one: `constraints` of the sdist in "
    f"{_BUILDS}",
    "add-builder-package": 'add "{package}" to {builder} of {base_name}, then: {lock_base}',
    "find-builder-package": "find the Debian package that ships it (apt-file search {file}), add it to "
    "{builder} of "
    "{base_name}, then: {lock_base}",
    "constrain-build-requirement": "constrain it to a version with a wheel: `constraints` of the sdist in "
    f"{_BUILDS}, or put a wheel of it on an index of your own",
    "use-wheel-or-cargo": 'use a version that has a wheel for this platform, or add "cargo-web" (Debian '
    '12; "cargo" '
    f"on Debian 13) to its `builder_packages` in {_BUILDS}, then: {{lock_base}}",
    "emulate": "build it in a container of that platform, where its programs run: give it "
    f'{{{{"emulate": ["{{platform}}"]}}}} in {_BUILDS}; or use a version that has a wheel for this platform',
    "emulate-or-set-variable": "set a variable that its setup.py reads, if one makes it do without "
    f'({{variables}}): {{{{"env": {{{{"NAME": "value"}}}}}}}} in {_BUILDS}; or build it in a container of '
    f'that platform, where its programs run: {{{{"emulate": ["{{platform}}"]}}}} in {_BUILDS}',
    "use-system-libraries": "let it take Debian's libraries: give it "
    f'{{{{"config_settings": {{{{"setup-args": [{{options}}]}}}}}}}} in {_BUILDS} and add {{packages}} to '
    "{builder} of {base_name}, then: {lock_base}",
    "emulate-with-package": 'add "{package}" to `emulation_packages` of the base and give it '
    f'{{{{"emulate": ["{{platform}}"]}}}} in {_BUILDS}, then: {{lock_base}}; or use a version that has a '
    "wheel for this platform",
    "add-emulation-package": 'add "{package}" to `emulation_packages` of the base, then: {lock_base}',
    "use-gcc": f'give it {{{{"compiler": "gcc"}}}} in {_BUILDS}, then: {{lock_base}}',
    "builds-fetch-nothing": "where it fetches a finished wheel, require that wheel by URL (NAME @ URL) and "
    "lock it with `{lock}`; where it fetches a library's sources, add Debian's package of it to {builder} of "
    "{base_name}, then: {lock_base}",
    "add-suite-of-rust": 'add the suite "{suite}", whose {package} has rustc {version}, to `suites` of '
    "{base_name}, then: {lock_base}; or use a version that has a wheel for this platform",
    "raise-build-limit": "raise `build_{limit}_limit` of [slim-image], or use a version that has a wheel for "
    "this platform",
    "mark-pure": "the output tells the reason; if this project is meant to be pure Python, give it "
    f'{{{{"pure": true}}}} in {_BUILDS}',
    "set-compiler-variable": "its build calls a compiler other than $CC; set the variable that it reads in "
    "the "
    f"`env` of its {_BUILDS} entry",
    # Archives.
    "raise-limit": "it is damaged, or made to do harm; if you trust it, raise the limit: "
    'add "{limit}={value}" to [slim-image].limits',
    # Layers.
    "raise-layer-size": "raise `max_layer_size` of the image or of [slim-image]",
    "divide-file": "divide the file, leave it out of the image, or raise `max_layer_size` of the image or of "
    "[slim-image]",
    # The audit.
    "add-runtime-packages": "add {packages} to extra_packages of {base_name}, then run: {lock_base}",
    "use-image-with-packages": "use a base image that has Debian's {packages}, then run: {lock_base}",
    "use-image-with-libraries": "use a base image that has {libraries}, then run: {lock_base}; names of "
    "packages are Debian's here, and for those of Alpine ask there: apk search {search}",
    # The check of a whole image.
    "add-script-package": 'add "{package}" to extra_packages of {base_name}, then run: {lock_base}; or write '
    "the script in Python",
    "add-requirements": "add {names} to the requirements beside {name}, then run: {lock}",
}
_WHEEL_OR_DEBIAN = (
    "use a version that has a wheel for this platform, or put one that was built elsewhere on an index of "
    "your own; {what} a `debian_python_base` alone"
)
_OF_IMAGES: Mapping[str, str] = {
    "use-gcc": _WHEEL_OR_DEBIAN.format(what="Debian's gcc comes with"),
    "emulate": _WHEEL_OR_DEBIAN.format(what="builds in a container are for"),
    "emulate-or-set-variable": "set a variable that its setup.py reads, if one makes it do without "
    f'({{variables}}): {{{{"env": {{{{"NAME": "value"}}}}}}}} in {_BUILDS}; or '
    + _WHEEL_OR_DEBIAN.format(what="builds in a container are for"),
    "emulate-with-package": _WHEEL_OR_DEBIAN.format(what="builds in a container are for"),
    "use-wheel-or-cargo": _WHEEL_OR_DEBIAN.format(what="cargo comes with"),
}
"""What is said otherwise where the base is an image of a registry: it has no packages to be locked."""
_OWN: Mapping[str, str] = {
    "copy-into-repository": "copy the file there",
    "unignore": "see .gitignore and [GLOBAL].pants_ignore",
    "rewrite-layout": "write the layout again, or lock it as it is now: {lock_base}",
}
"""Remedies of the backend's own errors."""
CODES = frozenset(_TEMPLATES)
"""The remedies that have words here."""


def names(
    resolve: str | None = None,
    base: str | None = None,
    *,
    builder_image: bool = False,
    base_name: str = "the base",
) -> dict[str, str]:
    """Return what messages may name beside the arguments of a remedy.

    :param resolve: of the requirements, where it is known.
    :param base: the resolve of the base, where it is known.
    :param builder_image: the base's builder is an image, to which packages are not simply added.
    :param base_name: the base's address, where it is known.
    """
    lock = f"{bin_name()} generate-lockfiles"
    return {
        "lock": lock,
        "lock_base": f"{lock} --resolve={base}" if base else lock,
        "lock_builds": f"{lock} --resolve={resolve or '<resolve>'}-build",
        "base_name": base_name,
        "builder": _IMAGE if builder_image else "builder_packages",
    }


def _template(code: str, known: Mapping[str, str]) -> str:
    own = _OF_IMAGES.get(code) if known["builder"] == _IMAGE else None
    return own or {**_TEMPLATES, **_OWN}[code]


def words_document(known: Mapping[str, str]) -> bytes:
    """Return the words of all remedies, for a step that has the user's terminal and renders them itself.

    :param known: what :func:`names` returns.
    """
    return json.dumps({"words": dict(_TEMPLATES), "names": dict(known)}, sort_keys=True).encode()


def render_remedy(remedy: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return a remedy in words.

    :param remedy: a `code` and its `arguments`, as the core gives them.
    :param known: what :func:`names` returns.
    """
    return _template(remedy["code"], known).format_map({**remedy["arguments"], **known})


def _lines(fault: Mapping[str, Any], known: Mapping[str, str]) -> list[str]:
    lines = [f"{fault['where']}: {fault['what']}" if fault["where"] else fault["what"]]
    for inner in fault["errors"]:
        lines += [f"  {line}" for line in _lines(inner, known)]
    lines += [f"  {line}" for line in fault["details"]]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"  … and {len(lines) - MOST_LINES} more lines"]
    if fault["remedy"]:
        lines.append(f"  -> {render_remedy(fault['remedy'], known)}")
    return lines


def fault_document(what: str, where: str, code: str) -> str:
    """Return an error of the backend's own as the core writes its errors."""
    remedy = {"code": code, "arguments": {}}
    return json.dumps(
        {
            "schema": ERROR_SCHEMA,
            "kind": "base",
            "what": what,
            "where": where,
            "details": [],
            "errors": [],
            "remedy": remedy,
        }
    )


def fault_in(stdout: str) -> str | None:
    """Return the error document that a failed step left, None when it left none: something ended it."""
    try:
        value = json.loads(stdout)
    except ValueError:
        return None
    return stdout if isinstance(value, dict) and value.get("schema") == ERROR_SCHEMA else None


def render_fault(fault: str, known: Mapping[str, str] | None = None) -> str:
    """Return an error document as the message that the user reads.

    :param fault: the document, as JSON.
    :param known: what :func:`names` returns; by default, that nothing is known.
    """
    return "\n".join(_lines(json.loads(fault), names() if known is None else known))


def rendered_each(fault: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """Return the errors that an error document gathers, as messages of their own; or itself as the only one.

    :param fault: the document, as JSON.
    :param known: what :func:`names` returns.
    """
    document = json.loads(fault)
    if not document["errors"]:
        return ("\n".join(_lines(document, known)),)
    return (*("\n".join(_lines(one, known)) for one in document["errors"]), *document["details"])
