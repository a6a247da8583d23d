from django.urls import path

from apps.apikeys import views

app_name = "apikeys"
urlpatterns = [
    path("", views.key_list, name="list"),
    path("new/", views.key_create, name="create"),
    path("endpoints/", views.endpoints, name="endpoints"),
    path("<uuid:pk>/", views.key_detail, name="detail"),
    path("<uuid:pk>/settings/", views.key_change, name="change"),
    path("<uuid:pk>/rotate/", views.key_rotate, name="rotate"),
    path("<uuid:pk>/revoke/", views.key_revoke, name="revoke"),
]
