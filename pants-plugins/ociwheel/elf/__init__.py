"""Facts of ELF files and the audit over them."""
