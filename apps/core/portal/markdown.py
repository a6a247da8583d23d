"""Text that people write, as markup that a page can show: no markup of theirs, no picture, nothing from elsewhere."""

import html

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

#: Headings of a text stand below those of the page.
LOWERED = 2
TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
# Without `image`: what would be a picture is a link to it, which nobody follows without a click.
_reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def drawn(text: str) -> SafeString:
    """CommonMark with tables, cleaned: `a` to http, https and mailto is the only tag with an attribute of the text's."""
    tokens = _reader.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + LOWERED)}"
    markup = _reader.renderer.render(tokens, _reader.options, {})
    clean = nh3.clean(
        markup,
        tags=TAGS,
        attributes={"*": set(), "a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # nosec B308 B703  # cleaned right above


def plain(text: str) -> str:
    """The words of the text alone, in one line; not safe as markup."""
    return " ".join(html.unescape(nh3.clean(_reader.render(text), tags=set())).split())
