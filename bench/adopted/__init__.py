"""Puts the plugin into public monorepos, with as small a patch as it takes."""
