from django.urls import path

from apps.singlesignon.api import views

urlpatterns = [
    path(
        "organizations/<uuid:organization_id>/single-sign-on",
        views.ConnectionView.as_view(),
        name="organization-single-sign-on",
    ),
    path(
        "organizations/<uuid:organization_id>/single-sign-on/test",
        views.ConnectionTestView.as_view(),
        name="organization-single-sign-on-test",
    ),
]
