"""Trainings: what is trained on which data with which settings, and the checkpoints that come of it."""
