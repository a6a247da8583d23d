from django.urls import path

from apps.organizations import views

app_name = "organizations"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("members/", views.members, name="members"),
    path("another/", views.ask, name="ask"),
    path("settings/", views.change, name="change"),
    path("members/<uuid:pk>/role/", views.member_role, name="member-role"),
    path("members/<uuid:pk>/approve/", views.member_approve, name="member-approve"),
    path("members/<uuid:pk>/suspend/", views.member_suspend, name="member-suspend"),
    path("members/<uuid:pk>/reinstate/", views.member_reinstate, name="member-reinstate"),
    path("members/<uuid:pk>/remove/", views.member_remove, name="member-remove"),
]
