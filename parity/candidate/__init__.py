"""What is judged: the port, other implementations, and engines; and how its layers are observed."""
