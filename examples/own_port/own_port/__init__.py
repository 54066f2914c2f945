"""A port of PNASNet-5 that is somebody's own."""
