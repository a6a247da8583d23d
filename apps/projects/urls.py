from django.urls import path

from apps.projects import views

app_name = "projects"
urlpatterns = [
    path("", views.project_list, name="list"),
    path("new/", views.project_create, name="create"),
    path("trash/", views.trash, name="trash"),
    path("<uuid:pk>/", views.project_detail, name="detail"),
    path("<uuid:pk>/members/", views.project_members, name="members"),
    path("<uuid:pk>/history/", views.project_history, name="history"),
    path("<uuid:pk>/settings/", views.project_change, name="change"),
    path("<uuid:pk>/archive/", views.project_archive, name="archive"),
    path("<uuid:pk>/unarchive/", views.project_unarchive, name="unarchive"),
    path("<uuid:pk>/transfer/", views.project_transfer, name="transfer"),
    path("<uuid:pk>/trash/", views.project_trash, name="delete"),
    path("<uuid:pk>/restore/", views.project_restore, name="restore"),
    path("<uuid:pk>/purge/", views.project_purge, name="purge"),
    path("<uuid:pk>/members/add/", views.member_add, name="member-add"),
    path("<uuid:pk>/members/<uuid:membership_pk>/role/", views.member_change, name="member-change"),
    path("<uuid:pk>/members/<uuid:membership_pk>/remove/", views.member_remove, name="member-remove"),
]
