"""Forms of the pages of resource groups."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.resources.models import ResourceGroup


class ResourceGroupForm(forms.ModelForm):
    """Name, description and how many jobs at once; how work is started is the same for every group so far."""

    class Meta:
        model = ResourceGroup
        fields = ("name", "description", "max_jobs_at_once")
        help_texts = {"description": _("Who the machines belong to, and what they are for.")}
        widgets = {
            "name": forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
            "description": forms.Textarea(attrs={"rows": 3}),
        }

    def clean_name(self) -> str:
        """The organization may not have another group of this name; the operation that creates one asks by itself."""
        name = self.cleaned_data["name"].strip()
        same = ResourceGroup.objects.filter(organization=self.instance.organization_id, name=name)
        if not self.instance._state.adding and same.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is a resource group of this name."))
        return name
