"""Stand in for both vendors, so that the whole product runs with neither."""
