from django.urls import path

from apps.shares.api import views

urlpatterns = [
    path("shares", views.SharesView.as_view(), name="shares"),
    path("shares/access", views.AccessView.as_view(), name="shares-access"),
    path("shares/<uuid:pk>", views.ShareView.as_view(), name="share"),
]
