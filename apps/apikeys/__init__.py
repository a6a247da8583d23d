"""API keys, and what programs do with the API: limits, repeated requests, calls and errors of each endpoint."""
