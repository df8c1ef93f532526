"""What `bench/debian_fidelity` does: sets of Debian packages as layers, and as `mmdebstrap` installs them."""
