"""The small components that stand on every row of a list: icons, states, buttons, choices.

They are written here and not by templates, which take five times as long for as little: a page of fifty rows has more
than a hundred of them.
"""

import re
from collections.abc import Iterable
from functools import cache

from django.template import TemplateSyntaxError
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

ICON_NAME = re.compile(r"^[a-z0-9-]+$")
# As in components.css.
TONES = frozenset(
    (
        "blue",
        "azure",
        "indigo",
        "purple",
        "pink",
        "red",
        "orange",
        "yellow",
        "lime",
        "green",
        "teal",
        "cyan",
        "secondary",
    )
)
NOTHING = SafeString("")
TOOLTIP = SafeString(' data-bs-toggle="tooltip"')
DANGER = SafeString(" data-confirm-danger")
SELECTED = SafeString(" selected")


def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """An icon of the sprite by its Tabler name, which static/icons.json lists. Decorative unless it has a `label`."""
    return _labelled(name, css, label) if label else _plain(name, css)


@cache
def _sprite(name: str) -> str:
    if not ICON_NAME.match(name):
        raise TemplateSyntaxError(f"{name!r} is not the name of an icon")
    return f"{static('vendor/icons.svg')}#{name}"


@cache
def _plain(name: str, css: str) -> SafeString:
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><use href="{}"></use></svg>',
        css,
        _sprite(name),
    )


def _labelled(name: str, css: str, label: str) -> SafeString:
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" role="img" aria-label="{}"><use href="{}"></use></svg>',
        css,
        label,
        _sprite(name),
    )


def tone(color: object) -> str:
    """The css class of a state's colour; an unknown colour is drawn as `secondary`."""
    name = str(color or "")
    return f"tone-{name if name in TONES else 'secondary'}"


def badge(label: object, color: object = "", *, live: bool = False, state: str = "") -> SafeString:
    """A state: a dot for the colour (a tone: blue, green, red …), which pulses when `live`, and words for the meaning;
    `state` is for scripts. Usually by `{% status_badge object %}`."""
    return format_html(
        '<span class="status-badge {}{}" data-badge data-state="{}">{}</span>',
        tone(color),
        " is-live" if live else "",
        state,
        label,
    )


def button(
    *,
    label: object,
    variant: str = "",
    icon: str = "",
    href: str = "",
    type: str = "button",
    name: str = "",
    value: object = "",
    bare: bool = False,
    small: bool = False,
    css: str = "",
    modal: str = "",
    confirm: object = "",
    confirm_label: object = "",
    danger: bool = False,
    disabled_reason: object = "",
) -> SafeString:
    """A button or, with `href`, a link that looks like one.

    - `label`: the words on it; with `bare`, where only the icon is seen, its accessible name
    - `variant`: primary, danger, or nothing for the plain one
    - `type`: submit or button; `name` and `value` are sent with the form
    - `modal`: id of the dialog that it opens
    - `confirm`: the question asked first (a form is submitted, or htmx goes on, once it is answered); the answer that
      goes on is called as the button is, or `confirm_label`, and is red with `danger`
    - `disabled_reason`: why it cannot be used now ("Needs the role Manager"): it stays focusable and says so
    """
    kinds = ("btn", variant and f"btn-{variant}", small and "btn-sm", bare and "btn-icon btn-bare", css)
    classes = " ".join(kind for kind in kinds if kind)
    drawn = _plain(icon, "") if icon else ""
    inside = drawn if bare else format_html("{}{}", drawn, label)
    if disabled_reason:
        return format_html(
            '<button type="button" class="{}" aria-disabled="true" data-bs-toggle="tooltip" title="{}"{}>{}{}</button>',
            classes,
            disabled_reason,
            format_html(' aria-label="{}. {}"', label, disabled_reason) if bare else "",
            inside,
            "" if bare else format_html('<span class="visually-hidden">. {}</span>', disabled_reason),
        )
    tooltip = NOTHING if modal else TOOLTIP
    named = format_html(' aria-label="{}"{} title="{}"', label, tooltip, label) if bare else ""
    if href:
        return format_html('<a href="{}" class="{}"{}>{}</a>', href, classes, named, inside)
    return format_html(
        '<button type="{}" class="{}"{}{}{}{}>{}</button>',
        type,
        classes,
        format_html(' name="{}" value="{}"', name, value) if name else "",
        format_html(' data-bs-toggle="modal" data-bs-target="#{}"', modal) if modal else "",
        _asked_first(confirm, confirm_label or label, danger) if confirm else "",
        named,
        inside,
    )


def _asked_first(question: object, answer: object, danger: bool) -> SafeString:
    red = DANGER if danger else NOTHING
    return format_html(' data-confirm="{}" data-confirm-label="{}"{}', question, answer, red)


def options(choices: Iterable[tuple[object, object]], chosen: object = "") -> SafeString:
    """The options of a `<select>` of (value, label); the one whose value is `chosen` is selected."""
    rows = ((value, SELECTED if str(value) == str(chosen) else NOTHING, label) for value, label in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)
