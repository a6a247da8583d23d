"""Projects: where an organization's people keep datasets, trainings and models together.

The exemplar: every other app has the same files and the same shape (docs/recipes/add-an-app.md).
"""
