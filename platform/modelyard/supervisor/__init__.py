"""`manage.py up`: every process of the portal under one parent, and `manage.py doctor`: is each part well."""
