"""Debian's archives: releases, package indexes, dependencies, and the packages themselves."""
