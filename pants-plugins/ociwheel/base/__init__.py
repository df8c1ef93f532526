"""Base images, sysroots and interpreters from locked Debian packages."""
