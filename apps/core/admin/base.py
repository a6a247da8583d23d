"""Admin classes. Django asks `user.has_perm`, which the policy answers; the rows come from the same rule."""

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import site
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import Field, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import CharField, HiddenInput, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.forms import PaginationInlineFormSet

from apps.core import auditing, policy
from apps.core.admin.exports import export_rows
from apps.core.admin.reasons import FIELD as REASON
from apps.core.admin.reasons import ReasonedForm, ReasonForm, delete_selected_with_reason
from apps.core.admin.selections import selected_delete
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest


def _visible(model: type[Model], request: PortalRequest) -> QuerySet[Any]:
    rows = model._default_manager.all()
    return rows.visible(request.actor) if hasattr(rows, "visible") else rows


def search_select(model: type[Model], name: str) -> AutocompleteSelect:
    """The widget of a form's own field that asks for a row, as the admin draws the reference `name` of the model: what
    is typed is looked for among the rows that the person may see."""
    return AutocompleteSelect(model._meta.get_field(name), site)


class VisibleRowsFilter(AutocompleteSelectFilter):
    """A filter by a related object, which is searched for among the ones that the person may see: there is any number
    of them. Their admin answers the search (`search_fields`)."""

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for choice in super().choices(changelist):
            form: Any = choice["form"]
            # What the address names is shown too.
            rows = _visible(form.fields[self.lookup_kwarg].queryset.model, cast(PortalRequest, self.request))
            form.fields[self.lookup_kwarg].queryset = rows
            self._keep_others(form, changelist)
            yield choice

    def _keep_others(self, form: Any, changelist: Any) -> None:
        """The first of the fields carries what was chosen by links, where Unfold does not: the form would drop it."""
        own = [spec for spec in changelist.filter_specs if isinstance(spec, VisibleRowsFilter)]
        if own[0] is not self:
            return
        links = [spec for spec in changelist.filter_specs if not hasattr(spec, "lookup_val")]
        names = {name for spec in links for name in spec.used_parameters}
        for name in sorted(names & set(self.request.GET)):
            form.fields[name] = CharField(widget=HiddenInput)
            form.data[name] = self.request.GET[name]


