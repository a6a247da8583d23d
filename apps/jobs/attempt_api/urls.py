from django.urls import path

from apps.jobs.attempt_api import views

urlpatterns = [
    path("<uuid:pk>/hello", views.hello),
    path("<uuid:pk>/heartbeat", views.heartbeat),
    path("<uuid:pk>/events", views.events),
    path("<uuid:pk>/logs", views.logs),
    path("<uuid:pk>/files", views.files),
    path("<uuid:pk>/dataset", views.dataset),
    path("<uuid:pk>/blobs/<str:sha256>", views.blob),
    path("<uuid:pk>/end", views.end),
]
