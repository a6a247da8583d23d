from django.urls import path

from apps.invitations import views

app_name = "invitations"
urlpatterns = [
    path("invitations/", views.invitation_list, name="list"),
    path("invitations/new/", views.invitation_create, name="create"),
    path("invitations/new/file/", views.invitation_bulk, name="bulk"),
    path("invitations/<uuid:pk>/resend/", views.invitation_resend, name="resend"),
    path("invitations/<uuid:pk>/cancel/", views.invitation_cancel, name="cancel"),
    path("invite/<str:token>/", views.invite, name="invite"),
    path("invite/<str:token>/accept/", views.accept, name="accept"),
    path("invite/<str:token>/decline/", views.decline, name="decline"),
    path("invite/<str:token>/sign-up/", views.sign_up, name="sign-up"),
]
