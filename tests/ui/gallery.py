"""Every component with sample values on one page, and the other layouts, as templates and their context.

`pages()` names what test_components.py checks and what serve.py shows to a person.
"""

import datetime
import json
from types import SimpleNamespace
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.template import engines

MOMENT = datetime.datetime(2026, 9, 25, 5, 3, 20, tzinfo=datetime.UTC)

GALLERY = """{% extends "base.html" %}{% load i18n ui static %}
{% block title %}Gallery{% endblock %}
{% block pretitle %}{% include "components/breadcrumb.html" with items=trail only %}{% endblock %}
{% block page_title %}Components{% endblock %}
{% block subtitle %}<div class="page-subtitle">{% status_badge states.0 %} {% include "components/live_pill.html" with state="live" only %}</div>{% endblock %}
{% block actions %}{% button label="Plain" icon="download" %}{% button label="New training" icon="plus" variant="primary" href="#new" %}{% endblock %}
{% block styles %}<link rel="stylesheet" href="{% static 'css/monitor.css' %}">{% endblock %}
{% block content %}
{% page_help title="What is a snapshot?" %}<p>A revision of a dataset that nothing changes any more.</p>{% endpage_help %}
{% include "components/notice.html" with text="Two nodes do not answer." hint="Jobs on them are resumed elsewhere." color="yellow" href="#nodes" label="See nodes" only %}
<div class="row row-cols-2 row-cols-md-4 g-3 mb-0">
<div class="col">{% include "components/stat.html" with label="Running" value="3" note="of 4 slots" href="#" only %}</div>
<div class="col">{% include "components/stat.html" with label="Waiting" value="12" only %}</div>
<div class="col">{% include "components/stat.html" with label="GPU hours" value=hours|number unit="h" only %}</div>
<div class="col">{% include "components/stat.html" with label="Storage" value=size|bytes only %}</div>
</div>
{% filters search="Search jobs" target="#jobs" %}<select class="form-select" name="state" aria-label="State"><option value="">All states</option><option>Running</option></select>{% endfilters %}
{% panel id="jobs" body=False %}{% table label="Jobs" %}<thead><tr>{% th "Name" sort="name" %}{% th "State" sort="state" %}{% th "Progress" %}{% th "mAP50" sort="map" css="is-number" %}{% th "Started" %}<th></th></tr></thead><tbody>
{% for row in states %}<tr><td><a class="row-title" href="#">{{ row.name }}</a><div class="row-note">yolo26n · 300 images</div></td><td data-label="State">{% status_badge row %}</td><td data-label="Progress">{{ row.progress|percent }}</td><td class="is-number" data-label="mAP50">{{ row.score|figure }}</td><td data-label="Started">{{ moment|relative_time }}</td><td class="text-end">{% dropdown label="More" icon="dots" bare=True %}<li><a class="dropdown-item" href="#">Open</a></li>{% enddropdown %}</td></tr>{% endfor %}
</tbody>{% endtable %}{% include "components/pagination.html" with page=page request=request only %}{% endpanel %}
{% include "components/tabs.html" with tabs=tabs label="Parts" only %}
<div class="row"><div class="col-lg-6">
{% panel title="A form" %}{% include "components/form.html" with form=form label="Save" cancel="#" csrf_token=csrf_token request=request only %}{% endpanel %}
</div><div class="col-lg-6">
{% panel title="Facts" %}{% include "components/definition_list.html" with items=facts only %}{% endpanel %}
{% panel title="Progress" %}{% include "components/progress.html" with label="Progress" value=0.42 text="Epoch 9 of 20" low=125 high=190 only %}<div class="mt-3"></div>{% include "components/progress.html" with label="Preparing" value=None text="Reading the dataset" only %}
<ol class="stage-line mt-4"><li data-state="done">Queued</li><li data-state="done">Preparing</li><li data-state="current">Training</li><li>Evaluating</li></ol>{% endpanel %}
{% panel title="Code" %}{% include "components/code.html" with code=code only %}{% endpanel %}
{% panel title="Buttons" %}<div class="btn-list">{% button label="Primary" variant="primary" %}{% button label="Delete" variant="danger" icon="trash" %}{% button label="Stop" disabled_reason="Needs the role Manager" %}{% button label="Refresh" icon="refresh" bare=True %}{% button label="Ask" modal="sample" %}</div>{% endpanel %}
</div></div>
{% panel title="Settings" %}{% include "components/schema_form.html" with fields=fields presets=presets only %}{% endpanel %}
{% panel title="Upload" %}{% include "components/dropzone.html" with url="/x" folders=True text="JPEG, PNG, WebP; labels as YOLO text files." only %}{% endpanel %}
{% panel title="Pictures" %}<div data-boxes-scope><div class="chart-tools"><label class="form-check form-switch m-0"><input class="form-check-input" type="checkbox" checked data-boxes-toggle>Boxes</label><label>Score<input class="form-range" type="range" min="0" max="1" step="0.01" value="0" data-boxes-threshold><output>0.00</output></label></div><div class="image-grid">{% for picture in pictures %}{% include "components/image_tile.html" with src=picture.src alt=picture.alt width=320 height=240 boxes=picture.boxes classes=classes caption=picture.alt note="320 × 240" href="#" only %}{% endfor %}</div></div>{% endpanel %}
<div class="chart-grid">{% panel title="Confusion" %}<div class="chart" role="img" aria-label="matrix" data-figure="matrix" data-classes='["circle", "square", "triangle"]' data-values="[[40, 2, 1], [3, 37, 0], [0, 4, 33]]"></div>{% endpanel %}
{% panel title="Confusion of many" %}<div class="chart" role="img" aria-label="matrix of many" data-figure="matrix" data-classes="{{ many.classes }}" data-values="{{ many.values }}"></div>{% endpanel %}
{% panel title="Per class" %}<div class="chart" role="img" aria-label="bars" data-figure="bars" data-values='[{"name": "circle", "value": 0.97}, {"name": "square", "value": 0.91}, {"name": "triangle", "value": 0.72}]'></div>{% endpanel %}
{% panel title="Per day" %}<div class="chart" role="img" aria-label="columns" data-figure="columns" data-values='[{"name": "11-19", "value": 0}, {"name": "11-20", "value": 2}, {"name": "11-21", "value": 1}]'></div>{% endpanel %}
{% panel title="Precision and recall" %}<div class="chart" role="img" aria-label="curve" data-figure="curve" data-x="recall" data-y="precision" data-values='{{ curve }}'></div>{% endpanel %}</div>
{% panel body=False %}{% include "components/empty_state.html" with icon="database" title="No datasets yet" text="A dataset holds the pictures and labels that models learn from." label="Create a dataset" href="#" only %}{% endpanel %}
{% modal id="sample" title="A dialog" %}<p>Words.</p>{% endmodal %}
{% endblock %}
{% block scripts %}<script defer src="{% static 'vendor/echarts/echarts.min.js' %}"></script><script type="module" src="{% static 'js/boxes.js' %}"></script><script type="module" src="{% static 'js/upload.js' %}"></script><script type="module" src="{% static 'js/schema-form.js' %}"></script><script type="module" src="{% static 'js/figures.js' %}"></script>{% endblock %}
"""

