"""What it means for the user when a registry refuses, or does not answer."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from ociwheel.errors import OciwheelError
from ociwheel.registry.logins import RegistryLogin
from ociwheel.registry.session import ATTEMPTS
from ociwheel.remedies import Remedy
from ociwheel.transport.failure import Failure, Kind, StatusFailure
from ociwheel.transport.hints import hint_for

_REACH = "check the address, the proxy settings, and that the registry runs"


class RegistryError(OciwheelError):
    """A registry that refuses, or does not answer as one."""

    exit_code = 21
    kind = "registry"


def not_allowed(failure: Failure, login: RegistryLogin | None, verb: str) -> str:
    """Return what is wrong when a registry wants a login, or another one.

    :param verb: what the login was for, ``read`` or ``write``.
    """
    if login is None:
        return f"the registry wants credentials, and none are known: {failure.answer}"
    if isinstance(failure, StatusFailure) and failure.status == HTTPStatus.FORBIDDEN:
        return f"{login.user!r} may not {verb} there: {failure.answer}"
    return f"the registry refuses the credentials of {login.user!r}: {failure.answer}"


def login_hint(domain: str) -> str:
    """Return the commands that log in."""
    command = f"docker login {domain}, podman login {domain} or skopeo login {domain}"
    return f"log in with an account that may: {command}"


def reading_hint(failures: Iterable[Failure], otherwise: str | Remedy) -> str | Remedy:
    """Return what to do where no registry gave what was asked for; ``otherwise`` when none has it."""
    known = list(failures)
    if any(failure.kind in (Kind.UNREACHABLE, Kind.SERVER) for failure in known):
        return f"{_REACH}; then try again"
    return hint_for(known, otherwise)


def push_error(failure: Failure, domain: str, repository: str, login: RegistryLogin | None) -> RegistryError:
    """Return the error of a failure that ends a push."""
    if failure.kind is Kind.CREDENTIALS:
        what = not_allowed(failure, login, "write")
        return RegistryError(what, where=f"{domain}/{repository}", hint=login_hint(domain))
    if failure.kind is Kind.ANSWER:
        return RegistryError(f"it {failure.answer}", where=domain)
    often = f" after {ATTEMPTS} attempts" if failure.retry_after is not None else ""
    if failure.kind is Kind.SERVER:
        return RegistryError(f"the registry fails{often}: it {failure.answer}", where=domain)
    hint: str | Remedy = _REACH
    if failure.kind is Kind.TLS:
        hint = Remedy("trust-registry", {"host": domain})
    return RegistryError(f"the registry cannot be reached{often}: {failure.answer}", where=domain, hint=hint)
