"""A fault to take away: one operation cut out of a candidate, as small as it still shows the fault, as a script."""
