"""The documentation site: it has all pages, reads as the plain view does, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]
TOP = {"README.md": "index.html", "CONTRIBUTING.md": "contributing.html", "CHANGELOG.md": "changelog.html"}
SOURCES = TOP | {
    f"docs/{page}": re.sub(r"(README)?\.md$", lambda found: "index.html" if found[1] else ".html", str(page))
    for page in sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
}
STRUCTURE = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "table", "tr", "td", "pre", "blockquote", "img", "strong"}
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
IN_STYLE = r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)"
pytest.importorskip("material", reason="mkdocs-material is not installed (requirements-dev.lock)")


class Tags(HTMLParser):
    """Tags of a page, and the addresses that a browser loads to show it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        has = dict(attributes)
        if tag in LOADED and has.get(LOADED[tag]):
            self.loaded.append(has[LOADED[tag]])
        if tag == "link" and not {"canonical", "prev", "next"} & set(has["rel"].split()):
            self.loaded.append(has["href"])


def build(config: Path, folder: Path) -> subprocess.CompletedProcess:
    """Build the site; where a proxy is asked for whatever is fetched, nothing answers."""
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    command = [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(folder)]
    environment = os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=folder.parent, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def pages_of(nav) -> list[str]:
    """The pages that a navigation names, at any depth."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages_of(part)]


def test_every_page_of_the_navigation_and_every_page_of_docs_is_there(site):
    named = pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    built = [re.sub(r"(README)?\.md$", lambda found: "index.html" if found[1] else ".html", page) for page in named]
    assert set(SOURCES.values()) | {f"reference/{name}.html" for name in ("config", "task", "series")} == set(built)
    assert [page for page in built if not (site / page).is_file()] == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_has_the_headings_lists_tables_and_blocks_of_the_plain_view(site, source):
    """Markdown is read by other rules there: a list without an empty line before it, or indented less, is none here."""
    plain = Tags(MarkdownIt("commonmark").enable("table").render((ROOT / source).read_text()))
    article = re.search(r"<article.*?</article>", (site / SOURCES[source]).read_text(), re.DOTALL)[0]
    built = Tags(re.sub(r"<aside.*?</aside>", "", article, flags=re.DOTALL))
    assert {tag: built.tags[tag] for tag in STRUCTURE} == {tag: plain.tags[tag] for tag in STRUCTURE}


def test_no_page_loads_anything_from_another_host(site):
    found = {page.name: Tags(page.read_text()).loaded for page in site.rglob("*.html")}
    found |= {sheet.name: re.findall(IN_STYLE, sheet.read_text()) for sheet in site.rglob("*.css")}
    assert sum(len(addresses) for addresses in found.values()) > 100
    assert [(name, one) for name, of in found.items() for one in of if re.match(r"(\w+:)?//", one)] == []


def descriptions_in(value) -> list[str]:
    """All descriptions of a schema, at any depth."""
    if isinstance(value, list):
        return [text for part in value for text in descriptions_in(part)]
    if not isinstance(value, dict):
        return []
    here = [value["description"]] if isinstance(value.get("description"), str) else []
    inner = [part for key, part in value.items() if key not in ("if", "then", "else")]  # of the file as a whole
    return here + [text for part in inner for text in descriptions_in(part)]


@pytest.mark.parametrize("name", ["config", "task", "series"])
def test_each_description_of_a_schema_is_read_word_by_word(site, name):
    text = " ".join(unescape(re.sub("<.*?>", "", (site / f"reference/{name}.html").read_text())).split())
    expected = descriptions_in(yaml.safe_load((ROOT / f"{name}.schema.yaml").read_text()))
    plain = [re.sub(r"docs/(?=\w+\.md)", "", " ".join(one.split()).replace("`", "")) for one in expected]
    is_replaced = "A name, or a list of names."  # wherever it is referred to
    assert len(plain) > 20 and {one for one in plain if one not in text} <= {is_replaced}


def test_links_out_of_docs_lead_to_pages_of_the_site(site):
    study = (site / "study.html").read_text()
    assert 'href="reference/config.html"' in study and "config.schema.yaml" in study
    assert 'src="report.png"' in (site / "index.html").read_text()
    assert 'href="data.html"' in (site / "index.html").read_text()
    assert 'href="index.html#try-it"' in (site / "start.html").read_text()
    assert "tasks/fruit.yaml" in (site / "add.html").read_text()


def test_a_broken_link_is_an_error_and_a_file_of_the_repository_is_shown(tmp_path):
    (tmp_path / "docs").mkdir()
    links = "[a](gone.md) [b](#gone) [c](/etc) [d](../gone.yaml) [e](../config.yaml) [f](#set-it-up)"
    (tmp_path / "docs/wrong.md").write_text(f"# Wrong\n\n## Set it up!\n\n{links}\n")
    settings = {"INHERIT": str(ROOT / "mkdocs.yml"), "docs_dir": "docs", "hooks": [str(ROOT / "docs/hooks.py")]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings | {"nav": ["wrong.md", "absent.md"]}))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if "wrong.md" in line]
    assert [re.search(r"'(\S*)'", line.partition("link")[2])[1] for line in said if "contains" in line] == [
        *("gone.md", "/etc", "../gone.yaml", "#gone"),
    ]
    assert "'absent.md'" in done.stderr
    assert "study: nursery" in re.sub("<.*?>", "", (tmp_path / "site/files/config.yaml.html").read_text())
