"""Private keys that sign: of ``cosign generate-key-pair``, with their password, and plain PEM files.

The libraries that read and use them are fetched when something is to be signed, and for this machine only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ociwheel.errors import UsageError
from ociwheel.reading import parse_json
from ociwheel.signing.signatures import Signer
from ociwheel.wording import quoted

_PEM = re.compile(r"-----BEGIN (?P<kind>[A-Z ]+)-----\s+(?P<body>[A-Za-z0-9+/=\s]+)-----END (?P=kind)-----")
_ENCRYPTED = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 (a variable's name)
# cosign's are 65536 and 8: 64 MiB.
_MOST_MEMORY = 256 << 20
_MOST_BYTES = 1 << 20
_MADE = "make one with: cosign generate-key-pair"


def read_key(reference: str, env: Mapping[str, str]) -> str:
    """Return a key's text.

    :param reference: a path, or ``env://NAME`` as cosign has it.
    :raises UsageError: there is none.
    """
    scheme, _, name = reference.partition("://")
    if scheme == "env" and name:
        if not env.get(name):
            raise UsageError(f"the variable {name}, which should hold the key, is not set")
        return env[name]
    if name:
        raise UsageError(
            f"{scheme}:// names no key that can be read here",
            hint="sign what is published by its digest: cosign sign --key KEY REPOSITORY@DIGEST",
        )
    try:
        with Path(reference).open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", errors="replace")
    except OSError as e:
        raise UsageError(f"the key cannot be read: {e.strerror}", where=reference, hint=_MADE) from e


def signer(text: str, where: str, env: Mapping[str, str]) -> Signer:
    """Return what signs with a key.

    :param where: the key's name in messages.
    :param env: has the password of a key that is encrypted.
    :raises UsageError: it is no key, or the password is wrong.
    """
    found = _PEM.search(text)
    if found is None:
        raise UsageError("is no private key in PEM", where=where, hint=_MADE)
    if found["kind"] in _ENCRYPTED:
        return _loaded(_decrypted(found["body"], where, env), where, None)
    password = env.get(_PASSWORD, "").encode() if found["kind"] == "ENCRYPTED PRIVATE KEY" else None
    return _loaded(found[0].encode(), where, password)


def _decrypted(body: str, where: str, env: Mapping[str, str]) -> bytes:
    """Return the PKCS #8 document in an encrypted key of cosign: scrypt, then NaCl's secretbox."""
    from nacl.exceptions import CryptoError  # noqa: PLC0415 (fetched when something is signed)
    from nacl.secret import SecretBox  # noqa: PLC0415

    if _PASSWORD not in env:
        raise UsageError(f"the key is encrypted, and {_PASSWORD} is not set", where=where)
    try:
        value = parse_json(base64.b64decode(body))
        key = _derived(value["kdf"], env[_PASSWORD].encode())
        if value["cipher"]["name"] != "nacl/secretbox":
            raise UsageError(f"is encrypted with {quoted(value['cipher']['name'])}", where=where, hint=_MADE)
        sealed, nonce = (base64.b64decode(text) for text in (value["ciphertext"], value["cipher"]["nonce"]))
        return bytes(SecretBox(key).decrypt(sealed, nonce))
    except CryptoError as e:
        raise UsageError(f"the password in {_PASSWORD} does not open the key", where=where) from e
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as e:
        raise UsageError(f"is no key of cosign: {e}", where=where, hint=_MADE) from e


def _derived(kdf: Mapping[str, Any], password: bytes) -> bytes:
    """Return the key that a password stands for.

    :raises ValueError: by other means than scrypt, or with parameters that ask for too much.
    """
    cost, block, parallel = (int(kdf["params"][name]) for name in ("N", "r", "p"))
    if kdf["name"] != "scrypt" or not 0 < 128 * cost * block <= _MOST_MEMORY or parallel != 1:
        raise ValueError("its password is derived by other means than cosign's")
    salt = base64.b64decode(kdf["salt"])
    return hashlib.scrypt(password, salt=salt, n=cost, r=block, p=parallel, dklen=32, maxmem=2 * _MOST_MEMORY)


def _loaded(data: bytes, where: str, password: bytes | None) -> Signer:
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    load: Callable[..., Any] = serialization.load_pem_private_key
    if not data.startswith(b"-----"):
        load = serialization.load_der_private_key
    try:
        key = load(data, password)
    except (ValueError, TypeError) as e:
        raise UsageError("the key cannot be read, or its password is wrong", where=where, hint=_MADE) from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UsageError("is no ECDSA key over P-256", where=where, hint=_MADE)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return Signer(lambda data: key.sign(data, algorithm), public)
