"""The models that the evaluation can run."""

OFFICIAL, PORT = "official", "port"
# Those that each choice of --sides evaluates.
SIDES = {"both": (OFFICIAL, PORT), "tf": (OFFICIAL,), "torch": (PORT,)}
