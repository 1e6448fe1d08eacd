"""Measure speed and capacity, by hand and by `make bench`; nothing here is a test."""
