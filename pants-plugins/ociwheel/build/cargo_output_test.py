from __future__ import annotations

import time

import pytest

from ociwheel.build.cargo_output import cargo_cause
from ociwheel.build.diagnose import Context, diagnose
from ociwheel.platforms import platform
from ociwheel.target import Target

OTHER = "use a version that has a wheel for this platform"
CONTEXT = Context(
    "demo 1.0", "default", "//base", Target(platform("linux/arm/v7"), "3.11.2", "glibc", (2, 36))
)
OFFLINE = "As a reminder, you're using offline mode (--offline) which can sometimes cause surprising failures"

# As cargo 1.85 and 1.95 say it.
PATH = """\
error: failed to get `bar` as a dependency of package `demo v0.1.0 (/ociwheel/work/src/demo-1.0)`

Caused by:
  failed to load source for dependency `bar`

Caused by:
  unable to update /ociwheel/work/src/demo-1.0/crates/bar

Caused by:
  failed to read `/ociwheel/work/src/demo-1.0/crates/bar/Cargo.toml`

Caused by:
  No such file or directory (os error 2)
"""
UNLOCKED = """\
error: no matching package named `foo` found
location searched: directory source `/ociwheel/work/rust/vendor` (which is replacing registry `crates-io`)
required by package `demo v0.1.0 (/ociwheel/work/src/demo-1.0)`
"""
VERSION = """\
error: failed to select a version for the requirement `foo = "^2"`
candidate versions found which didn't match: 1.0.0
location searched: directory source `/ociwheel/work/rust/vendor` (which is replacing registry `crates-io`)
"""
GIT = """\
error: failed to get `bar` as a dependency of package `demo v0.1.0 (/ociwheel/work/src/demo-1.0)`

Caused by:
  can't checkout from 'https://me:secret@host.invalid/bar': you are in the offline mode (--offline)
"""
NIGHTLY = """\
error[E0554]: `#![feature]` may not be used on the stable release channel
 --> src/main.rs:1:1
error: could not compile `demo` (lib) due to 1 previous error
"""
NIGHTLY_CARGO = (
    "  the cargo feature `codegen-backend` requires a nightly version of Cargo, but this is the `stable`"
)
CMAKE = """\
  thread 'main' panicked at /build/vendor/cmake-0.1.50/src/lib.rs:1098:5:

  failed to execute command: No such file or directory (os error 2)
  is `cmake` not installed?
"""
LIBCLANG = "  Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so']\""
RUSTC = """\
error[E0432]: unresolved import `std::simd`
 --> src/lib.rs:1:5
error: could not compile `demo` (lib) due to 1 previous error
"""
LINK = """\
error: linking with `cc` failed: exit status: 1
error: could not compile `demo` (lib) due to 1 previous error
"""
SCRIPT = """\
error: failed to run custom build command for `ring v0.17.8`
Caused by:
  process didn't exit successfully: `/ociwheel/work/rust/target/build/ring/build-script-build` (exit status: 1)
"""
PANIC = """\
error: failed to run custom build command for `demo v0.1.0 (/ociwheel/work/src/demo-1.0)`
  --- stderr

  thread 'main' panicked at build.rs:1:92:
  called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: "No such file or directory" }
"""
NETWORK = """\
error: failed to run custom build command for `onnx-sys v1.0.0`
  --- stderr
  thread 'main' panicked at build.rs:7:10:
  called `Result::unwrap()` on an `Err` value: Transport { kind: Dns, message: "resolve dns name 'host.invalid:443'" }
  https://host.invalid/lib.tgz: failed to lookup address information: Temporary failure in name resolution
"""


@pytest.mark.parametrize(
    ("output", "what", "hint"),
    [
        (
            PATH,
            (
                "its sdist lacks demo-1.0/crates/bar/Cargo.toml, which is the manifest of a crate that it takes by its "
                "path"
            ),
            f"{OTHER}, or an sdist that holds all of its workspace",
        ),
        *(
            (
                f"{text}{OFFLINE}",
                (
                    "its Cargo.toml asks for the crate foo, in no version that its Cargo.lock names: builds have no "
                    "network to look for another"
                ),
                f"{OTHER}, or an sdist whose Cargo.lock is up to date (`cargo update --workspace`)",
            )
            for text in (UNLOCKED, VERSION)
        ),
        (
            GIT,
            "it takes a crate from the git repository https://host.invalid/bar, and builds have no network",
            f"{OTHER}, or an sdist made with `cargo vendor`",
        ),
        (
            "  attempting to make an HTTP request, but --offline was specified",
            "cargo looks for crates beyond those that are locked, and builds have no network",
            f"{OTHER}, or an sdist made with `cargo vendor`",
        ),
        *(
            (
                text,
                "it asks for a nightly compiler of Rust, and suites of Debian have stable ones alone",
                f"{OTHER}, or one that a stable compiler builds",
            )
            for text in (NIGHTLY, NIGHTLY_CARGO)
        ),
        (CMAKE, "a crate of it calls the program cmake, which builds in Rust do not have", OTHER),
        (
            LIBCLANG,
            "a crate of it reads C headers with libclang (bindgen), which builds do not have",
            OTHER,
        ),
        (RUSTC, "it does not compile: error[E0432]: unresolved import `std::simd`", None),
        (LINK, "it does not compile: error: linking with `cc` failed: exit status: 1", None),
        (SCRIPT, "the build script of its crate ring v0.17.8 failed", None),
        (
            PANIC,
            (
                "the build script of its crate demo v0.1.0 failed: called `Result::unwrap()` on an `Err` value: Os { code: "
                '2, kind: NotFound, message: "No such file or directory" } (it may call a program that builds in Rust do '
                "not have, such as git or curl)"
            ),
            None,
        ),
        (
            PANIC.replace("called `Result::unwrap()`", "no luck").partition(" on an")[0],
            "the build script of its crate demo v0.1.0 failed: no luck",
            None,
        ),
        (
            NETWORK,
            "the build tries to reach the host host.invalid, and builds have no network",
            (
                "where it fetches a finished wheel, lock that wheel by URL and hash instead (NAME @ URL); where it "
                "fetches a library's sources, add Debian's package of it to the builder packages of the base"
            ),
        ),
    ],
)
def test_causes(output: str, what: str, hint: str | None) -> None:
    error = diagnose(output.splitlines(), CONTEXT)
    assert (error.what, error.hint) == (what, hint)


def test_a_manifest_that_is_no_toml_lies_there() -> None:
    output = ["failed to parse manifest at `/ociwheel/work/src/demo-1.0/Cargo.toml`"]
    assert cargo_cause(output, (2, 36)) is None


@pytest.mark.parametrize(
    "text", ["is `", "failed to read `/x", "error: ", "can't checkout from '", "/work/src/"]
)
def test_long_lines_are_searched_in_no_time(text: str) -> None:
    before = time.process_time()
    diagnose([(text * 20_000)[:20_000], "could not compile `x`"], CONTEXT)
    assert time.process_time() - before < 1
