"""Hooks of mkdocs: pages that docs/ does not hold, and links that lead out of docs/ and into it.

A page is written for the plain view of the repository: its links are paths from its own file. On the site README.md is
the front page, a schema is the page of its keys, and any other file that a page links to is shown as it is.
"""

import os
import re
import sys
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from ripeness.study import reference  # noqa: E402 (mkdocs starts without scripts/ on the path)

TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PAGES = TOP | {name: reference.page_of(name) for name in reference.SCHEMAS}
SOURCES = {page: source for source, page in TOP.items()}
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
NAMED_BLOCK = re.compile(r"^```(\w+) ([^\s{=]+)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors that they have in the plain view."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/: those of the top, those of the schemas, and files that any page links to."""
    for source, page in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for name in reference.SCHEMAS:
        files.append(File.generated(config, reference.page_of(name), content=reference.page(ROOT / name)))
    for file in files.documentation_pages():
        for linked in LINK.findall(file.content_string):
            place = in_repository(linked, file.src_uri)
            is_outside = (ROOT / place).is_file() and not place.startswith("docs/")
            if is_outside and files.get_file_from_path(site_place(place)) is None:
                files.append(shown(place, config))
    return files


def shown(place: str, config: MkDocsConfig) -> File:
    """Return a page that shows a file as it is, without a place in the navigation."""
    kind = PurePosixPath(place).suffix.removeprefix(".")
    content = f"# {place}\n\n```{kind}\n{(ROOT / place).read_text(encoding='utf-8')}```\n"
    return File.generated(config, site_place(place), content=content, inclusion=InclusionLevel.NOT_IN_NAV)


def in_repository(link: str, page: str) -> str:
    """Return the file of the repository that a link of a page leads to."""
    folder = PurePosixPath(SOURCES.get(page, f"docs/{page}")).parent
    return os.path.normpath(folder / link)


def site_place(place: str) -> str:
    """Return the page or file of the site that a file of the repository is."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    return PAGES.get(place, f"files/{place}.md")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to pages of the site, and names of blocks into titles."""
    here = page.file.src_uri
    if here.startswith("reference/"):
        return markdown

    def turned(found: re.Match[str]) -> str:
        place = in_repository(found[1], here)
        return os.path.relpath(site_place(place), PurePosixPath(here).parent) if (ROOT / place).is_file() else found[1]

    return NAMED_BLOCK.sub(r'```\1 title="\2"', LINK.sub(turned, markdown))
