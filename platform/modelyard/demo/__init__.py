"""The main job, end to end, as a program would do it: only the public REST API and the WebSocket are used."""

from modelyard.demo.client import ApiError, Client
from modelyard.demo.journey import Journey, Outcome

__all__ = ["ApiError", "Client", "Journey", "Outcome"]
