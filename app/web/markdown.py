"""Markdown written by people, as HTML that cannot do anything: no raw HTML, no images, only plain links."""

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

HEADINGS_BELOW = 2  #: a text's first heading is h3: it stands below a page's and a panel's own
CACHED = 64


def is_plain_link(url: str) -> bool:
    """Whether a link leads to a page: http, https, or a place on this site."""
    try:
        scheme = urlsplit(url.strip()).scheme
    except ValueError:
        return False
    return scheme in ("", "http", "https") and not url.strip().startswith(("//", "\\", "/\\"))


def _open_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    tokens[index].attrSet("rel", "noopener nofollow")
    return renderer.renderToken(tokens, index, options, env)


def _make() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
    markdown.validateLink = is_plain_link  # type: ignore[method-assign]
    markdown.add_render_rule("link_open", _open_link)
    return markdown


@lru_cache(maxsize=CACHED)
def render_markdown(text: str) -> Markup:
    """A text as HTML. Every character of the source is escaped on the way, so the result may be put into a page."""
    markdown = _make()
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADINGS_BELOW)}"
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - escaped by the renderer, html off
