"""Checking in worker processes that are killed when they are late."""
