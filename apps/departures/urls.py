from django.urls import path

from apps.departures import views

app_name = "departures"
urlpatterns = [
    path("organization/departure/", views.overview, name="overview"),
    path("organization/departure/export/", views.export, name="export"),
    path("organization/departure/delete/", views.schedule, name="schedule"),
    path("organization/departure/keep/", views.cancel, name="cancel"),
    path("profile/delete/", views.account, name="account"),
]
