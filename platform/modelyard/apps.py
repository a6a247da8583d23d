from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "modelyard"
    verbose_name = "Modelyard"

    def ready(self) -> None:
        # `shared_task` in apps must find this application in every process, not only in workers.
        from modelyard import celery  # noqa: F401
