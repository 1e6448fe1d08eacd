"""Reach the two vendors over the network."""
