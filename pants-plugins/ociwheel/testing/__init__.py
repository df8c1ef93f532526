"""Tests of an image: what it is to have and to say, and tests that run inside it."""
