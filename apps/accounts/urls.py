from django.urls import path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sessions/", views.sessions, name="sessions"),
    path("sessions/others/end/", views.end_others, name="sessions-end-others"),
    path("sessions/<str:pk>/end/", views.end, name="session-end"),
]
