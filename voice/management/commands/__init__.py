"""What `manage.py` can do for the voice app."""
