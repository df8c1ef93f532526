"""What is in an image and who built it: SBOMs and provenance, as pure functions of locks and layers."""
