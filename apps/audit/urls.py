from django.urls import path

from apps.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.my_activity, name="list"),
    path("export/", views.my_export, name="export"),
    path("organization/", views.organization_activity, name="organization"),
    path("organization/check/", views.check, name="check"),
    path("organization/export/", views.organization_export, name="organization-export"),
    path("heads/<uuid:pk>/", views.head, name="head"),
    path("verifier/", views.verifier, name="verifier"),
    path("history/<str:label>/<str:pk>/", views.history, name="history"),
    path("history/<str:label>/<str:pk>/export/", views.history_export, name="history-export"),
]
