"""What can be judged in the place of the port: other implementations, other engines, and other references."""
