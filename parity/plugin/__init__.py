"""The edge to pytest: options, cases, hooks, and what is said on the terminal."""