SIGN_IN = """{% extends "base_auth.html" %}{% load i18n %}
{% block heading %}{% translate "Sign in" %}{% endblock %}
{% block lead %}New here? <a href="#">Create an account</a>{% endblock %}
{% block content %}{% include "components/form.html" with form=form label="Sign in" csrf_token=csrf_token request=request only %}{% endblock %}
{% block footer %}<p class="text-secondary mt-3"><a href="#">Forgot the password?</a></p>{% endblock %}
"""


class SampleForm(forms.Form):
    name = forms.CharField(help_text="As people will see it.", max_length=80)
    kind = forms.ChoiceField(choices=[("detect", "Detection"), ("classify", "Classification")])
    note = forms.CharField(widget=forms.Textarea, required=False)
    split = forms.ChoiceField(widget=forms.RadioSelect, choices=[("auto", "Automatic"), ("manual", "By hand")])
    file = forms.FileField(required=False)
    public = forms.BooleanField(required=False, label="Everybody in the organization may see it")
    token = forms.CharField(widget=forms.HiddenInput, required=False)


class SignInForm(forms.Form):
    login = forms.EmailField(label="E-mail")
    password = forms.CharField(widget=forms.PasswordInput)
    remember = forms.BooleanField(required=False, label="Stay signed in")


class Person(SimpleNamespace):
    def __str__(self) -> str:
        return self.name


