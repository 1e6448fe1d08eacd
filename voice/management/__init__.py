"""Hold the app's commands."""
