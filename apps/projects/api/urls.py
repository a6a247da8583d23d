from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.projects.api import views

router = SimpleRouter(trailing_slash=False)
router.register("projects", views.ProjectViewSet, basename="project")
members = SimpleRouter(trailing_slash=False)
members.register("members", views.ProjectMembershipViewSet, basename="project-member")

urlpatterns = [*router.urls, path("projects/<uuid:project_id>/", include(members.urls))]
