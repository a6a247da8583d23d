from django.urls import path

from apps.singlesignon import views

app_name = "singlesignon"
urlpatterns = [
    path("account/single-sign-on/", views.begin, name="begin"),
    path("account/single-sign-on/<uuid:pk>/callback/", views.callback, name="callback"),
    path("organization/single-sign-on/", views.connection, name="connection"),
    path("organization/single-sign-on/test/", views.test, name="test"),
    path("organization/single-sign-on/remove/", views.remove, name="remove"),
]
