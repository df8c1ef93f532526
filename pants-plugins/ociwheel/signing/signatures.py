"""Signatures as cosign writes and verifies them, with a key and without any service.

Specifications: cosign's ``SIGNATURE_SPEC.md`` (simple signing) and ``BUNDLE_SPEC.md``; sigstore's bundle
v0.3; DSSE v1. Signing is deterministic (RFC 6979): the same image and key give the same bytes, so that a
second publish finds the signature there and sends nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ociwheel.image.layout import CONFIG, MANIFEST, Blob, Descriptor, encode
from ociwheel.image.referrers import Artifact, artifact, blob
from ociwheel.sbom.provenance import statement

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
SIGNED = "https://sigstore.dev/cosign/sign/v1"
_PAYLOAD = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Signer:
    """A key that signs.

    :param sign: returns the ECDSA signature, in DER, of the SHA-256 of some bytes.
    :param public_key: in DER (SubjectPublicKeyInfo).
    """

    sign: Callable[[bytes], bytes]
    public_key: bytes

    @property
    def hint(self) -> str:
        """What a bundle calls the key by."""
        return _base64(hashlib.sha256(self.public_key).digest())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def attested(
    signer: Signer, subject: Descriptor, predicate_type: str, predicate: Mapping[str, Any]
) -> Artifact:
    """Return a signed statement about a manifest, as a bundle that refers to it."""
    said = statement([("", subject.digest)], predicate_type, predicate)
    del said["subject"][0]["name"]
    payload = encode(said)
    # DSSE, "PAE": what is signed is the payload with its type.
    signed = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": signer.hint}},
        "dsseEnvelope": {
            "payload": _base64(payload),
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": _base64(signer.sign(signed))}],
        },
    }
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate_type,
    }
    return artifact(subject, BUNDLE, blob(encode(bundle), BUNDLE), annotations)


def signed(signer: Signer, subject: Descriptor) -> Artifact:
    """Return the signature of a manifest as a bundle."""
    return attested(signer, subject, SIGNED, {})


def simple_payload(place: str, subject: Descriptor) -> bytes:
    """Return what a simple signature signs.

    :param place: registry and repository.
    """
    return encode(
        {
            "critical": {
                "identity": {"docker-reference": place},
                "image": {"docker-manifest-digest": subject.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )


def simple_tag(digest: str) -> str:
    """Return the tag of an image's simple signatures."""
    return f"{digest.replace(':', '-')}.sig"


@dataclass(frozen=True)
class SimpleSignatures:
    """The manifest of an image's simple signatures, and the blobs that are new in it."""

    manifest: Blob
    blobs: tuple[Blob, ...]


def with_simple(
    signer: Signer, place: str, subject: Descriptor, there: Mapping[str, Any] | None
) -> SimpleSignatures | None:
    """Return an image's simple signatures with that of a key, ``None`` where it is among them already.

    :param there: the manifest that the tag names, which may hold signatures of others.
    """
    payload = simple_payload(place, subject)
    layers: list[Any] = list((there or {}).get("layers") or ())
    own = blob(payload, SIMPLE, {SIGNATURE: _base64(signer.sign(payload))}).descriptor.to_json()
    if own in layers:
        return None
    layers.append(own)
    config = blob(
        encode(
            {
                "architecture": "",
                "os": "",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in layers]},
            }
        ),
        CONFIG,
    )
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": layers,
    }
    return SimpleSignatures(blob(encode(value), MANIFEST), (config, blob(payload, SIMPLE)))
