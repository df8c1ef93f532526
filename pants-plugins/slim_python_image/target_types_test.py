from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException

from slim_python_image.base_target import BaseLockfileField
from slim_python_image.content_fields import FilesAtField, ImageExtraPackagesField, SourceDateEpochField
from slim_python_image.layer_fields import LayerGroupsField, MaxLayerSizeField, SizeBudgetField
from slim_python_image.sizes import EXPECTED
from slim_python_image.start_fields import (
    EntryPointField,
    EntryPointsField,
    ExecutableField,
    ExtraEnvField,
    HealthcheckOptionsField,
    StartScriptField,
)
from slim_python_image.target_types import (
    BytecodeField,
    LayerBudgetField,
    PortsField,
    WorkdirField,
)
from slim_python_image.wheel_set_target import ImagePlatformsField

ADDRESS = Address("src/x", target_name="image")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            ImagePlatformsField,
            ["windows/amd64"],
            (
                "src/x:image: the field `platforms` has 'windows/amd64'; expected an OCI platform such as "
                "'linux/arm/v7'."
            ),
        ),
        (
            ImagePlatformsField,
            ["linux/amd64", "linux/amd64"],
            "src/x:image: the field `platforms` names a platform twice.",
        ),
        (
            PortsField,
            ["http"],
            "src/x:image: the field `ports` has 'http'; expected a port such as '5000' or '53/udp'.",
        ),
        (
            PortsField,
            ["70000"],
            "src/x:image: the field `ports` has '70000'; ports are 1 to 65535.",
        ),
        (
            ImageExtraPackagesField,
            ["curl, tini"],
            (
                "src/x:image: the field `extra_packages` has 'curl, tini'; expected a Debian package such as "
                "'tini'."
            ),
        ),
        (WorkdirField, "app", "src/x:image: the field `workdir` has 'app'; expected an absolute path."),
        (
            WorkdirField,
            "/app/../etc",
            "src/x:image: the field `workdir` has '/app/../etc'; expected an absolute path.",
        ),
        (
            EntryPointField,
            "src/app.txt",
            (
                "src/x:image: the field `entry_point` has 'src/app.txt'; expected 'package.module' or "
                "'package.module:function', or a file such as 'app.py'."
            ),
        ),
        (
            ExecutableField,
            "run.sh",
            "src/x:image: the field `executable` has 'run.sh'; expected a file such as 'scripts/run.py'.",
        ),
        (
            EntryPointsField,
            {"a": "b"},
            "src/x:image: the field `entry_points` has 'b'; expected 'package.module:function'.",
        ),
        (
            ExtraEnvField,
            ["1=2"],
            "src/x:image: the field `extra_env_vars` has '1=2'; expected 'NAME=value' or 'NAME'.",
        ),
        (
            HealthcheckOptionsField,
            {"interval": "30"},
            (
                "src/x:image: the field `healthcheck_options` has 'interval': '30'; expected `interval`, "
                "`timeout` or `start_period` such as '30s', or `retries` such as '3'."
            ),
        ),
        (
            FilesAtField,
            {"etc": [":a"]},
            "src/x:image: the field `files_at` has 'etc'; expected an absolute folder such as '/etc/app'.",
        ),
        (
            FilesAtField,
            {"/etc": [":a", "mode=9"]},
            (
                "src/x:image: the field `files_at` has 'mode=9' for /etc; expected an address, 'mode=0640' or "
                "'owner=1000:1000'."
            ),
        ),
        (
            SourceDateEpochField,
            "1",
            (
                "src/x:image: the field `source_date_epoch` has '1'; expected seconds since 1970, from 315619200 "
                "(2 January 1980, the first that ZIP archives hold in every time zone)."
            ),
        ),
        *(
            (
                StartScriptField,
                text,
                f"src/x:image: the field `start_script` has {text!r}; expected a file such as 'docker/start.sh'.",
            )
            for text in ("/etc/start.sh", "*.sh", "docker/", "")
        ),
        (
            LayerGroupsField,
            {"a b": ["torch"]},
            (
                "src/x:image: the field `layer_groups` has the group 'a b'; expected a name of letters, digits, "
                "'.', '_' and '-', such as 'torch'."
            ),
        ),
        (
            LayerGroupsField,
            {"gpu": []},
            ("src/x:image: the field `layer_groups` has nothing for 'gpu'; expected names of distributions."),
        ),
        (
            LayerGroupsField,
            {"gpu": ["torch>=2"]},
            (
                "src/x:image: the field `layer_groups` has 'torch>=2' for 'gpu'; expected the name of a "
                "distribution or a glob of names, such as 'nvidia-*'."
            ),
        ),
        *(
            (
                MaxLayerSizeField,
                value,
                f"src/x:image: the field `max_layer_size` has {str(value)!r}; expected {EXPECTED}, and at least 1 MiB.",
            )
            for value in ("a lot", "512Mib", "1KiB", 1024, "-1MiB", "")
        ),
        (
            SizeBudgetField,
            {"numpy": "much"},
            (
                "src/x:image: the field `size_budget` has 'much' for 'numpy'; expected a number of bytes, such "
                "as '512MiB', '1.5GB' or '536870912'."
            ),
        ),
        (
            SizeBudgetField,
            {"numpy>1": "1MiB"},
            (
                "src/x:image: the field `size_budget` has 'numpy>1'; expected '*' or the name of a "
                "distribution."
            ),
        ),
        (LayerBudgetField, 1, "src/x:image: the field `layer_budget` has 1; expected 2 to 100."),
        (LayerBudgetField, 101, "src/x:image: the field `layer_budget` has 101; expected 2 to 100."),
    ],
)
def test_a_value_that_makes_no_sense(field: type[Field], value: Any, message: str) -> None:
    with pytest.raises(InvalidFieldException) as e:
        field(value, ADDRESS)
    assert str(e.value) == message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (ImagePlatformsField, ("linux/amd64", "linux/arm64", "linux/arm/v7")),
        (PortsField, ("1", "65535", "5000/tcp", "53/udp", "9/sctp")),
        (WorkdirField, "/srv/data..old"),
        (EntryPointField, "brewblox_history"),
        (EntryPointField, "app.py"),
        (EntryPointField, "sub/run-it.py:main"),
        (EntryPointField, "brewblox_history.app:App.main"),
        (StartScriptField, "../docker/start-it.sh"),
        (StartScriptField, "start"),
        (LayerBudgetField, 2),
        (LayerBudgetField, 100),
        (BytecodeField, "none"),
        (SourceDateEpochField, "1750000000"),
    ],
)
def test_a_value_that_does(field: type[Field], value: Any) -> None:
    assert field(value, ADDRESS).value == value


@pytest.mark.parametrize(
    ("value", "bytes_of_it"),
    [
        (None, None),
        ("512MiB", 512 << 20),
        ("1.5 GB", 1_500_000_000),
        ("536870912", 512 << 20),
        (1 << 30, 1 << 30),
    ],
)
def test_how_large_a_layer_may_be(value: Any, bytes_of_it: int | None) -> None:
    assert MaxLayerSizeField(value, ADDRESS).bytes == bytes_of_it


@pytest.mark.parametrize(
    ("value", "folder", "path"),
    [
        (None, "3rdparty/debian", "3rdparty/debian/image.lock"),
        (None, "", "image.lock"),
        ("locks/b.lock", "3rdparty/debian", "3rdparty/debian/locks/b.lock"),
        ("//locks/b.lock", "3rdparty/debian", "locks/b.lock"),
    ],
)
def test_where_the_lock_of_a_base_stands(value: str | None, folder: str, path: str) -> None:
    assert BaseLockfileField(value, Address(folder, target_name="image")).path == path
