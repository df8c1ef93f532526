"""What a scanner finds in the images that were packaged, beside their SBOMs."""
