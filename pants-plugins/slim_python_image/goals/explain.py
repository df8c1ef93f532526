"""`pants slim-explain`: why a layer or a digest is another than that of an earlier build."""

from __future__ import annotations

import json
import logging
from enum import Enum
from pathlib import Path
from typing import Iterable, Mapping

from pants.base.build_root import BuildRoot
from pants.core.util_rules.distdir import DistDir
from pants.engine.addresses import Address
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Targets
from pants.option.option_types import EnumOption, StrOption
from pants.util.strutil import softwrap

from slim_python_image.by_name import collect_rules, concurrently, goal_rule, implicitly
from slim_python_image.goals.explain_report import SCHEMA, Explanation, explain, parse_report
from slim_python_image.goals.explain_steps import Document
from slim_python_image.goals.explain_text import text_report
from slim_python_image.goals.package_image import SlimImageFieldSet, images_among, output_of, report
from slim_python_image.picture.page import comparison, page
from slim_python_image.picture.parts import platforms
from slim_python_image.picture.svg import drawing
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.image import BuiltImageRequest, build_image

logger = logging.getLogger(__name__)


class ExplainFormat(Enum):
    """How the explanation reads."""

    TEXT = "text"
    JSON = "json"


class SlimExplainSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-explain`."""

    name = "slim-explain"
    help = softwrap(
        """
        Say why an image's digests are other than those of an earlier build: platform by platform and layer
        by layer, the wheel, package, source file, field, compiler or plugin code that changed.

        It builds the images given (what the cache has is not built again), and compares each with the
        report `<name>.json` that `package` wrote beside it earlier. It writes nothing to `dist`.

        `--graph` draws what is in the images instead, and needs no earlier report; `--page` writes the
        comparison as a page with pictures.
        """
    )

    against = StrOption(
        default=None,
        help=softwrap(
            """
            The report of the earlier build, or a folder with reports, such as a copy of an earlier `dist`.
            Relative to the root of the repository. By default, what `package` last wrote to `dist`.
            """
        ),
    )
    graph = StrOption(
        default=None,
        help=softwrap(
            """
            Draw the bytes of each platform of the images by layer and distribution, as an SVG file at this
            path, relative to the root of the repository. Nothing is compared.
            """
        ),
    )
    page = StrOption(
        default=None,
        help=softwrap(
            """
            Write the comparison as an HTML page to this path, relative to the root of the repository:
            pictures of both, and a table of what has another version or size.
            """
        ),
    )
    format = EnumOption(
        default=ExplainFormat.TEXT,
        help="`text`: what changed, and why. `json`: the same for programs, with whole digests.",
    )


class SlimExplain(Goal):
    """Why a digest changed."""

    subsystem_cls = SlimExplainSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def read_report(path: Path) -> Document:
    """Return the report in a file.

    :raises SlimImageError: it cannot be read.
    """
    try:
        return parse_report(path.read_bytes(), str(path))
    except OSError as e:
        raise SlimImageError(
            f"{path}: cannot be read ({e.strerror})\n"
            "  -> give --against the `<name>.json` that `package` wrote beside the image in an earlier build"
        ) from None


def reports_below(folder: Path) -> dict[str, Document]:
    """Return the reports in a folder by target; other JSON files are no reports."""
    found: dict[str, Document] = {}
    for path in sorted(folder.rglob("*.json")):
        if path.parent.joinpath("oci-layout").exists() or not path.is_file():
            continue  # an OCI layout's own files
        try:
            one = read_report(path)
        except SlimImageError:
            continue
        found[one["target"]] = one
    return found


def choose(target: str, earlier: Mapping[str, Document], where: Path, *, alone: bool) -> Document:
    """Return the earlier report of a target.

    :param alone: whether it is the only target asked for; then a single report may be another target's.
    :raises SlimImageError: there is none.
    """
    if target in earlier:
        return earlier[target]
    if alone and len(earlier) == 1 and where.is_file():
        (other,) = earlier
        logger.warning("%s is a report of %s; it is compared with %s.", where, other, target)
        return earlier[other]
    known = ", ".join(sorted(earlier)) or "none"
    raise SlimImageError(
        f"{where}: holds no report of {target}, but of: {known}\n"
        "  -> give --against the report of an earlier build of this image, or a folder that holds it"
    )


def gather(
    against: str | None, fields: Iterable[SlimImageFieldSet], root: Path, dist: Path
) -> dict[Address, Document]:
    """Return the earlier report of each image.

    :raises SlimImageError: one is missing.
    """
    images = list(fields)
    if against is None:
        return {one.address: read_report(dist / f"{output_of(one.output_path)}.json") for one in images}
    where = root / Path(against).expanduser()
    if where.is_dir():
        earlier = reports_below(where)
    else:
        one_report = read_report(where)
        earlier = {one_report["target"]: one_report}
    return {one.address: choose(str(one.address), earlier, where, alone=len(images) == 1) for one in images}


def json_report(explanations: Iterable[Explanation]) -> str:
    """Return explanations for programs."""
    document = {"schema": SCHEMA, "images": [one.to_json() for one in explanations]}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def write_file(root: Path, path: str, content: str) -> str:
    """Write a file for who asked for it; return what to say of that.

    :raises SlimImageError: it cannot be written.
    """
    place = root / Path(path).expanduser()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    except OSError as e:
        raise SlimImageError(
            f"{place}: cannot be written ({e.strerror})\n  -> name a file in a folder that can be"
        ) from None
    return f"Wrote {path}\n"


def draw(reports: Iterable[Document]) -> str:
    """Return the picture of images."""
    found = tuple(one for document in reports for one in platforms(document))
    return drawing(found, ", ".join(dict.fromkeys(one.image for one in found)))


def compare(pairs: Iterable[tuple[Document, Document]]) -> str:
    """Return the page that compares reports: an earlier and a current one each."""
    every = list(pairs)
    title = ", ".join(current["target"] for _, current in every)
    sections = (line for old, new in every for line in comparison(old, new, text_report([explain(old, new)])))
    return page(title, sections)


@goal_rule
async def slim_explain(
    console: Console,
    subsystem: SlimExplainSubsystem,
    targets: Targets,
    build_root: BuildRoot,
    dist_dir: DistDir,
) -> SlimExplain:
    """Build, and print, draw or write what was asked for."""
    fields = images_among(targets)
    if not fields:
        return SlimExplain(exit_code=0)
    root = Path(build_root.path)
    # Before anything is built: building may take long, a wrong path shows at once.
    earlier = {} if subsystem.graph else gather(subsystem.against, fields, root, root / dist_dir.relpath)
    built = await concurrently(build_image(BuiltImageRequest(one.address), **implicitly()) for one in fields)
    reports = {image.address: report(image) for image in built}
    if subsystem.graph is not None:
        said = write_file(root, subsystem.graph, draw(reports.values()))
    elif subsystem.page is not None:
        pairs = [(earlier[address], one) for address, one in reports.items()]
        said = write_file(root, subsystem.page, compare(pairs))
    else:
        explanations = [explain(earlier[address], one) for address, one in reports.items()]
        as_json = subsystem.format is ExplainFormat.JSON
        said = json_report(explanations) if as_json else text_report(explanations)
    with subsystem.output(console) as write:
        write(said)
    return SlimExplain(exit_code=0)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
