from django.urls import path

from apps.jobs.consumers import JobConsumer

websocket_urlpatterns = [path("ws/inference-jobs/<uuid:pk>/", JobConsumer.as_asgi())]