class Message(Person):
    """As django.contrib.messages gives it: a level, and the text when it is written out."""


def request(path: str = "/training/", *, theme: str = "system") -> HttpRequest:
    made = HttpRequest()
    made.method = "GET"
    made.path = made.path_info = path
    made.META = {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    made.GET = QueryDict("sort=name&q=yolo")
    made.COOKIES = {"theme": theme}
    made.user = Person(name="minji@example.com", is_authenticated=True, is_staff=True)  # type: ignore[assignment]
    return made


def job(**changes: Any) -> dict[str, Any]:
    """A job summary as the live protocol has it."""
    return {
        "id": "019a0000-0000-7000-8000-000000000001",
        "name": "shapes · yolo26n",
        "kind": "train",
        "state": "running",
        "state_label": "Running",
        "state_color": "blue",
        "state_live": True,
        "reason": None,
        "stage": "training",
        "progress": 0.1,
        "progress_text": "Epoch 2 of 20",
        "eta": {"low_seconds": 60, "high_seconds": 90},
        "attempt_no": 1,
        "event_seq": 0,
        "queued_at": None,
        "started_at": MOMENT,
        "finished_at": None,
        "waiting_for": None,
        "capabilities": {"stop": True, "resume": False, "clone": True},
    } | changes


def job_context(api: str = "/api/v1/training-jobs/1") -> dict[str, Any]:
    return {
        "job": job(),
        "project": "Line 3",
        "urls": {
            "socket": "/ws/training-jobs/1/",
            "events": f"{api}/events",
            "metrics": f"{api}/metrics",
            "logs": f"{api}/logs",
            "list": "/training/",
        },
        "actions": [
            {"name": "clone", "url": f"{api}/clone", "label": "Clone", "icon": "copy"},
            {"name": "resume", "url": f"{api}/resume", "label": "Resume", "icon": "player-play", "variant": "primary"},
            {
                "name": "stop",
                "url": f"{api}/stop",
                "label": "Stop",
                "icon": "player-stop",
                "confirm": "Stop this training?",
                "danger": True,
                "done": "It writes its checkpoint.",
                "done_state": "stopping",
            },
        ],
        "stages": [
            ("queued", "Queued"),
            ("preparing", "Preparing"),
            ("training", "Training"),
            ("evaluating", "Evaluating"),
        ],
    }


def context(theme: str = "system") -> dict[str, Any]:
    """What the gallery shows. A bound form with an error, every kind of field, every colour that states have."""
    states = [
        {"name": "shapes · yolo26n", "state": "running", "state_label": "Running", "state_color": "blue", "state_live": True, "progress": 0.42, "score": 0.8123},
        {"name": "defects · yolo26s", "state": "succeeded", "state_label": "Succeeded", "state_color": "green", "progress": 1, "score": 0.9312},
        {"name": "결함 검출 3차", "state": "failed", "state_label": "Failed", "state_color": "red", "progress": 0.1, "score": None},
        {"name": "night shift", "state": "unreachable", "state_label": "Unreachable", "state_color": "yellow", "progress": 0.7, "score": float("nan")},
        {"name": "new lens", "state": "errored", "state_label": "Errored", "state_color": "orange", "progress": 0, "score": None},
        {"name": "draft", "state": "draft", "state_label": "Draft", "state_color": "secondary", "progress": None, "score": None},
    ]  # fmt: skip
    field = {
        "minimum": None,
        "maximum": None,
        "unit": "",
        "group": "basic",
        "required": True,
        "errors": [],
        "choices": [],
    }
    many = [f"결함 종류 {number}" for number in range(1, 30)] + ["background"]
    counts = [[(row * 7 + column) % 23 if row != column else 90 for column in range(30)] for row in range(30)]
    return {
        "many": {"classes": json.dumps(many), "values": json.dumps(counts)},
        "theme": theme,
        "languages": [("en", "English"), ("ko", "Korean")],
        "organization": SimpleNamespace(id=1, name="Hanbit Optics"),
        "organizations": [SimpleNamespace(id=1, name="Hanbit Optics"), SimpleNamespace(id=2, name="Nara Logistics")],
        "messages": [Message(name="Saved.", level_tag="success")],
        "trail": [("Projects", "#"), ("Line 3", "#")],
        "states": states,
        "moment": MOMENT,
        "hours": 1234567,
        "size": 48_318_382_080,
        "page": {"next_cursor": "abc", "previous_cursor": None, "shown": 6, "total": 1204},
        "tabs": [{"label": "Images", "href": "#", "active": True, "count": 1204}, {"label": "Classes", "href": "#", "active": False, "count": None}],
        "form": SampleForm({"name": "", "kind": "detect", "split": "auto"}),
        "facts": [("Trainer", "Ultralytics YOLO 1.0.0"), ("Seed", 0), ("Snapshot", None)],
        "code": "curl -H 'Authorization: Bearer …' \\\n  http://localhost/api/v1/training-jobs",
        "fields": [
            field | {"name": "config-epochs", "key": "epochs", "id": "id_epochs", "title": "Epochs", "description": "Passes over all images.", "kind": "integer", "value": 50, "default": 100, "minimum": 1, "maximum": 1000},
            field | {"name": "config-lr0", "key": "lr0", "id": "id_lr0", "title": "Learning rate", "description": "", "kind": "number", "value": 0.01, "default": 0.01, "minimum": 0},
            field | {"name": "config-optimizer", "key": "optimizer", "id": "id_optimizer", "title": "Optimizer", "description": "", "kind": "choice", "value": "auto", "default": "auto", "choices": [("auto", "auto"), ("SGD", "SGD")]},
            field | {"name": "config-imgsz", "key": "imgsz", "id": "id_imgsz", "title": "Image size", "description": "", "kind": "integer", "value": 640, "default": 640, "unit": "px", "errors": ["A multiple of 32."]},
            field | {"name": "config-amp", "key": "amp", "id": "id_amp", "title": "Mixed precision", "description": "Faster on GPUs.", "kind": "boolean", "value": True, "default": True, "group": "advanced"},
        ],
        "presets": [{"name": "fast", "title": "Fast", "values": json.dumps({"epochs": 20})}, {"name": "thorough", "title": "Thorough", "values": "{}"}],
        "classes": json.dumps([{"id": 0, "name": "circle"}, {"id": 1, "name": "원"}]),
        "pictures": [
            {"src": "/static/img/blueprint.svg", "alt": f"0{index}.jpg", "boxes": json.dumps([{"class": 0, "bbox": [20, 30, 120, 90], "score": 0.97}, {"class": 1, "bbox": [180, 90, 90, 120], "score": 0.4, "kind": "prediction"}])}
            for index in range(1, 5)
        ],
        "curve": json.dumps([{"name": "all", "mean": True, "x": [0, 0.5, 0.9, 1], "y": [1, 0.97, 0.9, 0.2]}, {"name": "circle", "x": [0, 0.6, 1], "y": [1, 0.99, 0.4]}]),
        "csrf_token": "token",
    }  # fmt: skip


def pages(theme: str = "system") -> dict[str, str]:
    """Name → HTML of everything that there is to look at."""
    engine = engines["django"]
    values = context(theme)
    draw = engine.from_string
    made = request(theme=theme)
    return {
        "gallery": draw(GALLERY).render(values, made),
        "sign-in": draw(SIGN_IN).render(values | {"form": SignInForm()}, request("/sign-in/", theme=theme)),
        "monitor": engine.get_template("training/monitor.html").render(values | job_context(), made),
        **{code: engine.get_template(f"{code}.html").render({}) for code in ("400", "403", "403_csrf", "404", "500")},
    }
