from django.urls import path

from apps.accounts.api import views

urlpatterns = [
    path("sessions", views.SessionsView.as_view(), name="sessions"),
    path("sessions/revoke-others", views.OthersView.as_view(), name="sessions-revoke-others"),
    path("sessions/<str:pk>", views.SessionView.as_view(), name="session"),
]
