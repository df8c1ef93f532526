"""A small monorepo: a library, a service, a service that extends it, and a tool that ships as a wheel."""

from __future__ import annotations

from tests.integration.repository import BASE, Repository, locked

# An old version, for a lock that is behind.
OLD_IDNA = """\
idna==3.10 \\
    --hash=sha256:12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9 \\
    --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3
"""

FILES = {
    "3rdparty/python/BUILD": 'python_requirements(name="reqs")\n',
    "3rdparty/python/requirements.txt": "certifi\nclick\nidna\nwebsockets\n",
    "src/shared/BUILD": 'python_sources(name="lib", sources=["shared/*.py"])\n',
    "src/shared/shared/__init__.py": """\
import idna

def host(name: str) -> str:
    return idna.encode(name).decode()
""",
    "src/service/BUILD": f"""\
python_sources(name="lib", sources=["service/*.py"], dependencies=[":page", ":config"])
resources(name="page", sources=["service/*.html"])
files(name="config", sources=["config/*.json"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="service.app:run",
    args=["--port", "8080"],
    base="{BASE}",
    platforms=["linux/amd64"],
    env={{"MODE": "quiet", "LANG": "C"}},
    user="1000:1001",
    workdir="/srv/data",
    ports=["8080", "53/udp"],
    volumes=["/srv/data"],
    labels={{"org.opencontainers.image.title": "service"}},
    annotations={{"org.opencontainers.image.version": "1.0", "com.example.team": "ä"}},
    stop_signal="SIGINT",
    exclude=["**/unused.py", "click/shell_completion.py"],
)
python_wheel_set(name="wheels", dependencies=[":lib"], base="{BASE}", platforms=["linux/amd64"])
""",
    "src/service/service/__init__.py": "",
    "src/service/service/app.py": """\
from importlib.resources import files

import click
import websockets
from shared import host
from service import unused

def run() -> None:
    click.echo(host("ä.example") + files("service").joinpath("page.html").read_text() + websockets.__name__)
""",
    "src/service/service/unused.py": "UNUSED = True\n",
    "src/service/service/page.html": "<p>hello</p>\n",
    "src/service/config/limits.json": "{}\n",
    "src/child/BUILD": f"""\
python_sources(name="lib", sources=["child/*.py"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="child",
    base="{BASE}",
    platforms=["linux/amd64"],
    extends="src/service:image",
    exclude=["**/unused.py", "click/shell_completion.py"],
)
""",
    "src/child/child/__init__.py": "",
    "src/child/child/__main__.py": """\
import certifi
from shared import host

print(host("ö.example"), certifi.where())
""",
    "src/tool/BUILD": f"""\
python_sources(name="lib", sources=["tool/*.py"])
python_sources(name="more", sources=["extra.py"])
python_distribution(
    name="dist",
    dependencies=[":lib"],
    provides=python_artifact(name="the-tool", version="1.0"),
    entry_points={{"console_scripts": {{"the-tool": "tool:main"}}}},
    sdist=False,
)
slim_python_image(
    name="image",
    dependencies=[":dist", ":lib", ":more"],
    script="the-tool",
    base="{BASE}",
    platforms=["linux/amd64"],
    output_path="made/tool",
    output_format="docker-archive",
    repository="tools/the-tool",
    image_tags=["1.0", "latest"],
)
""",
    "src/tool/tool/__init__.py": "def main() -> None:\n    print('tool')\n",
    "src/tool/extra.py": "EXTRA = True\n",
}


def write_monorepo(repository: Repository) -> Repository:
    """Write the monorepo, with a lock in which ``idna`` is behind."""
    repository.write("3rdparty/python/default.lock", OLD_IDNA + locked("certifi", "click", "websockets"))
    for path, text in FILES.items():
        repository.write(path, text)
    return repository
