"""Connects Spark brewing controllers: their blocks, profiles, units, and where they are on the network."""
