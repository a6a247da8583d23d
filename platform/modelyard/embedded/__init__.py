"""The database and the broker that come with the portal, for machines that have none.

Standard library only, importable without Django: the settings call the functions below, the supervisor and the
test plugin start the servers (`postgres.Postgres`, `valkey.Valkey`). Both servers listen on unix sockets only.
"""

from modelyard.embedded.errors import EmbeddedError
from modelyard.embedded.postgres import database_url, mlflow_database_url
from modelyard.embedded.secrets import secret
from modelyard.embedded.valkey import broker_url, redis_url

__all__ = ["EmbeddedError", "broker_url", "database_url", "mlflow_database_url", "redis_url", "secret"]
