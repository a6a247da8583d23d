"""What templates draw with: icons, states, figures, times, and the components that wrap other markup.

Components without a body are includes (`{% include "components/stat.html" with … only %}`); those that wrap markup are
the block tags at the end. Nothing here knows an app: a state's colour and words come from the object.
"""

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, FileInput, RadioSelect, Select, Textarea
from django.http import HttpRequest
from django.template.context import Context
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.portal import components
from apps.core.portal.markdown import drawn, plain

register = template.Library()

MISSING = "–"


# Small components: icons, states, buttons, choices


register.simple_tag(components.icon)
register.simple_tag(components.badge)
register.simple_tag(components.button)
register.simple_tag(components.options)
register.filter("tone", components.tone)


# Places


@register.filter
def is_at(request: HttpRequest | None, href: str) -> bool:
    """Whether the page is `href` or lies below it."""
    path = request.path if request else ""
    return path == href or path.startswith(href.rstrip("/") + "/")


@register.filter
def allows(capabilities: Mapping[str, bool] | None, action: str) -> bool:
    """Whether the capabilities of a job, or of anything else that states its own, hold this action."""
    return bool((capabilities or {}).get(action))


# States


@register.simple_tag
def status_badge(item: Any) -> SafeString:
    """The state of an object (or of a mapping) that has `state_color` and `state_label` or `get_state_display()`.

    `state_live`, where there is one, says that the state will change by itself; its dot pulses.
    """
    label = _read(item, "state_label")
    if not label:
        display = _read(item, "get_state_display")
        label = display() if callable(display) else (_read(item, "state") or "")
    color, live = _read(item, "state_color"), bool(_read(item, "state_live"))
    return components.badge(label, color, live=live, state=str(_read(item, "state") or ""))


def _read(item: Any, name: str) -> Any:
    if isinstance(item, Mapping):
        return item.get(name)
    return getattr(item, name, None)


# Figures


@register.filter
def number(value: Any, digits: int = 0) -> str:
    """A number with the language's grouping; a dash when there is none."""
    if not _is_number(value):
        return MISSING
    return formats.number_format(value, decimal_pos=int(digits), use_l10n=True, force_grouping=True)


@register.filter
def compact(value: Any) -> str:
    """2600000 → 2.6M. For counts where the magnitude matters and the digits do not."""
    if not _is_number(value):
        return MISSING
    size = float(value)
    for limit, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(size) >= limit:
            return f"{size / limit:.3g}{suffix}"
    return f"{size:.4g}"


@register.filter
def figure(value: Any, digits: int = 4) -> str:
    """A measured value with so many significant digits; not-a-number and infinity by name."""
    if value is None or value == "" or isinstance(value, bool):
        return MISSING
    try:
        size = float(value)
    except (TypeError, ValueError, OverflowError):
        return MISSING
    if math.isnan(size):
        return "NaN"
    if math.isinf(size):
        return "∞" if size > 0 else "−∞"
    return f"{size:.{int(digits)}g}"


@register.filter
def percent(value: Any, digits: int = 0) -> str:
    """0.42 → 42 %."""
    if not _is_number(value):
        return MISSING
    return f"{float(value) * 100:.{int(digits)}f}\N{NO-BREAK SPACE}%"


@register.filter("bytes")
def format_bytes(value: Any) -> str:
    """A size in bytes with binary units."""
    if not _is_number(value):
        return MISSING
    size = float(value)
    if abs(size) < 1024:
        return ngettext("%(size)d byte", "%(size)d bytes", int(size)) % {"size": int(size)}
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if abs(size) < 1024 or unit == "TiB":
            break
    return f"{size:.{0 if abs(size) >= 100 else 1}f}\N{NO-BREAK SPACE}{unit}"


@register.filter
def duration(value: Any) -> str:
    """Seconds, or a timedelta, as the two largest units."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if not _is_number(value):
        return MISSING
    seconds = float(value)
    if 0 < seconds < 1:
        return _("%(count)d ms") % {"count": round(seconds * 1000)}
    whole = max(0, round(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    return _("%(seconds)d s") % {"seconds": rest}


def _is_number(value: Any) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


# Times


@register.filter
def local_time(value: datetime.datetime | None, form: str = "minute") -> str:
    """A moment in the reader's zone as 2026-09-25 14:03, with UTC on hover. `form` is `minute`, `second` or `date`."""
    if value is None:
        return MISSING
    shown = timezone.localtime(value)
    pattern = {"minute": "%Y-%m-%d %H:%M", "second": "%Y-%m-%d %H:%M:%S", "date": "%Y-%m-%d"}[form]
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), _utc(value), shown.strftime(pattern)
    )


@register.filter
def relative_time(value: datetime.datetime | None) -> str:
    """How long ago, kept current by app.js; the moment itself and UTC on hover."""
    if value is None:
        return MISSING
    title = f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S} · {_utc(value)}"
    text = _ago((timezone.now() - value).total_seconds())
    return format_html('<time datetime="{}" title="{}" data-relative>{}</time>', value.isoformat(), title, text)


def _utc(value: datetime.datetime) -> str:
    return f"{value.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _ago(seconds: float) -> str:
    """The words of times.js, so that nothing changes when the page wakes up."""
    ahead, size = seconds < 0, abs(seconds)
    if size < 45:
        return _("just now") if not ahead else _("in a moment")
    if size < 45 * 60:
        count = max(1, round(size / 60))
        if ahead:
            return ngettext("in %(count)d minute", "in %(count)d minutes", count) % {"count": count}
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", count) % {"count": count}
    if size < 22 * 3600:
        count = max(1, round(size / 3600))
        if ahead:
            return ngettext("in %(count)d hour", "in %(count)d hours", count) % {"count": count}
        return ngettext("%(count)d hour ago", "%(count)d hours ago", count) % {"count": count}
    count = max(1, round(size / 86400))
    if ahead:
        return ngettext("in %(count)d day", "in %(count)d days", count) % {"count": count}
    return ngettext("%(count)d day ago", "%(count)d days ago", count) % {"count": count}


