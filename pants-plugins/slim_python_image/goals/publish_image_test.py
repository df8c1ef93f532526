from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.testutil.option_util import create_subsystem
from pants.util.docutil import bin_name

from slim_python_image.goals.publish_image import (
    check_attached,
    push_arguments,
    push_process,
)
from slim_python_image.goals.publish_run import LeftImage, PublishRun
from slim_python_image.products import SlimImageError
from slim_python_image.remedies import CODES, names, words_document
from slim_python_image.subsystems.publish import PublishOptions
from slim_python_image.util_rules.attestations import Attestation, Attestations
from slim_python_image.util_rules.references import Destination
from slim_python_image.util_rules.steps import MACHINE, StepRequest


def test_what_a_push_says_is_in_the_words_of_pants() -> None:
    words = Digest("1" * 64, 1)
    request = StepRequest("push", ("--jobs", "1"), "Publish x", None)
    process = push_process(request, EMPTY_DIGEST, words, {}).process
    path = process.env["OCIWHEEL_REMEDIES"]
    folder, _, _ = path.rpartition("/")
    assert process.immutable_input_digests[folder] == words
    assert "OCIWHEEL_REMEDIES" not in request.trees
    document = json.loads(words_document(names(base="py311")))
    assert set(document["words"]) == CODES
    said = document["words"]["read-base-or-relock"].format_map(document["names"])
    assert said.endswith(f"or lock the base again: {bin_name()} generate-lockfiles --resolve=py311")


def test_a_push_that_has_nothing_to_do_starts_no_python(tmp_path: Path) -> None:
    run = PublishRun(str(tmp_path), "one")
    destination = Destination(("a.example/b/c:1",))
    places = {"sha256:2": ["a.example/base"]}
    done = run.leave(destination, LeftImage("sha256:1", places, {"blobs/sha256/3": b"layer"}))
    (document,) = (tmp_path / "one").glob("*.json")
    assert json.loads(document.read_bytes()) == {
        "images": ["a.example/b/c:1"],
        "digest": "sha256:1",
        "origins": places,
    }
    assert (document.with_suffix("") / "blobs/sha256/3").read_bytes() == b"layer"
    assert Path(done).name == document.with_suffix(".done").name
    request = StepRequest("push", ("--jobs", "1"), "Publish x", None)
    process = push_process(request, EMPTY_DIGEST, EMPTY_DIGEST, {}, done).process
    (tmp_path / process.argv[3]).parent.mkdir(parents=True)
    # No core is here, so that it cannot but fail unless it is told.
    assert subprocess.run(process.argv, cwd=tmp_path, check=False, capture_output=True).returncode != 0
    (tmp_path / done).touch()
    assert subprocess.run(process.argv, cwd=tmp_path, check=False, capture_output=True).returncode == 0


def test_a_secret_is_the_pushs_alone() -> None:
    request = StepRequest("push", ("--jobs", "1"), "Publish x", None)
    process = push_process(request, EMPTY_DIGEST, EMPTY_DIGEST, {"COSIGN_PASSWORD": "hidden"}).process
    assert process.env["COSIGN_PASSWORD"] == "hidden"
    assert "hidden" not in repr(process.argv)


def options(**given: Any) -> PublishOptions:
    usual = {"attach": False, "dry_run": False, "insecure_registries": [], "jobs": 4, "sign_key": None}
    made: PublishOptions = create_subsystem(PublishOptions, **{**usual, **given})
    return made


def pushed(**given: Any) -> list[str]:
    """Return the arguments of a push that options add to those of any."""
    destination = Destination(("127.0.0.1:5000/a:1",))
    arguments = [push_arguments(destination, options(**one), "/repository") for one in ({}, given)]
    return list(arguments[1][len(arguments[0]) :])


def test_options_of_a_push_are_arguments_of_its_step() -> None:
    hosts = ["registry.example.com:5000", "[::1]:5000"]
    insecure = ["--insecure", hosts[0], "--insecure", hosts[1]]
    assert pushed(insecure_registries=hosts) == insecure
    attach = ["--attach", "attached/list.json"]
    assert pushed(attach=True) == attach
    sign = ["--sign", "/repository/keys/cosign.key", "--libraries", f"{MACHINE}/signing"]
    everything = {"insecure_registries": hosts, "attach": True, "sign_key": "keys/cosign.key"}
    assert pushed(**everything) == [*insecure, *attach, *sign]
    # What sends nothing signs nothing, and needs no key.
    assert pushed(**everything, dry_run=True) == [*insecure, *attach, "--dry-run"]
    assert pushed(sign_key="env://KEY")[1] == "env://KEY"
    assert pushed(sign_key="/etc/cosign.key")[1] == "/etc/cosign.key"


def test_to_attach_nothing_is_an_error() -> None:
    address, nothing = Address("src", target_name="image"), Attestations(())
    check_attached(create_subsystem(PublishOptions, attach=False), nothing, address)
    attach = create_subsystem(PublishOptions, attach=True)
    check_attached(attach, Attestations((Attestation("spdx", None, "a", b""),)), address)
    with pytest.raises(
        SlimImageError, match=r"src:image: \[slim-image-publish\]\.attach is set, and .* nothing\n  -> "
    ):
        check_attached(attach, nothing, address)
