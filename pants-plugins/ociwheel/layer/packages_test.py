"""What packages say of themselves, from texts as they come."""

from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.formats.entries import Content, Entry
from ociwheel.layer.packages import deb_row, system_rows, wheel_row


def test_a_distribution_says_its_licence_and_what_its_wheel_bundles() -> None:
    metadata = (
        b"Metadata-Version: 2.4\nName: Demo\nVersion: 1.0\nLicense-Expression: MIT\nLicense: long\n  text\n"
        b"Classifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: Other\n\nLicense: body\n"
    )
    elf = elf_bytes(Elf())
    row = wheel_row(
        Content("wheel", "demo", "1.0"),
        [
            Entry("app/site/demo-1.0.dist-info/METADATA", "file", 0o644, source=metadata),
            Entry("app/site/demo.libs/libgomp-a34b3233.so.1.0.0", "file", 0o755, source=elf, sha256="a" * 64),
            Entry("app/site/demo.libs/readme.so", "file", 0o644, source=b"no library"),
            Entry("app/site/demo/own.so", "file", 0o755, source=elf),
        ],
    )
    assert row["license"] == "MIT"
    assert row["license_text"] == "long text"
    assert row["classifiers"] == ["License :: OSI Approved :: MIT License"]
    assert [one["name"] for one in row["bundled"]] == ["libgomp-a34b3233.so.1.0.0"]


def test_a_distribution_without_metadata_has_a_row() -> None:
    assert wheel_row(Content("wheel", "demo", "1.0"), [])["license"] == ""


def test_a_package_says_its_source_and_its_relations() -> None:
    control = (
        "Package: libx\nVersion: 1:2-1+b1\nSource: x-source (1:2-1)\nArchitecture: armhf\n"
        "Maintainer: Team X <x@example.com>\nPre-Depends: init (>= 1)\n"
        "Depends: libc6 (>= 2.36), liba | libb:any\nDescription: short\n Depends: no\n"
    )
    row = deb_row(control)
    assert (row["source"], row["source_version"]) == ("x-source", "1:2-1")
    assert row["requires"] == ["init", "liba", "libb", "libc6"]
    own = deb_row("Package: y\nVersion: 3\nArchitecture: all\n")
    assert (own["source"], own["source_version"], own["requires"]) == ("y", "3", [])


def test_the_system_is_what_its_release_file_says() -> None:
    text = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n#x\n'
    (row,) = system_rows([Entry("usr/lib/os-release", "file", 0o644, source=text)])
    assert (row["id"], row["version_id"]) == ("debian", "12")
    assert row["pretty_name"] == "Debian GNU/Linux 12 (bookworm)"
    assert system_rows([Entry("etc/passwd", "file", 0o644)]) == []
