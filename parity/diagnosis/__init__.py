"""When something fails: which operation is at fault, confirmed by its replay, and what the difference looks like."""
