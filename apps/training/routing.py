from django.urls import path

from apps.jobs.consumers import JobConsumer

websocket_urlpatterns = [path("ws/training-jobs/<uuid:pk>/", JobConsumer.as_asgi())]