class PolicyAdmin(ModelAdmin):
    """Editable: `save_operation` and `delete_operation` call the app's services; nothing is saved around them.

    Deletion asks for a reason, and so does a change of the fields in `reasoned`.
    """

    form: Any = ReasonedForm
    reasoned: tuple[str, ...] = ()
    #: Whether its list is taken along as a file, with the columns that it shows.
    exportable = True
    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    # Filters that are typed into wait for their button; the others stay links.
    list_filter_submit = True
    warn_unsaved_form = True

    def has_view_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        """Django asks "anywhere" even about one row; the policy is asked about the row."""
        return self._holds(request, "view", obj) or self.has_change_permission(request, obj)

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return self._holds(request, "change", obj)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return self._holds(request, "delete", obj)

    def _holds(self, request: PortalRequest, verb: str, obj: Any) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.{verb}_{self.opts.model_name}", obj))

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        rows = _visible(self.model, request)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def get_changelist_instance(self, request: PortalRequest) -> Any:
        """Without a search or a filter what is found is all that there is; nothing is counted for that."""
        found = super().get_changelist_instance(request)
        if found.full_result_count is None and not found.query and not found.has_active_filters:
            found.full_result_count = found.result_count
        return found

    def get_inline_instances(self, request: PortalRequest, obj: Any = None) -> list[Any]:
        """Nothing hangs on an object that is not there yet."""
        return super().get_inline_instances(request, obj) if obj is not None else []

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        """An object that is not there yet has nothing to be read."""
        fields = super().get_fields(request, obj)
        readonly = set(self.get_readonly_fields(request, obj))
        if obj is None:
            return [name for name in fields if name not in readonly and name != REASON]
        asks = not readonly.issuperset(self.reasoned) and self.has_change_permission(request, obj)
        shown = [name for name in fields if name != REASON]
        if asks:
            shown.insert(max(shown.index(name) for name in self.reasoned) + 1, REASON)
        return shown

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.reasoned = frozenset(self.reasoned if change else ())
        return form

    def get_list_filter(self, request: PortalRequest) -> list[Any]:
        return [self._restricted(found) for found in super().get_list_filter(request)]

    def _restricted(self, found: Any) -> Any:
        if isinstance(found, str) and get_fields_from_path(self.model, found)[-1].is_relation:
            return found, VisibleRowsFilter
        return found

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Only what the list or the page shows: whoever may filter rows by a column reads it, letter by letter. Django
        allows every column, those that hold digests of passwords and of links among them."""
        try:
            name = self.opts.get_field(lookup.partition(LOOKUP_SEP)[0]).name
        except FieldDoesNotExist:
            return super().lookup_allowed(lookup, value, request)
        return name in self._told(request) and super().lookup_allowed(lookup, value, request)

    def _told(self, request: Any) -> set[str]:
        """Names of the columns that people are told here, and beginnings of ways to other rows by which they filter."""
        filters = [found[0] if isinstance(found, tuple) else found for found in self.get_list_filter(request)]
        ways = [found for found in (*filters, *self.search_fields) if isinstance(found, str)]
        # Forms have what is neither read nor shown in the list.
        shown = (*self.get_list_display(request), *self.readonly_fields, *(self.fields or ()))
        key = self.opts.pk
        return {*shown, *(way.partition(LOOKUP_SEP)[0] for way in ways), *((key.name,) if key else ())}

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        """Every reference to rows of ours that an admin searches: there is any number of them."""
        return [
            field.name for field in self.opts.fields if field.is_relation and self._is_searched(field.related_model)
        ]

    def _is_searched(self, model: Any) -> bool:
        found = self.admin_site._registry.get(model)
        return found is not None and bool(found.search_fields) and hasattr(model._default_manager.all(), "visible")

    def formfield_for_foreignkey(self, db_field: Any, request: PortalRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", _visible(db_field.remote_field.model, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: PortalRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", _visible(db_field.remote_field.model, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_field_queryset(self, db: str | None, db_field: Field, request: PortalRequest) -> QuerySet[Any]:
        return _visible(db_field.remote_field.model, request)  # type: ignore[union-attr]

    def save_operation(self, request: PortalRequest, obj: Any, form: ModelForm, change: bool) -> Any:
        """Calls the service that creates or changes the object, and returns the saved object."""
        raise NotImplementedError(f"{type(self).__name__} is editable but names no operation.")

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        """Calls the service that removes the object."""
        raise NotImplementedError(f"{type(self).__name__} allows deletion but names no operation.")

    def save_model(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> None:
        with auditing.because(form.cleaned_data.get(REASON, "")):
            saved = self.save_operation(request, obj, form, change)
        if saved is not None and saved.pk != obj.pk:
            obj.pk = saved.pk

    def delete_view(self, request: PortalRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Comes back to its page until there is a reason."""
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_bound and not form.is_valid():
            request.POST = QueryDict()
        with auditing.because(form.cleaned_data[REASON] if form.is_valid() else ""):
            return super().delete_view(request, object_id, {**(extra_context or {}), "reason_form": form})

    def get_actions(self, request: PortalRequest) -> Any:
        found = super().get_actions(request)
        if "delete_selected" in found:
            _plain, name, text = found["delete_selected"]
            found["delete_selected"] = (delete_selected_with_reason, name, text)
        if self.exportable and IS_POPUP_VAR not in request.GET:
            found["export_rows"] = (export_rows, "export_rows", _("Export the chosen rows"))
        return found

    def delete_model(self, request: PortalRequest, obj: Any) -> None:
        self.delete_operation(request, obj)

    def delete_queryset(self, request: PortalRequest, queryset: QuerySet[Any]) -> None:
        """All or none: one event for each organization names every object, and has those of the single acts under it."""
        chosen: dict[Any, list[Any]] = {}
        for obj in queryset:
            chosen.setdefault(getattr(obj, "organization_id", None), []).append(obj)
        with transaction.atomic():
            for objects in chosen.values():
                selected_delete(actor=request.actor, objects=objects, delete=partial(self.delete_operation, request))

    def log_addition(self, *args: Any, **kwargs: Any) -> None:
        """The audit log holds what happened; Django's own admin log stays empty."""

    log_change = log_addition
    log_deletion = log_addition
    log_deletions = log_addition

    def changeform_view(
        self, request: PortalRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            wrong = [text for texts in error.fields.values() for text in texts]
            # Many say the same in the message and at the field.
            said = dict.fromkeys(str(text) for text in (error.message, *wrong, error.hint) if text)
            messages.error(request, " ".join(said))
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(PolicyAdmin):
    """Rows that nothing but the product itself writes."""

    def has_add_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False


class InlinePage(PaginationInlineFormSet):
    """One page of the rows. A number that is none asks for the first."""

    def get_page_num(self) -> int:
        asked = self.request.GET.get(self.get_pagination_key(), "")
        return max(1, int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 1

    def get_page(self, paginator: Paginator, page: int) -> Page:
        return paginator.get_page(page)


class PolicyInline(TabularInline):
    """Rows shown under their parent, read-only, the newest first and page by page; the parent's page has the actions.

    Of rows with a rule of their own, those that the person may see; others are seen by whoever sees the parent.
    """

    formset = InlinePage
    per_page = 25
    ordering: Any = ("-pk",)
    extra = 0
    can_delete = False
    # The columns say it; Unfold would head every row with the object's words.
    hide_title = True
    show_change_link = False

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        """With what the columns name: a row of another table each would be a query for every line."""
        columns = {field.name for field in self.model._meta.concrete_fields if field.is_relation}
        rows = super().get_queryset(request)
        view = f"{self.opts.app_label}.view_{self.opts.model_name}"
        if policy.is_ruled(view):
            rows = rows.filter(policy.condition(request.actor, view))
        return rows.select_related(*columns.intersection(self.get_fields(request)))

    def has_add_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return True
