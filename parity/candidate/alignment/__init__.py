"""Which module of a model gives which official layer, found out from one forward: by operations, not names."""
