from __future__ import annotations

import pytest
from pants.backend.docker.target_types import DockerImageTarget
from pants.backend.python.target_types import PexBinary
from pants.core.target_types import GenericTarget
from pants.testutil.rule_runner import RuleRunner

from slim_python_image.goals import migrate
from slim_python_image.goals.migrate_text import default_output, proposal, read_dockerfile

DOCKERFILE = """\
FROM python:3.11 AS build
RUN make all
FROM python:3.11-slim
# the service
RUN apt-get update \\
    && apt-get install -y libpq5
ENV A=1 B="two words"
ENV OLD style
EXPOSE 8000 53/udp
LABEL org.opencontainers.image.title=shop
USER 1000:1000
WORKDIR /srv
VOLUME ["/data", "/more"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --start-period=5s CMD ["python", "-m", "shop.health"]
COPY src.shop/bin.pex /bin/app
COPY config /etc/shop
ENTRYPOINT ["/bin/app.pex"]
"""


def test_the_last_stage_of_a_dockerfile() -> None:
    stage = read_dockerfile(DOCKERFILE)
    assert stage.copied == ["src.shop/bin.pex"]
    assert stage.fields == {
        "env": {"A": "1", "B": "two words", "OLD": "style"},
        "ports": ["8000", "53/udp"],
        "labels": {"org.opencontainers.image.title": "shop"},
        "user": "1000:1000",
        "workdir": "/srv",
        "volumes": ["/data", "/more"],
        "stop_signal": "SIGINT",
        "healthcheck": ["python", "-m", "shop.health"],
        "healthcheck_options": {"interval": "30s", "start_period": "5s"},
    }
    assert stage.notes == [
        "FROM python:3.11-slim: name a base with that Python",
        (
            'RUN apt-get update && apt-get install -y libpq5: `extra_packages=["libpq5"]` of the image or of its base; '
            "what else it does has no place"
        ),
        "COPY config /etc/shop: name files in `files_at`, or as `files` dependencies, which stand below `workdir`",
    ]


def test_a_healthcheck_of_the_shell_is_told_what_takes_its_place() -> None:
    line = "HEALTHCHECK --interval=5s CMD curl -f http://localhost/ready || exit 1"
    stage = read_dockerfile(f"FROM scratch\n{line}\n")
    assert "healthcheck" not in stage.fields
    assert stage.notes[1:] == [
        f"{line}: `healthcheck` takes a list that no shell reads, of what the image has: Python, not curl"
    ]


@pytest.mark.parametrize(
    ("commands", "advice"),
    [
        (
            "apt-get update && apt-get install -y -q --no-install-recommends libgl1=1.6.0-1 curl/bookworm && apt-get clean",
            '`extra_packages=["libgl1", "curl"]` of the image or of its base; what else it does has no place',
        ),
        (
            "pip3 install --no-cache-dir uploadserver==5.2.1",
            "what is installed with pip or uv belongs into the lock; what else it does has no place",
        ),
        (
            "python -m pip install x; uv sync",
            "what is installed with pip or uv belongs into the lock; what else it does has no place",
        ),
        ("mkdir -p /srv/data", "nothing is run"),
    ],
)
def test_what_takes_the_place_of_run(commands: str, advice: str) -> None:
    assert read_dockerfile(f"FROM scratch\nRUN {commands}\n").notes[1:] == [f"RUN {commands}: {advice}"]


def test_variables_of_a_dockerfile_are_told() -> None:
    stage = read_dockerfile("FROM scratch\nENV A=1\nENV B=/run/$A/b\n")
    assert stage.fields["env"] == {"A": "1", "B": "/run/$A/b"}
    assert stage.notes[1:] == [
        "ENV B=/run/$A/b: nothing puts the value of a variable in the place of its name"
    ]


def test_what_stands_beside_a_pex_is_told() -> None:
    lines = (
        'ENTRYPOINT ["/usr/bin/python3", "/bin/app.pex"]',
        'ENTRYPOINT ["/bin/app.pex", "serve"]',
        "COPY --chmod=755 config src.shop/bin.pex /bin/",
        'COPY ["src.shop/more.pex", "/bin/more.pex"]',
    )
    stage = read_dockerfile("\n".join(("FROM scratch", *lines)))
    assert stage.copied == ["src.shop/bin.pex", "src.shop/more.pex"]
    assert stage.notes[1:] == [
        f"{lines[1]}: arguments of the entry point are `args`",
        f"{lines[2]}: name files in `files_at`, or as `files` dependencies, which stand below `workdir`",
    ]


