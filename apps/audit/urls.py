from django.urls import path

from apps.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.my_activity, name="list"),
    path("organization/", views.organization_activity, name="organization"),
]
