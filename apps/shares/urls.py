from django.urls import path

from apps.shares import views

app_name = "shares"
urlpatterns = [
    path("", views.panel, name="panel"),
    path("<uuid:share_pk>/level/", views.change, name="change"),
    path("<uuid:share_pk>/remove/", views.remove, name="remove"),
]
