"""Two reports compared: what got worse between two runs, what got better, and what only one of them judged."""
