"""What an sdist is and asks for, read without running any of it."""
