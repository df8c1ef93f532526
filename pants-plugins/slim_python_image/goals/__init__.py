"""What users ask Pants for."""