def test_the_venv_of_a_pex_that_other_stages_make() -> None:
    stage = read_dockerfile(
        """\
FROM python:3.11 as deps
COPY src.shop/bin.pex /bin.pex
RUN PEX_TOOLS=1 python /bin.pex venv --scope=deps --compile /bin/app
FROM python:3.11 AS srcs
COPY src.shop/bin.pex /bin.pex
RUN PEX_TOOLS=1 python /bin.pex venv --scope=srcs --compile /bin/app
FROM node:22
RUN npm run build
FROM srcs AS both
COPY --from=0 /bin/app /bin/app
FROM python:3.11-slim
ENTRYPOINT ["/bin/app/pex"]
COPY --from=deps /bin/app /bin/app
COPY --from=srcs /bin/app /bin/app
COPY --from=both /bin/app /bin/app
COPY --from=2 /web /web
"""
    )
    assert stage.copied == ["src.shop/bin.pex"]
    assert stage.notes == [
        "FROM python:3.11-slim: name a base with that Python",
        "COPY --from=2 /web /web: name files in `files_at`, or as `files` dependencies, which stand below `workdir`",
    ]


def test_the_file_that_a_pex_starts_is_that_from_the_image() -> None:
    assert migrate.moved({"entry_point": "app.py:main"}, "src/shop", "src/shop") == {
        "entry_point": "app.py:main"
    }
    assert migrate.moved({"entry_point": "app.py"}, "src/shop", "docker") == {
        "entry_point": "../src/shop/app.py"
    }
    assert migrate.moved({"entry_point": "shop.app:main"}, "a", "b") == {"entry_point": "shop.app:main"}
    # Since 2.18, Pants has the path in the repository.
    for folder, expected in (
        ("src/shop", "bin/run.py"),
        ("", "src/shop/bin/run.py"),
        ("docker", "../src/shop/bin/run.py"),
    ):
        assert migrate.moved({"executable": "src/shop/bin/run.py"}, "src/shop", folder) == {
            "executable": expected
        }


def test_a_target_with_the_fields_of_both() -> None:
    docker = {
        "name": "docker",
        "repository": "team/shop",
        "image_tags": ("latest", "{pants.hash}"),
        "image_labels": {"a": "b"},
        "secrets": {"x": "y"},
        "skip_push": False,
        "pull": True,
    }
    pex = {
        "name": ":bin",
        "entry_point": "app.py:main",
        "env": {"MODE": "quiet"},
        "args": None,
        "layout": "zipapp",
        "sh_boot": True,
    }
    stage = read_dockerfile("FROM scratch\nENV A=1\nCOPY src.shop/bin.pex /bin/app\n")
    assert proposal(docker, pex, stage, "src/shop/BUILD, for src/shop:docker and src/shop:bin") == (
        "# src/shop/BUILD, for src/shop:docker and src/shop:bin\n"
        "# - FROM scratch: name a base with that Python\n"
        "# - `sh_boot` of the pex_binary has no place here\n"
        "# - `secrets` of the docker_image has no place here\n"
        "slim_python_image(\n"
        '    name="docker-slim",\n'
        '    dependencies=[":bin"],\n'
        '    entry_point="app.py:main",\n'
        '    env={"MODE": "quiet", "A": "1"},\n'
        '    base="//3rdparty/debian:bookworm-py311",\n'
        '    repository="team/shop",\n'
        '    image_tags=["latest", "{pants.hash}"],\n'
        '    labels={"a": "b"},\n'
        ")\n"
    )


def test_where_a_pex_lies() -> None:
    assert default_output("src/shop", "bin") == "src.shop/bin.pex"
    assert default_output("", "bin") == "bin.pex"


def test_the_goal_prints_targets() -> None:
    runner = RuleRunner(rules=migrate.rules(), target_types=[DockerImageTarget, PexBinary])
    runner.write_files(
        {
            "src/old/BUILD": 'pex_binary(name="bin", entry_point="old:main")\n'
            'docker_image(name="docker", repository="team/old", instructions=["FROM x", "EXPOSE 80", '
            '"COPY src.old/bin.pex /app"])\ndocker_image(name="other", instructions=["FROM y"])\n',
        }
    )
    made = runner.run_goal_rule(migrate.SlimMigrate, args=["src/old::"])
    assert made.stdout == (
        "# src/old/BUILD, for src/old:docker and src/old:bin\n"
        "# - FROM x: name a base with that Python\n"
        "slim_python_image(\n"
        '    name="docker-slim",\n'
        '    dependencies=[":bin"],\n'
        '    entry_point="old:main",\n'
        '    base="//3rdparty/debian:bookworm-py311",\n'
        '    ports=["80"],\n'
        '    repository="team/old",\n'
        ")\n"
    )


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ('docker_image(name="d", instructions=["FROM x"])', "No `docker_image` is among the targets given."),
        ('pex_binary(name="bin", entry_point="old:main")', "a `pex_binary` by itself is for `tailor`"),
        ("", "there is nothing to move"),
    ],
)
def test_a_repository_with_nothing_to_move(build: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    runner = RuleRunner(rules=migrate.rules(), target_types=[DockerImageTarget, PexBinary, GenericTarget])
    runner.write_files({"old/BUILD": build, "new/BUILD": 'target(name="x")'})
    assert runner.run_goal_rule(migrate.SlimMigrate, args=["new::"]).stdout == ""
    assert said in caplog.text
    assert "-> ./pants" in caplog.text