# Texts that people wrote


@register.filter
def markdown(text: str) -> SafeString:
    """CommonMark that people wrote, as markup: `<div class="written">{{ dataset.description|markdown }}</div>`."""
    return drawn(text)


@register.filter
def prose_start(text: str, length: int) -> str:
    """The beginning of a text in Markdown without its marks, for a row of a list."""
    return Truncator(plain(text[: 4 * length])).chars(length)


# Forms


@register.filter
def as_json(value: Any) -> str:
    """A value for a script to read out of an attribute."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.simple_tag
def widget(field: BoundField, css: str = "") -> SafeString:
    """The field's input with the classes of its kind; `aria-*` is Django's own (5.2)."""
    kind = field.field.widget
    if isinstance(kind, (CheckboxSelectMultiple, RadioSelect)):
        base = ""
    elif isinstance(kind, CheckboxInput):
        base = "form-check-input"
    elif isinstance(kind, Select):
        base = "form-select"
    else:
        base = "form-control"
    classes = " ".join(filter(None, (kind.attrs.get("class"), base, css, "is-invalid" if field.errors else "")))
    attributes: dict[str, Any] = {"class": classes} if classes else {}
    if isinstance(kind, Textarea) and kind.attrs.get("rows") == "10":  # Django's own, where a form says nothing
        attributes["rows"] = 4
    if "password" in getattr(kind, "input_type", "") and "autocomplete" not in kind.attrs:
        attributes["autocomplete"] = "current-password"
    return field.as_widget(attrs=attributes)


@register.filter
def field_kind(field: BoundField) -> str:
    """`check`, `choices`, `file`, `hidden` or `input`: how components/field.html lays a field out."""
    kind = field.field.widget
    if field.is_hidden:
        return "hidden"
    if isinstance(kind, (CheckboxSelectMultiple, RadioSelect)):
        return "choices"
    if isinstance(kind, CheckboxInput):
        return "check"
    return "file" if isinstance(kind, FileInput) else "input"


# Tables


@register.inclusion_tag("components/th.html", takes_context=True)
def th(context: Context, label: str, sort: str = "", css: str = "") -> dict[str, Any]:
    """A table head. With `sort` it links to the list ordered by that field and back again (`?sort=-field`)."""
    values: dict[str, Any] = {"label": label, "css": css, "sort": sort}
    if not sort:
        return values
    query = context["request"].GET.copy()
    now = query.get("sort", "")
    query["sort"] = f"-{sort}" if now == sort else sort
    query.pop("cursor", None)  # a cursor belongs to one order
    direction = {sort: "ascending", f"-{sort}": "descending"}.get(now, "none")
    return values | {"href": f"?{query.urlencode()}", "direction": direction}


# Components with a body


def _draw(context: Context, name: str, values: dict[str, Any]) -> SafeString:
    """A component sees its own values, the request and the CSRF token, and nothing else of the page."""
    outer = {key: context[key] for key in ("request", "csrf_token") if key in context}
    return context.template.engine.get_template(name).render(context.new(outer | values))  # type: ignore[union-attr]


@register.simple_block_tag(takes_context=True)
def panel(
    context: Context, content: str, title: str = "", css: str = "", body: bool = True, actions: str = "", id: str = ""
) -> SafeString:
    """A card. `body=False` for a table or list that reaches the edges; `actions` is markup made with `{% … as %}`."""
    values = {"content": content, "title": title, "css": css, "body": body, "actions": actions, "id": id}
    return _draw(context, "components/panel.html", values)


@register.simple_block_tag(takes_context=True)
def table(context: Context, content: str, label: str, css: str = "", stack: bool = True) -> SafeString:
    """A table that scrolls sideways, or stacks its rows on a phone: give cells `data-label`. `label` names it."""
    return _draw(context, "components/table.html", {"content": content, "label": label, "css": css, "stack": stack})


@register.simple_block_tag(takes_context=True)
def dropdown(
    context: Context, content: str, label: str, icon: str = "", css: str = "", bare: bool = False, end: bool = True
) -> SafeString:
    """A menu behind a button; its items are `<li><a class="dropdown-item">`. `bare` shows the icon only."""
    values = {"content": content, "label": label, "icon": icon, "css": css, "bare": bare, "end": end}
    return _draw(context, "components/dropdown.html", values)


@register.simple_block_tag(takes_context=True)
def modal(
    context: Context, content: str, id: str, title: str, footer: str = "", size: str = "", css: str = ""
) -> SafeString:
    """A dialog, opened by `data-bs-toggle="modal" data-bs-target="#id"`."""
    values = {"content": content, "id": id, "title": title, "footer": footer, "size": size, "css": css}
    return _draw(context, "components/modal.html", values)


@register.simple_block_tag(takes_context=True)
def filters(context: Context, content: str, search: str = "", target: str = "") -> SafeString:
    """The bar above a list: a GET form, so that the URL holds what is shown. `search` is its placeholder; with
    `target` (a css selector) htmx swaps that part only."""
    return _draw(context, "components/filters.html", {"content": content, "search": search, "target": target})


@register.simple_block_tag(takes_context=True)
def page_help(context: Context, content: str, title: str) -> SafeString:
    """A folded explanation at the top of a page."""
    return _draw(context, "components/page_help.html", {"content": content, "title": title})
