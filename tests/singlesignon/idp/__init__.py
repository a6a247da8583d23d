"""A real provider for tests: a Django project of its own with allauth's identity provider, run as its own process.

`python -m tests.singlesignon.idp FOLDER PORT` serves it on loopback, its database in the folder.
"""
