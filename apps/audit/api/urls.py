from rest_framework.routers import SimpleRouter

from apps.audit.api.views import AuditCheckViewSet, AuditHeadViewSet, AuditLogViewSet

router = SimpleRouter(trailing_slash=False)
router.register("audit-checks", AuditCheckViewSet, basename="audit-check")
router.register("audit-heads", AuditHeadViewSet, basename="audit-head")
router.register("audit-logs", AuditLogViewSet, basename="audit-log")
urlpatterns = router.urls
