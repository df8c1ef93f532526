"""Fields of an image that say what it starts, with what around it, and which lock it is of."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    AsyncFieldMixin,
    DictStringToStringField,
    InvalidFieldException,
    OptionalSingleSourceField,
    StringField,
    StringSequenceField,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

from slim_python_image.base_target import matches

MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_FILE = r"([\w.-]+/)*[\w-]+\.py"
_ENTRY_POINT = re.compile(rf"({MODULE}|{_FILE})(:{MODULE})?")
_FUNCTION = re.compile(rf"{MODULE}:{MODULE}")
_COMMAND = re.compile(r"[A-Za-z0-9_][\w.-]*")
_SCRIPT = re.compile(r"([\w.+-]+/)*[\w.+-]+")
_VARIABLE = re.compile(r"[A-Za-z_]\w*(=.*)?", re.DOTALL)
_DURATION = re.compile(r"([1-9][0-9]{0,8})(ms|s|m|h)")
_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HEALTH = ("interval", "timeout", "start_period", "retries")


class EntryPointField(StringField, AsyncFieldMixin):
    alias = "entry_point"
    help = help_text(
        """
        What the container runs: a module (`brewblox_history`, run as `python -m`), a function
        (`brewblox_history.app:main`), or either in a file beside the BUILD file, as in a `pex_binary`
        (`app.py`, `app.py:main`). A dependency on the module's owner is inferred.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None:
            expected = "'package.module' or 'package.module:function', or a file such as 'app.py'"
            matches(_ENTRY_POINT, (value,), cls.alias, address, expected)
        return value


class ExecutableField(StringField, AsyncFieldMixin):
    alias = "executable"
    help = help_text(
        """
        What the container runs: a file of Python beside the BUILD file (`scripts/run-it.py`), whose name need
        not be that of a module, as in a `pex_binary`. Use either this, `entry_point` or `script`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None:
            matches(re.compile(_FILE), (value,), cls.alias, address, "a file such as 'scripts/run.py'")
        return value


class EntryPointsField(DictStringToStringField):
    alias = "entry_points"
    help = help_text(
        """
        Further commands of the image, in `/app/bin` by their name:
        `{"migrate": "app.db:migrate", "worker": "app.worker:main"}`. Run one with
        `docker run --entrypoint migrate <image>`, or as `command` of a Kubernetes container. Dependencies on
        the owners of the modules are inferred.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> Optional[FrozenDict[str, str]]:
        value = super().compute_value(raw_value, address)
        matches(_COMMAND, value or (), cls.alias, address, "names of commands such as 'migrate'")
        matches(_FUNCTION, (value or {}).values(), cls.alias, address, "'package.module:function'")
        return value


class StartScriptField(OptionalSingleSourceField):
    """The script is a source of its image: who changes it has changed the image.

    One outside of the BUILD file's folder is in the image as well, but no source: those are below it.
    """

    alias = "start_script"
    uses_source_roots = False
    help = help_text(
        """
        A file beside the BUILD file that the container starts first, as the entry point script of many
        Dockerfiles: its arguments are the command that the other fields say, so that it ends with
        `exec "$@"`. It lies in `/app/bin`. A shell script needs a shell in the base
        (`dash` among the `packages`).
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        if isinstance(raw_value, str):
            matches(_SCRIPT, (raw_value,), cls.alias, address, "a file such as 'docker/start.sh'")
            if ".." in raw_value.split("/"):
                return raw_value
        return super().compute_value(raw_value, address)

    @property
    def globs(self) -> Tuple[str, ...]:
        """The script, from the BUILD file; none if it stands elsewhere."""
        return (self.value,) if self.value and ".." not in self.value.split("/") else ()


class ExtraEnvField(StringSequenceField):
    alias = "extra_env_vars"
    default = ()
    help = help_text(
        """
        Further environment variables of the container: `NAME=value`, or `NAME` alone for the value that the
        environment of Pants has, as elsewhere in Pants. The image then depends on that value. One that is not
        set is an error.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        matches(_VARIABLE, value or (), cls.alias, address, "'NAME=value' or 'NAME'")
        return value


class HealthcheckField(StringSequenceField):
    alias = "healthcheck"
    default = ()
    help = help_text(
        """
        The command that tells whether the container is healthy, as `HEALTHCHECK CMD` of a Dockerfile in exec
        form: `["python", "-m", "app.health"]`. Docker reads it, also from an OCI layout; the OCI
        specification does not know it, and Kubernetes has probes of its own.
        """
    )


class HealthcheckOptionsField(DictStringToStringField):
    alias = "healthcheck_options"
    help = help_text(
        """
        How the health check runs: `interval`, `timeout` and `start_period`, such as `{"interval": "30s"}`,
        and `retries`, such as `"3"`. By default, as the engine has it.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> Optional[FrozenDict[str, str]]:
        value = super().compute_value(raw_value, address)
        for key, text in (value or {}).items():
            number = key == "retries" and text.isdecimal() and int(text) > 0
            if key not in _HEALTH or not (number or (key != "retries" and _DURATION.fullmatch(text))):
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {key!r}: {text!r}; expected "
                    "`interval`, `timeout` or `start_period` such as '30s', or `retries` such as '3'."
                )
        return value

    @property
    def numbers(self) -> Dict[str, int]:
        """The options, times in nanoseconds."""
        found = {}
        for key, text in sorted((self.value or {}).items()):
            duration = _DURATION.fullmatch(text)
            found[key] = int(duration[1]) * _UNITS[duration[2]] if duration else int(text)
        return found


class ImageResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The resolve (`[python].resolves`) that the image takes its wheels from. By default, that of its
        dependencies; with it, the owner of `entry_point` is looked for among the code of this resolve.
        """
    )
