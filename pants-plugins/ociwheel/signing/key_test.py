"""Keys that sign, as cosign and openssl write them."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption
from nacl.secret import SecretBox

from ociwheel.errors import UsageError
from ociwheel.signing.key import read_key, signer
from ociwheel.signing.signatures import Signer

KEY = ec.generate_private_key(ec.SECP256R1())
_DER = serialization.Encoding.DER
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8


def _armored(kind: str, body: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(body).decode()}-----END {kind}-----\n"


def _of_cosign(password: str, **changed: object) -> str:
    """Return the key as `cosign generate-key-pair` encrypts it, with cheaper parameters."""
    salt, nonce = b"s" * 32, b"n" * 24
    key = hashlib.scrypt(password.encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
    sealed = SecretBox(key).encrypt(KEY.private_bytes(_DER, _PKCS8, NoEncryption()), nonce).ciphertext
    kdf = {"name": "scrypt", "params": {"N": 1024, "r": 8, "p": 1}, "salt": base64.b64encode(salt).decode()}
    cipher = {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()}
    value = {"kdf": {**kdf, **changed}, "cipher": cipher, "ciphertext": base64.b64encode(sealed).decode()}
    return _armored("ENCRYPTED SIGSTORE PRIVATE KEY", json.dumps(value).encode())


def _verify(found: Signer) -> None:
    signature = found.sign(b"data")
    assert found.sign(b"data") == signature  # the same bytes give the same signature
    KEY.public_key().verify(signature, b"data", ec.ECDSA(hashes.SHA256()))
    public = serialization.load_der_public_key(found.public_key)
    assert public == KEY.public_key()


def test_a_key_of_cosign_signs_with_its_password() -> None:
    _verify(signer(_of_cosign("pass"), "cosign.key", {"COSIGN_PASSWORD": "pass"}))


def test_a_key_in_pem_signs() -> None:
    _verify(signer(KEY.private_bytes(_PEM, _PKCS8, NoEncryption()).decode(), "k", {}))
    sealed = KEY.private_bytes(_PEM, _PKCS8, BestAvailableEncryption(b"pass")).decode()
    _verify(signer(sealed, "k", {"COSIGN_PASSWORD": "pass"}))


def test_what_is_no_key_is_told_without_its_content() -> None:
    other = rsa.generate_private_key(65537, 2048).private_bytes(_PEM, _PKCS8, NoEncryption()).decode()
    sealed = KEY.private_bytes(_PEM, _PKCS8, BestAvailableEncryption(b"pass")).decode()
    greedy = {"N": 1 << 30, "r": 8, "p": 1}
    wrong = [
        (_of_cosign("pass"), {"COSIGN_PASSWORD": "other"}, "does not open the key"),
        (_of_cosign("pass"), {}, "COSIGN_PASSWORD is not set"),
        (_of_cosign("pass", params=greedy), {"COSIGN_PASSWORD": "pass"}, "derived by other means"),
        (_of_cosign("pass", name="pbkdf2"), {"COSIGN_PASSWORD": "pass"}, "derived by other means"),
        (_armored("ENCRYPTED SIGSTORE PRIVATE KEY", b"[]"), {"COSIGN_PASSWORD": "x"}, "is no key of cosign"),
        (sealed, {"COSIGN_PASSWORD": "other"}, "its password is wrong"),
        (other, {}, "is no ECDSA key over P-256"),
        ("no key", {}, "is no private key in PEM"),
    ]
    for text, env, said in wrong:
        with pytest.raises(UsageError) as caught:
            signer(text, "cosign.key", env)
        assert said in str(caught.value)
        assert "pass" not in str(caught.value).replace("password", "")


def test_a_key_is_a_file_or_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("text")
    assert read_key(str(path), {}) == "text"
    assert read_key("env://K", {"K": "text"}) == "text"
    for reference, said in (
        ("env://K", "K, which should"),
        ("awskms://x", "awskms:// names"),
        ("/no", "read"),
    ):
        with pytest.raises(UsageError, match=said):
            read_key(reference, {})
