"""The program, run as a user would."""
