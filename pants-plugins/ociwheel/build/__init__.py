"""Wheels from sdists, for a platform that need not be this one."""
