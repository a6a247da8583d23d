from django.urls import path

from apps.resources import views

app_name = "resources"
urlpatterns = [
    path("", views.group_list, name="list"),
    path("new/", views.group_create, name="create"),
    path("<uuid:pk>/", views.group_detail, name="detail"),
    path("<uuid:pk>/edit/", views.group_change, name="change"),
    path("nodes/<uuid:pk>/telemetry/", views.node_telemetry, name="node-telemetry"),
]
