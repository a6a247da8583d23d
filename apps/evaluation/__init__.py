"""Evaluation: what a model says about pictures that it is given (inference jobs, the quick test)."""
