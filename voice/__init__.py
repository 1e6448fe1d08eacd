"""Carry calls between a telephone and a live model, and decide what a call may do."""
