"""Text in Markdown, drawn for pages: what people write stays text, whatever it looks like (D11, bad-X)."""

import time

import pytest

from apps.core.portal.markdown import drawn, plain


def test_what_a_description_needs_is_drawn() -> None:
    text = "# Pins\n\nTwo *kinds*:\n\n- short\n- long\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n`x` ~~y~~ [home](https://a.example/)"
    assert drawn(text) == (
        "<h3>Pins</h3>\n<p>Two <em>kinds</em>:</p>\n<ul>\n<li>short</li>\n<li>long</li>\n</ul>\n"
        "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n"
        '</tbody>\n</table>\n<p><code>x</code> <s>y</s> <a href="https://a.example/" rel="noopener noreferrer nofollow">'
        "home</a></p>\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://tracker.example/a.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        '[x](https://a.example "onmouseover=alert(1)")',
        "<javascript:alert(1)>",
        "```\n</code></pre><script>alert(1)</script>\n```",
        "[x]: javascript:alert(1)\n\n[x]",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ],
)
def test_nothing_runs_and_nothing_is_fetched(text: str) -> None:
    markup = drawn(text)
    for refused in ("<script", "<img", 'href="javascript', 'href="data', 'href="vbscript', " title=", "<iframe"):
        assert refused not in markup.lower()


@pytest.mark.parametrize("part", [">", "[", "*a ", "`", "- ", "![", "_a", "|a", "<", "&", "[a](", "# ", "\\", "1. "])
def test_no_text_of_the_length_takes_long(part: str) -> None:
    text = (part * 4000)[:4000]
    began = time.process_time()
    drawn(text)
    assert time.process_time() - began < 2


def test_the_words_alone() -> None:
    assert plain("# Pins\n\n*A* & [b](https://a.example) <b>c</b>\n\n- d") == "Pins A & b <b>c</b> d"
    assert plain("") == ""
