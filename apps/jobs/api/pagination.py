from apps.core.api.pagination import KeysetPagination


class JobPagination(KeysetPagination):
    """For the rows that share their key with a job."""

    ordering = "-job_id"
