from django.urls import path

from apps.training import views

app_name = "training"
urlpatterns = [
    path("", views.training_list, name="list"),
    path("new/", views.training_create, name="create"),
    path("forecast/", views.training_forecast, name="forecast"),
    path("versions/", views.training_versions, name="versions"),
    path("<uuid:pk>/", views.training_monitor, name="monitor"),
    path("<uuid:pk>/change/", views.training_change, name="change"),
    path("<uuid:pk>/checkpoints/", views.training_checkpoints, name="checkpoints"),
    path("<uuid:pk>/config/", views.training_config, name="config"),
    path("<uuid:pk>/results/", views.training_results, name="results"),
    path("<uuid:pk>/schedule/", views.training_schedule, name="schedule"),
    path("<uuid:pk>/schedule/end/", views.training_unschedule, name="unschedule"),
]
