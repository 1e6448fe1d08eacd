"""Hold what the command line can do with parcels."""
