"""Machines that run jobs: nodes with their slots and telemetry, gathered in resource groups."""
