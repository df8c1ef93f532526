"""Image sizes, side by side: ours and the classic two-stage Dockerfile, as a Docker engine sees them."""
